"""What a bridge answers: on every level the same, also refused, aborted and continued."""

import json
import os
import struct
import time

from setup import EMBED_MODEL, GRAMMAR, GREEDY, PROMPTS, hang_up, kill_scheduler, shut_down, start


def answers(bridge):
    """What one level answers to a fixed set of requests."""
    found = []
    together = [bridge.start(ids, {**GREEDY, "max_new_tokens": 12}, {"lp": [0, 2, [3, 4]]}) for ids in PROMPTS]
    bridge.wait(lambda: all(request.done for request in together))
    for request in together:
        assert request.first[1] == len(PROMPTS[together.index(request)])
        assert request.fin[1] == "length" and request.fin[6] == len(request.ids) == 12
        found.append([request.ids, logprobs(request)])
    whole = bridge.run(PROMPTS[0], {**GREEDY, "max_new_tokens": 70}, {"stream": False})
    assert whole.rows <= 3, f"{whole.rows} rows for a request that does not stream"
    found.append(whole.ids)
    stopped = bridge.run(PROMPTS[0], {"temperature": 0, "max_new_tokens": 70, "stop_token_ids": [whole.ids[9]]})
    assert stopped.fin[1:3] == ["stop", whole.ids[9]], stopped.fin
    found.append(stopped.ids)
    if not GRAMMAR:
        return found
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False})
    shaped = bridge.run(PROMPTS[0], {"temperature": 0, "max_new_tokens": 64, "json_schema": schema})
    found.append(shaped.ids)
    return found


def logprobs(request):
    """Every number that came, in the order it came, without regard to how rows were cut (values are prompt-independent bytes)."""
    values = b"".join(row[1] for row in request.logprobs)
    top = [b"".join(row[kind][part] for row in request.logprobs) for kind in (2, 3) for part in (1, 2)]
    prompts = [row[4] for row in request.logprobs if row[4]]
    assert len(prompts) == 1, "the prompt's log-probabilities come once"
    assert len(values) == 4 * len(request.ids)
    return [close(values), close(top[0]), top[1], close(top[2]), top[3], close(prompts[0][0]), prompts[0][1]]


def close(packed):
    """f32 values as rounded numbers: batches of other sizes differ in the last digits."""
    return [None if v != v else round(v, 2) for v in struct.unpack(f"<{len(packed) // 4}f", packed)]


def levels():
    """In float32, L1, L0 and L2 answer alike, refuse alike, abort alike and continue alike; each ends in another way, and nothing is left."""
    first = None
    for level, end in (("L1", shut_down), ("L0", kill_scheduler), ("L2", hang_up)):
        bridge = start(level, "--dtype", "float32")
        assert bridge.ready["level"] == level and bridge.hello["levels"] == ["L1", "L0", "L2"]
        assert bridge.ready["max_running_requests"] == 8 and bridge.ready["max_total_tokens"] == 8192, bridge.ready
        found = answers(bridge)
        first = first or found
        for mine, theirs in zip(found, first):
            assert mine == theirs, f"{level}: {mine} instead of {theirs}"
        refusals(bridge)
        aborts(bridge)
        calls(bridge)
        grammar_resumes(bridge)
        messages(bridge)
        # On the two lower levels rows go the same way in.
        if level != "L0":
            resumes(bridge)
        assert bridge.channels["B" if level == "L1" else "A"] > 0 and bridge.channels["A" if level == "L1" else "B"] == 0
        assert bridge.call("ping")[1]["requests"] == 0
        end(bridge)
        print(f"ok {level}", flush=True)


def refusals(bridge):
    if GRAMMAR:
        bad = bridge.run(PROMPTS[0], {"json_schema": "{bad"})
        status = bad.fin[4] if bad.fin else bad.error[0]
        text = bad.fin[3] if bad.fin else bad.error[2]
        assert status == 400 and "json" in text and bad.ids == [], (bad.fin, bad.error, bad.ids)
    for sampling, options, word in (
        ({"temperature": -3}, None, "temperature"),
        ({"nonsense": 1}, None, "nonsense"),
        ({}, {"nonsense": 1}, "nonsense"),
        ({"max_new_tokens": 5000}, None, "context length"),
    ):
        refused = bridge.run(PROMPTS[0], sampling, options)
        assert refused.error and refused.error[0] == 400 and word in refused.error[2], refused.error
    assert bridge.run(list(range(2, 900)) * 3, {}).error[0] == 400
    assert bridge.run(PROMPTS[0], None, None, kind=11).error[0] == 400


