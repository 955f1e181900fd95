"""A runtime that serves gRPC and HTTP in one process, with backends from a YAML file.

    pip install 'backend-contract[grpc,fastapi]'
    python serve.py  # until SIGTERM or Ctrl-C

With `--self-test` it calls itself on free ports and prints the requests that the backends saw:

    $ python serve.py --self-test
    gRPC answers: HELLO by way of the-left-bank
    HTTP answers: HELLO by way of the-right-bank
    ECHO saw left over gRPC
    ECHO saw right over HTTP
    ROUTES saw left go to the-left-bank
    ROUTES saw right go to the-right-bank
    stopped: ECHO, ROUTES

Request `model` over HTTP with `GET /models/model?text=...`, and over gRPC with the method
`/example.Echo/Say`, the text as bytes and `mm-model-id: model` in the metadata. Both accept
`x-route-info`, the route that the request asks for.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

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
from backend_contract.integrations.fastapi import notify_backends
from backend_contract.integrations.grpc import BackendInterceptor
from backend_contract.runtime_context import get_metadata, is_grpc_context

HOST = "127.0.0.1"

registry = BackendRegistry()
registry.register(EchoBackend)  # inherits nothing


@registry.register
class RouteBackend(BackendBase):
    """Stores the route that the last request for each model asked for."""

    backend_type = "ROUTES"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._routes: dict[str, str] = {}

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)

    def start(self) -> None:
        self._started = True

    def stop(self) -> None:
        self._started = False

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        route = get_metadata(runtime_context, "x-route-info")
        if route is not None:
            self._routes[model_id] = route

    def route(self, model_id: str) -> str:
        return self._routes.get(model_id, self.config.default or "nowhere")


class Ports(NamedTuple):
    grpc: int
    http: int


class Runtime:
    """Answers requests with its backends, the same way over gRPC and HTTP."""

    def __init__(self, backends: Sequence[Backend], config: aconfig.Config) -> None:
        self.backends = backends
        self.config = config

    def answer(self, model_id: str, text: str) -> str:
        for backend in self.backends:
            if isinstance(backend, EchoBackend):
                text = backend.echo(text)
            if isinstance(backend, RouteBackend):
                text += f" by way of {backend.route(model_id)}"
        return text

    @contextmanager
    def serving(self) -> Iterator[Ports]:
        """Serve requests while in the block; on exit, wait for requests in progress."""
        grace_period: int = self.config.get("grace_period", 10)
        rpc_server = grpc.server(
            ThreadPoolExecutor(16),
            interceptors=[BackendInterceptor(self.backends)],
            options=[("grpc.so_reuseport", 0)],  # makes a port in use an error
        )
        rpc_server.add_generic_rpc_handlers([self._rpc_handler()])
        try:
            grpc_port = rpc_server.add_insecure_port(f"{HOST}:{self._port('grpc', 8085)}")
            listening = socket.create_server((HOST, self._port("http", 8080)))
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

    def _port(self, server: str, default: int) -> int:
        port: int = (self.config.get(server) or {}).get("port", default)
        return port

    def _rpc_handler(self) -> grpc.GenericRpcHandler:
        def say(request: bytes, context: grpc.ServicerContext) -> bytes:
            model_id = get_metadata(context, "mm-model-id")
            if model_id is None:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "mm-model-id is missing")
            return self.answer(model_id, request.decode()).encode()

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(say)
        return grpc.method_handlers_generic_handler("example.Echo", {"Say": handler})

    def _application(self) -> fastapi.FastAPI:
        app = fastapi.FastAPI(dependencies=[fastapi.Depends(notify_backends(self.backends))])

        @app.get("/models/{model_id}")
        def say(model_id: str, text: str) -> str:
            return self.answer(model_id, text)

        return app


def self_test(runtime: Runtime, ports: Ports) -> None:
    """Call the runtime over both protocols and print the requests that the backends saw."""
    with grpc.insecure_channel(f"{HOST}:{ports.grpc}") as channel:
        say: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/example.Echo/Say")
        metadata = (("mm-model-id", "left"), ("x-route-info", "the-left-bank"))
        print("gRPC answers:", say(b"hello", metadata=metadata, timeout=30).decode())

    connection = http.client.HTTPConnection(HOST, ports.http, timeout=30)
    connection.request(
        "GET", "/models/right?text=hello", headers={"X-Route-Info": "the-right-bank"}
    )
    print("HTTP answers:", connection.getresponse().read().decode().strip('"'))
    connection.close()

    for backend in runtime.backends:
        if isinstance(backend, EchoBackend):
            for model_id, context in backend.callers.items():
                protocol = "gRPC" if is_grpc_context(context) else "HTTP"
                print(f"{backend.backend_type} saw {model_id} over {protocol}")
        if isinstance(backend, RouteBackend):
            for model_id in ("left", "right"):
                print(f"{backend.backend_type} saw {model_id} go to {backend.route(model_id)}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Path(__file__).with_suffix(".yaml")
    parser.add_argument("--config", type=Path, default=default, help="default: %(default)s")
    parser.add_argument("--self-test", action="store_true", help="call itself once and exit")
    options = parser.parse_args(arguments)
    try:
        config = aconfig.Config.from_yaml(str(options.config))
        backends = registry.create_all(config.backends)
    except Exception as error:  # of any kind: the file causes it
        parser.error(f"{options.config}: {error}")
    if options.self_test:
        config.grpc, config.http = {"port": 0}, {"port": 0}  # any free ports

    stop = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())
    runtime = Runtime(backends, config)
    with running(*backends), runtime.serving() as ports:
        if options.self_test:
            self_test(runtime, ports)
        else:
            print(f"gRPC on {HOST}:{ports.grpc}, HTTP on {HOST}:{ports.http}", flush=True)
            stop.wait()
    print("stopped:", ", ".join(b.backend_type for b in backends if not b.is_started))
    return 0


if __name__ == "__main__":
    sys.exit(main())
