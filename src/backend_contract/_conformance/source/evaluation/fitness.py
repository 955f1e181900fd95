"""Whether a value fits a member of the contract, as far as the source of the value shows it."""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Sequence
from typing import NamedTuple

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.definitions import definition_of, unquoted
from backend_contract._conformance.source.evaluation.kinds import (
    Context,
    Kind,
    Kinds,
    is_string,
    kinds_of_annotation,
    result_of,
)
from backend_contract._conformance.source.evaluation.scopes import Function
from backend_contract._conformance.source.execution import signature_of
from backend_contract._conformance.source.modules import ClassSource, Module
from backend_contract._conformance.source.parsing import unparse
from backend_contract._conformance.source.signatures import alternatives

__all__ = [
    "ATTRIBUTES",
    "Opinion",
    "all_of",
    "call_problem",
    "fits_attribute",
    "fits_constructor",
    "fits_function",
    "fits_method",
    "one_of",
]

ATTRIBUTES = {"backend_type": "str", "is_started": "bool"}
"""The members that are not methods, and the kinds of their values."""


class Opinion(NamedTuple):
    """A verdict on one value of a member, and the reason for it."""

    verdict: Verdict
    reason: str = ""
    statement: ast.AST | None = None
    """The statement that gives the value, if there is one."""
    module: Module | None = None
    """The module of that statement."""


FITS = Opinion(Verdict.OK)


def _unknown(reason: str) -> Opinion:
    return Opinion(Verdict.UNCHECKED, reason)


def _misfit(reason: str) -> Opinion:
    return Opinion(Verdict.VIOLATED, reason)


def one_of(opinions: Sequence[Opinion]) -> Opinion:
    """Return the opinion on a member that has one of several values, whichever it is."""
    if len({each.verdict for each in opinions}) == 1:
        return opinions[0]
    doubtful = next(each for each in opinions if each.verdict is not Verdict.OK)
    reason = f"`if` or `try` decides at run time: {doubtful.reason}"
    return doubtful._replace(verdict=Verdict.UNCHECKED, reason=reason)


def all_of(opinions: Sequence[Opinion]) -> Opinion:
    """Return the opinion on a member that has all these values, one after the other."""
    order = (Verdict.VIOLATED, Verdict.UNCHECKED, Verdict.OK)
    return min(opinions, key=lambda each: order.index(each.verdict))


# ---- attributes


def fits_attribute(member: str, kinds: Kinds, written: str) -> Opinion:
    """Return whether values of these kinds fit ``backend_type`` or ``is_started``."""
    if kinds is None:
        return _unknown(f"cannot follow the value of `{member}`: `{written}`")
    wrong = [kind for kind in kinds if not _is_right(member, kind)]
    if not wrong:
        return FITS
    name = wrong[0].name
    return _misfit(f"the value of `{member}`, `{written}`, is of type `{name}`")


def _is_right(member: str, kind: Kind) -> bool:
    return is_string(kind) if member == "backend_type" else kind.name == "bool"


# ---- methods

_POSITIONAL = {"register_config": 1, "start": 0, "stop": 0, "start_lock": 0}
_CONSTRUCTORS = ("__init__", "__new__", "__call__")
_HANDLER = ("model_id", "runtime_context")
_ACCEPTED: dict[str, set[str]] = {
    "register_config": {
        "builtins.object", "builtins.dict",
        "typing.Dict", "typing.Mapping", "typing.MutableMapping",
        "collections.abc.Mapping", "collections.abc.MutableMapping", "aconfig.Config",
        "aconfig.aconfig.Config", "aconfig.AttributeAccessDict",
        "aconfig.aconfig.AttributeAccessDict",
        "backend_contract.protocol.ConfigType",
    },
    "model_id": {"builtins.object", "builtins.str"},
    "runtime_context": {
        "builtins.object", "backend_contract.runtime_context.RuntimeServerContextType",
    },
}  # fmt: skip
_REJECTED = {"str", "int", "float", "bool", "bytes", "list", "tuple", "set", "NoneType", "dict"}
_LOCKS = {
    f"threading.{name}" for name in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition")
}
_MANAGERS = {
    "contextlib.AbstractContextManager", "typing.ContextManager", "contextlib.ExitStack",
    "contextlib.nullcontext", *_LOCKS,
}  # fmt: skip


