"""Checks of the bridge's jobs with a generator that only writes down what it is asked: `jobs.py BRIDGE_PARENT`. Prints `ok` at the end."""

import glob
import os
import sys
import tempfile
import threading
import time
import types

sys.path.insert(0, sys.argv[1])

from bridge import failure  # noqa: E402
from bridge.diffusion import jobs, messages  # noqa: E402

folder = tempfile.mkdtemp()
for name in (failure.STATE_DIR, messages.JOBS_DIR, messages.FRAMES_DIRS):
    os.environ[name] = os.path.join(folder, name)
    os.mkdir(os.environ[name])


class Generator:
    """Blocks in each call until `free` is set."""

    def __init__(self):
        self.asked, self.seen, self.free, self.most, self.running = [], [], threading.Event(), 0, 0

    def generate(self, sampling_params_kwargs):
        self.running += 1
        self.most = max(self.most, self.running)
        self.asked.append(sampling_params_kwargs)
        paths = sampling_params_kwargs.get("image_path") or []
        for path in [paths] if isinstance(paths, str) else paths:
            with open(path, "rb") as file:
                self.seen.append((file.read(), os.stat(os.path.dirname(path)).st_mode & 0o777))
        self._send_to_scheduler_and_wait_for_response([])
        self.free.wait(5)
        self.running -= 1

    def _send_to_scheduler_and_wait_for_response(self, _batch):
        return types.SimpleNamespace(error="Error executing request: no weights")


def wait_for(said, count):
    for _ in range(500):
        if len(said) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{said} instead of {count} messages")


def make(replicas=1):
    generator, said = Generator(), []
    jobs._shares_socket = lambda: replicas < 0
    made = jobs.Jobs(generator, types.SimpleNamespace(dp_size=1), said.append, lambda: set())
    return generator, said, made


def asked(**more):
    return {"id": "r-1", "params": {"prompt": "x"}, "extra": {}, "images": [], "preview_every": 0} | more


def images():
    """One image is a path, several a list; their folder is private and goes with the job."""
    generator, said, made = make()
    generator.free.set()
    made.start(7, asked(images=[b"one"]))
    made.start(8, asked(images=[b"one", b"two"]))
    wait_for(said, 2)
    assert isinstance(generator.asked[0]["image_path"], str) and len(generator.asked[1]["image_path"]) == 2
    assert generator.seen == [(b"one", 0o700), (b"one", 0o700), (b"two", 0o700)], generator.seen
    assert said[0] == [messages.FAILED, 7, "failed", "", "Error executing request: no weights"], said
    time.sleep(0.1)
    assert glob.glob(f"{folder}/**/images-*", recursive=True) == [] and os.listdir(os.environ[messages.JOBS_DIR]) == []


def turns():
    """One job at a time; one that is cancelled while it waits never reaches SGLang."""
    generator, said, made = make()
    for number in range(4):
        made.start(number, asked())
    wait_for(generator.asked, 1)
    first = messages.job_of(generator.asked[0]["request_id"])[0]
    given_up = next(number for number in range(4) if number != first)
    made.cancel(given_up)
    assert not os.path.exists(os.path.join(os.environ[messages.JOBS_DIR], str(given_up)))
    generator.free.set()
    wait_for(said, 4)
    assert generator.most == 1 and len(generator.asked) == 3
    assert [message[2] for message in said if message[1] == given_up] == ["cancelled"], said


def names():
    """Requests of SGLang's own are not ours, whatever they are called."""
    assert messages.job_of(messages.request_id("a.j5", 12)) == (12, 0)
    assert messages.job_of(messages.request_id("a", 12) + ":3") == (12, 3)
    for other in ("warmup_1", "2b1d.j", "4.2", None, "c0ffee:1"):
        assert messages.job_of(other) is None, other


def kinds():
    """Whose fault a failure was."""
    assert jobs.failure_kind("OutOfMemoryError", "CUDA", []) == "out_of_memory"
    assert jobs.failure_kind("RuntimeError", "HIP out of memory. Tried", []) == "out_of_memory"
    assert jobs.failure_kind("Cancelled", "cancelled before step 2", []) == "cancelled"
    assert jobs.failure_kind("ValueError", "height", ["a.py", "input_validation.py"]) == "rejected"
    assert jobs.failure_kind("ValueError", "height", ["denoising.py"]) == "failed"


for check in (images, turns, names, kinds):
    check()
print("ok")
