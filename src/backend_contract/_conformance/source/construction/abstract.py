"""Abstract members that a class leaves: those without which Python makes no instance.

A type checker may miss a spelling of the decorator, and may take more for abstract than Python: the
body ``...`` of a method of a Protocol, or a decorated method of a class without ``ABCMeta``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.definitions import definition_of, name_of
from backend_contract._conformance.source.members import is_abstract
from backend_contract._conformance.source.modules import ClassSource
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    generic_of,
    unparse,
)

_DECORATORS = {
    f"abc.abstract{kind}" for kind in ("method", "property", "classmethod", "staticmethod")
}
_ABSTRACT_BASES = {"abc.ABC", "typing.Protocol", "typing_extensions.Protocol"}


class Abstract(NamedTuple):
    """The members that a class leaves abstract."""

    certain: frozenset[str]
    is_open: bool
    """Whether others may be abstract."""


@lru_cache(maxsize=2**12)
def abstract_members(source: ClassSource) -> Abstract:
    """Return what the class leaves abstract, as far as the source shows it."""
    has_meta = _has_abstract_meta(source)
    if has_meta is False:
        return Abstract(frozenset(), False)
    lineage = source.known_lineage
    if has_meta is None or any(cls.scope.is_open for cls in lineage):
        return Abstract(frozenset(), True)
    names = {name for cls in lineage for name in cls.scope.bindings}
    states = {name: _is_abstract(name, lineage) for name in names}
    certain = frozenset(name for name, state in states.items() if state is True)
    is_replaced = any("__new__" in cls.in_body for cls in lineage)
    return Abstract(certain, is_replaced or None in states.values())


def _has_abstract_meta(source: ClassSource) -> bool | None:
    """Return whether ``ABCMeta`` makes the class; ``None`` if the source does not tell."""
    if source.has_unknown_base:
        return None
    found: set[bool | None] = {False}
    for cls in source.known_lineage:
        found |= {name_of(generic_of(base), cls) in _ABSTRACT_BASES for base in cls.node.bases}
        found |= {
            name_of(each.value, cls) == "abc.ABCMeta" or None
            for each in cls.node.keywords
            if each.arg == "metaclass"
        }
    return None if None in found else True in found


def _is_abstract(name: str, lineage: list[ClassSource]) -> bool | None:
    """Return whether the nearest definition is abstract; ``None`` if it may be."""
    for cls in lineage:
        alternatives = cls.scope.bindings.get(name)
        if alternatives is None:
            continue
        states = {_is_abstract_binding(each and each.statement, cls) for each in alternatives}
        if any(map(is_abstract, _accessors(name, cls))) or len(states) > 1:
            return None
        return states.pop()
    return False


def _accessors(name: str, cls: ClassSource) -> Iterator[Function]:
    """Yield the setters, deleters and getters of a property."""
    for statement in cls.statements:
        if isinstance(statement, Function) and statement.name == name:
            written = [unparse(each) for each in statement.decorator_list]
            if any(each.startswith(f"{name}.") for each in written):
                yield statement


def _is_abstract_binding(statement: ast.stmt | None, cls: ClassSource) -> bool | None:
    match statement:
        case (
            ast.FunctionDef(decorator_list=decorators)
            | ast.AsyncFunctionDef(decorator_list=decorators)
        ):
            names = {name_of(callee_of(each), cls) for each in decorators}
            if names & _DECORATORS:
                return True
            return None if is_abstract(statement) else False
        case ast.Assign(value=ast.Name() as value) if (
            found := definition_of(value, cls)
        ) is not None and found.statement is not None:
            return _is_abstract_binding(found.statement, cls)
        case ast.Assign(value=ast.Attribute(value=named, attr=name)):
            # The function of another class keeps its mark.
            other = cls.class_named(named)
            return (other and _is_abstract(name, other.known_lineage)) or None
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return False if isinstance(value, ast.Constant) else None
        case None:
            return None
        case _:
            return False
