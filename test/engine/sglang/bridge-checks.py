"""Checks of the bridge against a real SGLang on CPU: `python bridge-checks.py MODEL EMBED_MODEL GROUP…`. Run by bridge-checks.test.ts."""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bridge_client import BridgeClient, group_alive  # noqa: E402

FLAGS = "--device cpu --attention-backend torch_native --mem-fraction-static 0.3 --max-total-tokens 8192 --max-running-requests 8"
FLAGS = [*FLAGS.split(), "--context-length", "2048", "--log-level", "warning"]
CPU = {"SGLANG_USE_CPU_ENGINE": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "SGLANG_NCCL_SO_PATH": "/nonexistent/libnccl.so"}
MODEL, EMBED_MODEL = sys.argv[1:3]
GRAMMAR = not os.environ.get("BRIDGE_NO_GRAMMAR")
"""Older releases can compile no grammar without a GPU."""
GREEDY = {"temperature": 0, "ignore_eos": True}
PROMPTS = [[5, 6, 7, 8, 9], list(range(20, 84)), [300], [41, 42, 43] * 9]


def start(level, *more, model=MODEL, env=None, ready=True):
    log = tempfile.NamedTemporaryFile("w", prefix=f"bridge-{level}-", suffix=".log", delete=False)
    bridge = BridgeClient(["--model-path", model, *FLAGS, *more], level=level, env={**CPU, **(env or {})}, stderr=log)
    bridge.log = log.name
    if ready:
        bridge.wait(lambda: bridge.seen(190) or bridge.seen(2), 240)
        assert not bridge.seen(190), bridge.seen(190)
        bridge.ready = bridge.seen(2)
    return bridge


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
    """f32 values as rounded numbers: bfloat16 batches of other sizes differ in the last digits."""
    return [None if v != v else round(v, 2) for v in struct.unpack(f"<{len(packed) // 4}f", packed)]


def levels():
    """L1, L0 and L2 answer alike, refuse alike and abort alike; each ends in another way, and nothing is left."""
    first = None
    for level, end in (("L1", shut_down), ("L0", kill_scheduler), ("L2", hang_up)):
        bridge = start(level)
        assert bridge.ready["level"] == level and bridge.hello["levels"] == ["L1", "L0", "L2"]
        assert bridge.ready["max_running_requests"] == 8 and bridge.ready["max_total_tokens"] == 8192, bridge.ready
        found = answers(bridge)
        first = first or found
        for mine, theirs in zip(found, first):
            assert mine == theirs, f"{level}: {mine} instead of {theirs}"
        refusals(bridge)
        aborts(bridge, 3 if level == "L2" else 2)
        calls(bridge)
        grammar_resumes(bridge)
        messages(bridge)
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


def aborts(bridge, tokens):
    """An abort stops the engine within `tokens` further tokens of each row on its way; also for one in the queue."""
    request = bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 1900})
    bridge.wait(lambda: request.rows >= 20)
    bridge.send([12, [request.rid]])
    bridge.wait(lambda: request.done, 5)
    assert request.fin[1] == "abort" and request.fin[4] is None and request.fin[6] == len(request.ids) < 60, request.fin
    many = [bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 900}) for _ in range(11)]
    bridge.wait(lambda: sum(request.rows > 0 for request in many) >= 8)
    bridge.send([12, [request.rid for request in many]])
    bridge.wait(lambda: all(request.done for request in many), 10)
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


def resumes():
    """In float32, an answer that is continued at any place equals the undisturbed one: produced tokens still count for penalties, the seed
    goes by position, a JSON schema goes on where it was."""
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}}, "required": ["b", "a"]})
    kinds = [{}, {"frequency_penalty": 0.5}, {"presence_penalty": 1.5}, {"repetition_penalty": 1.1}]
    # A few tokens far before the others: penalties decide among them.
    bias = {"logit_bias": {str(token): 20 for token in range(500, 512)}}
    kinds = [{**GREEDY, **bias, **kind} for kind in kinds] + [{"temperature": 1.0, "sampling_seed": 11, "ignore_eos": True}]
    if GRAMMAR:
        kinds.append({"temperature": 0, "json_schema": schema})
    for level in ("L1", "L2"):
        bridge = start(level, "--dtype", "float32")
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
                assert rest == whole[cut:], f"{level} {sampling} cut at {cut}: {rest} instead of {whole[cut:]}"
        shut_down(bridge)
        print(f"ok {level}", flush=True)


