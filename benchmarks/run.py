"""Print what the package costs, each figure as a ratio to something else in the same run.

`nox -s benchmarks` runs it beside Caikit, which it compares with. What is compared takes turns, and
the median of the rounds (of a statement, the fastest) is printed. Nothing is asserted: a figure
depends on the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import timeit
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import beartype.door
import grpc
import typeguard
from backend_contract._conformance.STRUCTURAL import inspect_class

from backend_contract import (
    Backend,
    LocalBackend,
    RuntimeServerContextType,
    ensure_started,
    notify,
)
from backend_contract._conformance.static import copy_missing_stubs
from backend_contract._conformance.static.checkers import CHECKERS, Mypy
from backend_contract._conformance.static.probe import Probe
from backend_contract.runtime_context import get_metadata
from backend_contract.testing import check_backend


def in_turns(rounds: int, things: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The median of the seconds that each of ``things`` takes."""
    taken: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(rounds):
        for name, thing in things.items():
            taken[name].append(thing())
    return {name: median(times) for name, times in taken.items()}


def run(*command: str, cwd: Path | None = None, **variables: str) -> float:
    """The seconds that a command takes, which may find something and must not fail."""
    start = perf_counter()
    process = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, check=False
    )
    taken = perf_counter() - start
    if process.returncode not in (0, 1) or process.stderr:
        raise SystemExit(f"{' '.join(command)}: {process.stderr.decode()}")
    return taken


def line(what: str, figure: float, goal: str = "") -> None:
    print(f"  {what:56} {figure:8.3f}  {goal}".rstrip())


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
    print("import, above a bare interpreter")
    line("typing, abc, threading, contextlib (ms)", standard * 1000)
    line("backend_contract (ms)", ours * 1000)
    line("caikit.core.module_backends (ms)", caikit * 1000)
    line("backend_contract / caikit", ours / caikit, "at most 0.1")
    line("backend_contract / the four modules", ours / standard, "aim: 2")


def statements(rounds: int, names: Mapping[str, object], **timed: str) -> dict[str, float]:
    """The nanoseconds that each statement takes, which may use ``names``, at its fastest.

    What else the machine does only ever adds to so short a time.
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
    line("with rlock (ns)", taken["bare"])
    line("with backend.start_lock() (ns)", taken["ours"])
    line("the same of Caikit's (ns)", taken["caikit"])
    line("ours / rlock", taken["ours"] / taken["bare"], "at most 1.6")
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
    line("ratio", taken["ours"] / taken["plain"], "at most 2")


def notification(rounds: int) -> None:
    class Silent(LocalBackend):
        def handle_runtime_context(
            self, model_id: str, runtime_context: RuntimeServerContextType
        ) -> None: ...

    taken = statements(
        rounds,
        {"backends": [Silent() for _ in range(4)], "notify": notify, "context": object()},
        ours="notify(backends, 'model', context)",
        plain="for b in backends: b.handle_runtime_context('model', context)",
    )
    print("notify, to four backends that do nothing")
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

    def of_a_context(context: grpc.ServicerContext, key: str) -> str | bytes | None:
        wanted = key.lower()
        for name, value in context.invocation_metadata():
            if name.lower() == wanted:
                return value
        return None

    def of_a_request(request: fastapi.Request, key: str) -> str | None:
        wanted = key.lower()
        for name, value in request.headers.items():
            if name.lower() == wanted:
                return value
        return None

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
            context, of_a_context
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
    measured[f"a request, {len(headers)} headers"] = measure(request, of_a_request)
    for what, taken in measured.items():
        print(f"get_metadata of {what}")
        for label, suffix in (("the last key", ""), ("an absent key", "_absent")):
            plain, ours = taken[f"plain{suffix}"], taken[f"ours{suffix}"]
            line(f"a loop by hand, {label} (ns)", plain)
            line(f"get_metadata, {label} (ns)", ours)
            line(f"ratio, {label}", ours / plain, "at most 1")


def checks(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        cache = directory / "cache"
        command = str(Path(sys.executable).parent / "backend-contract")
        for number in range(100):
            (directory / f"backend{number}.py").write_text(
                "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
            )
        targets = [f"backend{number}.py:Mine" for number in range(100)]

        probe = Probe("backend0", "Mine")
        (directory / probe.file).write_text(probe.text)
        (directory / "mypy.ini").write_text(Mypy.CONFIGURATION)
        stubs = copy_missing_stubs(directory / "stubs")

        def by_hand() -> float:
            arguments = ["--config-file=mypy.ini", f"--cache-dir={cache / 'by hand'}", probe.file]
            path = os.pathsep.join(map(str, (directory, stubs)))
            return run(sys.executable, "-m", "mypy", *arguments, cwd=directory, MYPYPATH=path)

        def check(count: int) -> float:
            variables = {"XDG_CACHE_HOME": str(cache / str(count))}
            return run(command, "check", *targets[:count], cwd=directory, **variables)

        def cold(measured: Callable[[], float]) -> Callable[[], float]:
            def measure() -> float:
                shutil.rmtree(cache, ignore_errors=True)
                return measured()

            return measure

        one, hundred = partial(check, 1), partial(check, 100)
        from_cold = in_turns(max(rounds // 4, 3), {"by hand": cold(by_hand), "one": cold(one)})
        for fill_the_cache in (by_hand, one, hundred):
            fill_the_cache()
        warm = in_turns(rounds, {"by hand": by_hand, "one": one, "hundred": hundred})
    print("backend-contract check, beside mypy by hand on the same probe")
    for label, taken in (("cold", from_cold), ("warm", warm)):
        line(f"mypy by hand, {label} (ms)", taken["by hand"] * 1000)
        line(f"check of one target, {label} (ms)", taken["one"] * 1000)
        line(f"ratio, {label}", taken["one"] / taken["by hand"], "at most 1.3")
    line("check of a hundred targets, warm (ms)", warm["hundred"] * 1000)
    line("a hundred / one, warm", warm["hundred"] / warm["one"], "at most 1.5")


STARTING = """
import sys
from backend_contract._conformance.cli import main as command
from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract._conformance.static.checkers.zuban import Zuban

