"""Frames of WIRE.md: type numbers, the length-prefixed stream and the rid's layout. Knows nothing of SGLang."""

import struct

import msgspec

PROTO = 1

HELLO = HELLO_ACK = 1
READY = 2
GEN = 10
EMB = 11
ABORT = 12
FIN = 13
CALL = 20
SHUTDOWN = 31
OUT = 100
ERR = 101
ABORTED = 102
EMB_OUT = 110
REPLY = 120
LOAD = 130
STATE = 140
FATAL = 190

RID_PREFIX = "ds"
RID_LENGTH = 24

encode = msgspec.msgpack.Encoder(enc_hook=str).encode
decode = msgspec.msgpack.Decoder().decode
_length = struct.Struct("<I")


def framed(message) -> bytes:
    """One message as it travels on channel A."""
    body = encode(message)
    return _length.pack(len(body)) + body


def slot_of(rid: str) -> int:
    return int(rid[8:16], 16)


def gen_of(rid: str) -> int:
    return int(rid[16:24], 16)


def is_ours(rid) -> bool:
    """Whether a rid seen in SGLang is one of TS's (health checks and warm-ups are not)."""
    return isinstance(rid, str) and len(rid) == RID_LENGTH and rid.startswith(RID_PREFIX)


class Frames:
    """Cuts a byte stream into messages. Bytes of an unfinished frame wait for the next `feed`."""

    def __init__(self):
        self._rest = bytearray()

    def feed(self, data: bytes) -> list:
        """The messages that `data` completes, in order."""
        rest = self._rest
        rest += data
        messages = []
        at, size = 0, len(rest)
        view = memoryview(rest)
        while size - at >= 4:
            (length,) = _length.unpack_from(rest, at)
            if size - at - 4 < length:
                break
            messages.append(decode(view[at + 4 : at + 4 + length]))
            at += 4 + length
        view.release()
        if at:
            del rest[:at]
        return messages


def read_message(sock):
    """Blocking read of the next message of a socket, for the time before the loop runs; None at its end."""
    head = _read_exactly(sock, 4)
    if head is None:
        return None
    body = _read_exactly(sock, _length.unpack(head)[0])
    return None if body is None else decode(body)


def _read_exactly(sock, count: int):
    data = bytearray()
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            return None
        data += part
    return bytes(data)
