"""A backend that delegates text generation to gRPC servers: a shared one, or one per model.

Requires grpcio to run, but not to be checked. Configuration, all optional::

    connection:                  # the default connection
      address: localhost:8033    # host:port, or {model_id}.example:port, see below
      timeout: 5                 # seconds to wait for the server, in `start` and per request
      ca_cert_file: ca.pem       # enables TLS
      client_cert_file: me.pem   # enables mutual TLS, together with the key
      client_key_file: me.key
    models:                      # connections of single models; defaults come from `connection`
      large: {address: "large.example:8033", timeout: 60}
    routes:                      # connections that requests may choose with `x-route-info`
      canary: {address: "canary.example:8033"}

Clients must not choose which hosts this process connects to. Therefore a client names a configured
route, never an address, and a model id must be a name: letters, digits, ``-``, ``_`` and ``.``. An
id that replaces ``{model_id}`` in an address must also be a single part of a host's name. Put a
domain behind it: with ``{model_id}:8033``, a client can name any host of this network.

The backend reconnects to a restarted server; requests wait for it, for at most ``timeout`` seconds.
Prompts and results are sent as UTF-8 to the method ``/<model_id>/Generate``; replace the call in
``generate`` by the stub of your server's service.

A route applies to the request that names it, so ``generate`` has to run in the context of that
request (:mod:`contextvars`). The integrations of backend-contract see to that. Caikit's HTTP server
does not: it runs models in another thread, where requests have no route. By model id nothing is
kept but open channels: those in use, and at most 64 others.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aconfig

from backend_contract import BackendBase, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

if TYPE_CHECKING:
    import grpc

ROUTE_KEY = "x-route-info"
MODEL_ID = "{model_id}"
UNUSED_CHANNELS = 64  # made-up model ids must not open any number of channels
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Neither a number nor a scheme: to gRPC, `2130706433:80` is 127.0.0.1 and `unix:80` is a file.
PART_OF_HOST = re.compile(
    r"(?!(\d+|0x.*|dns|google-c2p.*|ipv[46]|unix.*|vsock|xds)$)[a-z0-9][a-z0-9_-]{0,62}",
    re.ASCII | re.IGNORECASE,
)
NOT_STARTED = "the backend is not started: call start() first"
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
        self._connections = Connections()
        self._channels = Channels()
        self._route: ContextVar[tuple[str, str] | None] = ContextVar("route", default=None)

    def register_config(self, config: aconfig.Config) -> None:
        """Merge ``config``. If started, new connections are used at once, without a test.

        Raises :class:`ValueError`, and changes nothing, if started and the result is invalid.
        """
        with self.start_lock():
            before = self.config
            super().register_config(config)
            if self.is_started:
                try:
                    self._connections = Connections.read(self.config)
                except ValueError:
                    self.config = before
                    raise

    def start(self) -> None:
        """Connect to the server of every model, and wait until each of them answers.

        A route is connected when a request first needs it. Raises :class:`ValueError`, naming the
        key, if the configuration is invalid, and :class:`ConnectionError` if a server does not
        answer in time. A failed start leaves no connection open and can be retried.
        """
        with self.start_lock():
            if self.is_started:
                return
            self._connections = Connections.read(self.config)
            try:
                self._channels.allow()
                for key, connection in self._connections.to_test().items():
                    self._test(key, connection)
            except BaseException:
                self._channels.close()
                raise
            self._started = True

    def stop(self) -> None:
        """Close all connections. Requests in progress are cancelled."""
        with self.start_lock():
            self._started = False
            self._channels.close()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Remember the route that the request names, until the request is over."""
        route = get_metadata(runtime_context, ROUTE_KEY)
        self._route.set(None if route is None else (model_id, route))

    def generate(self, model_id: str, prompt: str) -> str:
        """Return the text that the model's server generates from ``prompt``.

        A route that is not configured is logged and ignored. Raises :class:`ValueError` if
        ``model_id`` is not a name, :class:`RuntimeError` if not started, and ``grpc.RpcError`` if
        the server reports an error or is unavailable for longer than the connection's ``timeout``.
        """
        require_name("model_id", model_id)
        if not self.is_started:
            raise RuntimeError(NOT_STARTED)
        connection = self._connections.of(model_id, self._route_for(model_id))
        request = prompt.encode()
        with self._channels.use(connection) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes]
            call = channel.unary_unary(f"/{model_id}/Generate")
            try:
                response = call(request, timeout=connection.timeout)
            except ValueError as error:  # `stop` has closed the channel meanwhile
                raise RuntimeError(NOT_STARTED) from error
        return response.decode()

    def _route_for(self, model_id: str) -> str | None:
        model, route = self._route.get() or (None, None)
        if route is None or model != model_id:
            return None
        if route not in self._connections.routes:  # as likely a client's mistake as ours
            log.warning("%s: no route %r for model %r", self.backend_type, route, model_id)
            return None
        return route

    def _test(self, key: str, connection: Connection) -> None:
        import grpc

        with self._channels.use(connection) as channel:
            ready = grpc.channel_ready_future(channel)
            try:
                ready.result(connection.timeout)
            except grpc.FutureTimeoutError:
                ready.cancel()
                raise ConnectionError(
                    f"{key}: no gRPC server answered at {connection.address} within "
                    f"{connection.timeout:g} seconds ({key}.timeout)"
                ) from None


