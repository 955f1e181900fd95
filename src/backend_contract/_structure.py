"""A look at a class before it is used: the members are there, and the contract's calls bind.

Reads class dictionaries and code objects only: no annotation is evaluated, no property is read, and
nothing of the class is called. What these do not show is not judged.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

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
    bases, members = _read(cls)
    assigned = _names_assigned(bases)
    problems: dict[str, str] = {}
    for name, problem in (
        *_missing_members(members, assigned),
        *_uncallable_members(cls, members, assigned),
        *_why_no_instances(bases[0]),
    ):
        problems.setdefault(_MEMBERS[name], problem)
    return problems


def find_missing(cls: type) -> list[str]:
    """Return the members that *cls* lacks or leaves abstract."""
    bases, members = _read(cls)
    return [name for name, _ in _missing_members(members, _names_assigned(bases))]


def _read(cls: type) -> tuple[list[Members], Members]:
    """Return the dictionaries of the classes that *cls* inherits from, and its members."""
    # Through `type`, since a metaclass may answer for its classes.
    mro: tuple[type, ...] = type.__dict__["__mro__"].__get__(cls)
    bases: list[Members] = [type.__dict__["__dict__"].__get__(base) for base in mro]
    return bases, {name: value for base in reversed(bases) for name, value in base.items()}


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


def _call_problems(member: object, count: int, keywords: tuple[str, ...]) -> Iterator[str]:
    """Yield why an instance's *member* cannot be called with so many arguments and *keywords*."""
    kind: type[object] = type(member)
    if member is object.__init__ and count:
        yield "takes no configuration"
    if not callable(member) and not hasattr(kind, "__get__"):
        yield f"cannot be called: it is of type {kind.__name__}"
    count += not issubclass(kind, staticmethod)  # `self`, or the class
    function = _unwrap_method(member)
    if not _is_function(function):  # only a call can tell
        return
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "is async, and is never awaited"
    # A copy without annotations, which are evaluated when they are read (Python 3.14), and without
    # a reference to the function that it wraps.
    bare = types.FunctionType(
        function.__code__, {}, function.__name__, function.__defaults__, function.__closure__
    )
    bare.__kwdefaults__ = function.__kwdefaults__
    try:
        inspect.signature(bare).bind(*[None] * count, **dict.fromkeys(keywords))
    except TypeError as error:
        how = f"with the keywords {' and '.join(keywords)}" if keywords else "as the contract does"
        yield f"cannot be called {how}: {error}"


def _hides_attributes(members: Members) -> bool:
    """Return whether attributes of an instance may come from code that shows no names."""
    if _is_function(members.get("__getattr__")) or _is_function(members["__getattribute__"]):
        return True
    constructor = members["__init__"]
    if not _is_function(constructor):  # compiled, unless it is that of `object`
        return not issubclass(type(constructor), types.WrapperDescriptorType)
    # A decorator without functools.wraps hides what it decorates.
    decorated = set(constructor.__code__.co_freevars) - {"__class__"}
    return bool(decorated) and not hasattr(constructor, "__wrapped__")


def _names_assigned(bases: Sequence[Members]) -> set[str]:
    """Return the members that a method assigns, and names of functions that assign any."""
    names: set[str] = set()
    for value in (value for base in bases for value in base.values()):
        function: Any = _unwrap_method(value)  # `__new__` is a static method
        while _is_function(function):
            if function.__module__ != "typing":  # a Protocol's own functions do not set members
                names |= _names_set_by(function.__code__)
            function = getattr(function, "__wrapped__", None)
    return names


@lru_cache(maxsize=256)  # most classes share their bases
def _names_set_by(code: types.CodeType) -> set[str]:
    used = set(code.co_names)
    names = _SETS_ANY_ATTRIBUTE & used
    if _MEMBERS.keys() & used:  # dis is slow
        names |= {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"}
    nested = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return names.union(*map(_names_set_by, nested))


def _unwrap_method(member: Any) -> Any:
    return member.__func__ if issubclass(type(member), staticmethod | classmethod) else member


def _is_function(value: object) -> bool:
    return issubclass(type(value), types.FunctionType)  # an object may answer for its class


def _is_abstract(member: object) -> bool:
    usual = (types.FunctionType, property, staticmethod, classmethod)
    return issubclass(type(member), usual) and getattr(member, "__isabstractmethod__", False)
