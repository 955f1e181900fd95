"""Backends that violate one clause each, BC3xx: starting and stopping."""

import aconfig

from backend_contract import LocalBackend


class BC301(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.start()


class BC302(LocalBackend):
    def start(self) -> None:
        self.connections = [object()]


class BC303(LocalBackend):
    def stop(self) -> None:
        self.connections: list[object] = []


class BC304(LocalBackend):
    def start(self) -> None:
        if self.is_started:
            raise RuntimeError("already started")
        super().start()


class BC305(LocalBackend):
    def stop(self) -> None:
        if not self.is_started:
            raise RuntimeError("not started")
        super().stop()


class BC306(LocalBackend):
    used = False

    def start(self) -> None:
        if self.used and not self.is_started:
            raise RuntimeError("make a new one")
        self.used = True
        super().start()


class BC307(LocalBackend):
    def is_started(self) -> bool:
        return self._started


class BC308(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        try:
            self.connect()
        finally:
            self._started = True


class BC309(LocalBackend):
    async def start(self) -> None:
        self._started = True
