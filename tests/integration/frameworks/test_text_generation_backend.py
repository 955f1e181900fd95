"""`examples/text_generation_backend.py` on real gRPC servers."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any

import grpc
import pytest
from example_modules import load_example
from request_contexts import GrpcCaller, HttpCaller

example = load_example("text_generation_backend")
TextGenerationBackend = example.TextGenerationBackend


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
            [
                grpc.method_handlers_generic_handler(model, handlers)
                for model in ("one", "two", "localhost")
            ]
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


def request(backend: Any, model_id: str = "one") -> Callable[[Any], str]:
    """Return what a server does with a request, given its context: notify, then generate."""

    def handle(context: Any) -> str:
        backend.handle_runtime_context(model_id, context)
        text: str = backend.generate("one", "abc")
        return text

    return lambda context: copy_context().run(handle, context)  # as the integrations do


def test_route(serve: Serve, make: Make, grpc_call: GrpcCaller, http_call: HttpCaller) -> None:
    """A route applies to the request that names it, and to the model of that request."""
    routes = {name: {"address": serve(name).address} for name in ("here", "there")}
    backend = make(serve("common").address, routes=routes)
    backend.start()
    assert grpc_call(request(backend), [("x-route-info", "here")]) == "cba by here"
    assert http_call(request(backend), [(b"X-Route-Info", b"there")]) == "cba by there"
    assert grpc_call(request(backend)) == "cba by common"
    assert grpc_call(request(backend, "two"), [("x-route-info", "here")]) == "cba by common"


def test_request_without_route(serve: Serve, make: Make, http_call: HttpCaller) -> None:
    """A request without a route does not see that of an earlier one in the same context."""
    backend = make(serve("common").address, routes={"here": {"address": serve("here").address}})
    backend.start()

    contexts = [
        http_call(lambda context: context, headers)
        for headers in ([(b"x-route-info", b"here")], [])
    ]

    def in_one_context() -> list[str]:
        answers = []
        for context in contexts:
            backend.handle_runtime_context("one", context)
            answers.append(backend.generate("one", "abc"))
        return answers

    assert copy_context().run(in_one_context) == ["cba by here", "cba by common"]


def test_concurrent_routes(serve: Serve, make: Make, http_call: HttpCaller) -> None:
    """Concurrent requests for one model with different routes are not mixed."""
    names = [f"route-{number}" for number in range(8)]
    backend = make(
        serve("common").address, routes={name: {"address": serve(name).address} for name in names}
    )
    backend.start()
    contexts = [
        http_call(lambda context: context, [(b"x-route-info", name.encode())]) for name in names
    ]
    notified = threading.Barrier(len(names))

    def handle(context: Any) -> str:
        backend.handle_runtime_context("one", context)
        notified.wait(30)
        text: str = backend.generate("one", "abc")
        return text

    with ThreadPoolExecutor(len(names)) as pool:
        answers = pool.map(lambda context: copy_context().run(handle, context), contexts)
        assert list(answers) == [f"cba by {name}" for name in names]


def test_two_backends(serve: Serve, make: Make, http_call: HttpCaller) -> None:
    """A request that notifies two backends leaves each of them its own route."""
    here = make(serve("common").address, routes={"here": {"address": serve("here").address}})
    other = make(serve("other").address)
    here.start()
    other.start()

    def handle(context: Any) -> list[str]:
        here.handle_runtime_context("one", context)
        other.handle_runtime_context("two", context)
        return [backend.generate("one", "abc") for backend in (here, other)]

    context = http_call(lambda context: context, [(b"x-route-info", b"here")])
    assert copy_context().run(handle, context) == ["cba by here", "cba by other"]


def test_unknown_route(
    serve: Serve, make: Make, grpc_call: GrpcCaller, caplog: pytest.LogCaptureFixture
) -> None:
    """An address in place of a configured route is logged and ignored."""
    elsewhere = serve("elsewhere")
    backend = make(serve("common").address)
    backend.start()
    route = [("x-route-info", elsewhere.address)]
    assert grpc_call(request(backend), route) == "cba by common"
    assert f"no route '{elsewhere.address}' for model 'one'" in caplog.text


def test_late_registration(serve: Serve, make: Make, grpc_call: GrpcCaller) -> None:
    """A route and a model that are registered after start are used."""
    backend = make(serve("common").address)
    backend.start()
    backend.register_config({"routes": {"late": {"address": serve("late").address}}})
    assert grpc_call(request(backend), [("x-route-info", "late")]) == "cba by late"
    backend.register_config({"models": {"one": {"address": serve("own").address}}})
    assert grpc_call(request(backend)) == "cba by own"


def test_invalid_late_registration(serve: Serve, make: Make, grpc_call: GrpcCaller) -> None:
    """A registration after start that is invalid is rejected and changes nothing."""
    backend = make(serve("common").address)
    backend.start()
    before = dict(backend.config)
    with pytest.raises(ValueError, match=r"^routes\.late\.address: expected host:port"):
        backend.register_config({"routes": {"late": {"address": "late"}}})
    assert backend.config == before
    assert grpc_call(request(backend)) == "cba by common"


NO_NAMES = [
    *("", ".", "..", "-one", " ", "one two", "one ", "one\n", "one/two", "/one", "one:80", "one:"),
    *("one?", "one#", "one@two", "one%2e", "%6fne", "one\\two", "[::1]", "ein\u0441", "one\0"),
]


NO_PARTS_OF_HOSTS = [
    *("127.0.0.1", "2130706433", "0x7f000001", "example.com", "one.two", "unix", "DNS", "a" * 64),
]


def refuse(*arguments: object) -> None:
    raise AssertionError(f"opened {arguments!r}")


def test_model_id_that_is_no_name(
    serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model id that is more than a name reaches neither a path nor an address."""
    port = serve("common").port
    for address in (f"localhost:{port}", f"{{model_id}}:{port}", "{model_id}.test:80"):
        backend = make(address)
        backend.start()
        monkeypatch.setattr(backend._channels, "use", refuse)
        for model_id in NO_NAMES:
            with pytest.raises(ValueError, match=r"^model_id: expected the name of a model"):
                backend.generate(model_id, "abc")


