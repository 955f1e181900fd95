"""A backend that hands text generation to gRPC servers: one for all models, or one a model.

Needs grpcio to run (not to be checked). Configuration, all of it optional::

    connection:                  # of every model that has none of its own
      address: localhost:8033    # host:port; {model_id} in it stands for the model's id
      timeout: 5                 # seconds for the server to answer, in `start` and in a request
      ca_cert_file: ca.pem       # TLS, where it is given
      client_cert_file: me.pem   # and mutual TLS, with both of these
      client_key_file: me.key
    models:                      # connections of their own; what they lack is taken from above
      large: {address: "large.example:8033", timeout: 60}
    routes:                      # where a request's `x-route-info` may send its model
      canary: {address: "canary.example:8033"}

A client names a route of the configuration, never an address: it shall not choose whom this
process talks to. A server that is restarted is connected to again, and requests wait for it, for as
long as ``timeout`` says. Prompt and text travel as UTF-8 to the method ``/<model_id>/Generate``;
put the stub of your server's own service into ``generate``.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend_contract import BackendBase, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

if TYPE_CHECKING:
    import grpc

ROUTE_KEY = "x-route-info"
RECONNECTING = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    "grpc.service_config": json.dumps(
        {
            "methodConfig": [
                {
                    "name": [{}],
                    "waitForReady": True,
                    "retryPolicy": {
                        "maxAttempts": 5,
                        "initialBackoff": "0.1s",
                        "maxBackoff": "1s",
                        "backoffMultiplier": 2,
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ]
        }
    ),
}

log = logging.getLogger(__name__)


class TextGenerationBackend(BackendBase):
    """Connects to its servers in ``start``, and takes a request's route from its metadata."""

    backend_type = "TEXT-GENERATION"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._default = Connection()
        self._models: dict[str, Connection] = {}
        self._routes: dict[str, Connection] = {}
        self._channels: dict[Connection, grpc.Channel] = {}
        self._channels_lock = threading.Lock()
        self._route_of: dict[str, str] = {}

    def register_config(self, config: Mapping[str, Any]) -> None:
        """Merge ``config``; it counts from the next ``start``."""
        super().register_config(config)

    def start(self) -> None:
        """Connect to the server of every model, and wait until each answers.

        Routes are connected to when a request asks for them. Raises :class:`ValueError` for a
        mistake in the configuration, naming its key, and :class:`ConnectionError` where a server
        does not answer in time; nothing is left open, and a later ``start`` may succeed.
        """
        with self.start_lock():
            if self.is_started:
                return
            self._read_config()
            connections = {"connection": self._default} if self._needs_default() else {}
            connections |= {f"models.{name}": value for name, value in self._models.items()}
            try:
                for key, connection in connections.items():
                    self._test(key, connection)
            except BaseException:
                self._close()
                raise
            self._started = True

    def stop(self) -> None:
        """Close the connections. Requests that are under way are cancelled."""
        with self.start_lock():
            self._started = False
            self._close()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Remember where the request wants to go; one that does not say changes nothing."""
        route = get_metadata(runtime_context, ROUTE_KEY)
        if route is None:
            return
        if route in (self.config.get("routes") or {}):
            self._route_of[model_id] = route
        else:  # a client's mistake must not take the others' model away
            log.warning("%s: no route %r for model %r", self.backend_type, route, model_id)

    def generate(self, model_id: str, prompt: str) -> str:
        """What the model's server makes of ``prompt``.

        Raises :class:`RuntimeError` before ``start``, and ``grpc.RpcError`` as the server, or its
        absence for longer than the connection's ``timeout``, makes it.
        """
        if not self.is_started:
            raise RuntimeError(f"{self.backend_type} is not started: call start() first")
        connection = self._connection_of(model_id)
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel(connection).unary_unary(
            f"/{model_id}/Generate"
        )
        return call(prompt.encode(), timeout=connection.timeout).decode()

    def _read_config(self) -> None:
        self._default = Connection.read("connection", self.config.get("connection"), Connection())
        self._models = self._connections("models")
        self._routes = self._connections("routes")

    def _connections(self, key: str) -> dict[str, Connection]:
        named = self.config.get(key) or {}
        if not isinstance(named, Mapping):
            raise ValueError(f"{key}: expected a mapping of names to connections, got {named!r}")
        return {
            name: Connection.read(f"{key}.{name}", value, self._default)
            for name, value in named.items()
        }

    def _needs_default(self) -> bool:
        """Whether the common server can be tested: it is one, and some model may use it."""
        has_own = self._models and not self.config.get("connection")
        return not has_own and "{model_id}" not in self._default.address

    def _connection_of(self, model_id: str) -> Connection:
        route = self._routes.get(self._route_of.get(model_id, ""))
        return (route or self._models.get(model_id) or self._default).of(model_id)

    def _channel(self, connection: Connection) -> grpc.Channel:
        with self._channels_lock:
            if connection not in self._channels:
                self._channels[connection] = connection.open()
            return self._channels[connection]

    def _test(self, key: str, connection: Connection) -> None:
        import grpc

        if key.startswith("models."):
            connection = connection.of(key.partition(".")[2])
        ready = grpc.channel_ready_future(self._channel(connection))
        try:
            ready.result(connection.timeout)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise ConnectionError(
                f"{key}: no gRPC server has answered at {connection.address} in "
                f"{connection.timeout:g} seconds ({key}.timeout)"
            ) from None

    def _close(self) -> None:
        with self._channels_lock:
            for channel in self._channels.values():
                channel.close()
            self._channels = {}


@dataclass(frozen=True)
class Connection:
    """How a server is reached."""

    address: str = "localhost:8033"
    timeout: float = 5
    ca_cert_file: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None

    @classmethod
    def read(cls, key: str, config: object, default: Connection) -> Connection:
        """``config`` over ``default``. Raises :class:`ValueError` that names the key."""
        if config is None:
            return default
        if not isinstance(config, Mapping):
            raise ValueError(f"{key}: expected a mapping, got {config!r}")
        known = vars(default)
        for name, value in config.items():
            if name not in known:
                raise ValueError(f"{key}.{name}: no such key; expected one of {', '.join(known)}")
            if name == "timeout":
                right = isinstance(value, int | float) and 0 < value < float("inf")
                expected = "a number of seconds above 0"
                right = right and not isinstance(value, bool)
            elif name == "address":
                right = isinstance(value, str) and bool(re.fullmatch(r"[^\s/]+:\d{1,5}", value))
                expected = "host:port"
            else:
                right = value is None or (isinstance(value, str) and Path(value).is_file())
                expected = "the path of a file"
            if not right:
                raise ValueError(f"{key}.{name}: expected {expected}, got {value!r}")
        connection = cls(**{**known, **config})
        if (connection.client_cert_file is None) != (connection.client_key_file is None):
            raise ValueError(f"{key}: client_cert_file and client_key_file need each other")
        if connection.client_cert_file and not connection.ca_cert_file:
            raise ValueError(f"{key}.ca_cert_file: missing, and client_cert_file needs it")
        return connection

    def of(self, model_id: str) -> Connection:
        """The same, to the server of one model."""
        return Connection(**{**vars(self), "address": self.address.replace("{model_id}", model_id)})

    def open(self) -> grpc.Channel:
        """A channel, which connects in the background, again and again."""
        import grpc

        options = tuple(RECONNECTING.items())
        if self.ca_cert_file is None:
            return grpc.insecure_channel(self.address, options)
        credentials = grpc.ssl_channel_credentials(
            Path(self.ca_cert_file).read_bytes(),
            Path(self.client_key_file).read_bytes() if self.client_key_file else None,
            Path(self.client_cert_file).read_bytes() if self.client_cert_file else None,
        )
        return grpc.secure_channel(self.address, credentials, options)
