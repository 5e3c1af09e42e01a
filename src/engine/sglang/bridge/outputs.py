"""Turns one engine step (SGLang's BatchTokenIDOutput or BatchEmbeddingOutput) into one OUT or EMB_OUT frame.

Runs in the scheduler (L1) and in the bridge (L0). Columns are read by name, because releases add, drop and reorder them.
"""

import time
from array import array

from . import wire

NAN = float("nan")


def out_frame(output, seq: int, rank: int, load) -> list:
    """The OUT frame of a token batch whose rids are all ours; `load` is [running, waiting, used, max] or None."""
    rids = output.rids
    who = bytes.fromhex("".join([rid[8:24] for rid in rids]))
    tokens = array("i")
    lens = array("I")
    uneven = False
    finished = output.finished_reasons
    for i, ids in enumerate(output.output_ids):
        if finished[i] is not None and refused(finished[i]):
            ids = ()  # SGLang fills in an id for a request that it refuses (an invalid grammar, a prompt too long)
        count = len(ids)
        if count == 1:
            tokens.append(ids[0])
        else:
            uneven = True
            tokens.fromlist(list(ids))
        lens.append(count)
    completion = output.completion_tokens
    prompt, cached = output.prompt_tokens, output.cached_tokens
    reasoning = getattr(output, "reasoning_tokens", None)
    first, fin = [], []
    for i, total in enumerate(completion):
        if total == lens[i]:
            first.append([i, prompt[i], cached[i]])
        if finished[i] is not None:
            row = [i, *finish(finished[i])]
            row += [total, prompt[i], cached[i], reasoning[i] if reasoning else 0]
            fin.append(row)
    has_logprobs = output.output_token_logprobs_val or output.input_token_logprobs_val
    lp = logprob_rows(output, len(rids)) if has_logprobs else None
    return [
        wire.OUT,
        rank,
        seq,
        who,
        tokens.tobytes(),
        lens.tobytes() if uneven else None,
        first,
        fin,
        lp,
        load,
        time.time() * 1000,
    ]


def finish(reason) -> list:
    """SGLang's finish reason as `[type, matched, message, status, err_type]`."""
    if not isinstance(reason, dict):
        reason = reason.to_json()
    status = reason.get("status_code")
    matched = reason.get("matched")
    if matched is not None and not isinstance(matched, (int, str)):
        matched = list(matched)
    return [
        reason.get("type"),
        matched,
        reason.get("message"),
        None if status is None else int(status),
        reason.get("err_type"),
    ]


def refused(reason) -> bool:
    """Whether an abort is an error of the request or engine, not a cancel."""
    return isinstance(reason, dict) and reason.get("type") == "abort" and reason.get("status_code") is not None


def logprob_rows(output, count: int):
    """The `lp` column, or None when no row carries log-probabilities."""
    rows = []
    columns = [
        getattr(output, f"{side}_{kind}_logprobs_{part}", None) or ()
        for side in ("output", "input")
        for kind in ("token", "top", "token_ids")
        for part in ("val", "idx")
    ]
    for i in range(count):
        val, _, top_v, top_i, tid_v, tid_i, in_val, in_idx, in_top_v, in_top_i, in_tid_v, in_tid_i = (
            column[i] if i < len(column) else None for column in columns
        )
        if not val and not in_val:
            continue
        prompt = None
        if in_val:
            prompt = [floats(in_val), ids(in_idx), alternatives(in_top_v, in_top_i), alternatives(in_tid_v, in_tid_i)]
        rows.append([i, floats(val or ()), alternatives(top_v, top_i), alternatives(tid_v, tid_i), prompt])
    return rows or None


def alternatives(values, indices):
    """Positions of (values, ids) lists as `[n, values, ids]`; None when nothing was asked for."""
    if not values or not any(values):
        return None
    counts = [len(row) if row else 0 for row in values]
    even = min(counts) == max(counts)
    flat_values, flat_ids = array("f"), array("i")
    for row, row_ids in zip(values, indices):
        if row:
            flat_values.extend([NAN if v is None else v for v in row])
            flat_ids.extend([int(t) for t in row_ids])
    return [counts[0] if even else array("I", counts).tobytes(), flat_values.tobytes(), flat_ids.tobytes()]


def floats(values) -> bytes:
    """f32 LE; None becomes NaN. Exact, because SGLang's values are f32 to begin with."""
    return array("f", [NAN if v is None else v for v in values]).tobytes()


def ids(values) -> bytes:
    return array("i", [int(v) for v in values]).tobytes()


def embedding_frame(output) -> list:
    """The EMB_OUT frame of an embedding batch whose rids are all ours."""
    rows = []
    for i, rid in enumerate(output.rids):
        rows.append(embedding_row(rid, output.embeddings[i], output.prompt_tokens[i], output.finished_reasons[i]))
    return [wire.EMB_OUT, rows]


def embedding_row(rid: str, vector, prompt_tokens: int, reason) -> list:
    """`[slot, gen, prompt_tokens, vector, finish]`; an aborted request has no vector."""
    ended = finish(reason) if reason is not None else None
    failed = vector is None or (ended is not None and ended[0] == "abort")
    if not failed and hasattr(vector, "tolist"):
        vector = vector.tolist()
    if not failed and isinstance(vector, (int, float)):
        vector = [vector]
    packed = None if failed else array("f", vector).tobytes()
    return [wire.slot_of(rid), wire.gen_of(rid), prompt_tokens, packed, ended]


def error_frame(rid: str, status: int, err_type: str, message: str) -> list:
    """ERR: the request never reached the scheduler."""
    return [wire.ERR, wire.slot_of(rid), wire.gen_of(rid), status, err_type, message]


def aborted_frame(abort_req) -> list:
    """ABORTED from the scheduler's own AbortReq echo (the request was still queued)."""
    reason = getattr(abort_req, "finished_reason", None)
    if reason:
        ended = finish(reason)
    else:
        ended = ["abort", None, getattr(abort_req, "abort_message", None) or "Aborted while queued", None, None]
    return [wire.ABORTED, wire.slot_of(abort_req.rid), wire.gen_of(abort_req.rid), ended]