def aborts(bridge):
    """An abort ends a request with all its rows, long before its length; also one in the queue. (How soon: the suite of engines.)"""
    request = bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 1900})
    bridge.wait(lambda: request.rows >= 20)
    bridge.send([12, [request.rid]])
    bridge.wait(lambda: request.done)
    assert request.fin[1] == "abort" and request.fin[4] is None and request.fin[6] == len(request.ids) < 1900, request.fin
    many = [bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 900}) for _ in range(11)]
    bridge.wait(lambda: sum(request.rows > 0 for request in many) >= 8)
    bridge.send([12, [request.rid for request in many]])
    bridge.wait(lambda: all(request.done for request in many))
    assert all(request.aborted or request.fin[1] == "abort" for request in many)
    started, rows = time.time(), sum(request.rows for request in many)
    while time.time() < started + 0.5:
        bridge.step(0.05)  # a late row trips the client's own assertions
    assert sum(request.rows for request in many) == rows


def calls(bridge):
    assert bridge.call("flush_cache")[1]["success"] is True
    ok, failure = bridge.call("no_such_call")
    assert not ok and failure["status"] == 404
    ok, failure = bridge.call("update_weights_from_disk", {"no_such_field": 1})
    assert not ok and failure["status"] == 400, failure
    ok, info = bridge.call("server_info")
    assert ok and info["version"] == bridge.hello["sglang"] and len(info["internal_states"]) >= 1
    assert bridge.call("metrics") == [True, ""]
    assert bridge.call("pause_generation", {"mode": "abort"})[0] and bridge.frames[-1] == [140, {"paused": True}]
    held = bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 3})
    bridge.step(0.3)
    assert not held.done
    assert bridge.call("continue_generation")[0]
    bridge.wait(lambda: held.done)
    assert len(held.ids) == 3


def grammar_resumes(bridge):
    """An answer under a grammar, continued at any place, equals the undisturbed one."""
    if not GRAMMAR:
        return
    sampling = {"temperature": 0, "max_new_tokens": 40, "regex": r"(red|green|blue)( (one|two|three)){3}\."}
    whole = bridge.run(PROMPTS[0], sampling).ids
    for cut in range(1, len(whole) - 1, 3):
        rest = bridge.run(PROMPTS[0] + whole[:cut], {**sampling, "max_new_tokens": 40 - cut}, {"resume": cut}).ids
        assert rest == whole[cut:], f"cut at {cut}: {rest} instead of {whole[cut:]}"


def resumes(bridge):
    """In float32, an answer that is continued at any place equals the undisturbed one: produced tokens still count for penalties, the seed
    goes by position, a JSON schema goes on where it was."""
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}}, "required": ["b", "a"]})
    kinds = [{}, {"frequency_penalty": 0.5}, {"presence_penalty": 1.5}, {"repetition_penalty": 1.1}]
    # A few tokens far before the others: penalties decide among them.
    bias = {"logit_bias": {str(token): 20 for token in range(500, 512)}}
    kinds = [{**GREEDY, **bias, **kind} for kind in kinds] + [{"temperature": 1.0, "sampling_seed": 11, "ignore_eos": True}]
    if GRAMMAR:
        kinds.append({"temperature": 0, "json_schema": schema})
    plain = bridge.run(PROMPTS[0], {**kinds[0], "max_new_tokens": 24}).ids
    for sampling in kinds:
        whole = bridge.run(PROMPTS[0], {**sampling, "max_new_tokens": 24}).ids
        assert sampling == kinds[0] or whole != plain, f"{sampling} changes nothing"
        if "sampling_seed" in sampling and whole != bridge.run(PROMPTS[0], {**sampling, "max_new_tokens": 24}).ids:
            continue  # Without --enable-deterministic-inference SGLang looks at no seed.
        for cut in (1, 9, 17):
            if cut >= len(whole):
                continue
            rest = bridge.run(PROMPTS[0] + whole[:cut], {**sampling, "max_new_tokens": 24 - cut}, {"resume": cut}).ids
            assert rest == whole[cut:], f"{sampling} cut at {cut}: {rest} instead of {whole[cut:]}"


def messages(bridge):
    request = bridge.run(None, {**GREEDY, "max_new_tokens": 2}, {"messages": [{"role": "user", "content": "hello"}]})
    assert len(request.ids) == 2 and request.first[1] > 3, (request.error, request.first)
    assert bridge.run(None, {**GREEDY, "max_new_tokens": 2}, {"text": "hello"}).first[1] >= 1


def embeddings():
    """All levels make the same vectors."""
    first = None
    for level in os.environ.get("BRIDGE_LEVELS", "L1 L0 L2").split():
        bridge = start(level, "--is-embedding", model=EMBED_MODEL)
        assert bridge.ready["is_embedding"]
        found = [bridge.run(ids, None, None, kind=11) for ids in PROMPTS]
        vectors = [[round(v, 2) for v in request.embedding] for request in found]
        assert [request.first[1] for request in found] == [len(ids) for ids in PROMPTS]
        first = first or vectors
        assert vectors == first, level
        assert bridge.run(None, None, {"text": "hello"}, kind=11).embedding
        assert bridge.run(PROMPTS[0], GREEDY).error[0] == 400
        shut_down(bridge)
        print(f"ok embeddings {level}", flush=True)
