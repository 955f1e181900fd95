"""A look at a class before it is used: the members are there, and the contract's calls bind.

Reads class dictionaries and signatures only: no annotation is evaluated, no property is read, and
nothing of the class is called. Whatever cannot be told this way is left to use.
"""

from __future__ import annotations

import dis
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

__all__ = ["find_problems"]

_MEMBERS = {
    "backend_type": "BC101",
    "__init__": "BC201",
    "register_config": "BC202",
    "is_started": "BC307",
    "start": "BC309",
    "stop": "BC309",
    "start_lock": "BC401",
    "handle_runtime_context": "BC501",
}
# The calls that the contract makes: the number of positional arguments, and the keywords.
_CALLS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("__init__", 0, ()),
    ("__init__", 1, ()),
    ("register_config", 1, ()),
    ("start", 0, ()),
    ("stop", 0, ()),
    ("start_lock", 0, ()),
    ("handle_runtime_context", 2, ()),
    ("handle_runtime_context", 0, ("model_id", "runtime_context")),
)
_SETS_ANY_ATTRIBUTE = {"setattr", "__setattr__", "__dict__", "vars"}


def find_problems(cls: type) -> dict[str, str]:
    """Return one problem per violated clause, by clause id; empty if *cls* can be used."""
    mro: tuple[type, ...] = type.__dict__["__mro__"].__get__(cls)
    members: dict[str, object] = {}
    for base in reversed(mro):
        members.update(base.__dict__)
    problems: dict[str, str] = {}
    for name, clause in _MEMBERS.items():
        if name not in members and not _may_be_set(mro, members, name):
            problems.setdefault(clause, f"the class has no `{name}`")
        elif getattr(members.get(name), "__isabstractmethod__", False):
            problems.setdefault(clause, f"`{name}` is abstract, and the class does not define it")
    for name, count, keywords in _CALLS:
        for problem in _call_problems(cls, members, name, count, keywords):
            problems.setdefault(_MEMBERS[name], problem)
    return problems


def _call_problems(
    cls: type, members: Mapping[str, object], name: str, count: int, keywords: tuple[str, ...]
) -> Iterator[str]:
    plain = type(cls).__call__ is type.__call__ and members["__new__"] is object.__new__
    if name == "__init__" and not plain:
        return
    member, count = members.get(name), count + 1  # `self`, or the class
    if isinstance(member, staticmethod | classmethod):
        count -= isinstance(member, staticmethod)
        member = cast("staticmethod[..., Any]", member).__func__
    # A wrapper accepts whatever the wrapped function accepts: only a call can tell.
    if not isinstance(member, types.FunctionType) or hasattr(member, "__wrapped__"):
        return
    if inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member):
        yield f"`{name}` is async, and is never awaited"
    try:
        _signature(member).bind(*[None] * count, **dict.fromkeys(keywords))
    except TypeError as error:
        how = f" with {' and '.join(keywords)}" if keywords else ""
        yield f"`{name}`, called{how}: {error}"


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # by default, annotations are evaluated there

        return inspect.signature(function, annotation_format=Format.STRING)
    return inspect.signature(function)


def _may_be_set(mro: tuple[type, ...], members: Mapping[str, object], name: str) -> bool:
    """Return whether an instance may have a member that the class dictionaries lack."""
    hooks = (members.get("__getattr__"), members["__getattribute__"])
    if any(isinstance(hook, types.FunctionType) for hook in hooks):
        return True
    return any(
        _SETS_ANY_ATTRIBUTE & set(code.co_names) or name in _attributes_stored(code)
        for base in mro
        for value in base.__dict__.values()
        if isinstance(value, types.FunctionType)
        for code in _with_nested(value.__code__)
    )


def _attributes_stored(code: types.CodeType) -> set[str]:
    return {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"}


def _with_nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _with_nested(constant)
