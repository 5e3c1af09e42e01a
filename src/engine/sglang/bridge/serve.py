"""The running bridge: frames in and out, schedulers watched, ordered end."""

import asyncio
import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from . import compat, failure, outputs, wire
from .channel import Channel
from .control import Control, NotFound
from .facts.ready import plain_args, ready_map
from .manager import Outlet, start_reading
from .requests.intake import Intake

_LOAD_EVERY = 0.25
_LOOK_EVERY = 0.01
logger = logging.getLogger(__name__)


async def serve(engine, server_args, sock, doom, level: str, load_secs: float):
    """Serves until SHUTDOWN or SIGTERM; a lost socket or scheduler ends the process instead."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    manager = engine.tokenizer_manager

    def lost():
        failure.kill_group(1)

    bridge = Bridge(engine, server_args, level, done)
    sock.setblocking(False)
    _, channel = await loop.create_unix_connection(lambda: Channel(bridge.handle, lost), sock=sock)
    bridge.attach(channel)
    reading = start_reading(manager)
    if reading is not None:
        reading.add_done_callback(lambda task: stopped_reading(task, doom))
    take_signals(loop, done, doom)
    watch_schedulers(loop, doom)
    status = compat.load("sglang.srt.managers.tokenizer_manager", "ServerStatus")
    if status is not None:
        manager.server_status = status.Up
    ready = await ready_map(engine, plain_args(server_args), level, round(load_secs, 3))
    channel.send([wire.READY, ready])
    loads = loop.create_task(report_loads(manager, channel.send))
    deadline_ms = await done
    doom.expected = True
    loads.cancel()
    if reading is not None:
        reading.cancel()
    await stop_schedulers(manager, deadline_ms / 1000)


class Bridge:
    """Hands each frame of TS to its part."""

    def __init__(self, engine, server_args, level, done):
        self._engine, self._args, self._level, self._done = engine, server_args, level, done
        self._calls: set[asyncio.Task] = set()
        self._paused = False

    def attach(self, channel: Channel):
        manager = self._engine.tokenizer_manager
        self._send = channel.send
        if self._level == "L2":
            from .requests.stream import Streams

            self._intake = Streams(self._engine, channel.send)
        else:
            self._intake = Intake(manager, channel.send)
            manager.bridge = Outlet(channel.send, self._intake.abort)
        self._control = Control(self._engine, self._intake, self._args)

    def handle(self, message: list):
        try:
            kind = message[0]
            if kind == wire.GEN:
                self._intake.generate(*message[1:6])
            elif kind == wire.FIN:
                self._intake.finish(message[1])
            elif kind == wire.ABORT:
                self._intake.abort(message[1])
            elif kind == wire.EMB:
                self._intake.embed(*message[1:5])
            elif kind == wire.CALL:
                task = asyncio.get_running_loop().create_task(self._call(*message[1:4]))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
            elif kind == wire.SHUTDOWN and not self._done.done():
                self._done.set_result(message[1])
        except Exception as error:
            logger.exception("dynamo-sglang: a message could not be handled: type %r", message[:1])
            if message[0] in (wire.GEN, wire.EMB):
                self._send(outputs.error_frame(message[2], 500, "InternalServerError", f"{type(error).__name__}: {error}"))

    async def _call(self, number: int, method: str, args: dict):
        try:
            self._send([wire.REPLY, number, True, await self._run(method, args or {})])
        except NotFound as error:
            self._send([wire.REPLY, number, False, {"type": "not_found", "message": str(error), "status": 404}])
        except (ValueError, TypeError) as error:
            self._send([wire.REPLY, number, False, {"type": "invalid", "message": str(error), "status": 400}])
        except Exception as error:
            logger.exception("dynamo-sglang: %s failed", method)
            self._send([wire.REPLY, number, False, {"type": type(error).__name__, "message": str(error), "status": 500}])
        self._tell_pause()

    async def _run(self, method: str, args: dict):
        """A pause is told when it begins, not when all that ran has ended (a second later): what it ends shall not come here again."""
        call = asyncio.ensure_future(self._control.call(method, args))
        if method == "pause_generation":
            await asyncio.sleep(0)
            while not self._tell_pause() and not call.done():
                await asyncio.wait([call], timeout=_LOOK_EVERY)
        return await call

    def _tell_pause(self) -> bool:
        """Whether it is paused now; says so when that is new."""
        paused = bool(self._engine.tokenizer_manager.is_pause)
        if paused != self._paused:
            self._paused = paused
            self._send([wire.STATE, {"paused": paused}])
        return paused


def take_signals(loop, done, doom):
    """SGLang's handlers, set by its own loop start, would drain for their own server or kill without a word: ours replace them."""

    def stop():
        if not done.done():
            done.set_result(0)

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGQUIT, lambda: doom.scheduler_died("a scheduler failed"))


