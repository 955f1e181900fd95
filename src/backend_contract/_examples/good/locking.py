"""Backends that keep one clause each, BC4xx: the start lock."""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

import aconfig

from backend_contract import LocalBackend


class BC401(LocalBackend):
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock


class BC402(LocalBackend):
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock


class BC403(LocalBackend):
    @contextmanager
    def start_lock(self) -> Generator[None, None, None]:
        with self._start_lock:
            yield


class BC404(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.lock = threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def start(self) -> None:
        with self.lock:
            super().start()


class BC405(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self.connect()
        self._started = True
