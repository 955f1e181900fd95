"""Names that a class statement or a constructor reads although nothing binds them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from functools import lru_cache

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
_BINDING = {"eval", "exec", "global_enum", "globals", "locals", "vars"}
_BINDING_ATTRIBUTES = {"_convert_", "global_enum", "modules"}
"""Functions, and ``sys.modules``, that may bind names which the source does not show."""
_READ = (Function, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Expr)
_INNER = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def undefined_in_statement(cls: ClassSource) -> str | None:
    """Return a name that the class statement reads and nothing binds before it, if any."""
    node, binders = cls.node, _binders(cls.module, cls.modules.version)
    if binders is None or node not in binders.get(node.name, ()):
        return None
    last = node.end_lineno if node in cls.module.tree.body else None
    for name in _names_read(cls):
        lines = [_line(each) for each in binders.get(name, ()) if each is not node]
        is_bound = min(lines) <= last if lines and last else lines
        if not is_bound and not _is_given(name):
            return name
    return None


def is_undefined(name: str, at: Place) -> bool:
    """Return whether nothing in a module binds a name that one of its functions reads."""
    binders = _binders(at.module, at.modules.version)
    return binders is not None and name not in binders and not _is_given(name)


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
        case _ if isinstance(node, _INNER):
            pass
        case _:
            yield node
            for child in children(node):
                yield from evaluated(child)


def _is_given(name: str) -> bool:
    # gettext installs `_`. A deep expression is replaced by a name that is not an identifier.
    return name in _BUILTINS or name == "_" or name[:2] == "__" or not name.isidentifier()


@lru_cache(maxsize=2**10)
def _binders(module: Module, version: tuple[int, int]) -> dict[str, list[ast.AST]] | None:
    """Return what binds each name in any scope, in branches that may run; ``None`` if unknown."""
    found: dict[str, list[ast.AST]] = {}
    decide = decides(version)
    waiting: list[ast.AST] = [module.tree]
    while waiting:
        node = waiting.pop()
        if getattr(node, "id", "") in _BINDING or getattr(node, "attr", "") in _BINDING_ATTRIBUTES:
            return None
        for name in _bound_by(node):
            found.setdefault(name, []).append(node)
        if isinstance(node, ast.If) and (outcome := decide(node.test)) is not None:
            waiting += node.body if outcome else node.orelse
        else:
            waiting += children(node)
    return None if "*" in found else found


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