def require_name(key: str, model_id: str, pattern: re.Pattern[str] = NAME) -> None:
    """Raise :class:`ValueError` if ``model_id`` is more than a name, in a path or an address."""
    if pattern.fullmatch(model_id) is None:
        raise ValueError(f"{key}: expected the name of a model, got {model_id!r}")


class Channels:
    """Open channels, at most :data:`UNUSED_CHANNELS` of which are not in use. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Connection, OpenChannel] | None = None  # None: not allowed

    def allow(self) -> None:
        """Allow channels, until :meth:`close`."""
        with self._lock:
            self._open = self._open or {}

    def close(self) -> None:
        """Close all channels, and allow no new ones."""
        with self._lock:
            closing, self._open = self._open or {}, None
            for each in closing.values():
                each.channel.close()

    @contextmanager
    def use(self, connection: Connection) -> Iterator[grpc.Channel]:
        """Yield the channel of a connection. Raises :class:`RuntimeError` if not allowed."""
        with self._lock:
            if self._open is None:
                raise RuntimeError(NOT_STARTED)
            used = self._open.pop(connection, None) or OpenChannel(connection.open())
            self._open[connection] = used  # the last one is the one that was used last
            used.users += 1
            self._close_unused(self._open)
        try:
            yield used.channel
        finally:
            with self._lock:
                used.users -= 1

    @staticmethod
    def _close_unused(channels: dict[Connection, OpenChannel]) -> None:
        unused = [connection for connection, each in channels.items() if not each.users]
        for connection in unused[:-UNUSED_CHANNELS]:
            channels.pop(connection).channel.close()


@dataclass
class OpenChannel:
    """A channel, and how many calls use it at the moment."""

    channel: grpc.Channel
    users: int = 0


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

    def of(self, model_id: str, key: str = "model_id") -> Connection:
        """Return this connection with ``{model_id}`` in its address replaced.

        Raises :class:`ValueError` if the id is not a single part of a host's name.
        """
        if MODEL_ID not in self.address:
            return self
        require_name(key, model_id, PART_OF_HOST)
        return replace(self, address=self.address.replace(MODEL_ID, model_id))

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


@dataclass(frozen=True)
class Connections:
    """The validated configuration."""

    default: Connection = Connection()
    models: Mapping[str, Connection] = field(default_factory=dict)
    routes: Mapping[str, Connection] = field(default_factory=dict)
    tests_default: bool = False

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Connections:
        """Return the connections of ``config``.

        Raises :class:`ValueError`, naming the key, if ``config`` is invalid.
        """
        default = Connection.read("connection", config.get("connection"), Connection())
        models = _named("models", config, default)
        for name, connection in models.items():
            require_name("models", name)
            models[name] = connection.of(name, "models")
        only_models = bool(models) and not config.get("connection")
        return cls(
            default,
            models,
            _named("routes", config, default),
            tests_default=not only_models and MODEL_ID not in default.address,
        )

    def to_test(self) -> dict[str, Connection]:
        """Return the connections that ``start`` tests, by key of the configuration."""
        models = {f"models.{name}": connection for name, connection in self.models.items()}
        return ({"connection": self.default} if self.tests_default else {}) | models

    def of(self, model_id: str, route: str | None) -> Connection:
        """Return the connection for a request; without a known route, that of the model."""
        if route is not None and route in self.routes:
            return self.routes[route].of(model_id)
        return self.models.get(model_id) or self.default.of(model_id)


def _named(key: str, config: Mapping[str, Any], default: Connection) -> dict[str, Connection]:
    named = config.get(key) or {}
    if not isinstance(named, Mapping):
        raise ValueError(f"{key}: expected a mapping from names to connections, got {named!r}")
    return {name: Connection.read(f"{key}.{name}", value, default) for name, value in named.items()}


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
