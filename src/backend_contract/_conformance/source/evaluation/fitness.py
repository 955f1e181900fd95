"""Whether a value fits a member of the contract, as far as the source of the value shows it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.definitions import name_of, unquoted
from backend_contract._conformance.source.evaluation.inference import kinds_of_annotation, result_of
from backend_contract._conformance.source.evaluation.kinds import Context, Kind, Kinds, is_string
from backend_contract._conformance.source.modules import Module
from backend_contract._conformance.source.parsing import (
    Function,
    decorator_names,
    generic_of,
    is_generator,
    is_none,
    positional_of,
    unparse,
)
from backend_contract._conformance.source.scopes import is_overload
from backend_contract._conformance.source.signatures import alternatives, signature_of

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


def unknown(reason: str, statement: ast.AST | None = None, module: Module | None = None) -> Opinion:
    """Return the opinion that a value cannot be judged."""
    return Opinion(Verdict.UNCHECKED, reason, statement, module)


def misfit(reason: str, statement: ast.AST | None = None, module: Module | None = None) -> Opinion:
    """Return the opinion that a value breaks the contract."""
    return Opinion(Verdict.VIOLATED, reason, statement, module)


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
        return unknown(f"cannot follow the value of `{member}`: `{written}`")
    wrong = [kind for kind in kinds if not _is_right(member, kind)]
    if not wrong:
        return FITS
    name = wrong[0].name
    return misfit(f"the value of `{member}`, `{written}`, is of type `{name}`")


def _is_right(member: str, kind: Kind) -> bool:
    return is_string(kind) if member == "backend_type" else kind.name == "bool"


# ---- methods

POSITIONAL = {"register_config": 1, "start": 0, "stop": 0, "start_lock": 0}
"""The number of positional arguments that the contract passes to a member."""
_OF_MANAGERS = {"__enter__": 0, "__exit__": 3}
"""The number of those that a ``with`` statement passes."""
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
        return unknown(f"cannot follow the value of `{member}`: `{written}`")
    return all_of([_fits(member, kind, written, at, is_bound) for kind in kinds])


def _fits(member: str, kind: Kind, written: str, at: Context, is_bound: bool) -> Opinion:
    if kind.name.startswith(("property", "cached_property")):
        return misfit(f"`{member}` is a property, not a method")
    if kind.function is not None:
        there = at.of_class(kind.owner) if kind.owner is not None else at
        is_bound = kind.name == "staticmethod" or (is_bound and kind.name != "method")
        return fits_function(member, kind.function, there, is_bound=is_bound)
    if member == "start_lock" and kind.name.startswith("type["):
        made = kind.name[5:-1]
        if made in _MANAGERS:
            return FITS
        if is_other_lock(made):
            return misfit(f"`start_lock` makes a `{made}`")
    # No other builtin function takes any keyword.
    is_builtin = kind.name == "builtin_function_or_method" and written != "breakpoint"
    if is_builtin and member == "handle_runtime_context":
        return misfit(f"`{written}` takes no arguments with the names {' and '.join(_HANDLER)}")
    called = _call_of_instance(kind)
    if called is not None:
        return fits_function(member, called[1], at.of_class(called[0]))
    if _may_be_called(kind):
        return unknown(f"cannot follow what calling `{member}` does: `{written}`")
    return misfit(f"`{member}` is `{written}`, of type `{kind.name}`, and cannot be called")


def _may_be_called(kind: Kind) -> bool:
    if kind.name in ("type", "function", "builtin_function_or_method") or kind.name.startswith(
        ("type[", "functools.", "types.", "weakref.", "operator.")
    ):
        return True
    if kind.cls is None or kind.name == "enum":
        return False
    names = {"__call__", "__get__", "__getattr__"}
    return kind.cls.has_unknown_base or not names.isdisjoint(kind.cls.known_members)


def _call_of_instance(kind: Kind) -> tuple[ClassSource, Function] | None:
    """Return the ``__call__`` of instances that are plain values, and its class."""
    cls = kind.cls
    if cls is None or kind.name in ("type", "enum") or cls.has_unknown_base:
        return None
    found = cls.find("__call__")
    if not {"__get__", "__getattr__"}.isdisjoint(cls.known_members):
        return None
    if found is None or not isinstance(found[1], Function):
        return None
    return found[0], found[1]


def fits_function(
    member: str, function: Function | ast.Lambda, at: Context, *, is_bound: bool = False
) -> Opinion:
    """Return whether a function of a class body fits a method of the contract."""
    names = set[str]() if isinstance(function, ast.Lambda) else decorator_names(function)
    if names - {"staticmethod", "classmethod", "override", "final", "contextmanager"}:
        if "property" in names or "cached_property" in names:
            return misfit(f"`{member}` is a property, not a method")
        return unknown(f"cannot follow the decorators of `{member}`")
    if isinstance(function, ast.AsyncFunctionDef):
        return misfit(f"`{member}` is a coroutine function")
    problem = call_problem(member, function.args, is_bound or "staticmethod" in names)
    if problem is not None:
        return misfit(f"`{member}` cannot be called as the contract calls it: {problem}")
    if isinstance(function, ast.Lambda):
        return unknown(f"`{member}` is a lambda, which has no annotations")
    if is_generator(function) and "contextmanager" not in names:
        return misfit(f"`{member}` is a generator function")
    bound = 0 if is_bound or "staticmethod" in names else 1
    accepts = _accepts(member, function, at, bound)
    return all_of([accepts, _returns(member, function, at, "contextmanager" in names)])


def fits_overloads(member: str, last: Function, module: Module) -> Opinion | None:
    """Return why the implementation, the *last* of overloads, breaks the contract, if it does."""
    if is_overload(last):
        return misfit(f"`{member}` has overloads, and no implementation", last, module)
    names = decorator_names(last)
    if names - {"staticmethod", "classmethod", "override", "final"}:
        return None
    if isinstance(last, ast.AsyncFunctionDef):
        return misfit(f"the implementation of `{member}` is a coroutine function", last, module)
    problem = call_problem(member, last.args, "staticmethod" in names)
    return misfit(f"the implementation of `{member}`: {problem}", last, module) if problem else None


def fits_constructor(function: Function, at: Context) -> Opinion:
    """Return whether an ``__init__`` takes no argument, ``None`` and a configuration."""
    problem = call_problem("__init__", function.args, is_bound=False)
    if problem is not None:
        return misfit(f"the class cannot be called as the contract calls it: {problem}")
    if function.decorator_list:
        return unknown("cannot follow the decorators of `__init__`")
    positional = positional_of(function.args)[1:]
    given = positional[0] if positional else function.args.vararg
    if given is None or given.annotation is None:
        return unknown("parameter 1 of `__init__` has no annotation")
    kinds = [_accepts_alternative(each, at) for each in alternatives(given.annotation)]
    if "anything" in kinds or {"None", "config"} <= {*kinds}:
        return FITS
    return unknown(f"cannot follow the annotation of `{given.arg}` of `__init__`")


def _accepts_alternative(annotated: ast.expr, at: Context) -> str:
    """Return the part of the values of a constructor's parameter that an annotation accepts."""
    if is_none(annotated):
        return "None"
    name = name_of(generic_of(annotated), at)
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
        elif member in POSITIONAL:
            signature.bind(*instance, *[None] * POSITIONAL[member])
        elif member in _OF_MANAGERS:
            signature.bind(*instance, *[None] * _OF_MANAGERS[member])
        else:
            signature.bind(*instance, None, None)
            signature.bind(*instance, **dict.fromkeys(_HANDLER))
    except TypeError as error:
        return str(error)
    return None


