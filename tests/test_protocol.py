from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any

import pytest

from backend_contract import Backend, LocalBackend, RuntimeServerContextType, conforms


class Structural:
    """Inherits nothing, imports nothing of the package but a type."""

    backend_type = "STRUCTURAL"

    def __init__(self) -> None:
        self.is_started = False
        self.lock = threading.RLock()

    def register_config(self, config: dict[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


MEMBERS = [name for name in vars(Backend) if not name.startswith("_")]


def test_the_members_are_those_of_the_contract() -> None:
    assert sorted(MEMBERS) == [
        "backend_type",
        "handle_runtime_context",
        "is_started",
        "register_config",
        "start",
        "start_lock",
        "stop",
    ]


@pytest.mark.parametrize("backend", [Structural(), LocalBackend()], ids=["structural", "inherits"])
def test_a_class_with_every_member_is_a_backend(backend: object) -> None:
    assert isinstance(backend, Backend)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_class_that_lacks_a_member_is_none(member: str) -> None:
    backend = Structural()
    present = {name: getattr(backend, name) for name in MEMBERS if name != member}
    assert not isinstance(type("Lacking", (), present)(), Backend)


def test_conforms_returns_the_class_itself() -> None:
    assert conforms(Structural) is Structural


def test_conforms_checks_nothing_at_run_time() -> None:
    class Empty: ...

    assert conforms(Empty) is Empty  # type: ignore[type-var]  # that is its point


def test_the_protocol_cannot_be_instantiated_by_inheriting_it_alone() -> None:
    class Nothing(Backend): ...

    with pytest.raises(TypeError, match="abstract"):
        Nothing()  # type: ignore[abstract]  # that is its point


@pytest.mark.parametrize(
    "member",
    [
        "backend_type",
        "handle_runtime_context",
        "is_started",
        "register_config",
        "start",
        "start_lock",
        "stop",
    ],
)
def test_who_inherits_the_protocol_has_to_define_every_member(member: str) -> None:
    defined = {name: getattr(LocalBackend, name) for name in vars(Backend)["__abstractmethods__"]}
    assert type("Whole", (Backend,), dict(defined))() is not None
    del defined[member]
    with pytest.raises(TypeError, match=f"abstract.*{member}"):
        type("Part", (Backend,), defined)()


@pytest.mark.parametrize("member", ["backend_type", "is_started"])
def test_what_is_read_is_a_property_and_no_method(member: str) -> None:
    assert isinstance(vars(Backend)[member], property)
