"""How the bridge and its schedulers die: SGLang's own last error lines, one FATAL frame, and no process left behind."""

import ctypes
import glob
import logging
import os
import shutil
import signal
import sys
import threading
import time

from . import wire

STATE_DIR = "DSGL_STATE_DIR"
_PR_SET_PDEATHSIG = 1
_KEPT_LINES = 40
_MOST_BYTES = 1 << 20
_JUST_NOW = 10.0
_RECORD = "\x1e"


def die_with_parent():
    """The kernel kills this process when the one that started it ends, however it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def lead_group():
    """Makes this process the leader of a group of its own, so that the group can be killed as one."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def kill_group(status: int):
    """Ends every process of the group and this one. Does not return. Python's resource tracker ends by itself, when it has removed the semaphores that the others leave."""
    sys.stdout.flush()
    sys.stderr.flush()
    shutil.rmtree(os.environ.get(STATE_DIR, ""), ignore_errors=True)
    for pid in family():
        if is_tracker(pid):
            continue
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os._exit(status)


def is_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return b"from multiprocessing.resource_tracker import main" in line.read()
    except OSError:
        return False


def family() -> list[int]:
    """Pids of all other processes below this one or in its group."""
    me, group = os.getpid(), os.getpgrp()
    children: dict[int, list[int]] = {}
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, "rb") as stat:
                head, _, tail = stat.read().rpartition(b")")
        except OSError:
            continue
        pid, (parent, its_group) = int(head.split(b"(", 1)[0]), map(int, tail.split()[1:3])
        children.setdefault(parent, []).append(pid)
        if its_group == group and pid != me:
            found.append(pid)
    parents = [me]
    while parents:
        below = children.get(parents.pop(), [])
        found += below
        parents += below
    return found


def record_errors(kind: str):
    """Copies the text of every ERROR that SGLang logs in this process to the state folder, because stderr is not ours to read."""
    folder = os.environ.get(STATE_DIR)
    if not folder:
        return
    path = os.path.join(folder, f"{kind}-{os.getpid()}.err")
    handle = logging.Logger.handle

    def recording(self, record):
        if record.levelno >= logging.ERROR:
            try:
                cause = f"\n{type(record.exc_info[1]).__name__}: {record.exc_info[1]}" if record.exc_info else ""
                with open(path, "a") as file:
                    if file.tell() > _MOST_BYTES:
                        file.truncate(0)
                    file.write(f"{_RECORD}{time.time()}\n{record.getMessage().rstrip()}{cause}\n")
            except Exception:  # a log line must never hurt the engine; it is still on stderr
                pass
        return handle(self, record)

    logging.Logger.handle = recording


def note_pid(kind: str, text: str = ""):
    """Tells the bridge of this process: a file `<kind>-<pid>` in the state folder."""
    folder = os.environ.get(STATE_DIR)
    if folder:
        with open(os.path.join(folder, f"{kind}-{os.getpid()}"), "w") as file:
            file.write(text)


def noted_pids(kind: str) -> list[int]:
    names = glob.glob(os.path.join(glob.escape(os.environ[STATE_DIR]), f"{kind}-*"))
    return sorted(int(name.rpartition("-")[2]) for name in names if name.rpartition("-")[2].isdigit())


def notes(kind: str) -> list[str]:
    """What the processes wrote with their pids."""
    found = []
    for path in glob.glob(os.path.join(glob.escape(os.environ[STATE_DIR]), f"{kind}-*")):
        with open(path) as file:
            found.append(file.read())
    return found


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def last_error_lines(seconds: float = float("inf")) -> list[str]:
    """The newest error recorded within so many seconds, a scheduler's before the bridge's own; empty when none was logged."""
    newest: tuple = ()
    for path in glob.glob(os.path.join(glob.escape(os.environ.get(STATE_DIR, "/nonexistent")), "*.err")):
        with open(path) as file:
            last = file.read().rpartition(_RECORD)[2]
        at, _, text = last.partition("\n")
        if time.time() - float(at or 0) <= seconds:
            newest = max(newest, (os.path.basename(path).startswith("scheduler"), float(at), text))
    return [line for line in newest[2].splitlines() if line.strip()][-_KEPT_LINES:] if newest else []


class Doom:
    """Says FATAL once, by a blocking write that needs no event loop, and ends everything."""

    def __init__(self, sock):
        self._sock = sock
        self._once = threading.Lock()
        self.expected = False
        """True while stopping on purpose: a scheduler's end is then no failure."""

    def say(self, code: str, message: str, lines: list[str] | None = None):
        """Sends FATAL and exits with status 1; later calls wait for that end."""
        if self.expected:
            return
        if not self._once.acquire(blocking=False):
            threading.Event().wait()
        lines = lines if lines is not None else last_error_lines()
        frame = wire.framed([wire.FATAL, {"code": code, "message": message or code, "lines": lines}])
        try:
            self._sock.setblocking(True)
            self._sock.settimeout(1.0)
            self._sock.sendall(frame)
        except OSError:
            pass  # nobody is there to hear it; the exit status still tells
        kill_group(1)

    def scheduler_died(self, what: str, status: int | None = None):
        """Ends because a scheduler did; SGLang's own last line is the message when it logged one just now. Who is killed by -9 (`status`, where it is known) has logged nothing of it."""
        if status == -signal.SIGKILL:
            self.say("scheduler_died", f"{what}: killed by SIGKILL; if nobody did it, the kernel did for lack of memory (dmesg tells)", [])
        lines = last_error_lines(_JUST_NOW)
        said = next((line.strip() for line in reversed(lines) if line.strip()), None)
        self.say("scheduler_died", f"{what}: {said}" if said else what, lines)
