"""The kinds of values, and the place of an expression that has one.

A kind is the name of a class, such as ``str``, ``NoneType`` or ``threading.Event``. An expression
has several if it may have either, and none is known of one that cannot be followed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.classes import ClassSource, ModuleFinder
from backend_contract._conformance.source.definitions import name_of
from backend_contract._conformance.source.modules import Module
from backend_contract._conformance.source.parsing import Function, generic_of

MAX_DEPTH = 25
"""Expressions that take more steps to follow are given up."""


class Kind(NamedTuple):
    """The kind of a value: the name of its class, and its definition if it has one."""

    name: str
    cls: ClassSource | None = None
    """The class of an instance, or the class itself if the kind is ``type``."""
    function: Function | ast.Lambda | None = None
    owner: ClassSource | None = None
    """The class that defines the function."""


Kinds = tuple[Kind, ...] | None
"""Every kind that a value may have; ``None`` if it cannot be followed."""


class Context(NamedTuple):
    """The place of an expression, which tells what its names mean."""

    module: Module
    modules: ModuleFinder
    cls: ClassSource | None = None
    """The class whose body or method it is in."""
    function: Function | ast.Lambda | None = None
    """The function that it is in, if any."""
    target: ClassSource | None = None
    """The class whose instance ``self`` is."""
    depth: int = 0

    def deeper(self) -> Context:
        """Return the same place, one step further from the expression that was asked for."""
        return self._replace(depth=self.depth + 1)

    def of_module(self, module: Module) -> Context:
        """Return the body of a module as the place."""
        return Context(module, self.modules, target=self.target, depth=self.depth)

    def of_class(self, cls: ClassSource) -> Context:
        """Return the body of a class as the place."""
        return Context(cls.module, cls.modules, cls, None, self.target, self.depth + 1)


def inside(
    cls: ClassSource,
    function: Function | ast.Lambda | None = None,
    target: ClassSource | None = None,
) -> Context:
    """Return the body of a class, or a method of it, as the place."""
    return Context(cls.module, cls.modules, cls, function, target)


STR, INT, FLOAT, BOOL = (Kind(name) for name in ("str", "int", "float", "bool"))
NONE, LIST, TUPLE = (Kind(name) for name in ("NoneType", "list", "tuple"))


def known(*names: str) -> Kinds:
    """Return the kinds of these names."""
    return tuple(Kind(name) for name in names)


def union(parts: Iterable[Kinds]) -> Kinds:
    """Return the kinds of a value that is one of several."""
    whole: dict[Kind, None] = {}
    for part in parts:
        if part is None:
            return None
        whole |= dict.fromkeys(part)
    return tuple(whole)


@lru_cache(maxsize=4096)
def ancestor_names(cls: ClassSource) -> frozenset[str]:
    """Return the full names of all bases of a class, as far as they can be followed."""
    return frozenset(
        name_of(generic_of(base), each) for each in cls.known_lineage for base in each.node.bases
    )


def is_enumeration(cls: ClassSource) -> bool:
    """Return whether a class is an enumeration."""
    return bool(
        ancestor_names(cls)
        & {f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")}
    )


def has_plain_values(cls: ClassSource) -> bool:
    """Return whether the members of an enumeration have the values that its body assigns."""
    lineage = [each for each in cls.known_lineage if each.module.name != "enum"]
    return not any({"__init__", "__new__"} & each.in_body.keys() for each in lineage)


def is_string(kind: Kind) -> bool:
    """Return whether instances of a kind are strings."""
    if kind.name == "str":
        return True
    return (
        kind.cls is not None
        and kind.name != "type"
        and bool(ancestor_names(kind.cls) & {"builtins.str", "enum.StrEnum"})
    )
