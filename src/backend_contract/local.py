"""The backend for models that run in the runtime's own process."""

from __future__ import annotations

from backend_contract.base import BackendBase
from backend_contract.protocol import ConfigType

__all__ = ["LocalBackend"]


class LocalBackend(BackendBase):
    """A backend with a configuration and a started flag, and nothing to run."""

    backend_type = "LOCAL"

    def register_config(self, config: ConfigType) -> None:
        """Merge *config*, as :meth:`BackendBase.register_config` does."""
        super().register_config(config)

    def start(self) -> None:
        """Set the started flag."""
        self._started = True

    def stop(self) -> None:
        """Clear the started flag."""
        self._started = False
