from contextlib import AbstractContextManager

from backend_contract import LocalBackend


class Mine(LocalBackend):
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock
