"""Stands in for SGLang's model_update_lock, so that requests of ours count as its readers without a coroutine each."""

import asyncio
import contextlib


class ModelLock:
    """Many readers or one writer, writers first; same methods as SGLang's RWLock, plus synchronous `enter` and `leave`."""

    def __init__(self, when_free):
        self._readers = 0
        self._writing = False
        self._waiting = 0
        self._changed = asyncio.Event()
        self._when_free = when_free

    @property
    def blocked(self) -> bool:
        """Whether a writer holds the lock or waits for it."""
        return self._writing or self._waiting > 0

    def enter(self):
        """A reader more. Only while not `blocked`."""
        self._readers += 1

    def leave(self):
        self._readers -= 1
        if self._readers == 0:
            self._wake()

    def _wake(self):
        self._changed.set()
        self._changed = asyncio.Event()
        if not self.blocked:
            self._when_free()

    async def acquire_reader(self):
        while self.blocked:
            await self._changed.wait()
        self._readers += 1

    async def release_reader(self):
        self.leave()

    async def acquire_writer(self):
        self._waiting += 1
        try:
            while self._writing or self._readers > 0:
                await self._changed.wait()
            self._writing = True
        finally:
            self._waiting -= 1

    async def release_writer(self):
        self._writing = False
        self._wake()

    async def is_locked(self) -> bool:
        return self._writing or self._readers > 0

    @property
    def reader_lock(self):
        return self._held(self.acquire_reader, self.release_reader)

    @property
    def writer_lock(self):
        return self._held(self.acquire_writer, self.release_writer)

    @contextlib.asynccontextmanager
    async def _held(self, acquire, release):
        await acquire()
        try:
            yield self
        finally:
            await release()
