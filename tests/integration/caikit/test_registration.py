"""`integrations.caikit.register` with Caikit's real registries."""

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
    """Caikit's base class and its registries of backends."""

    base: Any = base.BackendBase
    types: dict[str, str] = registries.module_backend_types()
    classes: dict[str, type] = registries.module_backend_classes()


@pytest.fixture
def caikit() -> Iterator[Caikit]:
    """Empty Caikit's registries, and restore them after the test."""
    saved: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (known, {**known}) for known in (Caikit.types, Caikit.classes)
    ]
    for known, _ in saved:
        known.clear()
    yield Caikit()
    for known, before in saved:
        known.clear()
        known.update(before)


def mine(*bases: type) -> Any:
    members = {"__module__": __name__, "backend_type": "MINE"}
    return type("Mine", (LocalBackend, *bases), members)


def test_register(caikit: Caikit) -> None:
    """A registered class is in both registries and a virtual subclass of Caikit's base."""
    cls = mine()
    assert not issubclass(cls, caikit.base)
    assert register(cls) is cls
    assert register(cls) is cls
    assert (caikit.types, caikit.classes) == ({"MINE": "MINE"}, {"MINE": cls})
    assert issubclass(cls, caikit.base)


def test_subclass_of_base(caikit: Caikit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real subclass of Caikit's base does not become a virtual one."""
    monkeypatch.setattr(caikit.base, "register", lambda cls: pytest.fail("already a subclass"))
    cls = mine(caikit.base)
    assert register(cls) is cls
    assert caikit.classes == {"MINE": cls}


def test_duplicate_name(caikit: Caikit) -> None:
    """Another class of the same name is an error and changes nothing."""
    first, second = mine(), mine()
    caikit.classes["MINE"] = first
    with pytest.raises(RegistryError, match=rf"'MINE': .*{__name__}\.Mine; .* backend_type"):
        register(second)
    assert (caikit.types, caikit.classes) == ({}, {"MINE": first})
    assert not issubclass(second, caikit.base)


class Alike(type(LocalBackend)):  # type: ignore[misc]  # that of protocols, which is private
    """A metaclass whose classes all compare equal."""

    def __eq__(cls, other: object) -> bool:
        return True

    __hash__ = type.__hash__


def test_equal_classes(caikit: Caikit) -> None:
    """Classes that compare equal are different classes."""
    first: Any = Alike("Mine", (LocalBackend,), {"backend_type": "MINE"})
    second: Any = Alike("Mine", (LocalBackend,), {"backend_type": "MINE"})
    register(first)
    with pytest.raises(RegistryError, match=r"^Caikit already has a backend 'MINE'"):
        register(second)


@pytest.mark.parametrize("missing", [BASE, REGISTRIES])
def test_missing_caikit(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Caikit, or a part of it, the import says what to install."""
    monkeypatch.delitem(sys.modules, OURS)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install caikit$") as raised:
        importlib.import_module(OURS)
    assert raised.value.name == missing
