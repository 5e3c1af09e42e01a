"""The bridge's life: say HELLO, learn the level, start SGLang, say READY, serve until told to stop or until either side dies."""

import argparse
import asyncio
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time

from . import compat, failure, imports, left, scheduler, wire
from .facts import disagg, kv_events, nodes


def main(argv: list[str]):
    """Runs the bridge with SGLang's own arguments; ends the process."""
    failure.lead_group()
    failure.die_with_parent()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(os.environ["DSGL_SOCK"])
    doom = failure.Doom(sock)
    # In this process SGLang's Rust server would take the place of everything that the bridge hooks.
    os.environ.pop("SGLANG_RUST_SERVER", None)
    os.environ[failure.STATE_DIR] = tempfile.mkdtemp(prefix="state-", dir=os.path.dirname(os.environ["DSGL_SOCK"]))
    levels, unsupported, caps = compat.probe()
    hello = {
        "proto": wire.PROTO,
        "secret": os.environ.pop("DSGL_SECRET", ""),
        "pid": os.getpid(),
        "python": sys.version.split()[0],
        "sglang": compat.version(),
        "levels": levels,
        "unsupported": unsupported,
        "caps": caps,
    }
    sock.sendall(wire.framed([wire.HELLO, hello]))
    if unsupported:
        doom.say("unsupported", unsupported, [])
    answer = wire.read_message(sock)
    if answer is None or answer[0] != wire.HELLO_ACK:
        failure.kill_group(1)
    wanted = answer[1]
    level = pick_level(levels, wanted.get("level") or os.environ.pop("DSGL_LEVEL", None), wanted.get("tok"))
    if nodes.follows(argv):
        level = nodes.level(levels)
    os.environ[scheduler.LEVEL] = level
    os.environ[scheduler.TOK] = wanted.get("tok") or ""
    started = threading.Event()
    threading.Thread(target=watch_socket, args=(sock, started), daemon=True).start()
    begun = time.monotonic()
    engine, server_args = start_engine(argv, level, doom)
    imports.end()
    if failure.noted_pids("unhooked"):
        level = "L0"
    started.set()
    if engine.tokenizer_manager is None:
        from .node import serve
    else:
        from .serve import serve

    loop = engine_loop(engine)
    try:
        loop.run_until_complete(serve(engine, server_args, sock, doom, level, time.monotonic() - begun))
    except BaseException as error:
        doom.say("bridge_failed", f"{type(error).__name__}: {error}")
    doom.expected = True
    failure.kill_group(0)


def pick_level(levels: list[str], wanted: str | None, tok: str | None) -> str:
    """The fastest level that passed its probe and is not faster than `wanted`; L1 needs a channel B."""
    first = compat.LEVELS.index(wanted) if wanted in compat.LEVELS else 0
    allowed = [level for level in compat.LEVELS[first:] if level in levels and (level != "L1" or tok)]
    return allowed[0] if allowed else levels[-1]


def watch_socket(sock, started: threading.Event):
    """While SGLang starts, nothing reads the socket: end everything if its other side goes away."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP | select.POLLHUP)
    while not started.is_set():
        if poll.poll(200) and not started.is_set():
            failure.kill_group(1)


def start_engine(argv: list[str], level: str, doom):
    """Starts SGLang in this process. Does not return when that fails: FATAL tells SGLang's own words."""
    failure.record_errors("bridge")
    refused: list[str] = []
    parser_error = argparse.ArgumentParser.error

    def remembering(self, message):
        refused.append(message)
        return parser_error(self, message)

    argparse.ArgumentParser.error = remembering
    try:
        from sglang.srt.server_args import prepare_server_args

        argv = kv_events.with_events(disagg.with_bootstrap(argv), os.path.dirname(os.environ["DSGL_SOCK"]))
        server_args = kv_events.parsed(prepare_server_args, argv + stream_flags() if level == "L2" else argv)
        for name in ("tokenizer_worker_num", "detokenizer_worker_num"):
            if level != "L2" and (getattr(server_args, name, 1) or 1) > 1:
                refused.append(f"--{name.replace('_', '-')} has no use here: dynamo-sglang tokenizes and detokenizes itself")
                raise SystemExit(2)
    except SystemExit as ended:
        if not refused and not ended.code:
            failure.kill_group(0)  # --help and the like
        doom.say("bad_args", refused[-1] if refused else "SGLang refused its arguments", refused)
    except BaseException as error:
        doom.say("bad_args", last_line(error), str(error).splitlines())
    finally:
        argparse.ArgumentParser.error = parser_error
    with_quiet_signals(doom)
    left.note_load_files()
    left.note_socket_files()
    try:
        from .manager import engine_class

        return engine_class(level)(server_args=server_args), server_args
    except BaseException as error:
        lines = failure.last_error_lines()
        doom.say("start_failed", lines[-1].strip() if lines else last_line(error), lines or str(error).splitlines())
        raise


def stream_flags() -> list[str]:
    """L2 reads deltas where this release can give them; else it cuts them out of growing lists."""
    known = compat.fields_of(compat.load("sglang.srt.server_args", "ServerArgs"))
    names = [name for name in ("incremental_streaming_output", "stream_output") if name in known]
    return [f"--{names[0].replace('_', '-')}"] if names else []


def last_line(error: BaseException) -> str:
    text = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def with_quiet_signals(doom):
    """A failing scheduler sends SIGQUIT, and SGLang's own handler would end this process before FATAL is said: keep ours in place."""
    install = signal.signal

    def failed(_number, _frame):
        lines = failure.last_error_lines()
        doom.say("start_failed", lines[-1].strip() if lines else "a scheduler failed to start", lines)

    def stopped(_number, _frame):
        doom.expected = True
        failure.kill_group(0)

    def keep_ours(number, handler):
        return install(number, failed if number == signal.SIGQUIT else handler)

    install(signal.SIGQUIT, failed)
    install(signal.SIGTERM, stopped)
    install(signal.SIGINT, stopped)
    signal.signal = keep_ours


def engine_loop(engine):
    """The loop that SGLang prepared (uvloop where it has that), or the current one."""
    loop = getattr(engine, "loop", None)
    if loop is None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop
