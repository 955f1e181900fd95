"""Contexts of real requests: a grpcio server and a uvicorn server, both on the loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import fastapi
import grpc
import pytest
import uvicorn

T = TypeVar("T")
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
Metadata: TypeAlias = Sequence[tuple[str, "str | bytes"]]


class GrpcCaller:
    """Runs a function on the context of a call, in the server, while the call is made."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.look: Callable[[grpc.ServicerContext], object] = lambda context: None
        self.seen: list[object] = []

    def serve(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            self.seen.append(self.look(context))
        except Exception as error:
            self.seen.append(error)  # to be raised where the test can see it
        return b""

    def __call__(self, look: Callable[[grpc.ServicerContext], T], metadata: Metadata = ()) -> T:
        self.look = look
        with grpc.insecure_channel(self.address) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/Call")
            call(b"", metadata=tuple(metadata), timeout=30)
        result = self.seen.pop()
        if isinstance(result, Exception):
            raise result
        return result  # type: ignore[return-value]  # what `look` returned


@pytest.fixture(scope="session")
def grpc_call() -> Iterator[GrpcCaller]:
    server = grpc.server(ThreadPoolExecutor(4))
    caller = GrpcCaller(f"localhost:{server.add_insecure_port('localhost:0')}")
    handler: Handler = grpc.unary_unary_rpc_method_handler(caller.serve)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("test", {"Call": handler})]
    )
    server.start()
    yield caller
    server.stop(None).wait(30)


class HttpCaller:
    """Runs a function on the request object of a real request, whose headers are raw bytes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.look: Callable[[fastapi.Request], object] = lambda request: None
        self.seen: list[object] = []

    def serve(self, request: fastapi.Request) -> None:
        try:
            self.seen.append(self.look(request))
        except Exception as error:
            self.seen.append(error)  # to be raised where the test can see it

    def __call__(
        self, look: Callable[[fastapi.Request], T], headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> T:
        self.look = look
        lines = [b"GET / HTTP/1.1", b"host: localhost", b"connection: close"]
        lines += [name + b": " + value for name, value in headers]
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200"), answer
        result = self.seen.pop()
        if isinstance(result, Exception):
            raise result
        return result  # type: ignore[return-value]  # what `look` returned


@pytest.fixture(scope="session")
def http_call() -> Iterator[HttpCaller]:
    listening = socket.create_server(("127.0.0.1", 0))
    caller = HttpCaller(listening.getsockname()[1])
    app = fastapi.FastAPI()

    @app.get("/")
    def root(request: fastapi.Request) -> None:
        caller.serve(request)

    server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="h11"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield caller
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()
