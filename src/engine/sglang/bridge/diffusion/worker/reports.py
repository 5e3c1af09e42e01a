"""What a worker tells the bridge: one connection, made when it is first used. A bridge that is gone is no error: the worker dies with it."""

import os
import socket
import threading

from ... import wire
from .. import messages

_lock = threading.Lock()
_socket = None


def send(message: list):
    """One message; blocks only while the bridge reads slowly."""
    global _socket
    with _lock:
        try:
            if _socket is None:
                _socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                _socket.connect(os.environ[messages.WORKER_SOCK])
            _socket.sendall(wire.framed(message))
        except OSError:
            pass
