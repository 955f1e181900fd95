import aconfig

from backend_contract import LocalBackend


class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.workers = self.config.get("workers", 1)
