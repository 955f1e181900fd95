"""Signatures that type checkers accept everywhere, or judge differently: read from the source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from functools import lru_cache

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.definitions import (
    Definition,
    Imports,
    definition_of,
    dotted_name,
    name_of,
    unquoted,
)
from backend_contract._conformance.source.modules import iter_statements
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    generic_of,
    last_part,
    positional_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.scopes import is_overload

_NEVER = {
    f"{module}.{name}"
    for module in ("typing", "typing_extensions")
    for name in ("Never", "NoReturn")
}
_CALLABLE = {"typing.Callable", "typing_extensions.Callable", "collections.abc.Callable"}
_KEEPING = {"classmethod", "final", "override", "property", "staticmethod"}
"""Decorators after which a generator function is still one."""
_ANY = ("typing.Any", "typing_extensions.Any")
_UNIONS = ("Union", "Optional")
_TYPE_VARIABLE = {"typing.TypeVar", "typing_extensions.TypeVar"}


@lru_cache(maxsize=2**14)
def is_overloaded(source: ClassSource, member: str) -> bool:
    """Return whether *member* has overloads: its last definition has no types for callers."""
    found = source.find(member)
    return found is not None and any(
        is_overload(each) and each.name == member for each in found[0].node.body
    )


def _method(source: ClassSource, member: str) -> tuple[ClassSource, Function] | None:
    match source.find(member):
        case (owner, ast.FunctionDef() | ast.AsyncFunctionDef() as function):
            return owner, function
        case _:
            return None


def _result(source: ClassSource, member: str) -> tuple[ClassSource, ast.expr] | None:
    """Return the annotation of the value of *member*, or of the result if it is called."""
    found = source.find(member)
    match found:
        case (owner, ast.FunctionDef(returns=ast.expr() as returns)):
            return owner, unquoted(returns)
        case (owner, ast.AnnAssign(annotation=annotation)):
            annotated = unquoted(annotation)
            arguments = _callable_arguments(annotated, owner)
            return owner, unquoted(arguments[-1]) if arguments else annotated
        case _:
            return None


def _callable_arguments(annotated: ast.expr, source: ClassSource) -> list[ast.expr] | None:
    """Return parameters and result of a ``Callable``: ``[]`` if it has none, else ``None``."""
    if name_of(generic_of(annotated), source) not in _CALLABLE:
        return None
    if isinstance(annotated, ast.Subscript) and isinstance(annotated.slice, ast.Tuple):
        return annotated.slice.elts
    return []


def never_returns(source: ClassSource, member: str) -> bool:
    """Return whether the annotation of *member* says that it never has a value or returns."""
    found = _result(source, member)
    return found is not None and name_of(found[1], found[0]) in _NEVER


def always_raises(source: ClassSource, member: str, exception: str) -> bool | None:
    """Return whether the method *member*, which never returns, raises *exception* in every call.

    ``None`` if its body does not tell.
    """
    found = _method(source, member)
    if found is None:
        return None
    owner, function = found
    raised = {
        name_of(callee_of(each.exc), owner)
        for each in iter_statements(function.body)
        if isinstance(each, ast.Raise) and each.exc is not None
    }
    if f"builtins.{exception}" in raised:
        return True if len(raised) == 1 else None
    is_known = raised and all(name.startswith("builtins.") for name in raised)
    return False if is_known else None


def has_gradual_parameters(source: ClassSource, member: str) -> bool:
    """Return whether *member* is an attribute whose type leaves its parameters open."""
    found = source.find(member)
    if found is None or not isinstance(found[1], ast.AnnAssign):
        return False
    owner, annotated = found[0], unquoted(found[1].annotation)
    arguments = _callable_arguments(annotated, owner)
    if not arguments:
        return arguments is not None
    parameters = arguments[0]
    if isinstance(parameters, ast.List):
        return any(name_of(each, owner) in _ANY for each in parameters.elts)
    return isinstance(parameters, ast.Constant) and parameters.value is ...


def parameters_of_attribute(source: ClassSource, member: str) -> int | None:
    """Return the number of parameters of *member*, if it is only declared, as a ``Callable``."""
    match _callable_of_attribute(source, member):
        case [ast.List(elts=parameters), _]:
            return len(parameters)
        case _:
            return None


def result_of_attribute(source: ClassSource, member: str) -> str:
    """Return the name of the result of *member*, if it is only declared, as a ``Callable``."""
    arguments = _callable_of_attribute(source, member)
    return last_part(generic_of(unquoted(arguments[-1]))) if arguments else ""


def _callable_of_attribute(source: ClassSource, member: str) -> list[ast.expr] | None:
    match source.find(member):
        case (owner, ast.AnnAssign(value=None, annotation=annotation)):
            return _callable_arguments(unquoted(annotation), owner)
        case _:
            return None


def takes_any_type(annotated: ast.expr, owner: ClassSource, function: Function) -> bool:
    """Return whether a parameter's annotation is a type variable that every type fits."""
    name = unquoted(annotated)
    if not isinstance(name, ast.Name):
        return False
    if name.id in _type_parameters(function):
        return _type_parameters(function)[name.id] is None
    return name.id not in _names_in(owner.node.bases) and _is_free(name, owner)


