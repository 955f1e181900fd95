"""Contexts of real requests: fixtures that call a grpcio server and a uvicorn server on loopback.

A `conftest.py` imports the fixtures. Each runs a function on the context of a request, in the
server, and returns its result.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeAlias, TypeVar

import fastapi
import grpc
import pytest
import uvicorn

__all__ = ["GrpcCaller", "HttpCaller", "grpc_call", "http_call"]

ContextT = TypeVar("ContextT")
Metadata: TypeAlias = Sequence[tuple[str, "str | bytes"]]
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


class Recorder(Generic[ContextT]):
    """Applies a function to every context that a server receives, and records the results."""

    def __init__(self) -> None:
        self._look: Callable[[ContextT], object] = lambda context: None
        self._results: list[Any] = []

    def expect(self, look: Callable[[ContextT], object]) -> None:
        """Discard the results so far and apply *look* to the following contexts."""
        self._look = look
        self._results.clear()

    def record(self, context: ContextT) -> None:
        try:
            self._results.append(self._look(context))
        except Exception as error:  # raised again in the test
            self._results.append(error)

    def results(self) -> list[Any]:
        """Return one result per context; raise the first exception."""
        for result in self._results:
            if isinstance(result, Exception):
                raise result
        return self._results[:]


class GrpcCaller(Recorder[grpc.ServicerContext]):
    """Runs a function on the context of a gRPC call, in the server, and returns its result."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def serve(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.record(context)
        return b""

    def __call__(
        self, look: Callable[[grpc.ServicerContext], object], metadata: Metadata = ()
    ) -> Any:
        self.expect(look)
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/Call")
            call(b"", metadata=tuple(metadata), timeout=30)
        (result,) = self.results()
        return result


@pytest.fixture(scope="session")
def grpc_call() -> Iterator[GrpcCaller]:
    # By default, grpcio delays the answer to an invalid request by up to a second ("tarpit").
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.http.tarpit", 0)])
    caller = GrpcCaller(server.add_insecure_port("127.0.0.1:0"))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(caller.serve)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("test", {"Call": handler})]
    )
    server.start()
    yield caller
    server.stop(None).wait(30)


class HttpCaller(Recorder[fastapi.Request]):
    """Runs a function on a real request, whose headers are raw bytes, and returns its result."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def __call__(self, look: Callable[[fastapi.Request], object], headers: Headers = ()) -> Any:
        self.expect(look)
        answer = self.send([name + b": " + value for name, value in headers])
        assert answer.startswith(b"HTTP/1.1 200"), answer
        (result,) = self.results()
        return result

    def send(self, lines: Sequence[bytes]) -> bytes:
        """Send a request with these header lines and return the answer, empty if refused."""
        request = [b"GET / HTTP/1.1", b"host: localhost", b"connection: close", *lines]
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            try:
                connection.sendall(b"\r\n".join(request) + b"\r\n\r\n")
                return connection.makefile("rb").read()
            except ConnectionError:
                return b""


@pytest.fixture(scope="session")
def http_call() -> Iterator[HttpCaller]:
    listening = socket.create_server(("127.0.0.1", 0))
    caller = HttpCaller(listening.getsockname()[1])
    app = fastapi.FastAPI()

    @app.get("/")
    def root(request: fastapi.Request) -> None:
        caller.record(request)

    server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="h11"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield caller
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()
