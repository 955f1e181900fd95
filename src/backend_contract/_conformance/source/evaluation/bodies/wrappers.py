"""The functions that decorators of the project put in the place of methods."""

from __future__ import annotations

import ast
from typing import NamedTuple

from backend_contract._conformance.source.definitions import definition_of, name_of
from backend_contract._conformance.source.evaluation.assignments import function_of
from backend_contract._conformance.source.evaluation.inference import is_bound_in, parameter_named
from backend_contract._conformance.source.evaluation.kinds import Context
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    last_part,
    returns_of,
    unparse,
    walk,
)

_DESCRIPTORS = {"cached_property", "classmethod", "property", "staticmethod"}


class Wrapper(NamedTuple):
    """The function that runs in the place of a decorated method."""

    decorator: str
    function: Function
    at: Context
    """The place of what it returns."""
    is_followed: bool
    """Whether its names mean what its module binds."""


def wrapper_of(method: Function, at: Context, kept: set[str]) -> Wrapper | None:
    """Return the wrapper of the outermost decorator that is not *kept*, if it can be followed."""
    decorators = [each for each in method.decorator_list if last_part(each) not in kept]
    if not decorators or not _DESCRIPTORS.isdisjoint(map(last_part, decorators)):
        return None
    callee = callee_of(decorators[0])
    found = function_of(callee, at)
    if found is None or found[1].module.root != at.module.root:
        return None
    outer, there = [found[0]], Context(found[1].module, at.modules)
    inner = _returned(found[0], there)
    if inner is not None and callee is not decorators[0]:
        outer.append(inner)
        inner = _returned(inner, there)
    if inner is None:
        return None
    is_followed = not any(
        is_bound_in(node.id, each) or parameter_named(node.id, each)
        for node in walk(inner)
        if isinstance(node, ast.Name) and definition_of(node, there) is not None
        for each in outer
    )
    return Wrapper(unparse(callee), inner, there._replace(function=inner), is_followed)


def _returned(function: Function, at: Context) -> Function | None:
    """Return the inner function that a function returns, if nothing but ``wraps`` changes it."""
    match [each.value for each in returns_of(function)]:
        case [ast.Name(id=name)] | [
            ast.Call(
                func=ast.Name(id="cast") | ast.Attribute(attr="cast"), args=[_, ast.Name(id=name)]
            )
        ]:
            found = [e for e in function.body if isinstance(e, Function) and e.name == name]
        case _:
            return None
    stored = (e for e in walk(function) if isinstance(e, ast.Name) and e.id == name)
    if len(found) != 1 or any(isinstance(each.ctx, ast.Store) for each in stored):
        return None
    makers = (name_of(callee_of(each), at) for each in found[0].decorator_list)
    return found[0] if all(each == "functools.wraps" for each in makers) else None
