from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from backend_contract.runtime_context import (
    get_metadata,
    is_grpc_context,
    is_http_context,
    iter_metadata,
)

NEITHER = [None, 3, "context", {"headers": []}, object(), type]


@pytest.mark.parametrize("value", NEITHER, ids=lambda value: type(value).__name__)
def test_neither_kind(value: object) -> None:
    """Any object may be asked about; anything but a context is neither kind."""
    assert is_grpc_context(value) is False
    assert is_http_context(value) is False


@pytest.mark.parametrize("key", ["key", "ключ"])
@pytest.mark.parametrize("value", NEITHER, ids=lambda value: type(value).__name__)
def test_type_error(value: Any, key: str) -> None:
    """Reading metadata of anything but a context is a `TypeError` that names its type."""
    message = rf"got {type(value).__name__}; a grpc\.aio context and a WebSocket"
    with pytest.raises(TypeError, match=message):
        iter_metadata(value)
    with pytest.raises(TypeError, match=message):
        get_metadata(value, key)


@pytest.mark.parametrize("content", [{}, {"ServicerContext": "x"}], ids=["empty", "other"])
def test_namesake_module(content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that only shares the framework's name has no instances."""
    namesake = ModuleType("grpc")
    vars(namesake).update(content)
    monkeypatch.setitem(sys.modules, "grpc", namesake)
    assert is_grpc_context(object()) is False


def test_no_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking about an object imports no framework."""
    for name in ("grpc", "fastapi", "starlette", "starlette.requests"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    is_grpc_context(object())
    is_http_context(object())
    assert not {"grpc", "fastapi", "starlette"} & set(sys.modules)


class ServicerContext:
    """Stands in for gRPC's class; contexts of real servers are in the integration tests."""

    def invocation_metadata(self) -> list[tuple[str, str | bytes]]:
        return [("a", "1"), ("key", "first"), ("key", "second"), ("Odd", "1"), ("k-bin", b"\xffz")]


class Request:
    """Stands in for Starlette's class."""

    class headers:  # noqa: N801 - as in Starlette
        raw = (
            (b"a", b"1"),
            (b"key", b"first"),
            (b"key", b"second"),
            (b"Odd", b"1"),
            (b"\xe9", b"\xe9"),
        )

        @staticmethod
        def get(key: str) -> str | None:
            """Compare with the names as they were sent, in lower case."""
            return {"a": "1", "key": "first"}.get(key.lower())


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Pretend that both frameworks are loaded; one context of each."""
    grpc, requests = ModuleType("grpc"), ModuleType("starlette.requests")
    vars(grpc)["ServicerContext"] = ServicerContext
    vars(requests)["Request"] = Request
    monkeypatch.setitem(sys.modules, "grpc", grpc)
    monkeypatch.setitem(sys.modules, "starlette.requests", requests)
    return {"grpc": ServicerContext(), "http": Request()}


@pytest.mark.parametrize("kind", ["grpc", "http"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("key", "first"),
        ("KEY", "first"),
        ("a", "1"),
        ("odd", "1"),  # as no server sends it
        ("b", None),
        ("kez", None),
        ("ключ", None),
    ],
)
def test_get_metadata(contexts: dict[str, Any], kind: str, key: str, value: str | None) -> None:
    """The first value of a key is returned, in any letter case, or `None`."""
    assert get_metadata(contexts[kind], key) == value


def test_get_metadata_decoded(contexts: dict[str, Any]) -> None:
    """Bytes are decoded as UTF-8 with surrogate escapes over gRPC, as Latin-1 over HTTP."""
    assert get_metadata(contexts["grpc"], "k-bin") == "\udcffz"
    assert get_metadata(contexts["http"], "É") == "é"


def test_iter_metadata(contexts: dict[str, Any]) -> None:
    """All pairs are yielded in order, keys lower-cased, repeated keys included."""
    common = [("a", "1"), ("key", "first"), ("key", "second"), ("odd", "1")]
    assert list(iter_metadata(contexts["grpc"])) == [*common, ("k-bin", "\udcffz")]
    assert list(iter_metadata(contexts["http"])) == [*common, ("é", "é")]


def test_subclass(contexts: dict[str, Any]) -> None:
    """An instance of a subclass is a context, and of one kind only."""

    class Derived(ServicerContext): ...

    assert is_grpc_context(Derived())
    assert not is_http_context(Derived())
    assert is_http_context(contexts["http"])


def test_key_that_is_no_string(contexts: dict[str, Any]) -> None:
    """A key that is not a string is a `TypeError`."""
    for context in contexts.values():
        with pytest.raises(TypeError, match="key must be a string"):
            get_metadata(context, b"key")  # type: ignore[arg-type]  # wrong on purpose


class HostileMeta(type):
    @property
    def __mro__(cls) -> Any:
        raise RuntimeError

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError

    __hash__ = type.__hash__

    def __getattribute__(cls, name: str) -> Any:
        if name == "__qualname__":
            raise RuntimeError
        return super().__getattribute__(name)


class OfHostileMeta(metaclass=HostileMeta): ...


class HostileClass:
    @property  # type: ignore[misc]  # hostile on purpose
    def __class__(self) -> type:
        raise RuntimeError


def dead_proxy() -> object:
    return weakref.proxy(Request())


@pytest.mark.parametrize("make", [lambda: OfHostileMeta(), HostileClass, dead_proxy])
@pytest.mark.usefixtures("contexts")
def test_hostile_objects(make: Callable[[], object]) -> None:
    """No argument makes the function raise."""
    value = make()
    assert is_grpc_context(value) is False
    assert is_http_context(value) is False
    with pytest.raises(TypeError, match=f"got {type.__repr__(type(value))[8:-2]}"):
        get_metadata(value, "key")  # type: ignore[arg-type]  # wrong on purpose


def test_lazy_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that loads lazily is not loaded, and one that cannot be imported is none."""

    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise ImportError(name)

    monkeypatch.setitem(sys.modules, "grpc", Lazy("grpc"))
    monkeypatch.setitem(sys.modules, "starlette.requests", None)
    assert is_grpc_context(object()) is False
    assert is_http_context(object()) is False
