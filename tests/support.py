"""Helpers that tests of several folders share."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest
from filelock import FileLock

import backend_contract
from backend_contract import LocalBackend
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES

__all__ = [
    "WAIT",
    "Mine",
    "Structural",
    "at_once",
    "core_modules",
    "make_finding",
    "mostly_exhaustive",
    "notes_of",
    "public_objects",
    "run_python",
    "shared_directory",
]

ResultT = TypeVar("ResultT")

WAIT = 30
"""Seconds after which a test that hangs fails."""


@contextmanager
def shared_directory(factory: pytest.TempPathFactory, name: str) -> Generator[Path]:
    """Lock a directory that all workers share; the first one finds it empty."""
    base = factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(directory.with_suffix(".lock")):
        directory.mkdir(exist_ok=True)
        yield directory


def mostly_exhaustive(cases: Iterable[tuple[Any, ...]], default: int) -> list[Any]:
    """Return *cases* as parameters, all but the first *default* for the exhaustive run."""
    return [
        pytest.param(*case, marks=() if number < default else pytest.mark.exhaustive)
        for number, case in enumerate(cases)
    ]


class Mine(LocalBackend):
    """A backend that keeps every clause."""

    backend_type = "MINE"


class Structural:
    """A backend that inherits nothing. Its lock is not re-entrant; it records its calls."""

    backend_type = "STRUCTURAL"

    def __init__(self, config: Any = None) -> None:
        self.config = config
        self.is_started = False
        self.lock = threading.Lock()
        self.calls: list[str] = []

    def register_config(self, config: object) -> None:
        """Reject every configuration."""
        raise NotImplementedError

    def start(self) -> None:
        """Record the call and set the flag."""
        self.calls.append("start")
        self.is_started = True

    def stop(self) -> None:
        """Record the call and clear the flag."""
        self.calls.append("stop")
        self.is_started = False

    def start_lock(self) -> AbstractContextManager[object]:
        """Return the lock."""
        return self.lock

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None:
        """Ignore the context."""


def at_once(count: int, function: Callable[[int], ResultT]) -> list[ResultT]:
    """Call *function* with 0 to *count* - 1, each in a thread, all at the same time."""
    everyone = threading.Barrier(count)

    def call(number: int) -> ResultT:
        everyone.wait(WAIT)
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(call, number) for number in range(count)]
        return [future.result(4 * WAIT) for future in futures]


def notes_of(failure: BaseException) -> list[str]:
    """Return the notes of an exception; Python 3.10 has no ``__notes__``."""
    return getattr(failure, "__notes__", [])


def run_python(script: str) -> subprocess.CompletedProcess[str]:
    """Run *script* in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=4 * WAIT,  # it may itself wait for something
        check=False,
    )


def core_modules() -> list[ModuleType]:
    """Import every module of the package that requires no framework."""
    return [
        importlib.import_module(info.name)
        for info in pkgutil.walk_packages(backend_contract.__path__, "backend_contract.")
        if not info.name.endswith(".__main__") and ".integrations." not in info.name
    ]


def public_objects(*, exported: bool) -> Iterator[Any]:
    """Yield every public function and class of :func:`core_modules`, and the classes' methods.

    *exported*: those that ``__all__`` lists; otherwise those without an underscore in the modules
    that have no such list. Only those that the package itself defines: since Python 3.14, the hints
    of the ``__new__`` that a ``NamedTuple`` generates do not resolve if they are strings.
    """
    for module in core_modules():
        names: list[str] | None = getattr(module, "__all__", None)
        if exported is (names is None):
            continue
        for name in names or [each for each in vars(module) if not each.startswith("_")]:
            value = getattr(module, name)
            for each in [value, *(vars(value).values() if inspect.isclass(value) else ())]:
                each = getattr(each, "fget", getattr(each, "__func__", each))
                is_of_kind = inspect.isfunction(each) or (each is value and inspect.isclass(each))
                if is_of_kind and each.__module__.startswith("backend_contract"):
                    yield each


def make_finding(
    clause: str = "BC309", verdict: Verdict = Verdict.VIOLATED, **changes: Any
) -> Finding:
    """Return a finding of layer S; *changes* are fields that differ from the usual ones."""
    usual = Finding(
        clause=CLAUSES[clause],
        verdict=verdict,
        path=Path("mine.py"),
        line=6,
        found="def start(self) -> int",
        because=("a reason",),
        checked_by="mypy 2.4.1",
    )
    return replace(usual, **changes)
