"""From GEN, EMB, ABORT and FIN to the scheduler (levels L1 and L0), one SGLang message per request and no task for the plain ones."""

import asyncio
import logging
from collections import deque

import zmq

from .. import compat, outputs, wire
from . import render
from .lock import ModelLock
from .pictures import Pictures, ready_to_send
from .request import Builder

_ABORT_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0)
_RETRY = 0.01
logger = logging.getLogger(__name__)


class Live:
    """One request between its GEN and its FIN."""

    __slots__ = ("rid", "lora_id", "task", "sent", "aborts")

    def __init__(self, rid: str):
        self.rid = rid
        self.lora_id = None
        self.task = None
        self.sent = False
        self.aborts = 0


class Intake:
    """Takes TS's requests in; `send` puts a frame on channel A."""

    def __init__(self, manager, send):
        from sglang.srt.managers import io_struct

        self._manager, self._send, self._io = manager, send, io_struct
        self._build = Builder(manager, io_struct)
        self._pictures = Pictures(manager, io_struct)
        self._live: dict[int, Live] = {}
        self._held: list[tuple] = []
        self._unsent: deque = deque()
        self._lock = ModelLock(self.resume)
        if hasattr(manager, "model_update_lock"):
            manager.model_update_lock = self._lock
        # A plain view of TM's asyncio socket: its `send` costs a fraction. Same thread, so the order is kept.
        self._socket = zmq.Socket.shadow(manager.send_to_scheduler.underlying)
        self._loop = asyncio.get_running_loop()

    def generate(self, slot: int, rid: str, ids, sampling: dict, opt: dict | None):
        self._take(wire.GEN, slot, rid, ids, sampling, opt or {})

    def embed(self, slot: int, rid: str, ids, opt: dict | None):
        self._take(wire.EMB, slot, rid, ids, {}, opt or {})

    def _take(self, kind, slot, rid, ids, sampling, opt):
        if self._manager.is_pause or self._lock.blocked:
            self._held.append((kind, slot, rid, ids, sampling, opt))
            return
        live = self._live[slot] = Live(rid)
        self._lock.enter()
        if opt and (ids is None or opt.get("lora") is not None or opt.get("media")):
            live.task = self._loop.create_task(self._prepare(kind, live, ids, sampling, opt))
            live.task.add_done_callback(lambda _task: self._prepared(live))
            return
        try:
            self._dispatch(kind, live, ids, sampling, opt)
        except Exception as error:
            self._refuse(rid, error)

    def _dispatch(self, kind, live, ids, sampling, opt, pictures=None):
        if kind == wire.GEN:
            request = self._build.generate(live.rid, ids, sampling, opt, live.lora_id, pictures)
        else:
            request = self._build.embed(live.rid, ids, opt)
        self._to_scheduler(request if pictures is None else ready_to_send(request))
        live.sent = True

    async def _prepare(self, kind, live, ids, sampling, opt):
        """What needs waiting: rendering and tokenizing by SGLang, loading and holding a LoRA adapter, reading pictures."""
        try:
            pictures = await self._pictures.inputs(live.rid, ids, opt["media"]) if opt.get("media") else None
            if ids is None:
                ids = await self._loop.run_in_executor(None, render.token_ids, self._manager, opt)
            if opt.get("lora") is not None:
                wanted = Adapter(opt["lora"])
                await self._resolve_lora(wanted)
                live.lora_id = wanted.lora_id
            self._dispatch(kind, live, ids, sampling, opt, pictures)
        except Exception as error:
            self._refuse(live.rid, error)

    def _prepared(self, live: Live):
        # Told here and not in the task: one that is cancelled before its first step runs no line of its own.
        if live.task.cancelled():
            self._send([wire.ABORTED, wire.slot_of(live.rid), wire.gen_of(live.rid), ["abort", None, "Aborted", None, None]])

    async def _resolve_lora(self, wanted):
        resolve = getattr(self._manager, "_validate_and_resolve_lora", None) or getattr(self._manager, "_resolve_lora_path", None)
        if resolve is None:
            raise ValueError("this SGLang's LoRA adapters cannot be used through the bridge")
        await resolve(wanted)

    def _refuse(self, rid: str, error: Exception):
        if isinstance(error, ValueError):
            self._send(outputs.error_frame(rid, 400, "BadRequestError", str(error)))
            return
        logger.error("dynamo-sglang: a request could not be built", exc_info=error)
        self._send(outputs.error_frame(rid, 500, "InternalServerError", f"{type(error).__name__}: {error}"))

    def _to_scheduler(self, message):
        self._unsent.append(message)
        if len(self._unsent) == 1:
            self._push()

    def _push(self):
        """Sends what waits, in order. With no scheduler connected just now it tries again soon: by the clock, because TM's asyncio view of the
        socket and ours would take each other's wake-ups."""
        while self._unsent:
            try:
                compat.send_to(self._io, self._socket, self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                self._loop.call_later(_RETRY, self._push)
                return
            except Exception:
                self._unsent.popleft()
                raise
            self._unsent.popleft()

    def abort(self, rids: list[str]):
        for rid in rids:
            live = self._live.get(wire.slot_of(rid))
            if live is not None and live.rid == rid:
                self._abort(live)
                continue
            for held in [held for held in self._held if held[2] == rid]:
                self._held.remove(held)
                self._send([wire.ABORTED, held[1], wire.gen_of(rid), ["abort", None, "Aborted while queued", None, None]])

    def _abort(self, live: Live):
        """Tells the scheduler, and again until FIN: with pipeline or attention parallelism one message can come too early."""
        if self._live.get(wire.slot_of(live.rid)) is not live:
            return
        if not live.sent:
            if live.task is not None:
                live.task.cancel()
            return
        self._to_scheduler(self._io.AbortReq(rid=live.rid))
        if live.aborts < len(_ABORT_DELAYS):
            self._loop.call_later(_ABORT_DELAYS[live.aborts], self._abort, live)
            live.aborts += 1

    def abort_all(self) -> int:
        """Aborts everything that runs or waits; the number of requests."""
        rids = [live.rid for live in self._live.values()] + [held[2] for held in self._held]
        self.abort(rids)
        return len(rids)

    def finish(self, slots: list[int]):
        for slot in slots:
            live = self._live.pop(slot, None)
            if live is None:
                continue
            self._lock.leave()
            if live.lora_id is not None:
                self._loop.create_task(self._manager.lora_registry.release(live.lora_id))

    def resume(self):
        """Takes in what waited for the end of a pause or a weight update."""
        held, self._held = self._held, []
        for request in held:
            self._take(*request)

    @property
    def count(self) -> int:
        return len(self._live) + len(self._held)


class Adapter:
    """Looks to SGLang's LoRA resolution like a request that names an adapter."""

    def __init__(self, name: str):
        self.lora_path = name
        self.lora_id = None
