"""Backends that keep one clause each, BC3xx: starting and stopping."""

import aconfig

from backend_contract import LocalBackend


class BC301(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class BC302(LocalBackend):
    def start(self) -> None:
        self.connections = [object()]
        self._started = True


class BC303(LocalBackend):
    def stop(self) -> None:
        self._started = False
        self.connections: list[object] = []


class BC304(LocalBackend):
    def start(self) -> None:
        if self.is_started:
            return
        super().start()


class BC305(LocalBackend):
    def stop(self) -> None:
        if not self.is_started:
            return
        super().stop()


class BC306(LocalBackend):
    starts = 0

    def start(self) -> None:
        if not self.is_started:
            self.starts += 1
        super().start()


class BC307(LocalBackend):
    @property
    def is_started(self) -> bool:
        return self._started


class BC308(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self.connect()
        self._started = True


class BC309(LocalBackend):
    def start(self) -> None:
        self._started = True
