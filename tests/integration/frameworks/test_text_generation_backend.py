"""`examples/text_generation_backend.py` on real gRPC servers."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from example_modules import load_example
from request_contexts import GrpcCaller, HttpCaller

TextGenerationBackend = load_example("text_generation_backend").TextGenerationBackend


class Server:
    """Answers every model with the reversed prompt and the name of the server."""

    def __init__(self, name: str, port: int = 0, credentials: Any = None) -> None:
        self.name = name
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.leave.set()
        self._server = grpc.server(ThreadPoolExecutor(8), options=(("grpc.so_reuseport", 0),))
        if credentials is None:
            self.port = self._server.add_insecure_port(f"localhost:{port}")
        else:
            self.port = self._server.add_secure_port(f"localhost:{port}", credentials)
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "Generate": grpc.unary_unary_rpc_method_handler(self._generate)
        }
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(model, handlers) for model in ("one", "two")]
        )
        self._server.start()

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def _generate(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        del context
        self.entered.set()
        assert self.leave.wait(60)
        return request[::-1] + f" by {self.name}".encode()

    def stop(self) -> None:
        self._server.stop(None).wait(30)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def serve(name: str, port: int = 0, credentials: Any = None) -> Server:
        servers.append(Server(name, port, credentials))
        return servers[-1]

    yield serve
    for server in servers:
        server.leave.set()
        server.stop()


@pytest.fixture
def make() -> Iterator[Callable[..., Any]]:
    backends: list[Any] = []

    def make(address: str, timeout: float = 60, **config: Any) -> Any:
        connection = {"address": address, "timeout": timeout}
        backends.append(TextGenerationBackend({"connection": connection, **config}))
        return backends[-1]

    yield make
    for backend in backends:
        backend.stop()


Make = Callable[..., Any]
Serve = Callable[..., Server]


def test_generate(serve: Serve, make: Make) -> None:
    """A started backend generates text; one that is not started raises RuntimeError."""
    backend = make(serve("common").address)
    assert not backend.is_started
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        backend.generate("one", "abc")
    backend.start()
    assert backend.is_started
    assert backend.generate("one", "abc") == "cba by common"
    backend.stop()
    assert not backend.is_started
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        backend.generate("one", "abc")


def test_model_connection(serve: Serve, make: Make) -> None:
    """A model with a configured connection uses it; the others use the default one."""
    backend = make(serve("common").address, models={"two": {"address": serve("own").address}})
    backend.start()
    assert backend.generate("one", "abc") == "cba by common"
    assert backend.generate("two", "abc") == "cba by own"


def test_only_model_connections(serve: Serve) -> None:
    """If only models are configured, no default server is needed."""
    backend = TextGenerationBackend(
        {"models": {"two": {"address": serve("own").address, "timeout": 60}}}
    )
    backend.start()  # no server listens on localhost:8033
    assert backend.generate("two", "abc") == "cba by own"
    backend.stop()


def test_route(serve: Serve, make: Make, grpc_call: GrpcCaller, http_call: HttpCaller) -> None:
    """A request's route applies to its model only, until another request names another one."""
    routes = {name: {"address": serve(name).address} for name in ("here", "there")}
    backend = make(serve("common").address, routes=routes)

    def notify(context: Any) -> None:
        backend.handle_runtime_context("one", context)

    grpc_call(notify, [("x-route-info", "here")])  # before start, as a runtime may
    backend.start()
    assert backend.generate("one", "abc") == "cba by here"
    assert backend.generate("two", "abc") == "cba by common"
    http_call(notify, [(b"X-Route-Info", b"there")])
    assert backend.generate("one", "abc") == "cba by there"
    grpc_call(notify)  # without a route
    assert backend.generate("one", "abc") == "cba by there"


def test_unknown_route(
    serve: Serve, make: Make, grpc_call: GrpcCaller, caplog: pytest.LogCaptureFixture
) -> None:
    """An address in place of a configured route is logged and ignored."""
    elsewhere = serve("elsewhere")
    backend = make(serve("common").address)
    backend.start()

    def notify(context: Any) -> None:
        backend.handle_runtime_context("one", context)

    grpc_call(notify, [("x-route-info", elsewhere.address)])
    assert backend.generate("one", "abc") == "cba by common"
    assert f"no route '{elsewhere.address}' for model 'one'" in caplog.text


def test_server_restart(serve: Serve, make: Make) -> None:
    """Requests wait for a server that restarts."""
    first = serve("first")
    backend = make(first.address)
    backend.start()
    assert backend.generate("one", "abc") == "cba by first"
    first.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(backend.generate, "one", "abc")
        serve("second", first.port)
        assert waiting.result(60) == "cba by second"
    assert backend.is_started