def _accepts(member: str, function: Function, at: Context, bound: int) -> Opinion:
    positional = positional_of(function.args)[bound:]
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
        return unknown(f"parameter `{given.arg}` of `{member}` has no annotation")
    annotated = unquoted(given.annotation)
    if name_of(generic_of(annotated), at) in _ACCEPTED[role]:
        return FITS
    kinds = kinds_of_annotation(annotated, at)
    if kinds is not None and all(
        kind.name in _REJECTED and not (kind.name == "dict" and role == "register_config")
        for kind in kinds
    ):
        return misfit(f"parameter `{given.arg}` of `{member}` is a `{unparse(annotated)}`")
    return unknown(f"cannot follow the annotation of `{given.arg}` of `{member}`")


def _returns(member: str, function: Function, at: Context, is_manager: bool) -> Opinion:
    if member == "start_lock" and is_manager:
        return FITS
    returns = function.returns
    if member == "start_lock" and returns and name_of(generic_of(returns), at) in _MANAGERS:
        return FITS
    opinion = fits_results(member, result_of(function, at))
    if returns is None and member != "start_lock" and opinion.verdict is Verdict.OK:
        return unknown(f"`{member}` has no return annotation")
    return opinion


def fits_results(member: str, kinds: Kinds) -> Opinion:
    """Return whether a method may return values of these kinds."""
    if not kinds:
        return unknown(f"cannot follow the result of `{member}`")
    if member == "start_lock":
        return returns_lock(kinds)
    wrong = [kind.name for kind in kinds if kind.name != "NoneType"]
    if wrong:
        return misfit(f"`{member}` returns a `{wrong[0]}`")
    return FITS


def is_other_lock(name: str) -> bool:
    """Return whether a class of the standard library is one for something else than ``with``."""
    return name.startswith(("threading.Event", "asyncio.", "queue."))


def is_manager_class(cls: ClassSource) -> bool:
    """Return whether instances of a class, the bases of which are known, fit ``with``."""
    for name in _OF_MANAGERS:
        if name not in cls.known_members:
            return False
        match cls.find(name):
            case (_, ast.FunctionDef(decorator_list=[], args=arguments)):
                if call_problem(name, arguments, is_bound=False):
                    return False
            case _:
                pass
    return True


def returns_lock(kinds: Sequence[Kind]) -> Opinion:
    """Return whether values of these kinds are context managers."""
    if all(kind.name in _MANAGERS for kind in kinds):
        return FITS
    wrong = [kind.name for kind in kinds if kind.name in {*_REJECTED, "generator", "coroutine"}]
    if wrong:
        return misfit(f"`start_lock` returns a `{wrong[0]}`")
    return unknown("cannot follow the result of `start_lock`")
