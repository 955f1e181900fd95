"""A runtime that serves gRPC and HTTP in one process, with backends from a YAML file.

    pip install 'backend-contract[grpc,fastapi]' grpcio-health-checking
    python serve.py  # until SIGTERM or Ctrl-C

With `--self-test` it calls itself on free ports and prints the requests that a backend saw:

    $ python serve.py --self-test
    gRPC answers: HELLO by way of the-left-bank
    HTTP answers: HELLO by way of the-right-bank
    healthy over gRPC: True, over HTTP: True
    ECHO saw left ask for the-left-bank
    ECHO saw right ask for the-right-bank
    stopped: ECHO, ROUTES

Request `model` over HTTP with `GET /models/model?text=...`, and over gRPC with the method
`/example.Echo/Say`, the text as bytes and `mm-model-id: model` in the metadata. Both accept
`x-route-info`, the route that the request asks for. Probes find `/health/live` and `/health/ready`
over HTTP, and `grpc.health.v1.Health` over gRPC.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

import aconfig
import fastapi
import grpc
import uvicorn
from structural_backend import EchoBackend

from backend_contract import (
    Backend,
    BackendBase,
    BackendRegistry,
    RuntimeServerContextType,
    running,
)
from backend_contract.integrations.fastapi import health_router, notify_backends
from backend_contract.integrations.grpc import BackendInterceptor, add_health
from backend_contract.runtime_context import get_metadata

HOST = "127.0.0.1"  # "0.0.0.0" in a container

route_of_request: ContextVar[str | None] = ContextVar("route_of_request", default=None)

registry = BackendRegistry()
registry.register(EchoBackend)  # inherits nothing


@registry.register
class RouteBackend(BackendBase):
    """Knows the route that the current request asked for, and no other request's."""

    backend_type = "ROUTES"

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)

    def start(self) -> None:
        self._started = True

    def stop(self) -> None:
        self._started = False

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        # Set the value in every call, to None if there is no route.
        route_of_request.set(get_metadata(runtime_context, "x-route-info"))

    def route(self) -> str:
        return route_of_request.get() or self.config.default or "nowhere"


class Ports(NamedTuple):
    grpc: int
    http: int


class Runtime:
    """Answers requests with its backends, the same way over gRPC and HTTP."""

    def __init__(self, backends: Sequence[Backend], config: aconfig.Config) -> None:
        self.backends = backends
        self.config = config

    def answer(self, text: str) -> str:
        for backend in self.backends:
            if isinstance(backend, EchoBackend):
                text = backend.echo(text)
            if isinstance(backend, RouteBackend):
                text += f" by way of {backend.route()}"
        return text

    @contextmanager
    def serving(self) -> Iterator[Ports]:
        """Serve requests while in the block; on exit, wait for requests in progress."""
        grace_period = grace_period_of(self.config)
        rpc_server = grpc.server(
            ThreadPoolExecutor(16),
            interceptors=[BackendInterceptor(self.backends)],
            options=[("grpc.so_reuseport", 0)],  # makes a port in use an error
        )
        rpc_server.add_generic_rpc_handlers([self._rpc_handler()])
        add_health(rpc_server, self.backends)
        try:
            grpc_port = rpc_server.add_insecure_port(f"{HOST}:{port_of(self.config, 'grpc', 8085)}")
            listening = listen(port_of(self.config, "http", 8080))
        except (OSError, RuntimeError) as error:
            raise SystemExit(f"cannot listen: {error}") from error
        with listening:
            http_server = uvicorn.Server(
                uvicorn.Config(
                    self._application(),
                    log_level="warning",
                    timeout_graceful_shutdown=grace_period,
                )
            )
            http_thread = threading.Thread(target=http_server.run, args=([listening],))
            rpc_server.start()
            http_thread.start()
            try:
                yield Ports(grpc_port, listening.getsockname()[1])
            finally:
                http_server.should_exit = True
                rpc_server.stop(grace_period).wait()
                http_thread.join()

    def _rpc_handler(self) -> grpc.GenericRpcHandler:
        def say(request: bytes, context: grpc.ServicerContext) -> bytes:
            if get_metadata(context, "mm-model-id") is None:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "mm-model-id is missing")
            return self.answer(request.decode()).encode()

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(say)
        return grpc.method_handlers_generic_handler("example.Echo", {"Say": handler})

    def _application(self) -> fastapi.FastAPI:
        app = fastapi.FastAPI(dependencies=[fastapi.Depends(notify_backends(self.backends))])

        app.include_router(health_router(self.backends))

        @app.get("/models/{model_id}")
        def say(model_id: str, text: str) -> str:
            return self.answer(text)

        return app


