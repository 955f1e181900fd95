"""Backends that violate one clause each, BC2xx: the configuration of a backend."""

from collections.abc import Mapping
from typing import Any

import aconfig

from backend_contract import LocalBackend


class BC201(LocalBackend):
    def __init__(self, config: aconfig.Config | None, workers: int) -> None:
        super().__init__(config)
        self.workers = workers


class BC202(LocalBackend):
    def register_config(self, config: Mapping[str, Any], overwrite: bool) -> None:
        super().register_config(config)


class BC203(LocalBackend):
    def register_config(self, config: Mapping[str, Any]) -> None:
        if self.config:
            raise RuntimeError("already configured")
        super().register_config(config)


class BC204(LocalBackend):
    def register_config(self, config: Mapping[str, Any]) -> None:
        self.config = aconfig.Config(config, override_env_vars=False)


class BC205(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.config.setdefault("workers", 1)