def fits_method(member: str, kinds: Kinds, written: str, at: Context, *, is_bound: bool) -> Opinion:
    """Return whether values of these kinds fit a method; *is_bound*: they get no ``self``."""
    if not kinds:
        return _unknown(f"cannot follow the value of `{member}`: `{written}`")
    return all_of([_fits(member, kind, written, at, is_bound) for kind in kinds])


def _fits(member: str, kind: Kind, written: str, at: Context, is_bound: bool) -> Opinion:
    if kind.name.startswith(("property", "cached_property")):
        return _misfit(f"`{member}` is a property, not a method")
    if kind.function is not None:
        there = at.of_class(kind.owner) if kind.owner is not None else at
        is_bound = kind.name == "staticmethod" or (is_bound and kind.name != "method")
        return fits_function(member, kind.function, there, is_bound=is_bound)
    if kind.name.startswith("type["):
        made = kind.name.removeprefix("type[").removesuffix("]")
        if member == "start_lock" and made in _MANAGERS:
            return FITS
        return _unknown(f"cannot follow what calling `{member}` does: `{written}`")
    if kind.name == "builtin_function_or_method" and _rejects_keywords(member, written):
        return _misfit(f"`{written}` takes no arguments with the names {' and '.join(_HANDLER)}")
    if kind.name in ("type", "function", "builtin_function_or_method"):
        return _unknown(f"cannot follow what calling `{member}` does: `{written}`")
    if kind.cls is not None and kind.name != "enum" and _may_be_called(kind.cls):
        called = _call_of_instance(kind.cls)
        if called is not None:
            return fits_function(member, called[1], at.of_class(called[0]))
        return _unknown(f"cannot follow what calling `{member}` does: `{written}`")
    if kind.name.startswith(("functools.", "types.", "weakref.", "operator.")):
        return _unknown(f"cannot follow what calling `{member}` does: `{written}`")
    return _misfit(f"`{member}` is `{written}`, of type `{kind.name}`, and cannot be called")


def _rejects_keywords(member: str, written: str) -> bool:
    """Return whether a builtin function cannot be called with the keywords of the contract."""
    if member != "handle_runtime_context":
        return False
    try:
        signature = inspect.signature(getattr(builtins, written, dict))
        signature.bind(**dict.fromkeys(_HANDLER))
    except ValueError:  # Python 3.10 does not know the signature of `print`
        return False
    except TypeError:
        return True
    return False


def _may_be_called(cls: ClassSource) -> bool:
    """Return whether an instance of a class can be called, or gives something that can."""
    names = {"__call__", "__get__", "__getattr__"}
    return cls.has_unknown_base or not names.isdisjoint(cls.known_members)


def _call_of_instance(cls: ClassSource) -> tuple[ClassSource, Function] | None:
    """Return the ``__call__`` of instances that are plain values, and its class."""
    found = cls.find("__call__")
    if cls.has_unknown_base or not {"__get__", "__getattr__"}.isdisjoint(cls.known_members):
        return None
    if found is None or not isinstance(found[1], Function):
        return None
    return found[0], found[1]


def fits_function(
    member: str, function: Function | ast.Lambda, at: Context, *, is_bound: bool = False
) -> Opinion:
    """Return whether a function of a class body fits a method of the contract."""
    decorators = [] if isinstance(function, ast.Lambda) else function.decorator_list
    names = {unparse(each).rpartition(".")[2] for each in decorators}
    if names - {"staticmethod", "classmethod", "override", "final", "contextmanager"}:
        if "property" in names or "cached_property" in names:
            return _misfit(f"`{member}` is a property, not a method")
        return _unknown(f"cannot follow the decorators of `{member}`")
    if isinstance(function, ast.AsyncFunctionDef):
        return _misfit(f"`{member}` is a coroutine function")
    problem = call_problem(member, function.args, is_bound or "staticmethod" in names)
    if problem is not None:
        return _misfit(f"`{member}` cannot be called as the contract calls it: {problem}")
    if isinstance(function, ast.Lambda):
        return _unknown(f"`{member}` is a lambda, which has no annotations")
    bound = 0 if is_bound or "staticmethod" in names else 1
    accepts = _accepts(member, function, at, bound)
    return all_of([accepts, _returns(member, function, at, "contextmanager" in names)])


