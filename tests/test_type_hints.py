from __future__ import annotations

import typing
from typing import Any

import pytest
from support import public_objects, run_python

import backend_contract
from backend_contract.protocol import ConfigType

OBJECTS = list(public_objects(exported=True))


@pytest.mark.parametrize("value", OBJECTS, ids=lambda v: f"{v.__module__}.{v.__qualname__}")
def test_type_hints(value: Any) -> None:
    """`typing.get_type_hints` raises on no public function, class or method."""
    typing.get_type_hints(value)


def test_type_hints_of_private_modules() -> None:
    """Nor does it on those that the modules of the package share, with or without frameworks."""
    values = [*public_objects(exported=False)]
    assert len(values) > 400
    for value in values:
        typing.get_type_hints(value)


def test_objects() -> None:
    """The objects above include functions, classes, methods and properties."""
    names = {value.__qualname__ for value in OBJECTS}
    assert {
        "Backend",
        "Backend.backend_type",
        "Backend.handle_runtime_context",
        "BackendBase.__init__",
        "BackendConformance",
        "BackendFactory.__call__",
        "BackendRegistry.create_all",
        "BackendRegistry.get",
        "BackendRegistry.register",
        "check_backend",
        "conforms",
        "is_http_context",
        "running",
    } <= names


def test_without_frameworks() -> None:
    """The hints need neither framework, nor aconfig."""
    run = run_python(
        "import sys, typing\n"
        "sys.modules.update(dict.fromkeys(['aconfig', 'grpc', 'fastapi', 'starlette']))\n"
        "from backend_contract import *\n"
        "from backend_contract.runtime_context import *\n"
        "for name, value in [*globals().items()]:\n"
        "    if getattr(value, '__module__', '').startswith('backend_contract'):\n"
        "        members = vars(value).values() if isinstance(value, type) else ()\n"
        "        for each in [value, *filter(callable, members)]:\n"
        "            if isinstance(each, type(lambda: 0)) or each is value and members:\n"
        "                typing.get_type_hints(each)\n"
        "                print(each.__qualname__)\n"
    )
    assert run.stderr == ""
    assert {
        "Backend",
        "BackendFactory.__call__",
        "BackendRegistry.create",
        "conforms",
        "get_metadata",
        "notify",
    } <= {*run.stdout.split()}


def test_aliases() -> None:
    """The hints stop at the aliases, which have a name."""
    context = backend_contract.RuntimeServerContextType
    hints = typing.get_type_hints(backend_contract.Backend.handle_runtime_context)
    assert hints == {"model_id": str, "runtime_context": context, "return": type(None)}
    assert context.__name__ == "RuntimeServerContextType"
    for cls in (
        backend_contract.Backend,
        backend_contract.BackendBase,
        backend_contract.LocalBackend,
    ):
        hints = typing.get_type_hints(cls.register_config)
        assert hints == {"config": ConfigType, "return": type(None)}
    assert ConfigType.__name__ == "ConfigType"