def messages(bridge):
    request = bridge.run(None, {**GREEDY, "max_new_tokens": 2}, {"messages": [{"role": "user", "content": "hello"}]})
    assert len(request.ids) == 2 and request.first[1] > 3, (request.error, request.first)
    assert bridge.run(None, {**GREEDY, "max_new_tokens": 2}, {"text": "hello"}).first[1] >= 1


def shut_down(bridge):
    assert bridge.shutdown() == 0
    gone(bridge)


def kill_scheduler(bridge):
    """kill -9 of a scheduler in the middle of a stream: FATAL within a second, status not 0."""
    request = bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 1900})
    bridge.wait(lambda: request.rows > 5)
    killed = time.time()
    os.kill(bridge.ready["schedulers"][0], signal.SIGKILL)
    bridge.wait(lambda: bridge.seen(190), 5)
    assert time.time() - killed < 1, f"FATAL after {time.time() - killed:.2f} s"
    assert bridge.seen(190)["code"] == "scheduler_died"
    assert bridge.exit_status() != 0
    gone(bridge)


def hang_up(bridge):
    """The other side of the socket goes away."""
    bridge.sock.close()
    bridge.sock = None
    assert bridge.exit_status(5) != 0
    gone(bridge)


def gone(bridge):
    limit = time.time() + 3
    while group_alive(bridge.process.pid) and time.time() < limit:
        time.sleep(0.05)
    assert not group_alive(bridge.process.pid), "processes are left"


def ranks():
    """Two data-parallel ranks: both serve, a request can name its rank, KV endpoints are told; a killed parent leaves nothing behind."""
    events = json.dumps({"publisher": "zmq", "endpoint": "tcp://*:21557", "topic": "kv"})
    bridge = start("L1", "--dp-size", "2", "--kv-events-config", events, "--enable-metrics", env={"SGLANG_CPU_OMP_THREADS_BIND": "0|1"})
    assert bridge.ready["level"] == "L1" and bridge.ready["dp_size"] == 2 and len(bridge.ready["schedulers"]) == 2
    assert [found["endpoint"] for found in bridge.ready["kv_events"]] == ["tcp://127.0.0.1:21557", "tcp://127.0.0.1:21558"]
    for rank in (0, 1, 1):
        request = bridge.run(PROMPTS[0], {**GREEDY, "max_new_tokens": 4}, {"dp": rank})
        assert request.rank == rank and len(request.ids) == 4
    request = bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 1900}, {"dp": 1})
    bridge.wait(lambda: request.rows > 5)
    bridge.send([12, [request.rid]])
    bridge.wait(lambda: request.done, 5)
    assert "sglang:" in bridge.call("metrics")[1]
    assert {load[0] for load in bridge.loads} == {0, 1}
    os.kill(bridge.ready["schedulers"][1], signal.SIGKILL)
    bridge.wait(lambda: bridge.seen(190), 5)
    assert bridge.exit_status() != 0
    gone(bridge)
    print("ok ranks", flush=True)


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


def failures():
    """What goes wrong at the start is told in SGLang's words, once, and nothing is left."""
    for more, model, code, word in (
        (["--no-such-flag"], MODEL, "bad_args", "no-such-flag"),
        (["--tp-size", "nonsense"], MODEL, "bad_args", "tp"),
        (["--tokenizer-worker-num", "2"], MODEL, "bad_args", "tokenizer-worker-num"),
        ([], "/nonexistent/model", None, "/nonexistent/model"),
        (["--load-format", "sharded_state"], MODEL, "start_failed", ""),
    ):
        bridge = start("L1", *more, model=model, ready=False)
        bridge.wait(lambda: bridge.seen(190), 120)
        fatal = bridge.seen(190)
        assert code in (None, fatal["code"]) and word in fatal["message"] + "\n".join(fatal["lines"]), fatal
        assert bridge.exit_status(10) == 1, bridge.process.returncode
        gone(bridge)
        print("ok", fatal["code"], fatal["message"][:150], flush=True)


def parent():
    """Started by `orphans`: a bridge's other side that is about to die."""
    bridge = start("L1")
    print(bridge.process.pid, flush=True)
    time.sleep(600)


def orphans():
    """kill -9 of the process that started the bridge leaves nothing running."""
    starter = subprocess.Popen([sys.executable, __file__, MODEL, EMBED_MODEL, "parent"], stdout=subprocess.PIPE, text=True)
    group = int(starter.stdout.readline())
    assert len(group_alive(group)) >= 2
    starter.kill()
    starter.wait()
    limit = time.time() + 5
    while group_alive(group) and time.time() < limit:
        time.sleep(0.05)
    assert not group_alive(group), "processes are left"
    print("ok orphans", flush=True)


if __name__ == "__main__":
    for group in sys.argv[3:]:
        globals()[group]()
