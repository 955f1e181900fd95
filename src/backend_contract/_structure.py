"""A look at a class before it is used: the members are there, and the contract's calls bind.

Reads class dictionaries and code objects only: no annotation is evaluated, no property is read, and
nothing of the class is called. What these do not show is not judged.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, FunctionType, WrapperDescriptorType
from typing import Any

Members = Mapping[str, Any]
Call = tuple[int, tuple[str, ...]]  # the number of positional arguments, and the keywords

_NO_ARGUMENTS, _ONE_ARGUMENT = (0, ()), (1, ())
# By member: the clause that its lack violates, and the calls that the contract makes.
_MEMBERS: Mapping[str, tuple[str, tuple[Call, ...]]] = {
    "backend_type": ("BC101", ()),
    "__init__": ("BC201", (_NO_ARGUMENTS, _ONE_ARGUMENT)),
    "register_config": ("BC202", (_ONE_ARGUMENT,)),
    "is_started": ("BC307", ()),
    "start": ("BC309", (_NO_ARGUMENTS,)),
    "stop": ("BC309", (_NO_ARGUMENTS,)),
    "start_lock": ("BC401", (_NO_ARGUMENTS,)),
    "handle_runtime_context": ("BC501", ((2, ()), (0, ("model_id", "runtime_context")))),
}
_SETS_ANY_ATTRIBUTE = {"setattr", "__setattr__", "__dict__", "vars"}


def find_problems(cls: type) -> dict[str, str]:
    """Return one problem per violated clause, by clause id; empty if *cls* can be used."""
    members, assigned = _read(cls)
    problems: dict[str, str] = {}
    for name, problem in (
        *_missing_members(members, assigned),
        *_uncallable_members(cls, members, assigned),
        *_why_no_instances(members),
    ):
        problems.setdefault(_MEMBERS[name][0], problem)
    return problems


def find_missing(cls: type) -> list[str]:
    """Return the members that *cls* lacks or leaves abstract."""
    return [name for name, _ in _missing_members(*_read(cls))]


def _read(cls: type) -> tuple[Members, set[str]]:
    """Return all members of *cls*, and the names that its methods assign."""
    members: dict[str, Any] = {}
    assigned: set[str] = set()
    # Through `type`, since a metaclass may answer for its classes.
    for base in reversed(type.__dict__["__mro__"].__get__(cls)):
        own: Members = type.__dict__["__dict__"].__get__(base)
        members.update(own)
        assigned.update(*map(_names_assigned, own.values()))
    return members, assigned


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
    for name, (_, calls) in _MEMBERS.items():
        # Unless the class is created as usual, `__init__` does not decide how it is called.
        if name in members and name not in assigned and (usual or name != "__init__"):
            for count, keywords in calls:
                for problem in _call_problems(members[name], count, keywords):
                    yield name, f"`{name}` {problem}"


def _why_no_instances(members: Members) -> Iterator[tuple[str, str]]:
    for name in sorted(members.get("__abstractmethods__", frozenset()) - _MEMBERS.keys()):
        yield "__init__", f"`{name}` is abstract, so no instance can be created"
    if members.get("_is_protocol") is True:
        yield "__init__", "the class is a Protocol, which has no instances"


def _call_problems(member: object, count: int, keywords: tuple[str, ...]) -> Iterator[str]:
    """Yield why an instance's *member* cannot be called with so many arguments and *keywords*."""
    kind: type[object] = type(member)
    if member is object.__init__ and count:
        yield "takes no configuration"
    if not callable(member) and not hasattr(kind, "__get__"):
        yield f"cannot be called: it is of type {kind.__name__}"
    function = _unwrap_method(member)
    if type(function) is not FunctionType:  # only a call can tell
        return
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "is async, and is never awaited"
    # A copy without annotations, which are evaluated when they are read (Python 3.14), and without
    # a reference to the function that it wraps.
    bare = FunctionType(function.__code__, {}, "", function.__defaults__, function.__closure__)
    bare.__kwdefaults__ = function.__kwdefaults__
    count += not issubclass(kind, staticmethod)  # `self`, or the class
    try:
        inspect.signature(bare).bind(*[None] * count, **dict.fromkeys(keywords))
    except TypeError as error:
        how = f"with the keywords {' and '.join(keywords)}" if keywords else "as the contract does"
        yield f"cannot be called {how}: {error}"


def _hides_attributes(members: Members) -> bool:
    """Return whether attributes of an instance may come from code that shows no names."""
    lookups = members.get("__getattr__"), members["__getattribute__"]
    if any(type(each) is FunctionType for each in lookups):
        return True
    constructor = members["__init__"]
    if type(constructor) is not FunctionType:  # compiled, unless it is that of `object`
        return type(constructor) is not WrapperDescriptorType
    # A decorator without functools.wraps hides what it decorates.
    decorated = set(constructor.__code__.co_freevars) - {"__class__"}
    return bool(decorated) and not hasattr(constructor, "__wrapped__")


def _names_assigned(member: object) -> set[str]:
    """Return the members that a method assigns, and names of functions that assign any."""
    names: set[str] = set()
    function: Any = _unwrap_method(member)  # `__new__` is a static method
    while type(function) is FunctionType:
        if function.__module__ != "typing":  # a Protocol's own functions do not set members
            names |= _names_set_by(function.__code__)
        function = getattr(function, "__wrapped__", None)
    return names


@lru_cache(maxsize=256)  # most classes share their bases
def _names_set_by(code: CodeType) -> set[str]:
    used = set(code.co_names)
    names = _SETS_ANY_ATTRIBUTE & used
    if _MEMBERS.keys() & used:  # dis is slow
        names |= {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"}
    nested = (each for each in code.co_consts if isinstance(each, CodeType))
    return names.union(*map(_names_set_by, nested))


def _unwrap_method(member: Any) -> Any:
    return member.__func__ if issubclass(type(member), staticmethod | classmethod) else member


def _is_abstract(member: object) -> bool:
    usual = (FunctionType, property, staticmethod, classmethod)
    return issubclass(type(member), usual) and getattr(member, "__isabstractmethod__", False)
