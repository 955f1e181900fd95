"""Print the costs of the package, each as a ratio to an alternative measured in the same run.

`nox -s benchmarks` runs it in an environment with Caikit, one of the alternatives. Alternatives are
measured in turns; the median of all rounds is printed, for single statements the minimum. Nothing
is asserted, because figures depend on the machine.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import timeit
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import beartype.door
import grpc
import typeguard

from backend_contract import (
    Backend,
    BackendRegistry,
    LocalBackend,
    RuntimeServerContextType,
    ensure_started,
    notify,
)
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.static.checkers import CHECKERS, Mypy
from backend_contract._conformance.static.probe import Probe
from backend_contract._conformance.static.stubs import copy_missing_stubs
from backend_contract._structure import find_problems
from backend_contract.clauses import CLAUSES
from backend_contract.runtime_context import get_metadata
from backend_contract.testing import check_backend


def in_turns(rounds: int, measurements: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Take all measurements once per round; return the median of each, in seconds."""
    taken: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            taken[name].append(measure())
    return {name: median(times) for name, times in taken.items()}


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """Call a function once and return how long it took."""
    start = perf_counter()
    function(*arguments)
    return perf_counter() - start


def run(*command: str, cwd: Path | None = None, **variables: str) -> float:
    """Return how long a command takes. It may exit with 1 (violations), but not fail."""
    start = perf_counter()
    process = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, check=False
    )
    taken = perf_counter() - start
    if process.returncode not in (0, 1) or process.stderr:
        raise SystemExit(f"{' '.join(command)}: {process.stderr.decode()}")
    return taken


def line(label: str, figure: float, goal: str = "") -> None:
    print(f"  {label:56} {figure:8.3f}  {goal}".rstrip())


def write_backends(directory: Path, count: int) -> list[str]:
    """Write one backend per file and return the targets to check."""
    for number in range(count):
        (directory / f"backend{number}.py").write_text(
            "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
        )
    return [f"backend{number}.py:Mine" for number in range(count)]


def command() -> str:
    return str(Path(sys.executable).parent / "backend-contract")


def imports(rounds: int) -> None:
    def importing(statement: str) -> Callable[[], float]:
        return lambda: run(sys.executable, "-c", statement)

    taken = in_turns(
        rounds,
        {
            "nothing": importing("pass"),
            "standard": importing("import typing, abc, threading, contextlib"),
            "ours": importing("import backend_contract"),
            "caikit": importing("from caikit.core.module_backends import BackendBase"),
        },
    )
    standard, ours, caikit = (
        taken[name] - taken["nothing"] for name in ("standard", "ours", "caikit")
    )
    print("import, in addition to starting the interpreter")
    line("typing, abc, threading, contextlib (ms)", standard * 1000)
    line("backend_contract (ms)", ours * 1000)
    line("caikit.core.module_backends (ms)", caikit * 1000)
    line("backend_contract / caikit", ours / caikit, "at most 0.1")
    line("backend_contract / these four modules", ours / standard, "goal: 2")


def statements(rounds: int, names: Mapping[str, object], **timed: str) -> dict[str, float]:
    """Return the minimal nanoseconds of each statement, which may use ``names``.

    The minimum, because other load on the machine can only add to it.
    """
    number = 500
    timers = {name: timeit.Timer(text, globals=dict(names)) for name, text in timed.items()}
    fastest = dict.fromkeys(timers, float("inf"))
    for _ in range(rounds * 40):
        for name, timer in timers.items():
            fastest[name] = min(fastest[name], timer.timeit(number))
    return {name: seconds / number * 1e9 for name, seconds in fastest.items()}


def lock(rounds: int) -> None:
    from caikit.core.module_backends import LocalBackend as CaikitBackend

    taken = statements(
        rounds,
        {"bare": threading.RLock(), "backend": LocalBackend(), "caikit": CaikitBackend()},
        bare="with bare: pass",
        ours="with backend.start_lock(): pass",
        caikit="with caikit.start_lock(): pass",
    )
    print("with backend.start_lock()")
    line("with an RLock (ns)", taken["bare"])
    line("with backend.start_lock() (ns)", taken["ours"])
    line("with start_lock() of Caikit's LocalBackend (ns)", taken["caikit"])
    line("ours / RLock", taken["ours"] / taken["bare"], "at most 1.2")
    line("Caikit's / ours", taken["caikit"] / taken["ours"], "at least 4")


