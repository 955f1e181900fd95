"""A look at a class before it is used: the members are there, and the contract's calls bind.

Reads class dictionaries and code objects only: no annotation is evaluated, no property is read, and
nothing of the class is called. Whatever cannot be told this way is left to use.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
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

Members = Mapping[str, Any]


def find_problems(cls: type) -> dict[str, str]:
    """Return one problem per violated clause, by clause id; empty if *cls* can be used."""
    # Through `type`, since a metaclass may answer for its classes.
    mro: tuple[type, ...] = type.__dict__["__mro__"].__get__(cls)
    bases: list[Members] = [type.__dict__["__dict__"].__get__(base) for base in mro]
    members = {name: value for base in reversed(bases) for name, value in base.items()}
    assigned = _names_assigned(bases)
    problems: dict[str, str] = {}
    for name, problem in (
        *_missing_members(members, assigned),
        *_uncallable_members(cls, members, assigned),
        *_why_no_instances(bases[0]),
    ):
        problems.setdefault(_MEMBERS[name], problem)
    return problems


def _missing_members(members: Members, assigned: set[str]) -> Iterator[tuple[str, str]]:
    any_name = bool(assigned & _SETS_ANY_ATTRIBUTE) or _hides_attributes(members)
    for name in _MEMBERS:
        if name not in members and name not in assigned and not any_name:
            yield name, f"the class has no `{name}`"
        elif _is_abstract(members.get(name)):
            yield name, f"`{name}` is abstract, and the class does not define it"


def _uncallable_members(
    cls: type, members: Members, assigned: set[str]
) -> Iterator[tuple[str, str]]:
    usual = type(cls).__call__ is type.__call__ and members["__new__"] is object.__new__
    for name, count, keywords in _CALLS:
        # Unless the class is created as usual, `__init__` does not decide how it is called.
        if name in members and name not in assigned and (usual or name != "__init__"):
            for problem in _call_problems(members[name], count, keywords):
                yield name, f"`{name}` {problem}"


def _why_no_instances(own: Members) -> Iterator[tuple[str, str]]:
    for name in sorted(own.get("__abstractmethods__", frozenset()) - _MEMBERS.keys()):
        yield "__init__", f"`{name}` is abstract, so no instance can be created"
    if own.get("_is_protocol") is True:
        yield "__init__", "the class is a Protocol, which has no instances"


def _is_abstract(member: object) -> bool:
    usual = (types.FunctionType, property, staticmethod, classmethod)
    # Any other object might answer to any name.
    return issubclass(type(member), usual) and getattr(member, "__isabstractmethod__", False)


def _call_problems(member: object, count: int, keywords: tuple[str, ...]) -> Iterator[str]:
    """Yield why an instance's *member* cannot be called with so many arguments and *keywords*."""
    kind: type[object] = type(member)
    if member is object.__init__ and count:
        yield "takes no configuration"
    if not callable(member) and not hasattr(kind, "__get__"):
        yield f"cannot be called: it is of type {kind.__name__}"
    leading = 0 if issubclass(kind, staticmethod) else 1  # `self`, or the class
    if issubclass(kind, staticmethod | classmethod):
        member = cast("staticmethod[..., object]", member).__func__
    if issubclass(type(member), types.FunctionType):  # otherwise only a call can tell
        function = cast("types.FunctionType", member)
        yield from _binding_problems(function, leading + count, keywords)


def _binding_problems(
    function: types.FunctionType, count: int, keywords: tuple[str, ...]
) -> Iterator[str]:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "is async, and is never awaited"
    try:
        _signature(function).bind(*[None] * count, **dict.fromkeys(keywords))
    except TypeError as error:
        how = f"with the keywords {' and '.join(keywords)}" if keywords else "as the contract does"
        yield f"cannot be called {how}: {error}"


def _signature(function: types.FunctionType) -> inspect.Signature:
    """Return the signature of *function* itself, without its annotations.

    Annotations are evaluated when they are read (Python 3.14), and a wrapper shows those of
    another function.
    """
    code, defaults, closure = function.__code__, function.__defaults__, function.__closure__
    bare = types.FunctionType(code, {}, function.__name__, defaults, closure)
    bare.__kwdefaults__ = function.__kwdefaults__
    return inspect.signature(bare)


def _hides_attributes(members: Members) -> bool:
    """Return whether attributes of an instance may come from code that shows no names."""
    computed = (members.get("__getattr__"), members["__getattribute__"])
    if any(issubclass(type(hook), types.FunctionType) for hook in computed):
        return True
    constructor = members["__init__"]
    if issubclass(type(constructor), types.FunctionType):
        # A decorator without functools.wraps hides what it decorates.
        decorated = set(constructor.__code__.co_freevars) - {"__class__"}
        return bool(decorated) and not hasattr(constructor, "__wrapped__")
    return not issubclass(type(constructor), types.WrapperDescriptorType)  # else it is compiled


def _names_assigned(bases: Sequence[Members]) -> set[str]:
    """Return the members that a method assigns, and names of functions that assign any."""
    names: set[str] = set()
    for value in (value for base in bases for value in base.values()):
        if issubclass(type(value), staticmethod | classmethod):  # `__new__` is one
            value = cast("staticmethod[..., Any]", value).__func__
        while issubclass(type(value), types.FunctionType):
            if value.__module__ != "typing":  # a Protocol's own functions do not set members
                names.update(*map(_names_set_by, _nested(value.__code__)))
            value = cast("Any", getattr(value, "__wrapped__", None))
    return names


def _names_set_by(code: types.CodeType) -> set[str]:
    used = set(code.co_names)
    names = _SETS_ANY_ATTRIBUTE & used
    if _MEMBERS.keys() & used:  # dis is slow
        stored = (each for each in dis.get_instructions(code) if each.opname == "STORE_ATTR")
        names |= {each.argval for each in stored}
    return names


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)
