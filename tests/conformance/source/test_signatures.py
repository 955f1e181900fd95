"""Signatures: annotations and decorators that checkers accept everywhere or ignore."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.source.support import source_of

from backend_contract._conformance.source import signatures
from backend_contract._conformance.source.classes import ClassSource

HEAD = """\
import functools, typing
from contextlib import contextmanager
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, overload
from nowhere import unheard
from other import *

T = TypeVar("T")
Bound = TypeVar("Bound", bound=int)
Alias = NoReturn
def untyped(f): return f
def typed(f: T) -> T: return f
"""


def mine(directory: Path, body: str) -> ClassSource:
    (directory / "other.py").write_text("from typing import Never as Starred\nfrom mine import *\n")
    (directory / "mine.py").write_text(f"{HEAD}class Mine:\n    {body}\n")
    return source_of(f"{directory}/mine.py:Mine")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("NoReturn", True),
        ("'typing.Never'", True),
        ("Alias", True),
        ("Starred", True),
        ("None", False),
        ("Unheard", False),
        ("Any", False),
    ],
)
def test_never(tmp_path: Path, annotation: str, expected: bool) -> None:
    """An annotation is followed through quotes, aliases and star imports in circles."""
    source = mine(tmp_path, f"def start(self) -> {annotation}: ...")
    assert signatures.never_returns(source, "start") is expected
    source = mine(tmp_path, f"start: Callable[[], {annotation}]")
    assert signatures.never_returns(source, "start") is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise NotImplementedError", True),
        ("raise NotImplementedError('no')", True),
        ("raise ValueError", False),
        ("raise self.error", None),
        ("...", None),
    ],
)
def test_always_raises(tmp_path: Path, body: str, expected: bool | None) -> None:
    """The body of a method that never returns tells what it raises, or does not."""
    source = mine(tmp_path, f"def start(self) -> NoReturn: {body}")
    assert signatures.always_raises(source, "start", "NotImplementedError") is expected


@pytest.mark.parametrize(
    ("decorator", "is_unknown"),
    [
        ("untyped", True),
        ("unheard", True),
        ("unheard(1)", True),
        ("lambda f: f", True),
        ("typing.no_type_check", True),
        ("typed", False),
        ("functools.lru_cache(1)", False),
        ("contextmanager", False),
        ("property", False),
    ],
)
def test_decorators(tmp_path: Path, decorator: str, is_unknown: bool) -> None:
    """A decorator without a known type leaves its method without one."""
    source = mine(tmp_path, f"@{decorator}\n    def start(self) -> None: ...")
    assert signatures.unknown_decorator(source, "start") == (decorator if is_unknown else None)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("Callable[..., None]", True),
        ("Callable", True),
        ("Callable[[Any], None]", True),
        ("Callable[[], Any]", False),
        ("Callable[[int], None]", False),
        ("int", False),
    ],
)
def test_gradual(tmp_path: Path, annotation: str, expected: bool) -> None:
    """A callable attribute may leave its parameters open."""
    source = mine(tmp_path, f"start: {annotation}")
    assert signatures.has_gradual_parameters(source, "start") is expected


@pytest.mark.parametrize(
    ("result", "parameter", "expected"),
    [
        ("T", "int", True),
        ("T | None", "int", True),
        ("T", "T", False),
        ("list[T]", "int", False),
        ("None", "int", False),
    ],
)
def test_chosen_by_caller(tmp_path: Path, result: str, parameter: str, expected: bool) -> None:
    """A type variable of the result alone is whatever the caller expects."""
    source = mine(tmp_path, f"def start(self, a: {parameter}) -> {result}: ...")
    assert signatures.is_chosen_by_caller(source, "start") is expected


def test_overloads(tmp_path: Path) -> None:
    """Overloads hide the annotations of the last definition."""
    assert not signatures.is_overloaded(mine(tmp_path, "def start(self): ..."), "start")
    body = "@overload\n    def start(self) -> None: ...\n    def start(self) -> Any: ..."
    assert signatures.is_overloaded(mine(tmp_path, body), "start")


@pytest.mark.parametrize(
    ("annotation", "expected"), [("T", True), ("Bound", False), ("int", False)]
)
def test_type_variable_of_a_parameter(tmp_path: Path, annotation: str, expected: bool) -> None:
    """A type variable without bound takes every argument."""
    source = mine(tmp_path, f"def start(self, a: {annotation} = None): ...")
    assert signatures.takes_anything(source, "start") is expected
