from __future__ import annotations

import runpy
import sys
import traceback
import typing
from typing import Any

import pytest
from support import notes_of

from backend_contract import _compat
from backend_contract._compat import add_note, exception_group

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


@pytest.mark.parametrize(
    ("version", "has_alias", "has_type_is"),
    [
        ((3, 10), False, False),
        ((3, 11), False, False),
        ((3, 12), True, False),
        ((3, 13), True, True),
        ((3, 14), True, True),
    ],
)
def test_standard_library(
    version: tuple[int, int],
    has_alias: bool,
    has_type_is: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The names of the standard library are used from the Python on that has them."""
    standard_alias, standard_type_is = object(), object()
    monkeypatch.setattr(typing, "TypeAliasType", standard_alias, raising=False)
    monkeypatch.setattr(typing, "TypeIs", standard_type_is, raising=False)
    monkeypatch.setattr(sys, "version_info", version)
    names = runpy.run_path(_compat.__file__)
    monkeypatch.undo()
    assert (names["TypeAliasType"] is standard_alias) == has_alias
    assert (names["TypeIs"] is standard_type_is) == has_type_is
    assert has_type_is or names["TypeIs"] is typing.TypeGuard


def test_alias_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in for an alias has its name and module, and can be an annotation."""
    monkeypatch.setattr(sys, "version_info", (3, 11))
    stand_in: Any = runpy.run_path(_compat.__file__)["TypeAliasType"]
    monkeypatch.undo()
    alias = stand_in("Alias", "no.such.name")
    assert (alias.__name__, alias.__module__) == ("Alias", __name__)

    def annotated(value: Any) -> None: ...

    annotated.__annotations__["value"] = alias
    assert typing.get_type_hints(annotated)["value"] is alias


def test_exception_group() -> None:
    """A group of `Exception` objects is an `ExceptionGroup`."""
    failures = OSError("a"), ValueError("b")
    group = exception_group("both failed", failures)
    assert isinstance(group, ExceptionGroup)
    assert group.message == "both failed"
    assert group.exceptions == failures


def test_base_exception_group() -> None:
    """A group with a `KeyboardInterrupt` is a `BaseExceptionGroup`."""
    group = exception_group("interrupted", [OSError("a"), KeyboardInterrupt()])
    assert isinstance(group, BaseExceptionGroup)
    assert not isinstance(group, Exception)


def test_add_note() -> None:
    """Notes are printed with the exception, in order, and added once."""
    failure = OSError("down")
    for note in ("first", "second", "first"):
        add_note(failure, note)
    assert notes_of(failure) == ["first", "second"]
    assert "OSError: down" in "".join(traceback.format_exception(failure))


def test_add_note_to_others() -> None:
    """A note is added to those that are there, in a list that is not shared."""
    notes = ["earlier"]
    failure = OSError("down")
    vars(failure)["__notes__"] = notes
    add_note(failure, "later")
    assert notes_of(failure) == ["earlier", "later"]
    assert notes == ["earlier"]


@pytest.mark.parametrize("notes", [None, "a text", ("a", "tuple"), 3])
def test_add_note_to_odd_notes(notes: object) -> None:
    """Notes that are not a list are replaced."""
    failure = OSError("down")
    failure.__dict__["__notes__"] = notes
    add_note(failure, "while starting")
    assert notes_of(failure) == ["while starting"]


def test_add_note_to_hostile_exception() -> None:
    """An exception whose attributes cannot be read gets its note."""

    class HostileError(Exception):
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    failure = HostileError()
    add_note(failure, "while starting")
    assert failure.__dict__["__notes__"] == ["while starting"]