def fits_constructor(function: Function, at: Context) -> Opinion:
    """Return whether an ``__init__`` takes no argument, ``None`` and a configuration."""
    problem = call_problem("__init__", function.args, is_bound=False)
    if problem is not None:
        return _misfit(f"the class cannot be called as the contract calls it: {problem}")
    if function.decorator_list:
        return _unknown("cannot follow the decorators of `__init__`")
    positional = [*function.args.posonlyargs, *function.args.args][1:]
    given = positional[0] if positional else function.args.vararg
    if given is None or given.annotation is None:
        return _unknown("parameter 1 of `__init__` has no annotation")
    kinds = [_accepts_alternative(each, at) for each in alternatives(given.annotation)]
    if "anything" in kinds or {"None", "config"} <= {*kinds}:
        return FITS
    return _unknown(f"cannot follow the annotation of `{given.arg}` of `__init__`")


def _accepts_alternative(annotated: ast.expr, at: Context) -> str:
    """Return the part of the values of a constructor's parameter that an annotation accepts."""
    if isinstance(annotated, ast.Constant) and annotated.value is None:
        return "None"
    generic = annotated.value if isinstance(annotated, ast.Subscript) else annotated
    found = definition_of(generic, at.module, at.modules)
    name = found.name if found is not None else ""
    if name == "builtins.object":
        return "anything"
    return "config" if name in _ACCEPTED["register_config"] else ""


def call_problem(member: str, arguments: ast.arguments, is_bound: bool) -> str | None:
    """Return why the calls of the contract do not fit these parameters."""
    try:
        signature = signature_of(arguments)
    except ValueError:
        return None
    instance = () if is_bound else (None,)
    try:
        if member in _CONSTRUCTORS:
            signature.bind(*instance)
            signature.bind(*instance, None)
        elif member in _POSITIONAL:
            signature.bind(*instance, *[None] * _POSITIONAL[member])
        else:
            signature.bind(*instance, None, None)
            signature.bind(*instance, **dict.fromkeys(_HANDLER))
    except TypeError as error:
        return str(error)
    return None


def _accepts(member: str, function: Function, at: Context, bound: int) -> Opinion:
    """Return whether the annotations of the parameters accept what the contract passes."""
    positional = [*function.args.posonlyargs, *function.args.args][bound:]
    roles = [member] if member == "register_config" else [*_HANDLER]
    if member not in ("register_config", "handle_runtime_context"):
        return FITS
    opinions: list[Opinion] = []
    for number, role in enumerate(roles):
        given = positional[number] if number < len(positional) else function.args.vararg
        if given is not None:
            opinions.append(_accepts_annotation(member, role, given, at))
    return all_of([FITS, *opinions])


def _accepts_annotation(member: str, role: str, given: ast.arg, at: Context) -> Opinion:
    if given.annotation is None:
        return _unknown(f"parameter `{given.arg}` of `{member}` has no annotation")
    annotated = unquoted(given.annotation)
    generic = annotated.value if isinstance(annotated, ast.Subscript) else annotated
    found = definition_of(generic, at.module, at.modules)
    if found is not None and found.name in _ACCEPTED[role]:
        return FITS
    kinds = kinds_of_annotation(annotated, at)
    if kinds is not None and all(
        kind.name in _REJECTED and not (kind.name == "dict" and role == "register_config")
        for kind in kinds
    ):
        return _misfit(f"parameter `{given.arg}` of `{member}` is a `{unparse(annotated)}`")
    return _unknown(f"cannot follow the annotation of `{given.arg}` of `{member}`")


def _returns(member: str, function: Function, at: Context, is_manager: bool) -> Opinion:
    """Return whether the result is what the contract asks for."""
    if member == "start_lock" and is_manager:
        return FITS
    kinds = result_of(function, at)
    if function.returns is not None and member == "start_lock":
        generic = function.returns
        generic = generic.value if isinstance(generic, ast.Subscript) else generic
        found = definition_of(generic, at.module, at.modules)
        if found is not None and found.name in _MANAGERS:
            return FITS
    if kinds is None:
        return _unknown(f"cannot follow the result of `{member}`")
    if member == "start_lock":
        return _returns_lock(kinds)
    wrong = [kind.name for kind in kinds if kind.name != "NoneType"]
    if wrong:
        return _misfit(f"`{member}` returns a `{wrong[0]}`")
    return (
        FITS if function.returns is not None else _unknown(f"`{member}` has no return annotation")
    )


def _returns_lock(kinds: Sequence[Kind]) -> Opinion:
    if all(kind.name in _MANAGERS for kind in kinds):
        return FITS
    wrong = [kind.name for kind in kinds if kind.name in {*_REJECTED, "generator", "coroutine"}]
    if wrong:
        return _misfit(f"`start_lock` returns a `{wrong[0]}`")
    return _unknown("cannot follow the result of `start_lock`")