class Reached(Exception): ...

class Nobody(Zuban):
    def version(self): return "0"
    def check(self, task): raise Reached

CHECKERS["zuban"] = Nobody()
try:
    command.main(["check", "--no-cache", "--checker", "zuban", "backend.py:Mine"])
except Reached:
    pass
else:
    raise SystemExit("no checker was reached")
"""
"""A check that ends where a checker would begin."""


def start_up(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "backend.py").write_text(
            "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
        )
        (directory / "starting.py").write_text(STARTING)
        taken = in_turns(
            rounds,
            {
                "nothing": lambda: run(sys.executable, "-c", "pass", cwd=directory),
                "check": lambda: run(sys.executable, "starting.py", cwd=directory),
            },
        )
    print("backend-contract check, up to where the checker begins")
    above = (taken["check"] - taken["nothing"]) * 1000
    line("above a bare interpreter (ms)", above, "at most 100")
    line("ratio to a bare interpreter", taken["check"] / taken["nothing"])


def each_checker(rounds: int) -> None:
    """A hundred targets beside one, by every checker that is installed."""
    print("backend-contract check by each checker, warm")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number in range(100):
            (directory / f"backend{number}.py").write_text(
                "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
            )
        targets = [f"backend{number}.py:Mine" for number in range(100)]
        command = str(Path(sys.executable).parent / "backend-contract")
        for checker in (each for each in CHECKERS.values() if each.is_installed):

            def check(count: int, checker: str = checker.name) -> float:
                variables = {"XDG_CACHE_HOME": str(directory / "cache" / str(count))}
                arguments = ["check", "--checker", checker, *targets[:count]]
                return run(command, *arguments, cwd=directory, **variables)

            one, hundred = partial(check, 1), partial(check, 100)
            one()
            hundred()
            taken = in_turns(max(rounds // 4, 3), {"one": one, "hundred": hundred})
            line(f"{checker.name}: one target (ms)", taken["one"] * 1000)
            line(f"{checker.name}: a hundred (ms)", taken["hundred"] * 1000)
            line(f"{checker.name}: ratio", taken["hundred"] / taken["one"], "at most 1.5")


def inspection(rounds: int) -> None:
    """Layer R, beside what else says at run time whether something is a `Backend`."""

    def fresh() -> type[LocalBackend]:
        """A class that nobody can have remembered anything of."""
        return type("Fresh", (LocalBackend,), {"backend_type": "FRESH"})

    def seconds(function: Callable[..., object], *arguments: object) -> float:
        start = perf_counter()
        function(*arguments)
        return perf_counter() - start

    taken = in_turns(
        rounds * 20,
        {
            "isinstance": lambda: seconds(isinstance, fresh()(), Backend),
            "typeguard": lambda: seconds(typeguard.check_type, fresh()(), Backend),
            "beartype": lambda: seconds(beartype.door.is_bearable, fresh()(), Backend),
            "inspection": lambda: seconds(inspect_class, fresh()),
        },
    )
    again = statements(
        rounds,
        {"inspect_class": inspect_class, "LocalBackend": LocalBackend, "Backend": Backend}
        | {"backend": LocalBackend()},
        ours="inspect_class(LocalBackend)",
        plain="isinstance(backend, Backend)",
    )
    print("layer R of a class that was not seen before")
    for name in ("isinstance", "beartype", "typeguard"):
        line(f"{name} (us)", taken[name] * 1e6)
    line("inspection, 9 clauses (us)", taken["inspection"] * 1e6, "at most 300")
    line("inspection / typeguard", taken["inspection"] / taken["typeguard"])
    line("inspection again (us)", again["ours"] / 1000, "at most 1")
    line("inspection again / isinstance again", again["ours"] / again["plain"])


def behaviour(rounds: int) -> None:
    check_backend(LocalBackend)  # which imports the frameworks
    taken = in_turns(
        max(rounds // 4, 3),
        {
            "import": lambda: run(sys.executable, "-c", "import grpc, fastapi, uvicorn"),
            "kit": lambda: timeit.timeit(lambda: check_backend(LocalBackend), number=1),
        },
    )
    print("layers R and B of LocalBackend, with both servers")
    line("importing gRPC, FastAPI and uvicorn (s)", taken["import"])
    line("28 clauses (s)", taken["kit"], "at most 2")


PARTS = (
    imports,
    lock,
    lifecycle,
    notification,
    metadata,
    inspection,
    behaviour,
    start_up,
    checks,
    each_checker,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parts = {part.__name__: part for part in PARTS}
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; else all")
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
