from collections.abc import Generator
from contextlib import contextmanager

from backend_contract import LocalBackend


class Mine(LocalBackend):
    @contextmanager
    def start_lock(self) -> Generator[None, None, None]:
        with self._start_lock:
            yield
