"""The way into Caikit's registry, with a made-up one; tests/environments/caikit has the real."""

from __future__ import annotations

import importlib
import sys
from abc import ABC
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from backend_contract import LocalBackend, RegistryError, integrations

OURS = "backend_contract.integrations.caikit"
BASE = "caikit.core.module_backends.base"
REGISTRIES = "caikit.core.registries"


class Caikit:
    """What of Caikit is used."""

    def __init__(self, modules: Callable[[str, Any], None]) -> None:
        class BackendBase(ABC):  # noqa: B024 - as Caikit's
            pass

        self.base = BackendBase
        self.types: dict[str, str] = {}
        self.classes: dict[str, type] = {}
        base: Any = ModuleType(BASE)
        base.BackendBase = BackendBase
        registries: Any = ModuleType(REGISTRIES)
        registries.module_backend_types = lambda: self.types
        registries.module_backend_classes = lambda: self.classes
        modules(BASE, base)
        modules(REGISTRIES, registries)

    def register(self, cls: Any) -> Any:
        return importlib.import_module(OURS).register(cls)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], None]]:
    """Put something where a module is looked for, as long as a test runs."""
    before = {**vars(integrations)}
    monkeypatch.setitem(sys.modules, OURS, ModuleType(OURS))
    monkeypatch.delitem(sys.modules, OURS)
    yield lambda name, module: monkeypatch.setitem(sys.modules, name, module)
    if "caikit" not in before:
        vars(integrations).pop("caikit", None)


@pytest.fixture
def caikit(modules: Callable[[str, Any], None]) -> Caikit:
    return Caikit(modules)


def mine(*bases: type) -> Any:
    members = {"__module__": __name__, "backend_type": "MINE"}
    return type("Mine", (*bases, LocalBackend), members)


def test_a_class_is_where_caikit_looks_and_passes_for_one_of_its_own(caikit: Caikit) -> None:
    cls = mine()
    assert not issubclass(cls, caikit.base)
    assert caikit.register(cls) is cls
    assert caikit.register(cls) is cls
    assert (caikit.types, caikit.classes) == ({"MINE": "MINE"}, {"MINE": cls})
    assert issubclass(cls, caikit.base)


def test_a_class_of_caikits_own_base_is_left_as_it_is(
    caikit: Caikit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caikit.base, "register", lambda cls: pytest.fail("it is one"))
    cls = mine(caikit.base)
    assert caikit.register(cls) is cls
    assert caikit.classes == {"MINE": cls}


def test_another_class_of_that_name_is_an_error_and_changes_nothing(caikit: Caikit) -> None:
    first, second = mine(), mine()
    caikit.classes["MINE"] = first
    with pytest.raises(RegistryError) as raised:
        caikit.register(second)
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
    caikit.register(Alike("Mine", (), {"backend_type": "MINE"}))
    with pytest.raises(RegistryError, match=r"^Caikit has a backend 'MINE' already"):
        caikit.register(Alike("Mine", (), {"backend_type": "MINE"}))


@pytest.mark.parametrize("missing", [BASE, REGISTRIES])
def test_without_caikit_it_says_what_to_install(
    missing: str, modules: Callable[[str, Any], None]
) -> None:
    Caikit(modules)
    modules(missing, None)  # as if it were not there
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module(OURS)
    assert str(raised.value) == f"{OURS} needs Caikit: pip install caikit"
    assert raised.value.name == missing
