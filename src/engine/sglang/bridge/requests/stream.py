"""Level L2, for a release whose inner seams are unknown: SGLang's own public stream of each request, gathered into OUT frames per loop tick."""

import asyncio
import logging
from array import array
from types import SimpleNamespace

from .. import compat, outputs, wire
from ..continued import grammar
from ..facts import disagg, dllm, ready
from ..manager import Outlet
from . import pictures, render
from .request import OPTIONS, check_kind, check_resume

logger = logging.getLogger(__name__)
_NAMES = {"priority": "priority", "extra_key": "extra_key", "lora": "lora_path"}


class Streams:
    """Same methods as Intake; a task for each request reads `TokenizerManager.generate_request`."""

    def __init__(self, engine, send):
        from sglang.srt.managers import io_struct

        self._manager, self._send, self._io = engine.tokenizer_manager, send, io_struct
        pictures.keep_ours(self._manager)
        self._loop = asyncio.get_running_loop()
        self._live: dict[int, tuple[str, asyncio.Task]] = {}
        self._rows: list[dict] = []
        self._sampling_names = frozenset(compat.fields_of(compat.load("sglang.srt.sampling.sampling_params", "SamplingParams")))
        self._meeting = disagg.Meeting(self._manager.server_args)
        self._diffusion = dllm.algorithm(ready.plain_args(self._manager.server_args))
        self._seqs = Outlet(send, self.abort)

    def generate(self, slot: int, rid: str, ids, sampling: dict, opt: dict | None):
        self._start(slot, rid, self._generate(rid, ids, sampling, opt or {}))

    def embed(self, slot: int, rid: str, ids, opt: dict | None):
        self._start(slot, rid, self._embed(rid, ids, opt or {}))

    def _start(self, slot, rid, work):
        self._live[slot] = (rid, self._loop.create_task(self._guarded(rid, work)))

    async def _guarded(self, rid: str, work):
        try:
            await work
        except ValueError as error:
            self._send(outputs.error_frame(rid, 400, "BadRequestError", str(error)))
        except Exception as error:
            status = getattr(error, "status_code", None)
            if status is None:
                logger.exception("dynamo-sglang: a stream failed")
            text = getattr(error, "detail", None) or f"{type(error).__name__}: {error}"
            self._send(outputs.error_frame(rid, int(status or 500), type(error).__name__, str(text)))

    async def _ids(self, ids, opt) -> list[int]:
        if ids is None:
            return await self._loop.run_in_executor(None, render.token_ids, self._manager, opt)
        narrow = array("I")
        narrow.frombytes(ids)
        return narrow.tolist()

    async def _generate(self, rid, ids, sampling, opt):
        check_kind(self._manager, True)
        dllm.check(self._diffusion, sampling, opt)
        values = {"rid": rid, "input_ids": await self._ids(ids, opt), "stream": opt.get("stream", True)}
        unknown = set(sampling) - self._sampling_names
        if unknown:
            raise ValueError(f"unknown sampling parameter: {', '.join(sorted(unknown))}")
        values["sampling_params"] = {"max_new_tokens": None, **sampling}
        if opt.get("resume"):
            check_resume(sampling)
            custom = values["sampling_params"].get("custom_params") or {}
            values["sampling_params"]["custom_params"] = {**custom, grammar.PARAM: opt["resume"]}
        values.update(self._meeting.values(opt.get("boot")))
        self._fill(values, opt, compat.fields_of(self._io.GenerateReqInput))
        if opt.get("media"):
            request = pictures.ask(self._manager, self._io.GenerateReqInput, values, opt["media"])
        else:
            request = self._io.GenerateReqInput(**values)
        sent, last = 0, None
        async for item in self._manager.generate_request(request, None):
            if last is None and opt.get("media"):
                pictures.check_seen(item["meta_info"].get("prompt_tokens"), len(ids) // 4)
            last = item
            sent += self._gather(rid, item, sent)
        if last is None or last["meta_info"].get("finish_reason") is None:
            raise RuntimeError("SGLang ended the stream without a finish reason")

    def _fill(self, values, opt, fields):
        for name, value in opt.items():
            if name not in OPTIONS:
                raise ValueError(f"unknown request option {name!r}")
            if value is None:
                continue
            if name == "lp":
                start, top, wanted = (*value, None, None)[:3]
                values.update(return_logprob=True, logprob_start_len=start, top_logprobs_num=top or 0, token_ids_logprob=wanted or None)
            elif name == "dp":
                values["routed_dp_rank" if "routed_dp_rank" in fields else "data_parallel_rank"] = value
            elif name == "salt":
                values["cache_salt" if "cache_salt" in fields else "extra_key"] = value
            elif name in _NAMES:
                if _NAMES[name] not in fields:
                    raise ValueError(f"this SGLang has no {_NAMES[name]}")
                values[_NAMES[name]] = value

    def _gather(self, rid: str, item: dict, sent: int) -> int:
        """Keeps what is new in `item` for this tick's frame; the number of new tokens. Items may be deltas or everything so far."""
        meta = item["meta_info"]
        ids = item.get("output_ids") or []
        total = meta.get("completion_tokens") or 0
        new = max(0, min(total - sent, len(ids)))
        row = {
            "rids": rid,
            "output_ids": ids[len(ids) - new :],
            "completion_tokens": total,
            "prompt_tokens": meta.get("prompt_tokens") or 0,
            "cached_tokens": meta.get("cached_tokens") or 0,
            "reasoning_tokens": meta.get("reasoning_tokens") or 0,
            "finished_reasons": meta.get("finish_reason"),
            "rank": meta.get("dp_rank") or 0,
        }
        for kind in ("token", "top", "token_ids"):
            put_logprobs(row, "output", kind, tail(meta.get(f"output_{kind}_logprobs"), new))
            put_logprobs(row, "input", kind, meta.get(f"input_{kind}_logprobs") if sent == 0 and new else None)
        if not self._rows:
            self._loop.call_soon(self._flush)
        self._rows.append(row)
        return new

    def _flush(self):
        rows, self._rows = self._rows, []
        for rank in sorted({row["rank"] for row in rows}):
            mine = [row for row in rows if row["rank"] == rank]
            batch = SimpleNamespace(**{name: [row[name] for row in mine] for name in mine[0]})
            self._send(outputs.out_frame(batch, self._seqs.next_seq(rank), rank, None))

    async def _embed(self, rid, ids, opt):
        check_kind(self._manager, False)
        values = {"rid": rid, "input_ids": await self._ids(ids, opt), "sampling_params": {}}
        request = self._io.EmbeddingReqInput(**values)
        async for item in self._manager.generate_request(request, None):
            meta = item["meta_info"]
            row = outputs.embedding_row(rid, item.get("embedding"), meta.get("prompt_tokens") or 0, meta.get("finish_reason"))
            self._send([wire.EMB_OUT, [row]])

    def abort(self, rids: list[str]):
        for rid in rids:
            self._manager.abort_request(rid)

    def abort_all(self) -> int:
        self._manager.abort_request(rid="", abort_all=True)
        return len(self._live)

    def finish(self, slots: list[int]):
        for slot in slots:
            self._live.pop(slot, None)

    def resume(self):
        """SGLang itself holds back requests while it is paused."""

    @property
    def count(self) -> int:
        return len(self._live)


def tail(values, count: int):
    return None if not values else values[len(values) - count :] if count else []


def put_logprobs(row: dict, side: str, kind: str, found):
    """SGLang's `(value, id, text)` tuples as the two columns that the scheduler would send."""
    if kind == "token":
        pairs = found or []
        row[f"{side}_token_logprobs_val"] = [pair[0] for pair in pairs]
        row[f"{side}_token_logprobs_idx"] = [pair[1] for pair in pairs]
        return
    row[f"{side}_{kind}_logprobs_val"] = [[pair[0] for pair in position or ()] for position in found or []]
    row[f"{side}_{kind}_logprobs_idx"] = [[pair[1] for pair in position or ()] for position in found or []]
