"""Names that a class statement or a constructor reads although nothing binds them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.definitions import Place
from backend_contract._conformance.source.modules import Module
from backend_contract._conformance.source.parsing import (
    Function,
    bound_by_import,
    children,
)
from backend_contract._conformance.source.scopes import decides

_BUILTINS = {*dir(builtins), "BaseExceptionGroup", "ExceptionGroup", "PythonFinalizationError"}
"""The builtins of this Python and of newer ones, which may be checked."""
_BINDING = {"__import__", "eval", "exec", "global_enum", "globals", "locals", "vars"}
_BINDING_ATTRIBUTES = {"_convert_", "global_enum", "modules"}
"""Functions, and ``sys.modules``, that may bind names which the source does not show."""
_READ = (Function, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Expr)
_INNER = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def undefined_in_statement(cls: ClassSource) -> str | None:
    """Return a name that the class statement reads and nothing binds before it, if any."""
    node, names = cls.node, _names_of(cls.module, cls.modules.version)
    if names is None or node not in names.binders.get(node.name, ()):
        return None
    last = node.end_lineno if node in cls.module.tree.body else None
    for name in _names_read(cls):
        lines = [_line(each) for each in names.binders.get(name, ()) if each is not node]
        is_bound = min(lines) <= last if lines and last else lines
        if not is_bound and not _is_given(name):
            return name
    return None


def is_undefined(name: str, at: Place) -> bool:
    """Return whether nothing binds a name that a function of a module reads.

    Names that the body of a class binds are not found there.
    """
    names = _names_of(at.module, at.modules.version)
    return names is not None and name not in names.in_functions and not _is_given(name)


@lru_cache(maxsize=2**12)
def bound_in(function: Function) -> dict[str, int]:
    """Return the first line that binds each local name of *function*."""
    found = {name: 0 for each in children(function.args) for name in _bound_by(each)}
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        for name in _bound_by(node):
            line = 0 if isinstance(node, ast.Global | ast.Nonlocal) else _line(node)
            found[name] = min(line, found.get(name, line))
        if not isinstance(node, (Function, ast.ClassDef, *_INNER)):
            waiting += children(node)
    return found


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of an expression that are evaluated whenever it is."""
    match node:
        case ast.BoolOp(values=[first, *_]):
            yield from evaluated(first)
        case ast.IfExp(test=test):
            yield from evaluated(test)
        case ast.Compare(left=left, comparators=[second, *_]):
            yield from evaluated(left)
            yield from evaluated(second)
        case _ if isinstance(node, _INNER):
            pass
        case _:
            yield node
            for child in children(node):
                yield from evaluated(child)


def _is_given(name: str) -> bool:
    # gettext installs `_`. A deep expression is replaced by a name that is not an identifier.
    return name in _BUILTINS or name == "_" or name[:2] == "__" or not name.isidentifier()


class _Names(NamedTuple):
    """The names that a module binds, in branches that may run."""

    binders: dict[str, list[ast.AST]]
    """The nodes that bind each name, whatever their scope."""
    in_functions: set[str]
    """Those that are not only bound in the bodies of classes, where no function finds them."""


@lru_cache(maxsize=2**10)
def _names_of(module: Module, version: tuple[int, int]) -> _Names | None:
    """Return the names that a module binds; ``None`` if it may bind others."""
    found = _Names({}, set())
    decide = decides(version)
    waiting: list[tuple[ast.AST, bool]] = [(module.tree, False)]
    while waiting:
        node, is_in_class = waiting.pop()
        if _may_bind_others(node):
            return None
        for name in _bound_by(node):
            found.binders.setdefault(name, []).append(node)
            if not is_in_class or not isinstance(node, ast.Name | ast.stmt):
                found.in_functions.add(name)
        below: Sequence[ast.AST] = children(node)
        if isinstance(node, ast.If) and (outcome := decide(node.test)) is not None:
            below = node.body if outcome else node.orelse
        is_in_class = isinstance(node, ast.ClassDef) or (
            is_in_class and not isinstance(node, Function)
        )
        waiting += [(each, is_in_class) for each in below]
    return found


def _may_bind_others(node: ast.AST) -> bool:
    if isinstance(node, ast.alias):
        return node.name in ("*", "builtins")
    return getattr(node, "id", "") in _BINDING or getattr(node, "attr", "") in _BINDING_ATTRIBUTES


def _bound_by(node: ast.AST) -> Sequence[str]:
    match node:
        case (
            ast.Name(id=name, ctx=ast.Store())
            | ast.arg(arg=name)
            | ast.MatchMapping(rest=str(name))
        ):
            return [name]
        case ast.alias():
            return [bound_by_import(node)]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names
        case _:
            named: object = getattr(node, "name", None)
            return [named] if isinstance(named, str) else []


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _names_read(cls: ClassSource) -> Iterator[str]:
    """Yield the names that the class statement reads, without blocks in its body."""
    imports = (each for each in cls.module.tree.body if isinstance(each, ast.ImportFrom))
    is_lazy = cls.modules.version >= (3, 14) or any(i.module == "__future__" for i in imports)
    for statement in [cls.node, *cls.node.body]:
        for part in _parts_read(statement, is_lazy=is_lazy):
            names = (each for each in evaluated(part) if isinstance(each, ast.Name))
            yield from (each.id for each in names if isinstance(each.ctx, ast.Load))


def _parts_read(statement: ast.stmt, *, is_lazy: bool) -> list[ast.AST]:
    if not isinstance(statement, _READ):
        return []
    if isinstance(statement, Function) and is_lazy:
        defaults = [*statement.args.defaults, *statement.args.kw_defaults]
        return [*statement.decorator_list, *filter(None, defaults)]
    skipped = getattr(statement, "annotation", None) if is_lazy else None
    parts = [each for each in children(statement) if each is not skipped]
    return [each for each in parts if isinstance(each, ast.expr | ast.arguments | ast.keyword)]
