"""Channel A inside the event loop: whole reads are cut into frames and handed on, all frames of a loop tick leave in one write."""

import asyncio

from . import wire


class Channel(asyncio.Protocol):
    """`on_message(message)` gets each frame, `on_lost()` the end of the socket."""

    def __init__(self, on_message, on_lost):
        self._on_message, self._on_lost = on_message, on_lost
        self._frames = wire.Frames()
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data: bytes):
        for message in self._frames.feed(data):
            self._on_message(message)

    def connection_lost(self, _error):
        self._on_lost()

    def send(self, message):
        """Queues a frame; everything queued in this tick is written at its end."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(wire.framed(message))

    def _flush(self):
        out, self._out = self._out, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))