def test_dropped_request(serve: Serve, make: Make) -> None:
    """A request that a stopping server drops is retried."""
    first = serve("first")
    first.leave.clear()
    backend = make(first.address)
    backend.start()
    with ThreadPoolExecutor(1) as pool:
        dropped = pool.submit(backend.generate, "one", "abc")
        assert first.entered.wait(60)
        first.stop()
        serve("second", first.port)
        first.leave.set()
        assert dropped.result(60) == "cba by second"
    assert backend.generate("one", "abc") == "cba by second"


def test_request_timeout(serve: Serve, make: Make, grpc_call: GrpcCaller) -> None:
    """A server that stays away is an error after the timeout."""
    server = serve("first")
    backend = make(server.address, routes={"impatient": {"timeout": 0.2}})
    grpc_call(
        lambda context: backend.handle_runtime_context("one", context),
        [("x-route-info", "impatient")],
    )
    backend.start()
    server.stop()
    with pytest.raises(grpc.RpcError) as failed:
        backend.generate("one", "abc")
    unavailable = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    assert failed.value.code() in unavailable


def test_concurrent_start(serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that start the backend at the same time open a single channel."""
    opened: list[str] = []
    real = grpc.insecure_channel

    def counting(address: str, options: Any) -> grpc.Channel:
        opened.append(address)
        return real(address, options)

    monkeypatch.setattr(grpc, "insecure_channel", counting)
    server = serve("common")
    backend = make(server.address)
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait(30)
        backend.start()
        backend.generate("one", "abc")

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(start) for _ in range(8)]:
            future.result(60)
    assert opened == [server.address]
    backend.stop()
    backend.stop()


def test_failed_start(serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed start closes every channel; the next one may succeed."""
    server = serve("common")
    closed: list[str] = []
    real = grpc.insecure_channel

    def watched(address: str, options: Any) -> grpc.Channel:
        channel = real(address, options)
        close = channel.close

        def closing() -> None:
            closed.append(address)
            close()

        monkeypatch.setattr(channel, "close", closing)
        return channel

    monkeypatch.setattr(grpc, "insecure_channel", watched)
    with socket.socket() as silent:  # bound, but not listening
        silent.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{silent.getsockname()[1]}"
        models = {"two": {"address": nowhere, "timeout": 0.2}}
        backend = make(server.address, models=models)
        with pytest.raises(ConnectionError, match=rf"^models\.two: no gRPC .* at {nowhere}"):
            backend.start()
    assert not backend.is_started
    assert sorted(closed) == sorted([server.address, nowhere])
    backend.register_config({"models": {"two": {"address": server.address, "timeout": 30}}})
    backend.start()
    assert backend.generate("two", "abc") == "cba by common"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of localhost, and its key."""
    place = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "ca.pem"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    return place / "ca.pem", place / "key.pem"


def test_mutual_tls(serve: Serve, make: Make, certificate: tuple[Path, Path]) -> None:
    """With certificates the backend connects; without them it does not."""
    authority, key = certificate
    pair = [(key.read_bytes(), authority.read_bytes())]
    credentials = grpc.ssl_server_credentials(pair, authority.read_bytes(), True)
    server = serve("secret", credentials=credentials)
    own = {"client_cert_file": str(authority), "client_key_file": str(key)}
    trusted = {"address": server.address, "ca_cert_file": str(authority), "timeout": 30}
    backend = TextGenerationBackend({"connection": trusted | own})
    backend.start()
    assert backend.generate("one", "abc") == "cba by secret"
    backend.stop()

    stranger = make(server.address, timeout=0.5)  # without TLS
    with pytest.raises(ConnectionError, match=r"^connection: no gRPC server"):
        stranger.start()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"connection": "here:1"}, "connection: expected a mapping"),
        ({"connection": {"adress": "here:1"}}, "connection.adress: unknown key; expected one of"),
        ({"connection": {"address": "here"}}, "connection.address: expected host:port"),
        ({"connection": {"address": 8033}}, "connection.address: expected host:port"),
        ({"connection": {"timeout": "5"}}, "connection.timeout: expected a number"),
        ({"connection": {"timeout": True}}, "connection.timeout: expected a number"),
        ({"connection": {"timeout": 0}}, "connection.timeout: expected a number"),
        ({"connection": {"ca_cert_file": "nowhere"}}, "connection.ca_cert_file: expected the path"),
        ({"connection": {"client_key_file": __file__}}, "connection: client_cert_file and client"),
        (
            {"connection": {"client_key_file": __file__, "client_cert_file": __file__}},
            "connection.ca_cert_file: missing",
        ),
        ({"models": ["one"]}, "models: expected a mapping"),
        ({"models": {"one": {"port": 1}}}, "models.one.port: unknown key"),
        ({"routes": {"here": {"address": "a b:1"}}}, "routes.here.address: expected host:port"),
    ],
)
def test_invalid_configuration(config: dict[str, Any], message: str) -> None:
    """An invalid configuration is a ValueError that names the key."""
    backend = TextGenerationBackend(config)
    with pytest.raises(ValueError, match="^" + message):
        backend.start()
    assert not backend.is_started
