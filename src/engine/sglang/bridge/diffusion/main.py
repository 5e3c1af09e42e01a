"""The life of the diffusion role: HELLO, SGLang's workers, one small picture so that no request pays for the first, READY, and jobs until told to stop."""

import os
import signal
import socket
import sys
import tempfile
import threading
import time
from multiprocessing import connection, resource_tracker

from .. import compat, failure, imports, left, wire
from ..main import last_line, watch_socket
from . import arguments, facts, messages, warm_up, workers
from .control import Control, described
from .jobs import Jobs

_TIDY_SECS = 2.0


def main(argv: list[str]):
    """Runs with SGLang's own arguments; ends the process."""
    failure.lead_group()
    failure.die_with_parent()
    sock = LockedSocket(os.environ["DSGL_SOCK"])
    doom = failure.Doom(sock)
    folder = os.path.dirname(os.environ["DSGL_SOCK"])
    os.environ[failure.STATE_DIR] = tempfile.mkdtemp(prefix="state-", dir=folder)
    os.environ[messages.JOBS_DIR] = tempfile.mkdtemp(prefix="jobs-", dir=folder)
    hello = {
        "proto": wire.PROTO,
        "secret": os.environ.pop("DSGL_SECRET", ""),
        "pid": os.getpid(),
        "python": sys.version.split()[0],
        "sglang": compat.version(),
        "levels": [],
        "unsupported": None if compat.version() else "SGLang is not installed in this Python",
        "caps": {},
    }
    sock.send([wire.HELLO, hello])
    if hello["unsupported"]:
        doom.say("unsupported", hello["unsupported"], [])
    answer = wire.read_message(sock)
    if answer is None or answer[0] != wire.HELLO_ACK:
        failure.kill_group(1)
    started = threading.Event()
    threading.Thread(target=watch_socket, args=(sock.socket, started), daemon=True).start()
    begun = time.monotonic()
    reports = workers.Reports(os.path.join(folder, "b"))
    args, generator, pipeline = start(argv, doom)
    imports.end()
    threading.Thread(target=watch_workers, args=(generator, doom), daemon=True).start()
    jobs = Jobs(generator, args, sock.send, lambda: reports.hooks)
    reports.serve(lambda message: jobs.report(message, sock.send))
    ready = facts.ready(args, generator, pipeline, sorted(reports.hooks), 0)
    warm_up.run(generator, ready)
    started.set()
    sock.send([wire.READY, ready | {"hooks": sorted(reports.hooks), "load_secs": time.monotonic() - begun}])
    try:
        serve(sock, jobs, Control(generator, jobs))
    except BaseException as error:
        doom.say("bridge_failed", f"{type(error).__name__}: {error}")
    doom.expected = True
    leave()


def leave():
    """Ends the workers, lets Python's tracker remove the semaphores that they had in /dev/shm, and ends this process."""
    tracker = resource_tracker._resource_tracker
    for pid in failure.family():
        if pid != getattr(tracker, "_pid", None):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    threading.Timer(_TIDY_SECS, failure.kill_group, (0,)).start()
    stop = getattr(tracker, "_stop", None)  # by name: the standard library has no public way
    if stop is not None:
        stop()
    failure.kill_group(0)


def start(argv: list[str], doom):
    """`(ServerArgs, DiffGenerator, the pipeline's class name)`. Does not return when it fails: FATAL tells SGLang's own words."""
    failure.record_errors("bridge")
    # The workers run spawned.py before anything else; of a folder that is run as a program they would run nothing.
    program = sys.modules["__main__"]
    program.__spec__, program.__file__ = None, os.path.join(os.path.dirname(os.path.abspath(__file__)), "spawned.py")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: failure.kill_group(0))
    try:
        pipeline = arguments.pipeline_of(arguments.value_of(argv, "--model-path", "--model"))
        args = arguments.server_args(arguments.completed(argv, pipeline))
    except arguments.ModelMissing as error:
        doom.say("model_missing", str(error), [])
    except SystemExit as ended:
        if not ended.code:
            failure.kill_group(0)  # --help
        doom.say("bad_args", str(ended.code) if isinstance(ended.code, str) else "SGLang refused its arguments", [])
    except BaseException as error:
        doom.say("bad_args", last_line(error), str(error).splitlines())
    wanted, kind = os.environ.get(messages.MAKES), facts.makes(args)
    if wanted and kind != wanted:
        doom.say("model_unfit", facts.unfit(args, pipeline, kind, wanted), [])
    try:
        from sglang.multimodal_gen import DiffGenerator

        left.note_request_folders()

        return args, DiffGenerator.from_pretrained(server_args=args), pipeline
    except BaseException as error:
        lines = failure.last_error_lines()
        doom.say("start_failed", lines[-1].strip() if lines else last_line(error), lines or str(error).splitlines())
        raise


def serve(sock, jobs: Jobs, control: Control):
    """Reads the other side's messages until SHUTDOWN or the end of its socket."""
    while True:
        message = wire.read_message(sock)
        if message is None or message[0] == wire.SHUTDOWN:
            return
        kind = message[0]
        if kind == messages.GENERATE:
            jobs.start(message[1], message[2])
        elif kind == messages.CANCEL:
            jobs.cancel(message[1])
        elif kind == wire.CALL:
            threading.Thread(target=call, args=(sock, control, *message[1:4]), daemon=True).start()


def call(sock, control: Control, number: int, method: str, args: dict):
    try:
        value = control.call(method, args)
        sock.send([wire.REPLY, number, True, value])
    except Exception as error:
        sock.send([wire.REPLY, number, False, described(error)])


def watch_workers(generator, doom):
    """A dead worker leaves generate() waiting for ever: the whole engine ends, and the other side starts another."""
    processes = {process.sentinel: process for process in generator.local_scheduler_process or []}
    if not processes:
        return
    for sentinel in connection.wait(list(processes)):
        process = processes[sentinel]
        process.join()
        doom.scheduler_died(f"{process.name} ended with status {process.exitcode}")


class LockedSocket:
    """The socket to the other side; whole messages from any thread."""

    def __init__(self, path: str):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self._lock = threading.Lock()
        self.recv = self.socket.recv

    def sendall(self, data: bytes):
        with self._lock:
            self.socket.sendall(data)

    def send(self, message: list):
        try:
            self.sendall(wire.framed(message))
        except OSError:
            failure.kill_group(1)  # nobody is there any more

    def setblocking(self, _flag: bool):
        pass

    def settimeout(self, _seconds: float):
        """Reading goes on as before; last words that nobody takes must not keep the process."""
        threading.Timer(_seconds, failure.kill_group, (1,)).start()