def takes_anything(source: ClassSource, member: str) -> bool:
    """Return whether *member* takes no argument and one of any type, by a type variable."""
    found = _method(source, member)
    if found is None:
        return False
    parameters = found[1].args
    positional = positional_of(parameters)[1:]
    return (
        bool(positional)
        and len(positional) == len(parameters.defaults)
        and None not in parameters.kw_defaults
        and positional[0].annotation is not None
        and takes_any_type(positional[0].annotation, found[0], found[1])
    )


def _type_parameters(scope: ast.AST) -> dict[str, ast.expr | None]:
    """Return the type parameters (PEP 695) of a function or class, with their bounds."""
    parameters = getattr(scope, "type_params", ())
    return {each.name: getattr(each, "bound", None) for each in parameters}


def _is_free(name: ast.expr, owner: ClassSource) -> bool:
    """Return whether a name is a type variable without bound or constraints."""
    call = _type_variable(name, owner)
    return (
        call is not None
        and len(call.args) == 1
        and all(
            each.arg != "bound" or dotted_name(each.value) == ["object"] for each in call.keywords
        )
    )


def _type_variable(name: ast.expr, owner: ClassSource) -> ast.Call | None:
    """Return the call that makes a type variable, if *name* is one."""
    found = definition_of(name, owner)
    if found is None or found.module is None:
        return None
    match found.statement:
        case ast.Assign(value=ast.Call() as call):
            made = name_of(call.func, Imports(found.module, owner.modules))
            return call if made in _TYPE_VARIABLE else None
        case _:
            return None


def is_type_variable(name: ast.expr, owner: ClassSource, function: Function) -> bool:
    """Return whether *name* is a type variable in the signature of *function*."""
    parameters = {**_type_parameters(owner.node), **_type_parameters(function)}
    return (isinstance(name, ast.Name) and name.id in parameters) or (
        _type_variable(name, owner) is not None
    )


@lru_cache(maxsize=2**14)
def is_chosen_by_caller(source: ClassSource, member: str) -> bool:
    """Return whether the result of *member* has a type variable that no parameter has."""
    found = _method(source, member)
    if found is None or found[1].returns is None:
        return False
    owner, function = found
    names = [each for each in alternatives(found[1].returns) if isinstance(each, ast.Name)]
    variables = {each.id for each in names if _is_variable_of_function(each, owner, function)}
    parameters = (node for node in walk(function.args) if isinstance(node, ast.arg))
    return bool(variables) and not variables <= _names_in(each.annotation for each in parameters)


