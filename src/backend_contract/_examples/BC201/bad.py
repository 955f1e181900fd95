import aconfig

from backend_contract import LocalBackend


class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None, workers: int) -> None:
        super().__init__(config)
        self.workers = workers
