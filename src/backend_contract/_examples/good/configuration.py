"""Backends that keep one clause each, BC2xx: the configuration of a backend."""

from collections.abc import Mapping
from typing import Any

import aconfig

from backend_contract import LocalBackend


class BC201(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None, workers: int = 1) -> None:
        super().__init__(config)
        self.workers = workers


class BC202(LocalBackend):
    def register_config(self, config: Mapping[str, Any], overwrite: bool = True) -> None:
        super().register_config(config)


class BC203(LocalBackend):
    def register_config(self, config: Mapping[str, Any]) -> None:
        super().register_config(config)


class BC204(LocalBackend):
    def register_config(self, config: Mapping[str, Any]) -> None:
        super().register_config(config)


class BC205(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.workers = self.config.get("workers", 1)