def lifecycle(rounds: int) -> None:
    def is_started(backend: Backend) -> bool:
        return backend.is_started

    taken = statements(
        rounds,
        {
            "backend": ensure_started(LocalBackend()),
            "ensure_started": ensure_started,
            "is_started": is_started,
        },
        ours="ensure_started(backend)",
        plain="is_started(backend)",
    )
    print("ensure_started on a started backend")
    line("a function that reads backend.is_started (ns)", taken["plain"])
    line("ensure_started(backend) (ns)", taken["ours"])
    line("ratio", taken["ours"] / taken["plain"], "at most 1.5")


def notification(rounds: int) -> None:
    taken = statements(
        rounds,
        {"backends": [Silent() for _ in range(4)], "notify": notify, "context": object()},
        ours="notify(backends, 'model', context)",
        plain="for b in backends: b.handle_runtime_context('model', context)",
    )
    print("notify, with four backends that do nothing")
    line("a for loop (ns)", taken["plain"])
    line("notify (ns)", taken["ours"])
    line("ratio", taken["ours"] / taken["plain"], "at most 1.5")


NAMES = (
    *("accept", "accept-language", "authorization", "cache-control", "cookie", "forwarded"),
    *("mm-model-id", "mm-vmodel-id", "origin", "referer", "traceparent", "tracestate"),
    *("x-b3-sampled", "x-b3-spanid", "x-b3-traceid", "x-forwarded-for", "x-forwarded-proto"),
    *("x-request-id", "x-route-info"),
)


