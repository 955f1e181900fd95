"""What a function returns, as far as its own source shows: no annotation may claim more."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TypeAlias

from backend_contract._conformance.source.modules import ClassSource, Function

__all__ = [
    "awaits",
    "is_bool",
    "is_generator",
    "nodes_of_scope",
    "returns_a_bool",
    "returns_a_lock",
    "returns_a_str",
    "returns_none",
    "yields_nothing",
]

_Test: TypeAlias = Callable[[ast.expr], bool]

_NESTED = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
_BOOL_FUNCTIONS = {"bool", "isinstance", "issubclass", "all", "any", "hasattr", "callable"}
_BOOL_METHODS = {
    "is_set",
    "is_alive",
    "is_file",
    "is_dir",
    "exists",
    "locked",
    "done",
    "startswith",
}
_BOOL_ATTRIBUTES = {"is_started", "started", "_started"}
_LOCKS = {"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "nullcontext"}


def nodes_of_scope(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in the body of a function, without those of nested scopes."""
    pending = [*ast.iter_child_nodes(function)]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _NESTED):
            pending += ast.iter_child_nodes(node)


def _returned(function: Function) -> list[ast.expr]:
    return [n.value for n in nodes_of_scope(function) if isinstance(n, ast.Return) and n.value]


def is_generator(function: Function) -> bool:
    """Return whether calling *function* returns a generator."""
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes_of_scope(function))


def returns_none(function: Function, owner: ClassSource) -> bool:
    """Return whether a call of *function*, a method of *owner*, can only return ``None``."""
    if isinstance(function, ast.AsyncFunctionDef) or is_generator(function):
        return False
    return all(_is_none(value) or _is_inherited_none(value, owner) for value in _returned(function))


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
            return (
                isinstance(method, ast.FunctionDef)
                and method.returns is not None
                and _is_none(method.returns)
            )
    return False


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def yields_nothing(function: Function) -> bool:
    """Return whether a generator yields only ``None``."""
    yields = [n for n in nodes_of_scope(function) if isinstance(n, ast.Yield | ast.YieldFrom)]
    return all(
        isinstance(each, ast.Yield) and (each.value is None or _is_none(each.value))
        for each in yields
    )


def returns_a_bool(function: Function, owner: ClassSource) -> bool:
    """Return whether *function* can only return a ``bool``."""
    return _returns_only(function, lambda value: is_bool(value, owner))


def _returns_only(function: Function, accepts: _Test) -> bool:
    returned = _returned(function)
    if isinstance(function, ast.AsyncFunctionDef) or is_generator(function):
        return False
    if not returned:
        return _only_raises(function)
    return all(map(accepts, returned)) and _always_leaves(function.body)


def _only_raises(function: Function) -> bool:
    """Return whether the body has no statement but a docstring, ``...`` and ``raise``."""
    is_abstract = any("abstract" in ast.unparse(d) for d in function.decorator_list)
    return is_abstract or isinstance(function.body[-1], ast.Raise)


def _always_leaves(body: list[ast.stmt]) -> bool:
    """Return whether the last statement of *body* never lets the function end by itself."""
    match body[-1] if body else None:
        case ast.Return() | ast.Raise():
            return True
        case ast.With(body=inner):
            return _always_leaves(inner)
        case ast.If(body=first, orelse=second):
            return _always_leaves(first) and _always_leaves(second)
        case ast.Try(body=inner, handlers=handlers, orelse=orelse, finalbody=final):
            branches = [orelse or inner, *(handler.body for handler in handlers)]
            return all(map(_always_leaves, branches)) or _always_leaves(final)
        case _:
            return False


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
            return _is_set_to(name, owner, lambda each: is_bool(each, owner))
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
            return name in _BOOL_ATTRIBUTES
        case _:
            return False


def _is_set_to(name: str, owner: ClassSource, accepts: _Test) -> bool:
    """Return whether the known classes assign *name*, and only values that *accepts* accepts."""
    values: list[ast.expr | None] = []
    for source in owner.known_lineage:
        for node in ast.walk(source.node):
            match node:
                case ast.Assign(targets=targets, value=value):
                    values += [value for target in targets for n in _targets(target) if n == name]
                case ast.AnnAssign(target=target, value=value) if value is not None:
                    values += [value for n in _targets(target) if n == name]
                case ast.AugAssign(target=target):
                    values += [None for n in _targets(target) if n == name]
                case _:
                    pass
    return bool(values) and all(value is not None and accepts(value) for value in values)


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


def returns_a_lock(function: Function, owner: ClassSource) -> bool:
    """Return whether *function* can only return a lock, or another usual context manager."""
    return _returns_only(function, lambda value: _is_lock(value, owner))


def _is_lock(value: ast.expr, owner: ClassSource) -> bool:
    match value:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _LOCKS or name == "start_lock"
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return _is_set_to(name, owner, lambda each: _is_lock(each, owner))
        case _:
            return False


def returns_a_str(function: Function) -> bool:
    """Return whether *function* can only return a ``str``."""
    return _returns_only(
        function,
        lambda value: (
            isinstance(value, ast.JoinedStr)
            or (isinstance(value, ast.Constant) and isinstance(value.value, str))
        ),
    )


def awaits(function: Function) -> bool:
    """Return whether the body of *function* only works in an ``async def``."""
    waiting = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield | ast.YieldFrom
    return any(
        isinstance(node, waiting) or (isinstance(node, ast.comprehension) and node.is_async)
        for node in nodes_of_scope(function)
    )