def listen(port: int) -> socket.socket:
    """Return a socket that listens on ``port``; connections send small answers at once."""
    listening = socket.create_server((HOST, port))
    # asyncio does this for sockets that it creates itself. Without it, the second part of an answer
    # waits until the client has acknowledged the first one: 40 ms on Linux.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def read_config(path: Path) -> aconfig.Config:
    """Read a configuration. Environment variables override it, except those of Kubernetes.

    Beside a service named ``grpc``, Kubernetes sets ``GRPC_PORT`` to ``tcp://10.0.0.1:8085``.
    """
    config = aconfig.Config.from_yaml(str(path))
    written = aconfig.Config.from_yaml(str(path), override_env_vars=False)
    for server in ("grpc", "http"):
        if "://" in str((config.get(server) or {}).get("port")):
            config[server].port = written[server].port
        port_of(config, server, 0)
    grace_period_of(config)
    return config


def port_of(config: aconfig.Config, server: str, default: int) -> int:
    """Return the port of ``server``. Raises :class:`ValueError` if it is not a port."""
    value = (config.get(server) or {}).get("port", default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise ValueError(f"{server}.port: expected a number from 0 to 65535, got {value!r}")
    return value


def grace_period_of(config: aconfig.Config) -> int:
    """Return the grace period in seconds. Raises :class:`ValueError` if it is not a number."""
    value = config.get("grace_period", 10)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"grace_period: expected a number of whole seconds, got {value!r}")
    return value


@contextmanager
def stop_signals() -> Iterator[socket.socket]:
    """Yield a socket that has something to read once SIGTERM or Ctrl-C has arrived.

    Do not wait for an event that a handler sets. Handlers run in this thread, and a signal that
    arrives just before it blocks, or in another thread, does not wake it.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno())
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, lambda *_: None)
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(-1)


def self_test(runtime: Runtime, ports: Ports) -> None:
    """Call the runtime over both protocols and print the requests that a backend saw."""
    with grpc.insecure_channel(f"{HOST}:{ports.grpc}") as channel:
        say: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/example.Echo/Say")
        metadata = (("mm-model-id", "left"), ("x-route-info", "the-left-bank"))
        print("gRPC answers:", say(b"hello", metadata=metadata, timeout=30).decode())
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes]
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        is_serving = check(b"", timeout=30) == b"\x08\x01"

    connection = http.client.HTTPConnection(HOST, ports.http, timeout=30)
    connection.request(
        "GET", "/models/right?text=hello", headers={"X-Route-Info": "the-right-bank"}
    )
    print("HTTP answers:", connection.getresponse().read().decode().strip('"'))
    connection.request("GET", "/health/ready")
    is_ready = connection.getresponse().status == 200
    print(f"healthy over gRPC: {is_serving}, over HTTP: {is_ready}")
    connection.close()

    for backend in runtime.backends:
        if isinstance(backend, EchoBackend):
            for model_id, route in backend.callers:
                print(f"{backend.backend_type} saw {model_id} ask for {route}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Path(__file__).with_suffix(".yaml")
    parser.add_argument("--config", type=Path, default=default, help="default: %(default)s")
    parser.add_argument("--self-test", action="store_true", help="call itself once and exit")
    options = parser.parse_args(arguments)
    try:
        config = read_config(options.config)
        backends = registry.create_all(config.backends)
    except Exception as error:  # of any kind: the file causes it
        parser.error(f"{options.config}: {error}")
    if options.self_test:
        config.grpc, config.http = {"port": 0}, {"port": 0}  # any free ports

    runtime = Runtime(backends, config)
    with stop_signals() as stop, running(*backends), runtime.serving() as ports:
        if options.self_test:
            self_test(runtime, ports)
        else:
            print(f"gRPC on {HOST}:{ports.grpc}, HTTP on {HOST}:{ports.http}", flush=True)
            stop.recv(1)
    print("stopped:", ", ".join(b.backend_type for b in backends if not b.is_started))
    return 0


if __name__ == "__main__":
    sys.exit(main())