def metadata(rounds: int) -> None:
    import fastapi

    def from_grpc(context: grpc.ServicerContext, key: str) -> str | bytes | None:
        wanted = key.lower()
        for name, value in context.invocation_metadata():
            if name.lower() == wanted:
                return value
        return None

    def from_http(request: fastapi.Request, key: str) -> str | None:
        return request.headers.get(key)

    def measure(context: object, by_hand: Callable[..., object]) -> dict[str, float]:
        return statements(
            rounds,
            {"context": context, "get_metadata": get_metadata, "by_hand": by_hand},
            plain="by_hand(context, 'X-Route-Info')",
            ours="get_metadata(context, 'X-Route-Info')",
            plain_absent="by_hand(context, 'X-Absent')",
            ours_absent="get_metadata(context, 'X-Absent')",
        )

    measured: dict[str, dict[str, float]] = {}

    def serve(request: bytes, context: grpc.ServicerContext) -> bytes:
        measured[f"a gRPC context, {len(context.invocation_metadata())} entries"] = measure(
            context, from_grpc
        )
        return b""

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(serve)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("test", {"Call": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/Call")
        call(b"", metadata=tuple((name, "value") for name in NAMES))
    server.stop(None).wait()

    headers = [(name.encode(), b"value") for name in ("user-agent", *NAMES)]  # as gRPC adds it
    request = fastapi.Request({"type": "http", "headers": headers})
    measured[f"a request, {len(headers)} headers"] = measure(request, from_http)
    alternatives = (("a loop by hand", "at most 1.2"), ("headers.get", "at most 1.5"))
    for (source, taken), (alternative, goal) in zip(measured.items(), alternatives, strict=True):
        print(f"get_metadata of {source}")
        for label, suffix in (("last key", ""), ("absent key", "_absent")):
            plain, ours = taken[f"plain{suffix}"], taken[f"ours{suffix}"]
            line(f"{alternative}, {label} (ns)", plain)
            line(f"get_metadata, {label} (ns)", ours)
            line(f"ratio, {label}", ours / plain, goal)


def checks(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        cache = directory / "cache"
        targets = write_backends(directory, 100)
        probe = Probe("backend0", "Mine")
        (directory / probe.file).write_text(probe.text)
        (directory / "mypy.ini").write_text(Mypy.CONFIGURATION)
        stubs = copy_missing_stubs(directory / "stubs", this_environment())

        def mypy() -> float:
            arguments = ["--config-file=mypy.ini", f"--cache-dir={cache / 'mypy'}", probe.file]
            path = os.pathsep.join(map(str, (directory, stubs)))
            return run(sys.executable, "-m", "mypy", *arguments, cwd=directory, MYPYPATH=path)

        def check(count: int) -> float:
            variables = {"XDG_CACHE_HOME": str(cache / str(count))}
            return run(command(), "check", *targets[:count], cwd=directory, **variables)

        def cold(measured: Callable[[], float]) -> Callable[[], float]:
            def measure() -> float:
                shutil.rmtree(cache, ignore_errors=True)
                return measured()

            return measure

        one, hundred = partial(check, 1), partial(check, 100)
        from_cold = in_turns(max(rounds // 4, 3), {"mypy": cold(mypy), "one": cold(one)})
        for fill_the_cache in (mypy, one, hundred):
            fill_the_cache()
        warm = in_turns(rounds, {"mypy": mypy, "one": one, "hundred": hundred})
    print("backend-contract check, compared with running mypy on the same probe")
    for label, taken in (("cold", from_cold), ("warm", warm)):
        line(f"mypy, {label} (ms)", taken["mypy"] * 1000)
        line(f"check of one target, {label} (ms)", taken["one"] * 1000)
        line(f"ratio, {label}", taken["one"] / taken["mypy"], "at most 1.3")
    line("check of 100 targets, warm (ms)", warm["hundred"] * 1000)
    line("100 targets / 1 target, warm", warm["hundred"] / warm["one"], "at most 1.5")


INHERITING = """

class Engine{number}(BackendBase):
    backend_type = "ENGINE_{number}"

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self.routes: dict[str, str] = {{}}

    def register_config(self, config: Config) -> None:
        super().register_config(config)

    def start(self) -> None:
        with self.start_lock():
            if not self._started:
                log.info("starting %s", self.config.get("host", "localhost"))
                self._started = True

    def stop(self) -> None:
        self._started = False

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.routes[model_id] = type(runtime_context).__name__
"""
STRUCTURAL = """

@conforms
class Engine{number}:
    backend_type = "ENGINE_{number}"

    def __init__(self, config: Config | None = None) -> None:
        self.config = Config({{}}) if config is None else config
        self.lock = RLock()
        self.routes: dict[str, str] = {{}}
        self.is_started = False

    def register_config(self, config: Config) -> None:
        self.config = Config({{**self.config, **config}})

    def start(self) -> None:
        with self.lock:
            log.info("starting %s", self.config.get("host", "localhost"))
            self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.routes[model_id] = type(runtime_context).__name__
"""
ENGINES = """\
import logging
from contextlib import AbstractContextManager
from threading import RLock

from aconfig import Config

from backend_contract import BackendBase, RuntimeServerContextType, conforms

log = logging.getLogger(__name__)
"""


def write_project(directory: Path, files: int, classes: int) -> None:
    """Write backends that inherit and structural ones, in turns, to each of several files."""
    directory.mkdir()
    for file in range(files):
        numbers = range(file * classes, (file + 1) * classes)
        engines = ((STRUCTURAL if n % 2 else INHERITING).format(number=n) for n in numbers)
        (directory / f"engines{file}.py").write_text("".join((ENGINES, *engines)))


def project(rounds: int) -> None:
    """Compare searches that find 300 backends with one that finds a single one."""
    shapes = {
        "one backend": (1, 1),
        "300 backends in 300 files": (300, 1),
        "300 backends in 30 files": (30, 10),
        "300 backends in one file": (1, 300),
    }
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)

        def check(shape: str) -> float:
            variables = {"XDG_CACHE_HOME": str(directory / f"cache of {shape}")}
            return run(command(), "check", ".", cwd=directory / shape, **variables)

        for shape, (files, classes) in shapes.items():
            write_project(directory / shape, files, classes)
            check(shape)
        taken = in_turns(max(rounds // 2, 9), {shape: partial(check, shape) for shape in shapes})
    print("backend-contract check of a project, warm")
    one, *others = shapes
    line(f"{one} (ms)", taken[one] * 1000)
    for shape in others:
        line(f"{shape} (ms)", taken[shape] * 1000)
        line(f"{shape} / one", taken[shape] / taken[one], "goal: 2")


STARTING = """
import sys
from backend_contract._conformance.cli.main import main
from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract._conformance.static.checkers.zuban import Zuban

class Reached(Exception): ...

class Unstarted(Zuban):
    def version(self): return "0"
    def check(self, request): raise Reached

CHECKERS["zuban"] = Unstarted()
try:
    main(["check", "--no-cache", "--checker", "zuban", "backend0.py:Mine"])
except Reached:
    pass
else:
    raise SystemExit("no checker was reached")
"""
"""A check that ends when a checker would be started."""


def start_up(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_backends(directory, 1)
        (directory / "starting.py").write_text(STARTING)
        taken = in_turns(
            rounds,
            {
                "nothing": lambda: run(sys.executable, "-c", "pass", cwd=directory),
                "check": lambda: run(sys.executable, "starting.py", cwd=directory),
            },
        )
    print("backend-contract check, until the checker is started")
    above = (taken["check"] - taken["nothing"]) * 1000
    line("in addition to starting the interpreter (ms)", above, "at most 100")
    line("check / starting the interpreter", taken["check"] / taken["nothing"])


def each_checker(rounds: int) -> None:
    """Compare 100 targets with one, for every installed checker."""
    print("backend-contract check with each checker, warm")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        targets = write_backends(directory, 100)
        for checker in (each for each in CHECKERS.values() if each.is_installed):

            def check(count: int, checker: str = checker.name) -> float:
                variables = {"XDG_CACHE_HOME": str(directory / "cache" / str(count))}
                arguments = ["check", "--checker", checker, *targets[:count]]
                return run(command(), *arguments, cwd=directory, **variables)

            one, hundred = partial(check, 1), partial(check, 100)
            one()
            hundred()
            taken = in_turns(max(rounds // 4, 3), {"one": one, "hundred": hundred})
            line(f"{checker.name}: 1 target (ms)", taken["one"] * 1000)
            line(f"{checker.name}: 100 targets (ms)", taken["hundred"] * 1000)
            line(f"{checker.name}: ratio", taken["hundred"] / taken["one"], "at most 1.5")


def registration(rounds: int) -> None:
    """Compare registering a class with other ways to find out whether it is a `Backend`."""

    def fresh() -> type[LocalBackend]:
        """Return a class that no cache knows."""
        return type("Fresh", (LocalBackend,), {"backend_type": "FRESH"})

    taken = in_turns(
        rounds * 20,
        {
            "isinstance": lambda: seconds(isinstance, fresh()(), Backend),
            "typeguard": lambda: seconds(typeguard.check_type, fresh()(), Backend),
            "beartype": lambda: seconds(beartype.door.is_bearable, fresh()(), Backend),
            "find_problems": lambda: seconds(find_problems, fresh()),
            "register": lambda: seconds(BackendRegistry().register, fresh()),
        },
    )
    print("registering a class")
    for name in ("isinstance", "beartype", "typeguard"):
        line(f"{name} of an instance (us)", taken[name] * 1e6)
    line("members and calls (us)", taken["find_problems"] * 1e6, "at most 300")
    line("register (us)", taken["register"] * 1e6)
    line("members and calls / typeguard", taken["find_problems"] / taken["typeguard"])


def behaviour(rounds: int) -> None:
    check_backend(LocalBackend)  # imports the frameworks
    taken = in_turns(
        max(rounds // 4, 3),
        {
            "import": lambda: run(sys.executable, "-c", "import grpc, fastapi, uvicorn"),
            "kit": lambda: seconds(check_backend, LocalBackend),
        },
    )
    print("the kit on LocalBackend, with both servers")
    line("importing gRPC, FastAPI and uvicorn (s)", taken["import"])
    line(f"{len(CLAUSES)} clauses (s)", taken["kit"], "at most 2")


CALLS = 200
"""The number of requests that are timed together."""


class Tenant(LocalBackend):
    """A backend that does as little as one with a request-scoped value can."""

    value: ContextVar[str | None] = ContextVar("value", default=None)

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.value.set(get_metadata(runtime_context, "x-route-info"))


class Silent(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class EmptyInterceptor(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return continuation(handler_call_details)


@contextmanager
def grpc_server(interceptor: grpc.ServerInterceptor) -> Iterator[Callable[..., bytes]]:
    """Yield a client of a server that answers with the tenant of the request."""

    def serve(request: bytes, context: grpc.ServicerContext) -> bytes:
        return str(Tenant.value.get()).encode()

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(serve)
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[interceptor])
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("test", {"Call": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test/Call")
        yield lambda route: call(b"", metadata=(("mm-model-id", "m"), ("x-route-info", route)))
    server.stop(None).wait()


@contextmanager
def http_server(dependency: Callable[..., Any]) -> Iterator[int]:
    """Yield the port of a server that answers with the tenant of the request."""
    import fastapi
    import uvicorn

    app = fastapi.FastAPI(openapi_url=None)

    @app.get("/{model_id}", dependencies=[fastapi.Depends(dependency)])
    async def answer(model_id: str) -> str | None:
        return Tenant.value.get()

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="h11"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()


@contextmanager
def http_client(port: int) -> Iterator[Callable[[str], str]]:
    """Yield a function that sends a request with a route over a connection that is kept alive."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(route: str) -> str:
        connection.request("GET", "/m", headers={"x-route-info": route})
        return connection.getresponse().read().decode()

    yield ask
    connection.close()


def a_request(client: Callable[[str], object]) -> Callable[[], float]:
    """Return a measurement of the microseconds that a request takes."""

    def measure() -> float:
        return seconds(lambda: [client("here") for _ in range(CALLS)]) / CALLS * 1e6

    return measure


def integrations(rounds: int) -> None:
    from backend_contract.integrations.fastapi import notify_backends
    from backend_contract.integrations.grpc import BackendInterceptor

    async def empty() -> None: ...

    silent = (Silent(), Silent())
    print("a request that notifies two backends that do nothing (microseconds)")
    with grpc_server(EmptyInterceptor()) as plain, grpc_server(BackendInterceptor(silent)) as ours:
        taken = in_turns(rounds, {"plain": a_request(plain), "ours": a_request(ours)})
    line("grpcio, an empty interceptor", taken["plain"])
    line("grpcio, BackendInterceptor", taken["ours"])
    with (
        http_server(empty) as plain_port,
        http_server(notify_backends(silent)) as our_port,
        http_client(plain_port) as plain_client,
        http_client(our_port) as our_client,
    ):
        taken = in_turns(rounds, {"plain": a_request(plain_client), "ours": a_request(our_client)})
    line("FastAPI, an empty async dependency", taken["plain"])
    line("FastAPI, notify_backends", taken["ours"])
    line("ratio", taken["ours"] / taken["plain"], "at most 2")
    print("64 concurrent requests for one model with different routes")
    routes = [f"route-{number}" for number in range(5000)]
    with grpc_server(BackendInterceptor([Tenant()])) as ask, ThreadPoolExecutor(64) as pool:
        answers = [answer.decode() for answer in pool.map(ask, routes)]

    def over_http(route: str) -> str:
        with http_client(port) as ask:
            return ask(route).strip('"')

    with http_server(notify_backends([Tenant()])) as port, ThreadPoolExecutor(64) as pool:
        answers += pool.map(over_http, routes)
    mixed = sum(answer != route for answer, route in zip(answers, 2 * routes, strict=True))
    line(f"mixed, of {len(answers)}", mixed, "0")


PARTS = (
    imports,
    lock,
    lifecycle,
    notification,
    metadata,
    integrations,
    registration,
    behaviour,
    start_up,
    checks,
    project,
    each_checker,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parts = {part.__name__: part for part in PARTS}
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"one of {', '.join(parts)}; default: all"
    )
    arguments = parser.parse_args()
    rounds = arguments.rounds
    if unknown := set(arguments.parts) - set(parts):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(parts)}")
    print(f"Python {sys.version.split()[0]}, mypy {Mypy().version()}, {rounds} rounds\n")
    for name in arguments.parts or parts:
        parts[name](rounds)
        print()


if __name__ == "__main__":
    main()
