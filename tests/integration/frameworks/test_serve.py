"""`examples/serve.py` over real sockets: its self-test, under load, killed and stopped."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aconfig
import grpc
import pytest
from example_modules import EXAMPLES, load_example

from backend_contract import LocalBackend, RuntimeServerContextType, running
from backend_contract.runtime_context import get_metadata, is_grpc_context

serve = load_example("serve")
TIMEOUT = 30


def grpc_say(channel: grpc.Channel, model: str, route: str | None = None) -> str:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/example.Echo/Say")
    metadata = [("mm-model-id", model)] + ([("x-route-info", route)] if route else [])
    return call(b"hello", metadata=tuple(metadata), timeout=TIMEOUT).decode()


def http_say(connection: http.client.HTTPConnection, model: str, route: str | None = None) -> str:
    headers = {"x-route-info": route} if route else {}
    connection.request("GET", f"/models/{model}?text=hello", headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    assert response.status == 200, body
    return body.strip('"')


# the self-test and the configuration


def test_self_test() -> None:
    """`--self-test` prints the lines that the docstring shows."""
    (shown,) = re.findall(r"\$ python serve\.py --self-test\n(.*?)\n\n", serve.__doc__, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "serve.py", "--self-test"],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (run.stdout, run.stderr, run.returncode) == (textwrap.dedent(shown) + "\n", "", 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("backends: [{type: ECHOO}]", "did you mean 'ECHO'"),
        ("backends: ECHO", "a list of backends"),
        ("backends: [", "while parsing a flow node"),
        ("", "wrong.yaml"),
        (None, "does not exist"),
    ],
)
def test_invalid_configuration(
    text: str | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid or missing configuration ends with status 2 and the reason."""
    path = tmp_path / "wrong.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as exit_:
        serve.main(["--config", str(path)])
    assert exit_.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_environment_of_kubernetes(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configured ports count if Kubernetes sets the variables of services of these names."""
    path = tmp_path / "ports.yaml"
    path.write_text("grpc: {port: 1234}\nhttp: {port: 0}\n")
    monkeypatch.setenv("GRPC_PORT", f"{scheme}://10.0.0.1:8085")
    monkeypatch.setenv("HTTP_PORT", f"{scheme}://10.0.0.1:8080")
    config = serve.read_config(path)
    assert (config.grpc.port, config.http.port) == (1234, 0)


def test_port_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is set in the environment overrides the configured one."""
    path = tmp_path / "ports.yaml"
    path.write_text("grpc: {port: 1234}\nhttp: {port: 5678}\n")
    monkeypatch.setenv("GRPC_PORT", "4321")
    config = serve.read_config(path)
    assert (config.grpc.port, config.http.port) == (4321, 5678)


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "true"])
def test_invalid_grace_period(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grace period that is not one ends with status 2 and the key, before anything starts."""
    monkeypatch.setenv("GRACE_PERIOD", value)
    with pytest.raises(SystemExit) as exit_:
        serve.main(["--self-test"])
    assert exit_.value.code == 2
    assert "grace_period: expected a number of whole seconds" in capsys.readouterr().err


@pytest.mark.parametrize("in_environment", [False, True], ids=["file", "environment"])
@pytest.mark.parametrize("port", ["eighty", "65536", "-1", "80.5", "true", ""])
def test_invalid_port(
    port: str,
    in_environment: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A port that is not one ends with status 2 and the key, in the file and the environment."""
    path = tmp_path / "ports.yaml"
    path.write_text(f"backends: []\nhttp: {{port: {1234 if in_environment else repr(port)}}}\n")
    if in_environment:
        monkeypatch.setenv("HTTP_PORT", port)
    with pytest.raises(SystemExit) as exit_:
        serve.main(["--config", str(path)])
    assert exit_.value.code == 2
    assert "http.port: expected a number from 0 to 65535" in capsys.readouterr().err


# request-scoped values, health, memory


CONFIGURATION = {"grpc": {"port": 0}, "http": {"port": 0}, "grace_period": TIMEOUT}


@contextmanager
def serving(*backends: Any) -> Iterator[Any]:
    config = aconfig.Config(CONFIGURATION, override_env_vars=False)
    with running(*backends), serve.Runtime(backends, config).serving() as ports:
        yield ports


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_routes_of_requests() -> None:
    """Each concurrent request for one model takes its own route; one without a route takes none."""
    routes = [f"way-{number}" for number in range(64)]

    def over_grpc(route: str | None) -> str:
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            return grpc_say(channel, "model", route)

    def over_http(route: str | None) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", ports.http, timeout=TIMEOUT)
        try:
            return http_say(connection, "model", route)
        finally:
            connection.close()

    with serving(serve.RouteBackend()) as ports, ThreadPoolExecutor(16) as pool:
        for say in (over_grpc, over_http):
            asked = [*routes, None] * 2
            wanted = [f"hello by way of {route or 'nowhere'}" for route in asked]
            assert list(pool.map(say, asked)) == wanted


def test_health() -> None:
    """Both servers are ready as long as all backends are started."""
    backend = LocalBackend()
    with serving(backend) as ports:
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            check: grpc.UnaryUnaryMultiCallable[bytes, bytes]
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            assert check(b"", timeout=TIMEOUT) == b"\x08\x01"  # SERVING
            assert get(ports.http, "/health/ready") == 200
            backend.stop()
            assert check(b"", timeout=TIMEOUT) == b"\x08\x02"  # NOT_SERVING
        assert get(ports.http, "/health/ready") == 503
        assert get(ports.http, "/health/live") == 200


def test_made_up_model_ids() -> None:
    """A backend remembers a limited number of requests, whatever ids clients make up."""
    backend = serve.EchoBackend()
    with serving(backend, serve.RouteBackend()) as ports:
        connection = http.client.HTTPConnection("127.0.0.1", ports.http, timeout=TIMEOUT)
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            for number in range(100):
                grpc_say(channel, f"grpc-{number}")
                http_say(connection, f"http-{number}", "here")
        connection.close()
    assert len(backend.callers) == 100
    assert list(backend.callers)[-2:] == [("grpc-99", None), ("http-99", "here")]


def test_small_answers_are_sent_at_once() -> None:
    """Connections do not wait for acknowledgements: they have TCP_NODELAY."""
    with (
        serve.listen(0) as listening,
        socket.create_connection(listening.getsockname(), timeout=TIMEOUT),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# under load


class Counting(LocalBackend):
    """Counts contexts by model, route and protocol."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.seen: Counter[tuple[str, str | None, str]] = Counter()
        self.lock = threading.Lock()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        route = get_metadata(runtime_context, "x-route-info")
        protocol = "gRPC" if is_grpc_context(runtime_context) else "HTTP"
        with self.lock:
            self.seen[model_id, route, protocol] += 1


@pytest.mark.parametrize(
    "requests", [25, pytest.param(625, marks=pytest.mark.exhaustive)], ids=["400", "10000"]
)
def test_concurrent_requests(requests: int) -> None:
    """Every context of 16 concurrent clients arrives exactly once in each backend."""
    threads = 8  # for each protocol
    config = aconfig.Config(
        {"grpc": {"port": 0}, "http": {"port": 0}, "grace_period": TIMEOUT}, override_env_vars=False
    )
    backends = [Counting(), Counting()]

    def over_grpc(thread: int) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            for number in range(requests):
                model = f"{thread}-{number}"
                assert grpc_say(channel, model, f"route-{model}") == "hello"

    def over_http(thread: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", ports.http, timeout=TIMEOUT)
        for number in range(requests):
            model = f"{thread}-{number}"
            assert http_say(connection, model, f"route-{model}") == "hello"
        connection.close()

    runtime = serve.Runtime(backends, config)
    with running(*backends), runtime.serving() as ports, ThreadPoolExecutor(2 * threads) as pool:
        futures = [pool.submit(f, n) for n in range(threads) for f in (over_grpc, over_http)]
        for future in futures:
            future.result(300)
    expected = {
        (f"{thread}-{number}", f"route-{thread}-{number}", protocol): 1
        for thread in range(threads)
        for number in range(requests)
        for protocol in ("gRPC", "HTTP")
    }
    assert len(expected) == 2 * threads * requests
    for backend in backends:
        assert backend.seen == expected


# in a separate process: killed and stopped


CONFIG = """
backends:
  - type: GATE
  - type: ECHO
grpc: {{port: {grpc}}}
http: {{port: {http}}}
grace_period: 60
"""


class Server:
    """The example in a separate process, and the test's side of its gate."""

    def __init__(self, process: subprocess.Popen[str], gate: socket.socket) -> None:
        self.process, self.gate = process, gate
        line = self.read_line()
        assert line == "GATE starts", line
        self.ports = serve.Ports(*map(int, re.findall(r":(\d+)", self.read_line())))

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def wait_for_slow_requests(self, count: int) -> list[socket.socket]:
        """Return the gates of *count* requests, which block until the gates are closed."""
        return [self.gate.accept()[0] for _ in range(count)]

    def say(self, protocol: str, model: str = "fast") -> str:
        if protocol == "gRPC":
            with grpc.insecure_channel(f"127.0.0.1:{self.ports.grpc}") as channel:
                return grpc_say(channel, model)
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.http, timeout=TIMEOUT)
        try:
            return http_say(connection, model)
        finally:
            connection.close()

    def accepts(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
        except ConnectionError:
            return False
        return True


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []
    gate = socket.create_server(("127.0.0.1", 0))
    gate.settimeout(TIMEOUT)

    def start_(ports: tuple[int, int] = (0, 0)) -> Server:
        path = tmp_path / "gate.yaml"
        path.write_text(CONFIG.format(grpc=ports[0], http=ports[1]))
        script = Path(__file__).with_name("serve_with_gate.py")
        process = subprocess.Popen(
            [sys.executable, script, str(gate.getsockname()[1]), f"--config={path}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return Server(process, gate)

    yield start_
    for process in processes:
        process.kill()
        process.wait(TIMEOUT)
        assert process.stdout is not None
        process.stdout.close()
    gate.close()


@contextmanager
def slow_requests(server: Server) -> Iterator[dict[str, Any]]:
    """Start one request per protocol for the model `slow`."""
    with ThreadPoolExecutor(2) as pool:
        futures = {kind: pool.submit(server.say, kind, "slow") for kind in ("gRPC", "HTTP")}
        yield futures


def test_kill(start: Start) -> None:
    """A killed server fails the requests in progress, and its ports can be used again."""
    server = start()
    with slow_requests(server) as slow:
        gates = server.wait_for_slow_requests(2)
        assert server.say("gRPC") == server.say("HTTP") == "hello"
        server.process.kill()
        with pytest.raises(grpc.RpcError) as error:
            slow["gRPC"].result(TIMEOUT)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            slow["HTTP"].result(TIMEOUT)
    for gate in gates:
        gate.close()
    assert server.process.wait(TIMEOUT) == -signal.SIGKILL
    again = start((server.ports.grpc, server.ports.http))
    assert again.ports == server.ports
    assert again.say("gRPC") == again.say("HTTP") == "hello"


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)]
)
def test_graceful_stop(start: Start, number: signal.Signals) -> None:
    """On SIGTERM and SIGINT, the server closes its ports and answers the requests in progress."""
    server = start()
    with slow_requests(server) as slow:
        gates = server.wait_for_slow_requests(2)
        server.process.send_signal(number)
        while any(map(server.accepts, server.ports)):
            pass
        assert not slow["gRPC"].done()
        assert not slow["HTTP"].done()
        for gate in gates:
            gate.sendall(b".")
            gate.close()
        assert slow["gRPC"].result(TIMEOUT) == "hello"
        assert slow["HTTP"].result(TIMEOUT) == "hello"
    assert server.process.wait(TIMEOUT) == 0
    assert server.read_line() == "GATE stops"
    assert server.read_line() == "stopped: GATE, ECHO"


@pytest.mark.exhaustive
def test_signal_in_another_thread(start: Start) -> None:
    """A signal that interrupts another thread than the one that waits for it is not missed."""
    server = start()
    server.say("gRPC", "sigterm")
    assert server.process.wait(TIMEOUT) == 0
    assert server.read_line() == "GATE stops"
    assert server.read_line() == "stopped: GATE, ECHO"


@pytest.mark.exhaustive
def test_stop_under_load(start: Start) -> None:
    """A server that is stopped under load answers or refuses every request."""
    server = start()
    under_load = threading.Semaphore(0)
    refused = (
        grpc.StatusCode.UNAVAILABLE,  # the port or the connection is closed
        grpc.StatusCode.CANCELLED,
    )

    def work(protocol: str) -> int:
        """Send requests until the server is gone, and return how many were answered."""
        answered = 0
        while True:
            try:
                assert server.say(protocol) == "hello"
            except grpc.RpcError as error:
                if error.code() not in refused:
                    raise
                return answered
            except (ConnectionError, http.client.HTTPException):
                return answered
            answered += 1
            under_load.release()

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(work, protocol) for protocol in ("gRPC", "HTTP") * 4]
        for _ in range(200):
            assert under_load.acquire(timeout=TIMEOUT)
        server.process.send_signal(signal.SIGTERM)
        answered = [worker.result(TIMEOUT * 4) for worker in workers]
    assert sum(answered) >= 200
    assert server.process.wait(TIMEOUT) == 0
    assert server.read_line() == "GATE stops"
    assert server.read_line() == "stopped: GATE, ECHO"


@pytest.mark.exhaustive
def test_port_in_use(start: Start, tmp_path: Path) -> None:
    """A port in use is an error, not shared."""
    server = start()
    path = tmp_path / "taken.yaml"
    path.write_text(f"backends: []\ngrpc: {{port: {server.ports.grpc}}}\nhttp: {{port: 0}}\n")
    run = subprocess.run(
        [sys.executable, EXAMPLES / "serve.py", f"--config={path}"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert run.returncode == 1
    assert "cannot listen: " in run.stderr
    assert "Traceback" not in run.stderr
    assert str(server.ports.grpc) in run.stderr
