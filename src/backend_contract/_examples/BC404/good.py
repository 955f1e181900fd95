import threading
from contextlib import AbstractContextManager

import aconfig

from backend_contract import LocalBackend


class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.lock = threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def start(self) -> None:
        with self.lock:
            super().start()
