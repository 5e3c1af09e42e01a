"""What every group of checks uses: a bridge over a real SGLang on CPU, and the ways to end one."""

import os
import signal
import sys
import tempfile
import time

from client import BridgeClient, group_alive

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


def shut_down(bridge):
    assert bridge.shutdown() == 0
    gone(bridge)


def kill_scheduler(bridge):
    """kill -9 of a scheduler in the middle of a stream: FATAL that says so and blames no request's error of a moment ago, status not 0."""
    request = bridge.start(PROMPTS[0], {**GREEDY, "max_new_tokens": 1900})
    bridge.wait(lambda: request.rows > 5)
    os.kill(bridge.ready["schedulers"][0], signal.SIGKILL)
    bridge.wait(lambda: bridge.seen(190))
    fatal = bridge.seen(190)
    assert fatal["code"] == "scheduler_died"
    assert "killed by SIGKILL" in fatal["message"] and fatal["lines"] == [], fatal
    assert bridge.exit_status() != 0
    gone(bridge)


def hang_up(bridge):
    """The other side of the socket goes away."""
    bridge.sock.close()
    bridge.sock = None
    assert bridge.exit_status() != 0
    gone(bridge)


def gone(bridge):
    limit = time.time() + 20
    while group_alive(bridge.process.pid) and time.time() < limit:
        time.sleep(0.05)
    assert not group_alive(bridge.process.pid), "processes are left"
