"""A backend that has never heard of backend-contract, and is one all the same.

It keeps the contract by its shape alone; all it imports for that are types to name.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fastapi
    import grpc


class EchoBackend:
    """Answers with what it was asked, in this process; knows the last caller of every model."""

    backend_type = "ECHO"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config: dict[str, Any] = dict(config or {})
        self.is_started = False
        self.callers: dict[str, grpc.ServicerContext | fastapi.Request] = {}
        self._lock = threading.RLock()

    def register_config(self, config: Mapping[str, Any]) -> None:
        # A backend whose configuration is fixed says so, every time.
        raise NotImplementedError(f"{self.backend_type} is configured when it is made")

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> AbstractContextManager[object]:
        return self._lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext | fastapi.Request
    ) -> None:
        self.callers[model_id] = runtime_context

    def echo(self, text: str) -> str:
        """What was asked, as the configuration wants it written."""
        return text.upper() if self.config.get("loud") else text
