from collections.abc import Mapping
from typing import Any

from backend_contract import LocalBackend


class Mine(LocalBackend):
    def register_config(self, config: Mapping[str, Any]) -> None:
        if self.config:
            raise RuntimeError("already configured")
        super().register_config(config)
