"""The header of a class: bases that the source leaves open, and what its decorators leave.

A base may be chosen at run time, computed, or different for checkers. Some checkers ignore class
decorators; others take the declared result of one for what the name of the class means, though the
body may return the class itself.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.source.classes import ClassSource, ModuleFinder
from backend_contract._conformance.source.definitions import (
    definition_of,
    dotted_name,
    name_of,
    unquoted,
)
from backend_contract._conformance.source.evaluation.assignments import function_of, is_inert
from backend_contract._conformance.source.evaluation.kinds import Context
from backend_contract._conformance.source.modules import Module, origin_of_name
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    generic_of,
    is_generator,
    is_none,
    is_stub,
    last_part,
    positional_of,
    returns_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.scopes import Alternatives, Binding
from backend_contract.errors import CouldNotCheckError

_OURS = "backend_contract"
_KNOWN = {_OURS, "typing_extensions", *sys.stdlib_module_names}
_MAX_STEPS = 20


@lru_cache(maxsize=2**14)
def why_undecided(source: ClassSource, member: str) -> str | None:
    """Return the reason why *member* may come from another base, or ``None`` if it may not."""
    for cls in source.known_lineage:
        if member in cls.in_body:
            return None
        base = _open_base(cls)
        if base is not None:
            return f"the base `{base}` of `{cls.node.name}` is only known at run time"
    return None


@lru_cache(maxsize=1024)
def _open_base(cls: ClassSource) -> str | None:
    """Return the first base of a class that the source leaves open, as it is written."""
    if cls.module.name.partition(".")[0] == _OURS:
        return None
    for base in cls.node.bases:
        if not is_final(base, cls) and _is_open(base, cls.module, cls.modules):
            return unparse(base)
    return None


def is_final(base: ast.expr, cls: ClassSource) -> bool:
    """Return whether a base is a builtin that cannot be inherited from, such as ``bool``."""
    found = getattr(builtins, name_of(base, cls).removeprefix("builtins."), None)
    is_base_type = not isinstance(found, type) or found.__flags__ & 1 << 10
    return not is_base_type or unparse(base) == "type(None)"


def _is_open(base: ast.expr, module: Module, modules: ModuleFinder) -> bool:
    """Return whether an expression means one class or another, or is not the name of a class."""
    for _ in range(_MAX_STEPS):
        parts = _class_name(base)
        if not parts:
            return True
        if parts[0] in module.guarded:
            return False
        bindings = _bindings(parts[0], module, modules)
        if bindings is None:
            return True
        match bindings:
            case ast.Import() | ast.ImportFrom() as statement:
                if origin_of_name(module, statement, parts[0])[0].partition(".")[0] in _KNOWN:
                    return False
                try:
                    module, name = modules.imported(module, statement, tuple(parts))
                except CouldNotCheckError:
                    return False
                base = ast.parse(".".join(name), mode="eval").body
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                if not isinstance(base, ast.Subscript) or _class_name(value):
                    base = value
                    continue
                return True
            case _:
                return isinstance(bindings, Function)
    return False


def _class_name(expression: ast.expr) -> list[str]:
    generic = generic_of(expression)
    return dotted_name(generic)


def _bindings(name: str, module: Module, modules: ModuleFinder) -> ast.stmt | ast.Pass | None:
    """Return the statement that binds a name, for Python and for checkers; ``None`` if they differ.

    ``pass`` stands for a name that the module does not bind.
    """
    in_python = module.scope(modules.version).bindings.get(name)
    for_checkers = module.scope(modules.version, type_checking=True).bindings.get(name)
    if in_python is None and for_checkers is None:
        return ast.Pass()
    if not in_python or len(in_python) != 1 or in_python[0] is None:
        return None
    statement = in_python[0].statement
    is_same = for_checkers == in_python or (
        bool(cls := _class_bound(in_python)) and cls == _class_bound(for_checkers)
    )
    return statement if is_same else None


def _class_bound(alternatives: Alternatives | None) -> list[str]:
    match alternatives:
        case (Binding(value=ast.expr() as value), *_):
            return _class_name(value)
        case _:
            return []


# ---- decorators


class _Followed(NamedTuple):
    """The function of a decorator that the source shows."""

    outer: Function
    decorating: Function | None
    """The function that gets the class: the outer one, or the one that it returns."""
    subject: ast.arg | None
    """The parameter that is the class."""
    at: Context


@lru_cache(maxsize=2**12)
def returns_nothing(source: ClassSource, function: Function | None = None) -> str | None:
    """Return the decorator after which the class, or a *function* of it, is ``None``, if any."""
    for decorator in (function or source.node).decorator_list:
        followed = _follow(decorator, source)
        decorating = followed and followed.decorating
        if decorating is not None and _never_returns_a_value(decorating):
            return unparse(decorator)
    return None


@lru_cache(maxsize=2**12)
def retyping_decorator(source: ClassSource) -> str | None:
    """Return the decorator whose declared result may be less than the class, if there is one."""
    for decorator in source.node.decorator_list:
        if is_inert(callee_of(decorator), source):
            continue
        followed = _follow(decorator, source)
        if followed is None or not _keeps_type(followed):
            return unparse(decorator)
    return None


def _follow(decorator: ast.expr, source: ClassSource) -> _Followed | None:
    if is_inert(callee_of(decorator), source):
        return None
    found = function_of(callee_of(decorator), Context(source.module, source.modules))
    if found is None:
        return None
    outer, at = found
    decorating = _inner(outer) if isinstance(decorator, ast.Call) else outer
    if decorating is None:
        return _Followed(outer, None, None, at)
    positional = positional_of(decorating.args)
    is_static = "staticmethod" in map(unparse, outer.decorator_list)
    is_method = decorating is outer and at.cls is not None and not is_static
    subject = positional[is_method] if len(positional) > is_method else None
    return _Followed(outer, decorating, subject, at)


def _inner(outer: Function) -> Function | None:
    """Return the function that a factory of decorators returns, if it is always the same one."""
    functions = {each.name: each for each in outer.body if isinstance(each, Function)}
    values = [each.value for each in returns_of(outer)]
    names = {each.id if isinstance(each, ast.Name) else "" for each in values}
    return functions.get(names.pop()) if len(names) == 1 else None


def _never_returns_a_value(function: Function) -> bool:
    """Return whether a function ends without a value, as one that forgets ``return cls``."""
    if isinstance(function, ast.AsyncFunctionDef) or is_generator(function):
        return False
    values = [each.value for each in returns_of(function)]
    if any(value is not None and not is_none(value) for value in values):
        return False
    if isinstance(function.body[-1], ast.Raise):
        return False
    return not is_stub(function) or (
        function.returns is not None and is_none(unquoted(function.returns))
    )


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
    own = {each.name for f in functions for each in getattr(f, "type_params", ())}
    for node in walk(unquoted(annotated)):
        if not isinstance(node, ast.Name):
            continue
        found = definition_of(node, at)
        statement = found.statement if found is not None else None
        if node.id in own or (
            isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Call)
            and last_part(statement.value.func) == "TypeVar"
        ):
            return True
    return False
