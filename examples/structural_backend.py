"""A backend that conforms by structure: it inherits nothing and does not import backend-contract.

It imports the frameworks for type annotations only.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fastapi
    import grpc

REMEMBERED = 100
"""The number of requests that a backend remembers. Clients can make up any number of model ids."""


class EchoBackend:
    """Echoes requests in this process, and remembers the routes that the last of them asked for."""

    backend_type = "ECHO"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config: dict[str, Any] = dict(config or {})
        self.is_started = False
        self.callers: deque[tuple[str, str | None]] = deque(maxlen=REMEMBERED)  # model id, route
        self._lock = threading.RLock()

    def register_config(self, config: Mapping[str, Any]) -> None:
        # A backend without dynamic configuration raises this in every call.
        raise NotImplementedError(f"{self.backend_type} is configured when it is created")

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> AbstractContextManager[object]:
        return self._lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext | fastapi.Request
    ) -> None:
        # The context is valid only while the request is answered: copy what is needed.
        if hasattr(runtime_context, "headers"):
            route = runtime_context.headers.get("x-route-info")
        else:
            metadata = dict(runtime_context.invocation_metadata())
            route = metadata.get("x-route-info")
        self.callers.append((model_id, route))

    def echo(self, text: str) -> str:
        """Return ``text``, in upper case if configured as ``loud``."""
        return text.upper() if self.config.get("loud") else text
