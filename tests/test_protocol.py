from __future__ import annotations

import inspect
import typing

import pytest
from support import Mine, Structural

from backend_contract import Backend, BackendFactory, LocalBackend, conforms
from backend_contract.protocol import ConfigType

MEMBERS = [
    "backend_type",
    "handle_runtime_context",
    "is_started",
    "register_config",
    "start",
    "start_lock",
    "stop",
]


def test_members() -> None:
    """The Protocol has the members of the contract, all of them abstract."""
    assert sorted(name for name in vars(Backend) if not name.startswith("_")) == MEMBERS
    assert sorted(vars(Backend)["__abstractmethods__"]) == MEMBERS


@pytest.mark.parametrize("backend", [Structural(), Mine()], ids=["structural", "inherits"])
def test_isinstance(backend: object) -> None:
    """An object with every member is a backend, whatever it inherits."""
    assert isinstance(backend, Backend)


@pytest.mark.parametrize("member", MEMBERS)
def test_isinstance_missing(member: str) -> None:
    """An object that lacks one member is not a backend."""
    backend = Structural()
    present = {name: getattr(backend, name) for name in MEMBERS if name != member}
    assert not isinstance(type("Lacking", (), present)(), Backend)


def test_conforms() -> None:
    """`conforms` returns the class unchanged."""
    before = dict(vars(Structural))
    assert conforms(Structural) is Structural
    assert dict(vars(Structural)) == before


def test_factory() -> None:
    """A factory is called as the contract calls the class: one optional positional argument."""
    parameters = [*inspect.signature(BackendFactory.__call__).parameters.values()][1:]
    assert [(p.kind, p.default) for p in parameters] == [(inspect.Parameter.POSITIONAL_ONLY, None)]
    hints = typing.get_type_hints(BackendFactory.__call__)
    assert hints == {"config": ConfigType | None, "return": Backend}


def test_conforms_checks_nothing() -> None:
    """At run time `conforms` accepts any class."""

    class Empty: ...

    assert conforms(Empty) is Empty  # type: ignore[type-var]  # that is its point


def test_inherit_protocol() -> None:
    """A class that inherits the Protocol and defines every member can be instantiated."""
    members = {name: getattr(LocalBackend, name) for name in MEMBERS}
    assert isinstance(type("Whole", (Backend,), members)(), Backend)


@pytest.mark.parametrize("member", MEMBERS)
def test_inherit_protocol_missing(member: str) -> None:
    """A class that inherits the Protocol and lacks one member cannot be instantiated."""
    members = {name: getattr(LocalBackend, name) for name in MEMBERS if name != member}
    with pytest.raises(TypeError, match=f"abstract.*{member}"):
        type("Part", (Backend,), members)()


@pytest.mark.parametrize("member", ["backend_type", "is_started"])
def test_properties(member: str) -> None:
    """The name and the flag are read, not called."""
    assert isinstance(vars(Backend)[member], property)
