"""The results of a function, as far as its source shows them: no annotation may claim more."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TypeAlias

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.construction.execution import may_end
from backend_contract._conformance.source.members import is_abstract
from backend_contract._conformance.source.parsing import (
    Function,
    is_generator,
    is_none,
    nodes_of,
    returns_of,
)

Test: TypeAlias = Callable[[ast.expr, ClassSource], bool]
"""Tests an expression in a method of a class."""

_BOOL_FUNCTIONS = {"bool", "isinstance", "issubclass", "all", "any", "hasattr", "callable"}
_BOOL_METHODS = {
    *("is_set", "is_alive", "is_file", "is_dir", "exists", "locked", "done", "startswith"),
}
_BOOL_ATTRIBUTES = {"is_started", "started", "_started"}
_LOCKS = {"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "nullcontext"}


def _returned(function: Function) -> list[ast.expr]:
    return [each.value for each in returns_of(function) if each.value]


def returns_none(function: Function, owner: ClassSource) -> bool:
    """Return whether a call of *function*, a method of *owner*, can only return ``None``."""
    if isinstance(function, ast.AsyncFunctionDef) or is_generator(function):
        return False
    return all(is_none(value) or _is_inherited_none(value, owner) for value in _returned(function))


def _is_inherited_none(value: ast.expr, owner: ClassSource) -> bool:
    """Return whether *value* calls a method of a base class that is annotated with ``None``."""
    match value:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=[]), attr=name)
        ):
            pass
        case _:
            return False
    for source in owner.lineage[1:]:
        method = None if source is None else source.in_body.get(name)
        if source is None or method is not None:
            return isinstance(method, ast.FunctionDef) and is_none(method.returns)
    return False


def yields_nothing(function: Function) -> bool:
    """Return whether a generator yields only ``None``."""
    yields = [n for n in nodes_of(function) if isinstance(n, ast.Yield | ast.YieldFrom)]
    return all(
        isinstance(each, ast.Yield) and (each.value is None or is_none(each.value))
        for each in yields
    )


def returns_only(function: Function, owner: ClassSource, accepts: Test) -> bool:
    """Return whether a plain function can only return what *accepts* accepts, or raise."""
    returned = _returned(function)
    if not returned and is_abstract(function):
        return True
    are_accepted = all(accepts(value, owner) for value in returned)
    return are_accepted and not may_end(owner, owner, function)


def is_bool(value: ast.expr, owner: ClassSource) -> bool:
    """Return whether an expression in a method of *owner* is a ``bool``."""
    match value:
        case ast.Constant(value=bool()) | ast.UnaryOp(op=ast.Not()) | ast.Compare():
            return True
        case ast.BoolOp(values=values):
            return all(is_bool(each, owner) for each in values)
        case ast.IfExp(body=body, orelse=orelse):
            return is_bool(body, owner) and is_bool(orelse, owner)
        case ast.Call(func=ast.Name(id=name)):
            return name in _BOOL_FUNCTIONS
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _BOOL_METHODS
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _is_set_to(name, owner, is_bool)
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
            return name in _BOOL_ATTRIBUTES
        case _:
            return False


def _is_set_to(name: str, owner: ClassSource, accepts: Test) -> bool:
    """Return whether the known classes assign *name*, and only values that *accepts* accepts."""
    nodes = [node for source in owner.known_lineage for node in ast.walk(source.node)]
    values = [value for node in nodes for each, value in _assigned(node) if each == name]
    return bool(values) and all(value is not None and accepts(value, owner) for value in values)


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((name, value) for target in targets for name in _targets(target))
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from ((name, value) for name in _targets(target))
        case ast.AugAssign(target=target):
            yield from ((name, None) for name in _targets(target))
        case _:
            pass


def _targets(target: ast.expr) -> Iterator[str]:
    """Yield the names of attributes of ``self``, or of the class body, that *target* assigns."""
    match target:
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) | ast.Name(id=name):
            yield name
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:  # the value of each is unknown
                yield from _targets(element)
        case _:
            pass


def is_lock(value: ast.expr, owner: ClassSource) -> bool:
    """Return whether an expression in a method of *owner* is a lock or a like context manager."""
    match value:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _LOCKS or name == "start_lock"
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return _is_set_to(name, owner, is_lock)
        case _:
            return False


def is_str(value: ast.expr, _: ClassSource) -> bool:
    """Return whether an expression is the literal of a ``str``."""
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return is_text or isinstance(value, ast.JoinedStr)


def awaits(function: Function) -> bool:
    """Return whether the body of *function* only works in an ``async def``."""
    waiting = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield | ast.YieldFrom
    return any(
        isinstance(node, waiting) or (isinstance(node, ast.comprehension) and node.is_async)
        for node in nodes_of(function)
    )
