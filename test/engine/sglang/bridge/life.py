"""How bridges live and end: ranks, failed starts. Unknown flags, missing models and parents that die: ../sglang.test.ts."""

import json
import os
import random
import signal

from setup import GREEDY, PROMPTS, gone, start


def ranks():
    """Two data-parallel ranks: both serve, a request can name its rank, KV endpoints are told; a killed scheduler ends all."""
    port = random.randrange(20_000, 32_000)
    events = json.dumps({"publisher": "zmq", "endpoint": f"tcp://*:{port}", "topic": "kv"})
    bridge = start("L1", "--dp-size", "2", "--kv-events-config", events, "--enable-metrics", env={"SGLANG_CPU_OMP_THREADS_BIND": "0|1"})
    assert bridge.ready["level"] == "L1" and bridge.ready["dp_size"] == 2 and len(bridge.ready["schedulers"]) == 2
    assert [found["endpoint"] for found in bridge.ready["kv_events"]] == [f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{port + 1}"]
    for rank in (0, 1, 1):
        request = bridge.run(PROMPTS[0], {**GREEDY, "max_new_tokens": 4}, {"dp": rank})
        assert request.rank == rank and len(request.ids) == 4
    request = bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 1900}, {"dp": 1})
    bridge.wait(lambda: request.rows > 5)
    bridge.send([12, [request.rid]])
    bridge.wait(lambda: request.done)
    assert request.fin[1] == "abort", request.fin
    assert "sglang:" in bridge.call("metrics")[1]
    assert {load[0] for load in bridge.loads} == {0, 1}
    os.kill(bridge.ready["schedulers"][1], signal.SIGKILL)
    bridge.wait(lambda: bridge.seen(190))
    assert bridge.exit_status() != 0
    gone(bridge)
    print("ok ranks", flush=True)


def failures():
    """What goes wrong at the start is told in SGLang's words, once, and nothing is left."""
    for more, code, word in (
        (["--tp-size", "nonsense"], "bad_args", "tp"),
        (["--tokenizer-worker-num", "2"], "bad_args", "tokenizer-worker-num"),
        (["--load-format", "sharded_state"], "start_failed", ""),
    ):
        bridge = start("L1", *more, ready=False)
        bridge.wait(lambda: bridge.seen(190), 120)
        fatal = bridge.seen(190)
        assert code == fatal["code"] and word in fatal["message"] + "\n".join(fatal["lines"]), fatal
        assert bridge.exit_status() == 1, bridge.process.returncode
        gone(bridge)
        print("ok", fatal["code"], fatal["message"][:150], flush=True)
