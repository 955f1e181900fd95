from collections.abc import Mapping
from typing import Any

import aconfig

from backend_contract import LocalBackend


class Mine(LocalBackend):
    def register_config(self, config: Mapping[str, Any]) -> None:
        self.config = aconfig.Config(config, override_env_vars=False)
