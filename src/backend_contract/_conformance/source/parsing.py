"""Reading files and parsing source, whatever they contain."""

from __future__ import annotations

import ast
import errno
import os
import stat
import sys
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, cast

from backend_contract.errors import CouldNotCheckError

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

MAX_BYTES = 16 * 2**20
"""A longer source file is not read."""

MAX_SETTINGS = 10_000_000
"""A longer file of settings is not read."""

MAX_DEPTH = 100
"""Deeper expressions are cut off: functions that read them are recursive."""

exists, is_directory, is_file = os.path.exists, os.path.isdir, os.path.isfile
"""As the methods of a path, which raise for some names and in some directories."""

_PACKAGE = b"backend_contract"

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class SourceError(CouldNotCheckError):
    """Raised if a file has no source that can be parsed."""

    def __init__(self, message: str, *, may_concern_us: bool) -> None:
        super().__init__(message)
        self.may_concern_us = may_concern_us
        """Whether the file may mention this package."""


class InvalidSyntaxError(SourceError):
    """Raised if this version of Python cannot parse a file."""

    def __init__(self, path: Path, error: SyntaxError, content: bytes) -> None:
        place = f"{path}:{error.lineno}" if error.lineno else path
        super().__init__(f"{place}: {error.msg}", may_concern_us=_PACKAGE in content)
        self.content = content


