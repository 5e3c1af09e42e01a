"""What SGLang's workers say to the bridge: it listens on a socket of its own, which also shows other processes that this engine lives."""

import os
import socket
import threading
from collections.abc import Callable

from .. import wire
from . import messages


class Reports:
    """Listens at `path` from now on. `hooks`: names of the hooks that the workers have put on."""

    def __init__(self, path: str):
        self.hooks: set[str] = set()
        self._take: Callable[[list], None] = lambda _message: None
        os.environ[messages.WORKER_SOCK] = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(path)
        os.chmod(path, 0o600)
        self._socket.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, take: Callable[[list], None]):
        """Messages about jobs go there from now on."""
        self._take = take

    def _accept(self):
        while True:
            worker, _ = self._socket.accept()
            threading.Thread(target=self._read, args=(worker,), daemon=True).start()

    def _read(self, worker: socket.socket):
        while True:
            try:
                message = wire.read_message(worker)
            except OSError:
                return
            if message is None:
                return
            if message[0] == messages.HOOKS:
                self.hooks.update(message[2])
            else:
                self._take(message)