def _is_variable_of_function(name: ast.Name, owner: ClassSource, function: Function) -> bool:
    """Return whether *name* is a type variable that does not belong to the class."""
    return name.id in _type_parameters(function) or (
        name.id not in _names_in(owner.node.bases) and _type_variable(name, owner) is not None
    )


def alternatives(annotated: ast.expr) -> list[ast.expr]:
    """Return the alternatives of a union, or the annotation itself."""
    match unquoted(annotated):
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return alternatives(left) + alternatives(right)
        case ast.Subscript(value=generic, slice=inner) if last_part(generic) in _UNIONS:
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            optional = [ast.Constant(None)] if last_part(generic) == "Optional" else []
            return [each for part in parts for each in alternatives(part)] + optional
        case annotation:
            return [annotation]


def _names_in(annotations: Iterable[ast.expr | None]) -> set[str]:
    nodes = (node for each in annotations if each for node in walk(unquoted(each)))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


@lru_cache(maxsize=2**14)
def unknown_decorator(source: ClassSource, member: str) -> str | None:
    """Return a decorator of *member* whose result has no type, as it is written.

    Some checkers then take the type of the function that it decorates.
    """
    found = _method(source, member)
    if found is None:
        return None
    owner, function = found
    for decorator in function.decorator_list:
        if not _has_type(decorator, owner):
            return unparse(decorator)
    return None


def _has_type(decorator: ast.expr, owner: ClassSource) -> bool:
    callee = callee_of(decorator)
    parts = dotted_name(callee)
    if not parts:
        return False
    if parts[0] in owner.in_body:  # `@is_started.setter`, or a function of the class body
        statement = owner.in_body[parts[0]]
        return len(parts) > 1 or not isinstance(statement, Function) or bool(statement.returns)
    if parts[0] in owner.nested:
        return True
    found = definition_of(callee, owner)
    return found is not None and parts[-1] != "no_type_check" and _is_typed(found)


def _is_typed(found: Definition) -> bool:
    """Return whether a definition has a type, in its module or in the stub file beside it."""
    match found.statement:
        case ast.FunctionDef(returns=None) | ast.Assign(value=ast.Lambda()):
            return found.module is not None and found.module.stub is not None
        case _:
            return True


def is_plain(source: ClassSource, member: str) -> bool:
    """Return whether *member* is a method that its own parameters describe."""
    found = _method(source, member)
    if found is None:
        return False
    return all(_keeps_parameters(each, found[0]) for each in found[1].decorator_list)


def _keeps_parameters(decorator: ast.expr, owner: ClassSource) -> bool:
    module, _, last = name_of(callee_of(decorator), owner).rpartition(".")
    return module in ("abc", "contextlib", "typing", "typing_extensions") or last in (
        "cache",
        "classmethod",
        "lru_cache",
        "staticmethod",
    )


def signature_of(arguments: ast.arguments) -> inspect.Signature:
    """Return the parameters as :mod:`inspect` has them, to bind arguments to them.

    Raises :class:`ValueError` if Python rejects them.
    """
    kinds = inspect.Parameter
    positional = positional_of(arguments)
    required = len(positional) - len(arguments.defaults)
    parameters = [
        kinds(
            each.arg,
            kinds.POSITIONAL_ONLY if each in arguments.posonlyargs else kinds.POSITIONAL_OR_KEYWORD,
            default=kinds.empty if number < required else None,
        )
        for number, each in enumerate(positional)
    ]
    if arguments.vararg:
        parameters.append(kinds(arguments.vararg.arg, kinds.VAR_POSITIONAL))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        given = kinds.empty if default is None else None
        parameters.append(kinds(each.arg, kinds.KEYWORD_ONLY, default=given))
    if arguments.kwarg:
        parameters.append(kinds(arguments.kwarg.arg, kinds.VAR_KEYWORD))
    return inspect.Signature(parameters)
