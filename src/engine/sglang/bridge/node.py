"""The running bridge of a node that is not the first of its model: no requests, its schedulers watched, calls about this node, and its end."""

import asyncio
import logging
import os

from . import compat, failure, wire
from .channel import Channel
from .control import metrics_text
from .facts import ready
from .serve import take_signals, watch_schedulers

logger = logging.getLogger(__name__)


async def serve(engine, server_args, sock, doom, _level: str, load_secs: float):
    """Lives until SHUTDOWN or SIGTERM; a lost socket or scheduler ends the process instead. The first node ends the schedulers of all nodes."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    node = Node(ready.plain_args(server_args), done)
    sock.setblocking(False)
    _, channel = await loop.create_unix_connection(lambda: Channel(node.handle, lambda: failure.kill_group(1)), sock=sock)
    node.attach(channel)
    take_signals(loop, done, doom)
    watch_schedulers(loop, doom)
    channel.send([wire.READY, ready.node_map(engine, node.args, round(load_secs, 3))])
    await done
    doom.expected = True


class Node:
    """Answers the few calls that make sense without a tokenizer manager."""

    def __init__(self, args: dict, done):
        self.args, self._done = args, done
        self._calls = {"ping": self._ping, "metrics": metrics_text, "server_info": self._server_info}

    def attach(self, channel: Channel):
        self._send = channel.send

    def handle(self, message: list):
        if message[0] == wire.CALL:
            self._call(message[1], message[2])
        elif message[0] == wire.SHUTDOWN and not self._done.done():
            self._done.set_result(message[1])

    def _call(self, number: int, method: str):
        run = self._calls.get(method)
        if run is None:
            text = f"{method} is an operation of the whole model: its first node takes it"
            self._send([wire.REPLY, number, False, {"type": "not_found", "message": text, "status": 404}])
            return
        try:
            self._send([wire.REPLY, number, True, run()])
        except Exception as error:
            logger.exception("dynamo-sglang: %s failed", method)
            self._send([wire.REPLY, number, False, {"type": type(error).__name__, "message": str(error), "status": 500}])

    def _ping(self):
        return {"pid": os.getpid(), "requests": 0}

    def _server_info(self):
        return {**self.args, "version": compat.version()}
