"""The scheduler process's side. `run_scheduler` stands in for SGLang's own function in each spawned scheduler: it adds the error record,
the grammar hook and, at level L1, the direct path of outputs to TS, and then runs SGLang's function unchanged."""

import inspect
import logging
import multiprocessing
import os
import time

from . import compat, failure, imports, left, outputs, wire
from .continued import grammar, penalties
from .facts import nodes

LEVEL = "DSGL_LEVEL_NOW"
TOK = "DSGL_TOK"
_LOAD_EVERY = 0.02
_MAX_FAILURES = 3
logger = logging.getLogger(__name__)

# A spawned scheduler meets this module before all of SGLang.
if multiprocessing.parent_process() is not None:
    imports.begin()


def run_scheduler(*args, **kwargs):
    """SGLang's `run_scheduler_process`, with the bridge's hooks (same arguments, whatever they are in this release)."""
    from sglang.srt.managers.scheduler import run_scheduler_process

    imports.end()
    failure.note_pid("scheduler")
    failure.record_errors("scheduler")
    nodes.note_publisher()
    left.note_load_files()
    grammar.install()
    penalties.install()
    if os.environ.get(LEVEL) == "L1":
        try:
            bound = inspect.signature(run_scheduler_process).bind(*args, **kwargs).arguments
            install(os.environ[TOK], bound.get("dp_rank"))
        except Exception:
            logger.exception("dynamo-sglang: no direct output path in this scheduler; outputs go through the bridge")
            failure.note_pid("unhooked")
    return run_scheduler_process(*args, **kwargs)


def install(endpoint: str, dp_rank):
    """Wraps `SenderWrapper.send_output`, so that batches of ours leave to `endpoint` and all else goes SGLang's way."""
    from sglang.srt.managers import io_struct
    from sglang.srt.managers.scheduler import Scheduler

    sender = compat.sender_class()
    stock = sender.send_output
    direct = Direct(endpoint, dp_rank or 0)
    tokens, embeddings = io_struct.BatchTokenIDOutput, io_struct.BatchEmbeddingOutput

    def send_output(self, output, recv_obj=None):
        kind = type(output)
        if (kind is tokens or kind is embeddings) and self.socket is not None and direct.failures < _MAX_FAILURES:
            output = direct.take(output, kind is tokens)
            if output is None:
                return None
        return stock(self, output, recv_obj)

    sender.send_output = send_output
    direct.watch(Scheduler)


class Direct:
    """The PUSH socket to TS and what is counted for it. Never raises: what it cannot send goes SGLang's way, where the bridge finds it."""

    def __init__(self, endpoint: str, dp_rank: int):
        self._endpoint, self._rank = endpoint, dp_rank
        self._socket = None
        self._seq = 0
        self._scheduler = None
        self._load_at = 0.0
        self.failures = 0

    def take(self, output, is_tokens: bool):
        """Sends the rows that are ours; returns what is left for SGLang's own path, or None."""
        try:
            rids = output.rids
            ours = [i for i, rid in enumerate(rids) if wire.is_ours(rid)]
            if not ours:
                return output
            rest, mine = None, output
            if len(ours) < len(rids):
                kept = set(ours)
                rest = compat.subset(output, [i for i in range(len(rids)) if i not in kept])
                mine = compat.subset(output, ours)
            self._send(self._tokens(mine) if is_tokens else outputs.embedding_frame(mine))
            return rest
        except Exception:
            self._failed()
            return output

    def _tokens(self, output) -> list:
        ranks = getattr(output, "dp_ranks", None)
        rank = ranks[0] if ranks and ranks[0] is not None else self._rank
        frame = outputs.out_frame(output, self._seq + 1, rank, None)
        now = time.monotonic()
        if now - self._load_at >= _LOAD_EVERY or len(frame[7]) == len(output.rids):
            self._load_at = now
            frame[9] = self._load()
        return frame

    def _send(self, frame: list):
        if self._socket is None:
            import zmq

            self._socket = zmq.Context.instance().socket(zmq.PUSH)
            self._socket.setsockopt(zmq.SNDHWM, 0)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.connect(self._endpoint)
        self._socket.send(wire.encode(frame))
        self._seq += frame[0] == wire.OUT

    def _failed(self):
        self.failures += 1
        logger.exception("dynamo-sglang: an output could not be sent directly (%d of %d)", self.failures, _MAX_FAILURES)

    def watch(self, cls):
        """Remembers the scheduler that this process makes, to read its load."""
        init = cls.__init__

        def remembering(scheduler, *args, **kwargs):
            self._scheduler = scheduler
            return init(scheduler, *args, **kwargs)

        cls.__init__ = remembering

    def _load(self):
        """`[running, waiting, used_tokens, max_tokens]`, or None in a release that keeps them elsewhere."""
        scheduler = self._scheduler
        try:
            running = sum(not req.finished() for req in scheduler.running_batch.reqs)
            observer = getattr(scheduler, "pool_stats_observer", None)
            if observer is not None:
                used = observer.get_pool_stats().get_kv_token_stats()[0]
            else:
                used = scheduler._get_token_info()[0]
            return [running, len(scheduler.waiting_queue), int(used), int(scheduler.max_total_num_tokens)]
        except Exception:
            return None
