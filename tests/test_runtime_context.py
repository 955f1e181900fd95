from __future__ import annotations

import sys
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


@pytest.mark.parametrize("thing", NEITHER, ids=lambda value: type(value).__name__)
def test_what_is_no_context_is_neither(thing: object) -> None:
    assert is_grpc_context(thing) is False
    assert is_http_context(thing) is False


@pytest.mark.parametrize("thing", NEITHER, ids=lambda value: type(value).__name__)
def test_what_is_no_context_has_no_metadata_and_is_named(thing: Any) -> None:
    name = rf"got builtins\.{type(thing).__name__}; a grpc\.aio context and a WebSocket"
    with pytest.raises(TypeError, match=name):
        iter_metadata(thing)
    with pytest.raises(TypeError, match=name):
        get_metadata(thing, "key")


@pytest.mark.parametrize("content", [{}, {"ServicerContext": "no class"}], ids=["empty", "other"])
def test_a_module_that_only_shares_the_name_has_no_instances(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = ModuleType("grpc")
    vars(impostor).update(content)
    monkeypatch.setitem(sys.modules, "grpc", impostor)
    assert is_grpc_context(object()) is False


def test_looking_loads_no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc", "fastapi", "starlette", "starlette.requests"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    is_grpc_context(object())
    is_http_context(object())
    assert not {"grpc", "fastapi", "starlette"} & set(sys.modules)
