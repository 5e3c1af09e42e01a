"""The bridge's Engine and TokenizerManager (levels L1 and L0): no detokenizer process; the bridge sits at its address instead.

Rows of ours become frames; everything else (health checks, warm-ups, SGLang's own calls) goes to SGLang's own handlers.
"""

import asyncio
import inspect
import logging
import time

from . import compat, failure, outputs, scheduler, wire

logger = logging.getLogger(__name__)


def idle_detokenizer(*_args, **_kwargs):
    """Stands in for the detokenizer process in releases that always start one."""
    failure.die_with_parent()
    while True:
        time.sleep(3600)


def engine_class(level: str):
    """SGLang's Engine with the level's hooks; the class is made here because SGLang may not be importable."""
    from sglang.srt.entrypoints.engine import Engine

    if level == "L2":
        return type("BridgeEngine", (Engine,), {"run_scheduler_process_func": staticmethod(scheduler.run_scheduler)})
    make_manager = Engine.init_tokenizer_manager_func
    manager = manager_class()

    def init_tokenizer_manager(server_args, port_args, *_ignored):
        return make_manager(server_args, port_args, manager)

    hooks = {
        "run_scheduler_process_func": staticmethod(scheduler.run_scheduler),
        "init_tokenizer_manager_func": staticmethod(init_tokenizer_manager),
    }
    if hasattr(Engine, "_launch_detokenizer_subprocesses"):
        hooks["_launch_detokenizer_subprocesses"] = staticmethod(lambda *_args, **_kwargs: ([], []))
    else:
        hooks["run_detokenizer_process_func"] = staticmethod(idle_detokenizer)
    return type("BridgeEngine", (Engine,), hooks)


def manager_class():
    """A TokenizerManager that also owns the detokenizer's address."""
    from sglang.srt.managers import io_struct
    from sglang.srt.managers.tokenizer_manager import TokenizerManager

    class BridgeManager(TokenizerManager):
        bridge = None
        """Where our frames go (`Outlet`); set once the bridge runs."""

        def init_ipc_channels(self, port_args, *args, **kwargs):
            super().init_ipc_channels(port_args, *args, **kwargs)
            from zmq import PULL
            from zmq.asyncio import Context

            self._dsgl_outputs = None
            if not self.server_args.skip_tokenizer_init:
                self._dsgl_outputs = Context(1).socket(PULL)
                self._dsgl_outputs.setsockopt(24, 0)  # RCVHWM: a full queue would stall the scheduler
                self._dsgl_outputs.bind(port_args.detokenizer_ipc_name)

        async def dsgl_read_outputs(self):
            """Reads what schedulers send to the detokenizer, for as long as the bridge lives."""
            while self._dsgl_outputs is not None:
                received = await compat.receive_from(io_struct, self._dsgl_outputs)
                try:
                    if isinstance(received, (io_struct.BatchTokenIDOutput, io_struct.BatchEmbeddingOutput)):
                        handled = self._handle_batch_output(received)
                        if inspect.isawaitable(handled):
                            await handled
                    else:
                        self._result_dispatcher(received)
                except Exception:
                    logger.exception("dynamo-sglang: an engine output could not be handled")

        def _handle_abort_req(self, received):
            if wire.is_ours(received.rid):
                self.bridge.send(outputs.aborted_frame(received))
                return None
            return super()._handle_abort_req(received)

    stock = TokenizerManager._handle_batch_output
    if inspect.iscoroutinefunction(stock):

        async def handle_batch_output(self, received):
            left = self.bridge.take(received) if self.bridge is not None else received
            if left is not None:
                await stock(self, left)
    else:

        def handle_batch_output(self, received):
            left = self.bridge.take(received) if self.bridge is not None else received
            if left is not None:
                stock(self, left)

    BridgeManager._handle_batch_output = handle_batch_output
    return BridgeManager


class Outlet:
    """Where engine outputs turn into frames on channel A. Counts OUT frames per rank."""

    def __init__(self, send, abort):
        self.send, self._abort = send, abort
        self._seq: dict[int, int] = {}

    def take(self, output):
        """Sends the rows that are ours; returns the others as a batch, or None."""
        rids = output.rids
        ours = [i for i, rid in enumerate(rids) if wire.is_ours(rid)]
        if not ours:
            return output
        rest = None
        try:
            if len(ours) < len(rids):
                mine = set(ours)
                rest = compat.subset(output, [i for i in range(len(rids)) if i not in mine])
                output = compat.subset(output, ours)
            self._emit(output)
        except Exception:
            logger.exception("dynamo-sglang: an engine output could not be encoded; its requests end")
            self.give_up([rids[i] for i in ours])
        return rest

    def _emit(self, output):
        if hasattr(output, "embeddings"):
            self.send(outputs.embedding_frame(output))
            return
        ranks = getattr(output, "dp_ranks", None)
        rank = ranks[0] if ranks and ranks[0] is not None else 0
        frame = outputs.out_frame(output, self._seq.get(rank, 0) + 1, rank, None)
        self.next_seq(rank)
        self.send(frame)

    def give_up(self, rids: list[str]):
        """Ends requests whose output cannot be told, here and in the scheduler."""
        for rid in rids:
            self.send(outputs.error_frame(rid, 500, "InternalServerError", "the engine's output could not be encoded"))
        self._abort(rids)

    def next_seq(self, rank: int) -> int:
        self._seq[rank] = self._seq.get(rank, 0) + 1
        return self._seq[rank]


def start_reading(manager):
    """Starts SGLang's own receive loop and, when the bridge holds the detokenizer's address, ours."""
    manager.auto_create_handle_loop()
    if hasattr(manager, "dsgl_read_outputs"):
        return asyncio.get_running_loop().create_task(manager.dsgl_read_outputs())
    return None
