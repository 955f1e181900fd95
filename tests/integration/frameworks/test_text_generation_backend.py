"""The example on real gRPC servers."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

ROOT = Path(__file__).parents[3]


def load_example() -> Any:
    path = ROOT / "examples/text_generation_backend.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


TextGenerationBackend = load_example().TextGenerationBackend


class Server:
    """Answers every model with the prompt turned round, and its own name."""

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


def test_it_generates_on_a_real_server(serve: Serve, make: Make) -> None:
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


def test_a_model_may_have_a_connection_of_its_own(serve: Serve, make: Make) -> None:
    backend = make(serve("common").address, models={"two": {"address": serve("own").address}})
    backend.start()
    assert backend.generate("one", "abc") == "cba by common"
    assert backend.generate("two", "abc") == "cba by own"


def test_the_common_server_is_not_needed_where_only_models_are_configured(serve: Serve) -> None:
    backend = TextGenerationBackend(
        {"models": {"two": {"address": serve("own").address, "timeout": 60}}}
    )
    backend.start()  # nobody listens on localhost:8033
    assert backend.generate("two", "abc") == "cba by own"
    backend.stop()


def test_a_request_sends_its_model_by_a_route_and_no_other_model(
    serve: Serve, make: Make, grpc_call: Callable[..., Any], http_call: Callable[..., Any]
) -> None:
    routes = {name: {"address": serve(name).address} for name in ("here", "there")}
    backend = make(serve("common").address, routes=routes)

    def tell(context: Any) -> None:
        backend.handle_runtime_context("one", context)

    grpc_call(tell, [("x-route-info", "here")])  # before start, as a runtime may
    backend.start()
    assert backend.generate("one", "abc") == "cba by here"
    assert backend.generate("two", "abc") == "cba by common"
    http_call(tell, [(b"X-Route-Info", b"there")])
    assert backend.generate("one", "abc") == "cba by there"
    grpc_call(tell)  # a request that does not say changes nothing
    assert backend.generate("one", "abc") == "cba by there"


def test_a_client_cannot_choose_an_address(
    serve: Serve, make: Make, grpc_call: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = serve("elsewhere")
    backend = make(serve("common").address)
    backend.start()

    def tell(context: Any) -> None:
        backend.handle_runtime_context("one", context)

    grpc_call(tell, [("x-route-info", elsewhere.address)])
    assert backend.generate("one", "abc") == "cba by common"
    assert f"no route '{elsewhere.address}' for model 'one'" in caplog.text


def test_a_server_that_is_restarted_is_connected_to_again(serve: Serve, make: Make) -> None:
    first = serve("first")
    backend = make(first.address)
    backend.start()
    assert backend.generate("one", "abc") == "cba by first"
    first.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(backend.generate, "one", "abc")  # nobody is there to answer it
        serve("second", first.port)
        assert waiting.result(60) == "cba by second"
    assert backend.is_started


def test_a_request_that_a_stopping_server_drops_is_made_again(serve: Serve, make: Make) -> None:
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


def test_a_server_that_stays_away_is_an_error_after_the_timeout(serve: Serve, make: Make) -> None:
    server = serve("first")
    backend = make(server.address, timeout=2)
    backend.start()
    server.stop()
    with pytest.raises(grpc.RpcError) as failed:
        backend.generate("one", "abc")
    away = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    assert failed.value.code() in away


def test_it_opens_one_channel_however_many_threads_start_it(
    serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = grpc.insecure_channel

    def counting(address: str, options: Any) -> grpc.Channel:
        opened.append(address)
        return real(address, options)

    monkeypatch.setattr(grpc, "insecure_channel", counting)
    server = serve("common")
    backend = make(server.address)
    everybody = threading.Barrier(8)

    def start() -> None:
        everybody.wait(30)
        backend.start()
        backend.generate("one", "abc")

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(start) for _ in range(8)]:
            future.result(60)
    assert opened == [server.address]
    backend.stop()
    backend.stop()


def test_a_server_that_is_down_fails_the_start_and_not_the_next_one(
    serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    with socket.socket() as taken:  # and nobody listens on it
        taken.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
        models = {"two": {"address": nowhere, "timeout": 0.2}}
        backend = make(server.address, models=models)
        with pytest.raises(
            ConnectionError, match=rf"^models\.two: no gRPC .* at {nowhere} in 0\.2"
        ):
            backend.start()
    assert not backend.is_started
    assert sorted(closed) == sorted([server.address, nowhere])  # nothing is left open
    backend.register_config({"models": {"two": {"address": server.address, "timeout": 30}}})
    backend.start()
    assert backend.generate("two", "abc") == "cba by common"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of localhost that is its own authority, and its key."""
    place = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "ca.pem"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    return place / "ca.pem", place / "key.pem"


def test_mutual_tls(serve: Serve, make: Make, certificate: tuple[Path, Path]) -> None:
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

    stranger = make(server.address, timeout=1)  # speaks no TLS
    with pytest.raises(ConnectionError, match=r"^connection: no gRPC server"):
        stranger.start()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"connection": "here:1"}, "connection: expected a mapping"),
        ({"connection": {"adress": "here:1"}}, "connection.adress: no such key; expected one of"),
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
        ({"models": {"one": {"port": 1}}}, "models.one.port: no such key"),
        ({"routes": {"here": {"address": "a b:1"}}}, "routes.here.address: expected host:port"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_by_its_key(
    config: dict[str, Any], message: str
) -> None:
    backend = TextGenerationBackend(config)
    with pytest.raises(ValueError, match="^" + message):
        backend.start()
    assert not backend.is_started
