"""Backends that violate one clause each, BC4xx: the start lock."""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

import aconfig

from backend_contract import LocalBackend


class BC401(LocalBackend):
    def start_lock(self) -> bool:
        return self._start_lock.acquire()


class BC402(LocalBackend):
    def start_lock(self) -> AbstractContextManager[object]:
        return threading.RLock()


class BC403(LocalBackend):
    @contextmanager
    def start_lock(self) -> Generator[None, None, None]:
        self._start_lock.acquire()
        yield
        self._start_lock.release()


class BC404(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.lock = threading.Lock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def start(self) -> None:
        with self.lock:
            super().start()


class BC405(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self._started = True
        try:
            self.connect()
        except OSError:
            self._started = False
            raise
