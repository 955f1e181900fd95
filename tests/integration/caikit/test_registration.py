"""The way into Caikit's registry."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from caikit.core import registries
from caikit.core.module_backends import base

from backend_contract import LocalBackend, RegistryError
from backend_contract.integrations.caikit import register

OURS = "backend_contract.integrations.caikit"
BASE = "caikit.core.module_backends.base"
REGISTRIES = "caikit.core.registries"


class Caikit:
    """What Caikit knows of backends."""

    base: Any = base.BackendBase
    types: dict[str, str] = registries.module_backend_types()
    classes: dict[str, type] = registries.module_backend_classes()


@pytest.fixture
def caikit() -> Iterator[Caikit]:
    """Caikit, with no backend; at the end it has those again that it had."""
    kept: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (known, {**known}) for known in (Caikit.types, Caikit.classes)
    ]
    for known, _ in kept:
        known.clear()
    yield Caikit()
    for known, before in kept:
        known.clear()
        known.update(before)


def mine(*bases: type) -> Any:
    members = {"__module__": __name__, "backend_type": "MINE"}
    return type("Mine", (*bases, LocalBackend), members)


def test_a_class_is_where_caikit_looks_and_passes_for_one_of_its_own(caikit: Caikit) -> None:
    cls = mine()
    assert not issubclass(cls, caikit.base)
    assert register(cls) is cls
    assert register(cls) is cls
    assert (caikit.types, caikit.classes) == ({"MINE": "MINE"}, {"MINE": cls})
    assert issubclass(cls, caikit.base)


def test_a_class_of_caikits_own_base_is_left_as_it_is(
    caikit: Caikit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caikit.base, "register", lambda cls: pytest.fail("it is one"))
    cls = mine(caikit.base)
    assert register(cls) is cls
    assert caikit.classes == {"MINE": cls}


def test_another_class_of_that_name_is_an_error_and_changes_nothing(caikit: Caikit) -> None:
    first, second = mine(), mine()
    caikit.classes["MINE"] = first
    with pytest.raises(RegistryError) as raised:
        register(second)
    assert str(raised.value) == (
        f"Caikit has a backend 'MINE' already: {__name__}.Mine. Give {__name__}.Mine another "
        "backend_type"
    )
    assert (caikit.types, caikit.classes) == ({}, {"MINE": first})
    assert not issubclass(second, caikit.base)


class Alike(type):
    """Makes classes that pass for one another."""

    def __eq__(cls, other: object) -> bool:
        return True

    __hash__ = type.__hash__


def test_classes_that_pass_for_one_another_are_two(caikit: Caikit) -> None:
    first: Any = Alike("Mine", (), {"backend_type": "MINE"})
    second: Any = Alike("Mine", (), {"backend_type": "MINE"})
    register(first)
    with pytest.raises(RegistryError, match=r"^Caikit has a backend 'MINE' already"):
        register(second)


@pytest.mark.parametrize("missing", [BASE, REGISTRIES])
def test_without_caikit_it_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, OURS)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module(OURS)
    assert str(raised.value) == f"{OURS} needs Caikit: pip install caikit"
    assert raised.value.name == missing