def watch_schedulers(loop, doom):
    """Notices the end of any scheduler (or of the data-parallel controller) at once, by the kernel's process handles."""
    import multiprocessing

    children = {child.pid: child for child in multiprocessing.active_children()}
    names = dict.fromkeys(children, "SGLang process") | dict.fromkeys(failure.noted_pids("scheduler"), "scheduler")
    for pid, name in names.items():
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            doom.scheduler_died(f"{name} {pid} ended")
        else:
            loop.add_reader(handle, ended, loop, handle, doom, f"{name} {pid}", children.get(pid))


def stopped_reading(task, doom):
    """Without the reader every answer would stop without a word."""
    if not task.cancelled() and task.exception() is not None:
        doom.say("bridge_failed", f"the engine's outputs cannot be read: {task.exception()!r}")


def ended(loop, handle: int, doom, who: str, child):
    """A failing scheduler logs, then dies: give its last line a moment to be written, then say FATAL. `child`: its Process, where it is one of ours."""
    loop.remove_reader(handle)
    os.close(handle)
    loop.call_later(0.05, lambda: doom.scheduler_died(f"{who} ended", child.exitcode if child else None))


async def report_loads(manager, send):
    """LOAD frames from SGLang's own load board, when a rank's figures changed."""
    reader = getattr(manager, "load_snapshot_reader", None)
    if reader is None or not hasattr(reader, "read_all"):
        return
    last: dict[int, list] = {}
    loop = asyncio.get_running_loop()
    # The board is read under a file lock that schedulers hold to write: one that is stopped in there must not stop our loop.
    thread = ThreadPoolExecutor(1, "dsgl-loads")
    while True:
        await asyncio.sleep(_LOAD_EVERY)
        try:
            found = await loop.run_in_executor(thread, reader.read_all)
            for load in found.values() if isinstance(found, dict) else found:
                figures = [load.num_running_reqs, load.num_waiting_reqs, load.num_used_tokens, load.max_total_num_tokens]
                if last.get(load.dp_rank) != figures:
                    last[load.dp_rank] = figures
                    send([wire.LOAD, load.dp_rank, *figures])
        except Exception as error:  # the board may not be written yet
            logger.debug("dynamo-sglang: no load figures: %s", error)


async def stop_schedulers(manager, patience: float):
    """Asks the schedulers to end (they free the GPU themselves) and waits; what is left is killed with the group."""
    from sglang.srt.managers import io_struct

    watchdog = getattr(manager, "_subprocess_watchdog", None)
    if watchdog is not None:
        watchdog.stop()
    request = getattr(io_struct, "ShutdownReq", None)
    if request is None:
        return
    sent = compat.send_to(io_struct, manager.send_to_scheduler, request())
    if asyncio.isfuture(sent):
        await sent
    limit = time.monotonic() + max(0.0, patience)
    pids = failure.noted_pids("scheduler")
    while time.monotonic() < limit and any(failure.alive(pid) for pid in pids):
        await asyncio.sleep(0.05)
