"""A backend that hands text generation to a gRPC server, one channel to it for all models.

Needs grpcio to run (not to be checked). Configuration::

    connection:
      address: localhost:8033   # host:port of the server
      timeout: 5                # seconds to wait for it in `start`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend_contract import BackendBase, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

if TYPE_CHECKING:
    import grpc

ROUTE_KEY = "x-route-info"


class TextGenerationBackend(BackendBase):
    """Connects to the server in ``start``, and takes a request's route from its metadata."""

    backend_type = "TEXT-GENERATION"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._channel: grpc.Channel | None = None
        self._routes: dict[str, str] = {}

    def register_config(self, config: Mapping[str, Any]) -> None:
        super().register_config(config)

    def start(self) -> None:
        """Open the channel, and wait until the server answers.

        Raises ``grpc.FutureTimeoutError`` where it does not; a later ``start`` may succeed.
        """
        import grpc

        with self.start_lock():
            if self.is_started:
                return
            connection = self.config.connection or {}
            channel = grpc.insecure_channel(connection.get("address", "localhost:8033"))
            try:
                grpc.channel_ready_future(channel).result(connection.get("timeout", 5))
            except grpc.FutureTimeoutError:
                channel.close()
                raise
            self._channel = channel
            self._started = True

    def stop(self) -> None:
        """Close the channel."""
        with self.start_lock():
            self._started = False
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Remember where the request wants to go; one that does not say changes nothing."""
        route = get_metadata(runtime_context, ROUTE_KEY)
        if route is not None:
            self._routes[model_id] = route

    def generate(self, model_id: str, prompt: str) -> str:
        """What the server makes of ``prompt``. Raises ``RuntimeError`` before ``start``."""
        if self._channel is None:
            raise RuntimeError(f"{self.backend_type} is not started: call start() first")
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(
            f"/{model_id}/Generate"
        )
        route = self._routes.get(model_id)
        return call(prompt.encode(), metadata=((ROUTE_KEY, route),) if route else ()).decode()
