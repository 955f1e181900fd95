"""A backend that delegates text generation to gRPC servers: a shared one, or one per model.

Requires grpcio to run, but not to be checked. Configuration, all optional::

    connection:                  # the default connection
      address: localhost:8033    # host:port; {model_id} is replaced by the model's id
      timeout: 5                 # seconds to wait for the server, in `start` and per request
      ca_cert_file: ca.pem       # enables TLS
      client_cert_file: me.pem   # enables mutual TLS, together with the key
      client_key_file: me.key
    models:                      # connections of single models; defaults come from `connection`
      large: {address: "large.example:8033", timeout: 60}
    routes:                      # connections that requests may choose with `x-route-info`
      canary: {address: "canary.example:8033"}

A client names a configured route, never an address: clients must not choose which hosts this
process connects to. The backend reconnects to a restarted server; requests wait for it, for at most
``timeout`` seconds. Prompts and results are sent as UTF-8 to the method ``/<model_id>/Generate``;
replace the call in ``generate`` by the stub of your server's service.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aconfig

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
    """Connects to the servers in ``start``, and chooses a route by the request's metadata."""

    backend_type = "TEXT-GENERATION"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._default = Connection()
        self._models: dict[str, Connection] = {}
        self._routes: dict[str, Connection] = {}
        self._channels: dict[Connection, grpc.Channel] = {}
        self._channels_lock = threading.Lock()
        self._route_of: dict[str, str] = {}

    def register_config(self, config: aconfig.Config) -> None:
        """Merge ``config``, which takes effect at the next ``start``."""
        super().register_config(config)

    def start(self) -> None:
        """Connect to the server of every model, and wait until each of them answers.

        A route is connected when a request first needs it. Raises :class:`ValueError`, naming the
        key, if the configuration is invalid, and :class:`ConnectionError` if a server does not
        answer in time. A failed start leaves no connection open and can be retried.
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
        """Close all connections. Requests in progress are cancelled."""
        with self.start_lock():
            self._started = False
            self._close()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Store the route that the request names; a request without one changes nothing."""
        route = get_metadata(runtime_context, ROUTE_KEY)
        if route is None:
            return
        if route in (self.config.get("routes") or {}):
            self._route_of[model_id] = route
        else:  # one client's mistake must not fail the requests of others
            log.warning("%s: no route %r for model %r", self.backend_type, route, model_id)

    def generate(self, model_id: str, prompt: str) -> str:
        """Return the text that the model's server generates from ``prompt``.

        Raises :class:`RuntimeError` if not started, and ``grpc.RpcError`` if the server reports an
        error or is unavailable for longer than the connection's ``timeout``.
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
            raise ValueError(f"{key}: expected a mapping from names to connections, got {named!r}")
        return {
            name: Connection.read(f"{key}.{name}", value, self._default)
            for name, value in named.items()
        }

    def _needs_default(self) -> bool:
        """Return whether ``start`` can test the default connection, and a model may use it."""
        only_models = self._models and not self.config.get("connection")
        return not only_models and "{model_id}" not in self._default.address

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
                f"{key}: no gRPC server answered at {connection.address} within "
                f"{connection.timeout:g} seconds ({key}.timeout)"
            ) from None

    def _close(self) -> None:
        with self._channels_lock:
            for channel in self._channels.values():
                channel.close()
            self._channels = {}


@dataclass(frozen=True)
class Connection:
    """The address, timeout and certificates of a server."""

    address: str = "localhost:8033"
    timeout: float = 5
    ca_cert_file: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None

    @classmethod
    def read(cls, key: str, config: object, default: Connection) -> Connection:
        """Return the connection of ``config``, with missing values taken from ``default``.

        Raises :class:`ValueError`, naming the key, if a key or a value is invalid.
        """
        if config is None:
            return default
        if not isinstance(config, Mapping):
            raise ValueError(f"{key}: expected a mapping, got {config!r}")
        known = vars(default)
        for name, value in config.items():
            if name not in known:
                raise ValueError(f"{key}.{name}: unknown key; expected one of {', '.join(known)}")
            is_valid, expected = VALUES.get(name, (_is_file, "the path of a file"))
            if not is_valid(value):
                raise ValueError(f"{key}.{name}: expected {expected}, got {value!r}")
        connection = cls(**{**known, **config})
        if (connection.client_cert_file is None) != (connection.client_key_file is None):
            raise ValueError(f"{key}: client_cert_file and client_key_file require each other")
        if connection.client_cert_file and not connection.ca_cert_file:
            raise ValueError(f"{key}.ca_cert_file: missing; client_cert_file requires it")
        return connection

    def of(self, model_id: str) -> Connection:
        """Return this connection with ``{model_id}`` in its address replaced."""
        return replace(self, address=self.address.replace("{model_id}", model_id))

    def open(self) -> grpc.Channel:
        """Return a channel that connects, and reconnects, in the background."""
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


def _is_timeout(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < float("inf")


def _is_address(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[^\s/]+:\d{1,5}", value) is not None


def _is_file(value: object) -> bool:
    return value is None or (isinstance(value, str) and Path(value).is_file())


VALUES: dict[str, tuple[Callable[[object], bool], str]] = {
    "timeout": (_is_timeout, "a number of seconds above 0"),
    "address": (_is_address, "host:port"),
}
"""How the values of a connection are validated; all others are the paths of files."""
