"""Abstract members that a class leaves: those without which Python makes no instance.

A type checker may miss a spelling of the decorator, and may take more for abstract than Python: the
body ``...`` of a method of a Protocol, or a decorated method of a class without ``ABCMeta``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.definitions import definition_of
from backend_contract._conformance.source.modules import ClassSource, Function
from backend_contract._conformance.source.parsing import unparse

__all__ = ["Abstract", "abstract_members"]

_DECORATORS = {
    f"abc.abstract{kind}" for kind in ("method", "property", "classmethod", "staticmethod")
}
_ABSTRACT_BASES = {"abc.ABC", "typing.Protocol", "typing_extensions.Protocol"}
_PLAIN_BASES = {"builtins.object", "typing.Generic", "typing_extensions.Generic"}


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
    if (
        has_meta is None
        or source.has_unknown_base
        or any("__new__" in cls.in_body or cls.scope.is_open for cls in lineage)
    ):
        return Abstract(frozenset(), True)
    names = {name for cls in lineage for name in cls.scope.bindings}
    states = {name: _is_abstract(name, lineage) for name in names}
    certain = frozenset(name for name, state in states.items() if state is True)
    return Abstract(certain, None in states.values())


def _has_abstract_meta(source: ClassSource) -> bool | None:
    """Return whether ``ABCMeta`` makes the class; ``None`` if the source does not tell."""
    if source.has_unknown_base:
        return None
    found: set[bool | None] = {False}
    for cls in source.known_lineage:
        found |= {_is_abstract_base(base, cls) for base in cls.node.bases}
        found |= {
            _full_name(each.value, cls) == "abc.ABCMeta" or None
            for each in cls.node.keywords
            if each.arg == "metaclass"
        }
    return None if None in found else True in found


def _is_abstract_base(base: ast.expr, cls: ClassSource) -> bool | None:
    """Return whether a base brings ``ABCMeta`` along, if its class is not in the lineage."""
    name = _full_name(base.value if isinstance(base, ast.Subscript) else base, cls)
    if name in _ABSTRACT_BASES:
        return True
    is_known = name in _PLAIN_BASES or base in _written(cls)
    return False if is_known else None


def _written(cls: ClassSource) -> list[ast.expr]:
    """Return the bases of a class that its lineage has."""
    written = [base for base in cls.node.bases if _full_name(base, cls) not in _ABSTRACT_BASES]
    return written if None not in cls.bases else []


def _full_name(expression: ast.expr, cls: ClassSource) -> str:
    found = definition_of(expression, cls.module, cls.modules)
    return found.name if found is not None else ""


def _is_abstract(name: str, lineage: list[ClassSource]) -> bool | None:
    """Return whether the nearest definition is abstract; ``None`` if it may be."""
    for cls in lineage:
        alternatives = cls.scope.bindings.get(name)
        if alternatives is None:
            continue
        states = {_is_abstract_binding(each and each.statement, cls) for each in alternatives}
        if any(map(_decorated, _accessors(name, cls))) or len(states) > 1:
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


def _decorated(function: Function) -> bool:
    return any("abstract" in unparse(each) for each in function.decorator_list)


def _is_abstract_binding(statement: ast.stmt | None, cls: ClassSource) -> bool | None:
    match statement:
        case (
            ast.FunctionDef(decorator_list=decorators)
            | ast.AsyncFunctionDef(decorator_list=decorators)
        ):
            names = {_full_name(_callee(each), cls) for each in decorators}
            if names & _DECORATORS:
                return True
            is_named = any("abstract" in unparse(each) for each in decorators)
            return None if is_named else False
        case ast.Assign(value=ast.Name() as value) if (
            found := definition_of(value, cls.module, cls.modules)
        ) is not None and isinstance(found.statement, Function):
            return _is_abstract_binding(found.statement, cls)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            # The function of another class keeps its mark.
            return False if isinstance(value, ast.Constant) else None
        case None:
            return None
        case _:
            return False


def _callee(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator
