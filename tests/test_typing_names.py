"""What stands in for names of `typing` that an interpreter does not have yet."""

from __future__ import annotations

import runpy
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

import backend_contract

SOURCE = Path(backend_contract.__file__).with_name("_typing.py")


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
def test_the_standard_librarys_own_are_taken_where_there_are_any(
    version: tuple[int, int],
    has_alias: bool,
    has_type_is: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standard_alias, standard_type_is = object(), object()
    monkeypatch.setattr(typing, "TypeAliasType", standard_alias, raising=False)
    monkeypatch.setattr(typing, "TypeIs", standard_type_is, raising=False)
    monkeypatch.setattr(sys, "version_info", version)
    names = runpy.run_path(str(SOURCE))
    monkeypatch.undo()
    assert (names["TypeAliasType"] is standard_alias) == has_alias
    assert (names["TypeIs"] is standard_type_is) == has_type_is
    assert has_type_is or names["TypeIs"] is typing.TypeGuard


def test_a_stand_in_for_an_alias_has_its_name_and_module_and_can_be_an_annotation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11))
    stand_in: Any = runpy.run_path(str(SOURCE))["TypeAliasType"]
    monkeypatch.undo()
    alias = stand_in("Alias", "no.such.name")
    assert (alias.__name__, alias.__module__) == ("Alias", __name__)

    def annotated(value: Any) -> None: ...

    annotated.__annotations__["value"] = alias
    assert typing.get_type_hints(annotated)["value"] is alias