def test_model_id_that_is_no_part_of_a_host(
    serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model id that could choose any host does not become part of an address."""
    backend = make(f"{{model_id}}:{serve('common').port}")
    backend.start()
    monkeypatch.setattr(backend._channels, "use", refuse)
    for model_id in NO_PARTS_OF_HOSTS:
        with pytest.raises(ValueError, match=r"^model_id: expected the name of a model"):
            backend.generate(model_id, "abc")


def test_model_id_in_address(serve: Serve, make: Make) -> None:
    """A name becomes part of the address, in the connections of routes too."""
    server = serve("common")
    backend = make(f"{{model_id}}:{server.port}")
    backend.start()
    assert backend.generate("localhost", "abc") == "cba by common"
    connections = example.Connections.read(
        {
            "connection": {"address": "{model_id}.models:80"},
            "routes": {"canary": {"address": "{model_id}.canary:80"}},
        }
    )
    assert connections.of("llama-3_8b", None).address == "llama-3_8b.models:80"
    assert connections.of("llama-3_8b", "canary").address == "llama-3_8b.canary:80"


def test_model_id_with_dots(make: Make, serve: Serve) -> None:
    """A name with dots is part of a path: the server answers that it does not know the model."""
    backend = make(serve("common").address)
    backend.start()
    with pytest.raises(grpc.RpcError) as failed:
        backend.generate("llama-3.1", "abc")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


# stopping


class Watched:
    """Counts the channels that are open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open: list[str] = []
        self.opened = 0
        self._real = grpc.insecure_channel
        monkeypatch.setattr(grpc, "insecure_channel", self._channel)

    def _channel(self, address: str, options: Any) -> Any:
        channel: Any = self._real(address, options)
        close = channel.close

        def closing() -> None:
            if address in self.open:
                self.open.remove(address)
            close()

        channel.close = closing
        self.open.append(address)
        self.opened += 1
        return channel


def test_stop_between_check_and_use(
    serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop after `generate` has seen a started backend leaves no channel."""
    watched = Watched(monkeypatch)
    backend = make(serve("common").address)
    backend.start()
    find = backend._route_for

    def find_and_stop(model_id: str) -> object:
        backend.stop()
        return find(model_id)

    monkeypatch.setattr(backend, "_route_for", find_and_stop)
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        backend.generate("one", "abc")
    assert (watched.opened, watched.open) == (1, [])


def test_stop_before_the_call(serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that a stop has closed before it was used is a RuntimeError."""
    watched = Watched(monkeypatch)
    backend = make(serve("common").address)
    backend.start()

    use = backend._channels.use

    def use_and_stop(connection: object) -> Any:
        entered = use(connection)

        class Stopping:
            def __enter__(self) -> object:
                channel = entered.__enter__()
                backend.stop()
                return channel

            def __exit__(self, *error: Any) -> object:
                return entered.__exit__(*error)

        return Stopping()

    monkeypatch.setattr(backend._channels, "use", use_and_stop)
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        backend.generate("one", "abc")
    assert watched.open == []


@pytest.mark.exhaustive
def test_stops_under_load(serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever threads generate while the backend is stopped and started, no channel is left."""
    watched = Watched(monkeypatch)
    backend = make(serve("common").address)
    ended = threading.Event()

    def generate() -> None:
        while not ended.is_set():
            with suppress(RuntimeError, grpc.RpcError):  # stopped, or stopped meanwhile
                assert backend.generate("one", "abc") == "cba by common"

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(generate) for _ in range(4)]
        for _ in range(4):
            backend.start()
            backend.generate("one", "abc")
            backend.stop()
            assert watched.open == []
        ended.set()
        for worker in workers:
            worker.result(60)
    assert watched.open == []


def test_made_up_model_ids(serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels to addresses of made-up model ids are limited; those in use are not closed."""
    watched = Watched(monkeypatch)
    server = serve("common")
    backend = make(f"{{model_id}}:{server.port}")
    backend.start()
    server.leave.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(backend.generate, "localhost", "abc")
        assert server.entered.wait(60)
        channels = backend._channels
        for number in range(3 * example.UNUSED_CHANNELS):
            with channels.use(example.Connection(address=f"made-up-{number}:80")):
                pass
        assert len(watched.open) <= example.UNUSED_CHANNELS + 2
        server.leave.set()
        assert slow.result(60) == "cba by common"
    assert watched.opened == 3 * example.UNUSED_CHANNELS + 1
    backend.stop()
    assert watched.open == []


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
    backend.start()
    server.stop()
    with pytest.raises(grpc.RpcError) as failed:
        grpc_call(request(backend), [("x-route-info", "impatient")])
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
        ({"models": {"org/one": {}}}, "models: expected the name of a model, got 'org/one'"),
        (
            {"models": {"one.two": {"address": "{model_id}:80"}}},
            "models: expected the name of a model, got 'one.two'",
        ),
        ({"routes": {"here": {"address": "a b:1"}}}, "routes.here.address: expected host:port"),
    ],
)
def test_invalid_configuration(config: dict[str, Any], message: str) -> None:
    """An invalid configuration is a ValueError that names the key."""
    backend = TextGenerationBackend(config)
    with pytest.raises(ValueError, match="^" + message):
        backend.start()
    assert not backend.is_started