def read_file(path: Path, name: str | None = None, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file of up to *limit* bytes; errors call it *name*.

    Never waits: opens no FIFO, device or other special file. Raises
    :class:`SourceError` if the file cannot be read or is too long.
    """
    name = name or str(path)
    try:
        if not stat.S_ISDIR(path.stat().st_mode):  # which is an error of `open`
            _require_regular(name, path.stat().st_mode)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            _require_regular(name, os.fstat(descriptor).st_mode)
            content = file.read(limit + 1)
    except OSError as error:
        raise SourceError(
            f"{name}: {error.strerror}", may_concern_us=error.errno not in _NOT_THERE
        ) from None
    except ValueError:  # a null byte in the path
        raise SourceError(f"{name}: not a file name", may_concern_us=False) from None
    if len(content) > limit:
        raise SourceError(
            f"{name}: longer than {limit:,} bytes", may_concern_us=_PACKAGE in content
        )
    return content


def _require_regular(name: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise SourceError(f"{name}: not a regular file", may_concern_us=False)


def read_toml(path: Path, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Return the document in a TOML file. Raises :class:`CouldNotCheckError` if it has none."""
    if sys.version_info < (3, 11):
        import tomli as tomllib
    else:
        import tomllib
    try:
        return tomllib.loads(read_file(path, limit=limit).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CouldNotCheckError(f"{path}: cannot be read: {error}") from None


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file. Raises :class:`SourceError` if it has none."""
    content = read_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except SyntaxError as error:
        raise InvalidSyntaxError(path, error, content) from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = error if isinstance(error, ValueError) else "nested too deeply"
        raise SourceError(
            f"{path}: cannot be parsed: {reason}", may_concern_us=_PACKAGE in content
        ) from None
    _cut_off_deep_expressions(tree)
    for statement in all_statements(tree):
        if isinstance(statement, _TRY_STAR):
            statement.__class__ = ast.Try  # which binds and runs the same
    return tree


def children(node: ast.AST) -> list[ast.AST]:
    """Return what :func:`ast.iter_child_nodes` yields, without contexts such as ``Load``."""
    found: list[ast.AST] = []
    for name in _INNER[type(node)]:
        value: Any = getattr(node, name, None)
        if value.__class__ is list:
            found += filter(None, value)
        elif isinstance(value, _Node):
            found.append(value)
    return found


def inner_nodes(node: ast.AST) -> list[ast.AST]:
    """Return the child nodes that may have children, in source order."""
    return [each for each in children(node) if type(each) not in _LEAVES]


@lru_cache(maxsize=2**12)
def all_statements(tree: ast.AST) -> Sequence[ast.stmt]:
    """Return all statements below *tree*, in source order, without looking into expressions."""
    found: list[ast.stmt] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            found.append(node)
        waiting += blocks(node)[::-1]
    return found


def blocks(node: ast.AST) -> list[ast.AST]:
    """Return the statements directly below a node, and its ``except`` and ``case`` clauses."""
    parts: list[list[ast.AST]] = [getattr(node, name) for name in _BLOCKS[type(node)]]
    return [each for part in parts for each in part]


_TRY_STAR: Any = getattr(ast, "TryStar", ())
"""The statement with ``except*``, which Python 3.10 does not have."""
_Node = ast.AST
_KINDS = [each for each in vars(ast).values() if isinstance(each, type)]
_BLOCKS = {
    kind: tuple(
        name
        for name in ("body", "handlers", "orelse", "finalbody", "cases")
        if name in kind._fields and not issubclass(kind, ast.expr)  # a lambda has a body too
    )
    for kind in _KINDS
    if issubclass(kind, ast.AST)
}
_NOT_READ = {"arg", "asname", "attr", "ctx", "id", "kwd_attrs", "level", "module", "type_comment"}
"""Fields that never hold a node, or that of a context."""
_INNER = {
    kind: tuple(name for name in kind._fields if name not in _NOT_READ) for kind in _BLOCKS
} | {ast.Constant: (), ast.Global: (), ast.Nonlocal: ()}
_LEAVES = {kind for kind in _INNER if not kind._fields} | {ast.Constant, ast.Name}


@lru_cache(maxsize=2**16)
def walk(node: ast.AST) -> Sequence[ast.AST]:
    """Return what :func:`ast.walk` yields, without contexts such as ``Load``, and remember it.

    The same functions are read for each member of each class that inherits them.
    """
    found = [node]
    for each in found:
        found += children(each)
    return found


@lru_cache(maxsize=2**14)
def nodes_of(function: Function) -> Sequence[ast.AST]:
    """Return the nodes of a function's body, without those of functions and classes inside."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [*reversed(function.body)]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += children(node)[::-1]
    return found


def is_generator(function: Function) -> bool:
    """Return whether calling *function* makes a generator."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes_of(function))


def returns_of(function: Function) -> list[ast.Return]:
    """Return the statements that end a call of the function."""
    return [node for node in nodes_of(function) if isinstance(node, ast.Return)]


def callee_of(decorator: ast.expr) -> ast.expr:
    """Return an expression without the call that it may be, such as ``@decorator(...)``."""
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def last_part(expression: ast.AST) -> str:
    """Return the last part of a dotted name, such as ``Any`` of ``typing.Any``."""
    return unparse(expression).rpartition(".")[2]


def decorator_names(function: Function) -> set[str]:
    """Return the last part of the name of each decorator of a function."""
    return {last_part(each) for each in function.decorator_list}


def bound_by_import(alias: ast.alias) -> str:
    """Return the name that a part of an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def generic_of(expression: ast.expr) -> ast.expr:
    """Return an expression without its type arguments, such as ``list`` of ``list[int]``."""
    return expression.value if isinstance(expression, ast.Subscript) else expression


def positional_of(arguments: ast.arguments) -> list[ast.arg]:
    """Return the parameters that take positional arguments, without ``*args``."""
    return [*arguments.posonlyargs, *arguments.args]


def first_parameter(function: Function | ast.Lambda | None) -> set[str]:
    """Return the name of the first parameter of a function, if it has one."""
    return {each.arg for each in positional_of(function.args)[:1]} if function else set()


def is_none(expression: ast.AST | None) -> bool:
    """Return whether an expression is the literal ``None``."""
    return isinstance(expression, ast.Constant) and expression.value is None


def is_super(node: ast.AST) -> bool:
    """Return whether a node is a call of ``super``."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "super"


def is_stub(function: Function) -> bool:
    """Return whether the body of a function is only ``...``, and maybe a docstring."""
    expressions = [each.value for each in function.body if isinstance(each, ast.Expr)]
    constants = [each.value for each in expressions if isinstance(each, ast.Constant)]
    return len(constants) == len(function.body) and ... in constants


@lru_cache(maxsize=2**16)
def unparse(expression: ast.AST) -> str:
    """Return what :func:`ast.unparse` does, faster for a dotted name or ``None``."""
    if is_none(expression):
        return "None"
    parts: list[str] = []
    node = expression
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ast.unparse(expression)
    return ".".join([node.id, *reversed(parts)])


def _cut_off_deep_expressions(tree: ast.Module) -> None:
    """Replace what is below :data:`MAX_DEPTH` levels of an expression by a name."""
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth == MAX_DEPTH:
            _replace_operands(node)
        for child in inner_nodes(node):
            deeper = 0 if isinstance(child, ast.stmt) else min(depth + 1, MAX_DEPTH)
            if not _is_short(child, MAX_DEPTH - deeper):
                waiting.append((child, deeper))


def _is_short(node: Any, levels: int) -> bool:
    """Return whether a node has fewer than *levels* levels, as each takes a byte."""
    lines = {getattr(node, name, name) for name in ("lineno", "end_lineno")}
    is_short = len(lines) == 1 and node.end_col_offset - node.col_offset < levels
    return is_short and not getattr(node, "decorator_list", None)


def _replace_operands(node: ast.AST) -> None:
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            setattr(node, field, None if field == "format_spec" else _too_deep(value))
        elif isinstance(value, list):
            elements = cast("list[object]", value)
            if type(node).__name__ in ("JoinedStr", "TemplateStr"):  # may contain no names
                elements.clear()
            elements[:] = [_too_deep(e) if isinstance(e, ast.expr) else e for e in elements]


def _too_deep(node: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Name(id="...", ctx=ast.Load()), node)
