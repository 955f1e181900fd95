"""Names that a class statement or a constructor reads although nothing binds them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from functools import lru_cache

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.modules import Module
from backend_contract._conformance.source.parsing import (
    Function,
    bound_by_import,
    children,
    last_part,
)
from backend_contract._conformance.source.scopes import decides

_BUILTINS = {*dir(builtins), "BaseExceptionGroup", "ExceptionGroup", "PythonFinalizationError"}
"""The builtins of this Python and of newer ones, which may be checked."""
_BINDING_CALLS = {"eval", "exec", "global_enum", "globals", "locals", "vars"}
_BINDING_ATTRIBUTES = {"_convert_", "global_enum", "modules"}
"""Functions, and ``sys.modules``, that may bind names which the source does not show."""
_LAZY = (3, 14)
"""The first Python that evaluates annotations only when they are asked for."""
_SCOPES = (Function, ast.Lambda, ast.ClassDef)
_INNER = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def undefined_in_statement(cls: ClassSource) -> str | None:
    """Return a name that the class statement reads and nothing binds before it, if any."""
    binders = _binders(cls.module, cls.modules.version)
    if binders is None or cls.node not in binders.get(cls.node.name, ()):
        return None
    is_at_top = cls.node in cls.module.tree.body
    for name in _names_in(_expressions(cls)):
        found = [each for each in binders.get(name, ()) if each is not cls.node]
        if not _is_given(name) and not any(
            getattr(each, "lineno", 0) <= (cls.node.end_lineno or 0) or not is_at_top
            for each in found
        ):
            return name
    return None


def is_undefined(name: str, module: Module, version: tuple[int, int]) -> bool:
    """Return whether nothing in *module* binds a name that one of its functions reads."""
    binders = _binders(module, version)
    return binders is not None and name not in binders and not _is_given(name)


@lru_cache(maxsize=2**12)
def bound_in(function: Function) -> dict[str, int]:
    """Return the first line that binds each local name of *function*."""
    found = {name: 0 for each in children(function.args) for name in _bound_by(each)}
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        for name in _bound_by(node):
            is_outer = isinstance(node, ast.Global | ast.Nonlocal)
            line = 0 if is_outer else getattr(node, "lineno", 0)
            found[name] = min(line, found.get(name, line))
        if not isinstance(node, (*_SCOPES, *_INNER)):
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
    # Python gives modules and functions some names with underscores, and changes others in a
    # class; gettext installs `_`. What is no identifier stands for an expression cut off.
    return name in _BUILTINS or name == "_" or name[:2] == "__" or not name.isidentifier()


@lru_cache(maxsize=2**10)
def _binders(module: Module, version: tuple[int, int]) -> dict[str, list[ast.AST]] | None:
    """Return the nodes that bind each name in any scope of a module, in branches that may run.

    Return ``None`` if it may bind further names.
    """
    found: dict[str, list[ast.AST]] = {}
    decide = decides(version)
    waiting: list[ast.AST] = [module.tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Name(id=name) if name in _BINDING_CALLS:
                return None
            case ast.Attribute(attr=name) if name in _BINDING_ATTRIBUTES:
                return None
            case _:
                pass
        for name in _bound_by(node):
            found.setdefault(name, []).append(node)
        outcome = None
        if isinstance(node, ast.If):
            is_for_checkers = last_part(node.test) == "TYPE_CHECKING"
            outcome = False if is_for_checkers else decide(node.test)
        match node:
            case ast.If(body=body, orelse=orelse) if outcome is not None:
                waiting += body if outcome else orelse
            case _:
                waiting += children(node)
    return None if "*" in found else found


def _bound_by(node: ast.AST) -> Sequence[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return [name]
        case ast.alias():
            return [bound_by_import(node)]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names
        case ast.MatchMapping(rest=str(name)):
            return [name]
        case _:
            named: object = getattr(node, "name", None)
            return [named] if isinstance(named, str) else []


def _expressions(cls: ClassSource) -> Iterator[ast.AST]:
    """Yield the expressions that the class statement evaluates, up to blocks in its body."""
    node = cls.node
    is_lazy = cls.modules.version >= _LAZY or any(
        isinstance(each, ast.ImportFrom) and each.module == "__future__"
        for each in cls.module.tree.body
    )
    yield from [*node.decorator_list, *node.bases, *node.keywords]
    for statement in node.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                arguments = statement.args
                yield from [*statement.decorator_list, *arguments.defaults]
                yield from filter(None, arguments.kw_defaults)
                if not is_lazy:
                    yield from _annotations(statement)
            case ast.AnnAssign():
                yield from [] if is_lazy else [statement.annotation]
                yield from [statement.value] if statement.value else []
            case ast.Assign(value=value) | ast.Expr(value=value):
                yield value
            case _:
                pass


def _annotations(function: Function) -> Iterator[ast.AST]:
    for each in children(function.args):
        annotation = getattr(each, "annotation", None)
        yield from [annotation] if annotation else []
    yield from [function.returns] if function.returns else []


def _names_in(expressions: Iterator[ast.AST]) -> Iterator[str]:
    for expression in expressions:
        for node in evaluated(expression):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id
