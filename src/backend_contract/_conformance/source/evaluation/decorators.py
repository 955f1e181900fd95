"""What the decorators of a class leave under its name: the class itself, or something else.

Some checkers ignore class decorators; others take the declared result of a decorator for what the
name means, though the body may return the class itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.definitions import definition_of, unquoted
from backend_contract._conformance.source.evaluation.assignments import function_of, is_inert
from backend_contract._conformance.source.evaluation.kinds import Context
from backend_contract._conformance.source.modules import ClassSource, Function
from backend_contract._conformance.source.parsing import children, unparse, walk

__all__ = ["returns_nothing", "retyping_decorator"]


class _Followed(NamedTuple):
    """The function of a decorator that the source shows."""

    outer: Function
    decorating: Function | None
    """The function that gets the class: the outer one, or the one that it returns."""
    subject: ast.arg | None
    """The parameter that is the class."""
    at: Context


@lru_cache(maxsize=2**12)
def returns_nothing(source: ClassSource) -> str | None:
    """Return the decorator after which the name of the class is ``None``, if there is one."""
    for decorator in source.node.decorator_list:
        followed = _follow(decorator, source)
        decorating = followed and followed.decorating
        if decorating is not None and _never_returns_a_value(decorating):
            return unparse(decorator)
    return None


@lru_cache(maxsize=2**12)
def retyping_decorator(source: ClassSource) -> str | None:
    """Return the decorator whose declared result may be less than the class, if there is one."""
    for decorator in source.node.decorator_list:
        if _is_inert(decorator, source):
            continue
        followed = _follow(decorator, source)
        if followed is None or not _keeps_type(followed):
            return unparse(decorator)
    return None


def _is_inert(decorator: ast.expr, source: ClassSource) -> bool:
    return is_inert(_callee(decorator), Context(source.module, source.modules))


def _callee(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _follow(decorator: ast.expr, source: ClassSource) -> _Followed | None:
    """Return the function of a decorator; ``None`` if the source does not show it."""
    if _is_inert(decorator, source):
        return None
    found = function_of(_callee(decorator), Context(source.module, source.modules))
    if found is None:
        return None
    outer, at = found
    decorating = _inner(outer) if isinstance(decorator, ast.Call) else outer
    if decorating is None:
        return _Followed(outer, None, None, at)
    positional = [*decorating.args.posonlyargs, *decorating.args.args]
    is_method = decorating is outer and at.cls is not None and not _is_static(outer)
    subject = positional[is_method] if len(positional) > is_method else None
    return _Followed(outer, decorating, subject, at)


def _is_static(function: Function) -> bool:
    return any(unparse(each) == "staticmethod" for each in function.decorator_list)


def _inner(outer: Function) -> Function | None:
    """Return the function that a factory of decorators returns, if it is always the same one."""
    functions = {each.name: each for each in outer.body if isinstance(each, Function)}
    returned = [each.value for each in _returns(outer.body)]
    names = {each.id if isinstance(each, ast.Name) else "" for each in returned}
    return functions.get(names.pop()) if len(names) == 1 else None


def _returns(body: Iterable[ast.AST]) -> Iterable[ast.Return]:
    for node in body:
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            yield from _returns(children(node))


def _never_returns_a_value(function: Function) -> bool:
    """Return whether a function ends without a value, as one that forgets ``return cls``."""
    if isinstance(function, ast.AsyncFunctionDef) or _is_generator(function):
        return False
    values = [each.value for each in _returns(function.body)]
    if any(value is not None and not _is_none(value) for value in values):
        return False
    if isinstance(function.body[-1], ast.Raise):
        return False
    return not _is_stub(function) or (function.returns is not None and _is_none(function.returns))


def _is_none(value: ast.expr) -> bool:
    value = unquoted(value)
    return isinstance(value, ast.Constant) and value.value is None


def _is_stub(function: Function) -> bool:
    return any(
        isinstance(each, ast.Expr) and getattr(each.value, "value", None) is ...
        for each in function.body
    )


def _is_generator(function: Function) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in walk(function))


# ---- what a decorator declares


def _keeps_type(followed: _Followed) -> bool:
    """Return whether the annotations of a decorator say that it returns the class it got."""
    outer, decorating, subject, at = followed
    if decorating is None or subject is None:
        return False
    if decorating is not outer and outer.returns is not None:
        return _maps_to_itself(outer.returns, [outer, decorating], at)
    returned, given = decorating.returns, subject.annotation
    if returned is None:
        return given is None
    if given is None or _written(given) != _written(returned):
        return False
    return _has_variable(returned, [outer, decorating], at)


def _maps_to_itself(annotated: ast.expr, functions: Sequence[Function], at: Context) -> bool:
    """Return whether an annotation is a ``Callable`` from a type variable to itself."""
    match unquoted(annotated):
        case ast.Subscript(slice=ast.Tuple(elts=[ast.List(elts=[given]), returned])):
            is_same = _written(given) == _written(returned)
            return is_same and _has_variable(returned, functions, at)
        case _:
            return False


def _written(annotated: ast.expr) -> str:
    return unparse(unquoted(annotated))


def _has_variable(annotated: ast.expr, functions: Sequence[Function], at: Context) -> bool:
    """Return whether an annotation names a type variable."""
    own = {each.name for f in functions for each in getattr(f, "type_params", ())}
    for node in walk(unquoted(annotated)):
        if not isinstance(node, ast.Name):
            continue
        found = definition_of(node, at.module, at.modules)
        statement = found.statement if found is not None else None
        if node.id in own or (
            isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Call)
            and unparse(statement.value.func).rpartition(".")[2] == "TypeVar"
        ):
            return True
    return False
