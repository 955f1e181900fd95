"""Opinions on what the body of a member returns, whatever its annotation says."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backend_contract._conformance.results import MEMBERS, Verdict
from backend_contract._conformance.source.classes import CONSTRUCTORS, ClassSource
from backend_contract._conformance.source.construction.execution import may_end
from backend_contract._conformance.source.definitions import (
    definition_of,
    dotted_name,
    name_of,
)
from backend_contract._conformance.source.evaluation.assignments import (
    Assigned,
    Value,
    function_of,
    is_property,
    to_class,
    to_instance,
    values_of,
)
from backend_contract._conformance.source.evaluation.bodies.failures import failure_of
from backend_contract._conformance.source.evaluation.bodies.wrappers import Wrapper, wrapper_of
from backend_contract._conformance.source.evaluation.fitness import (
    ATTRIBUTES,
    FITS,
    Opinion,
    call_problem,
    fits_attribute,
    is_manager_class,
    is_other_lock,
    misfit,
    one_of,
    returns_lock,
    unknown,
)
from backend_contract._conformance.source.evaluation.inference import (
    chosen_branches,
    is_bound_in,
    kinds_of,
    next_after,
    of_attribute,
    parameter_named,
)
from backend_contract._conformance.source.evaluation.kinds import (
    BOOL,
    INT,
    NONE,
    STR,
    Context,
    Kind,
    Kinds,
    inside,
    union,
)
from backend_contract._conformance.source.evaluation.standard_library import RETURNING_ANYTHING
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    decorator_names,
    first_parameter,
    is_generator,
    is_none,
    is_stub,
    is_super,
    last_part,
    nodes_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.reachability import (
    live_returns,
    yields_in_every_call,
)
from backend_contract._conformance.source.signatures import always_raises

_PROPERTIES = {"cached_property", "property"}
_KEEPING = {"final", "override"}
"""Decorators that leave a function as it is."""
_CACHES = ("cache", "lru_cache")
_STATE = {"is_started": "_started", "start_lock": "_start_lock"}
"""The attributes that members of this package return."""
_NEVER_REFUSED = ("is_started", "stop", "start_lock", "handle_runtime_context")
_MAX_CALLS = 5
_FALSE = {"NoneType", "bytes", "dict", "list", "set", "str", "tuple"}
"""Kinds of which some values are false."""


class _Body(NamedTuple):
    """The function that a member is."""

    member: str
    function: Function
    source: ClassSource
    """The class that is checked."""
    owner: ClassSource
    """The class that has the function in its body."""
    at: Context
    """The place of what the function returns."""

    @property
    def is_manager(self) -> bool:
        """Whether ``@contextmanager`` alone decorates the function."""
        return decorator_names(self.function) == {"contextmanager"}

    def misfit(self, reason: str) -> Opinion:
        return misfit(reason, self.function, self.at.module)


def body_opinion(source: ClassSource, member: str) -> Opinion | None:
    """Return why the body of *member* returns something else than it has to, if it does."""
    values, _ = values_of(source, member)
    is_replaced = to_instance(source, member) and not is_property(values)
    if to_class(source, member) or is_replaced:
        return None
    opinions = [_opinion_on_value(source, member, value) for value in values if value]
    opinion = one_of([each or FITS for each in opinions] or [FITS])
    return None if opinion.verdict is Verdict.OK else opinion


def _opinion_on_value(source: ClassSource, member: str, value: Value) -> Opinion | None:
    if value.cls.module.is_ours:
        return _opinion_on_state(source, member)
    body = _body_of(source, member, value)
    if body is None:
        return _opinion_on_wrapper(source, member, value)
    if is_generator(body.function):
        return _opinion_on_generator(body)
    failure = failure_of(body.function, body.at)
    if failure is not None and failure.verdict is Verdict.VIOLATED:
        return failure
    return _opinion_on_results(body) or failure


def _opinion_on_results(body: _Body) -> Opinion | None:
    if body.function.returns is None or not isinstance(body.function, ast.FunctionDef):
        return None
    returns = live_returns(body.function, body.source.modules.version)
    found = _wrong_value(body, returns)
    if found is None and not returns:
        return _refusal(body) or _missing_value(body)
    return found or _missing_return(body, returns)


def _opinion_on_generator(body: _Body) -> Opinion | None:
    if not body.is_manager:
        reason = f"`{body.member}` is a generator function: a call only makes a generator"
        return body.misfit(reason)
    if isinstance(body.function, ast.AsyncFunctionDef):
        return body.misfit(f"`{body.member}` is `async`, and `contextmanager` cannot enter it")
    yields = yields_in_every_call(body.function, body.source.modules.version)
    if yields == 1:
        return None
    word = "twice" if yields else "never"
    return body.misfit(f"`{body.member}` yields {word}, and `contextmanager` needs one `yield`")


def _body_of(source: ClassSource, member: str, value: Value) -> _Body | None:
    """Return the body to judge, unless decorators may change what a call returns."""
    statement, expression = value.binding
    at = inside(value.cls, None, source)
    function, at = (function_of(expression, at) if expression else None) or (statement, at)
    if not isinstance(function, Function) or is_stub(function):
        return None
    at = at._replace(function=function, target=source)
    body = _Body(member, function, source, value.cls, at)
    kept = _KEEPING | _PROPERTIES if member in ATTRIBUTES else _KEEPING
    return body if body.is_manager or decorator_names(function) <= kept else None


def _opinion_on_wrapper(source: ClassSource, member: str, value: Value) -> Opinion | None:
    """Return the opinion on what a decorator puts in the place of a method, if that is wrong."""
    method = value.binding.statement
    if not isinstance(method, Function) or value.binding.value is not None:
        return None
    if member == "start_lock" and _is_manager(method, is_cached=True):
        reason = "`start_lock` returns what it cached, which can be entered only once"
        return misfit(reason, method, value.cls.module)
    kept = _KEEPING | _PROPERTIES if member in ATTRIBUTES else _KEEPING
    wrapper = wrapper_of(method, inside(value.cls, None, source), kept)
    why = wrapper and _why_unfit(member, wrapper)
    if wrapper is None or why is None:
        return None
    reason = f"`@{wrapper.decorator}` replaces `{member}` by a function that {why}"
    return misfit(reason, method, value.cls.module)


def _why_unfit(member: str, wrapper: Wrapper) -> str | None:
    """Return what is wrong with a wrapper, if anything is."""
    _, function, at, is_followed = wrapper
    if isinstance(function, ast.AsyncFunctionDef):
        return "is `async`"
    if is_generator(function):
        return "is a generator function"
    problem = None if member in ATTRIBUTES else call_problem(member, function.args, is_bound=False)
    if problem is not None:
        return f"cannot be called as the contract calls it: {problem}"
    returns = live_returns(function, at.modules.version)
    for _, value in _values_returned(returns, at):
        if is_followed and _verdict_on(member, value, at) is Verdict.VIOLATED:
            return f"returns `{unparse(value)}`"
    is_open = any(isinstance(node, ast.Raise) for node in nodes_of(function))
    is_needed = member in (*ATTRIBUTES, "start_lock")
    return "returns nothing" if is_needed and not returns and not is_open else None


def _wrong_value(body: _Body, returns: Sequence[ast.Return]) -> Opinion | None:
    for each, value in _values_returned(returns, body.at):
        verdict = _verdict_on(body.member, value, body.at, is_manager=body.is_manager)
        if verdict is Verdict.VIOLATED or (verdict and len(returns) == 1):
            reason = f"`{body.member}` returns `{unparse(value)}`, whatever its annotation says"
            return Opinion(verdict, reason, each, body.at.module)
    return None


def _values_returned(
    returns: Sequence[ast.Return], at: Context
) -> Iterator[tuple[ast.Return, ast.expr]]:
    for each in returns:
        value = each.value or ast.Constant(None)
        branches = chosen_branches(value, at) if isinstance(value, ast.IfExp) else [value]
        yield from ((each, branch) for branch in branches)


def _refusal(body: _Body) -> Opinion | None:
    """Return the opinion on a body without ``return`` that raises in any case."""
    if body.is_manager or may_end(body.source, body.owner, body.function):
        return None
    if body.member == "register_config":  # it may say that there is nothing to configure
        refuses = always_raises(body.source, body.member, "NotImplementedError") is False
    else:
        refuses = body.member in _NEVER_REFUSED
    return body.misfit(f"`{body.member}` always raises") if refuses else None


def _missing_value(body: _Body) -> Opinion | None:
    if body.member not in (*ATTRIBUTES, "start_lock"):
        return None
    if any(isinstance(node, ast.Raise) for node in nodes_of(body.function)):
        return None
    word = "yield" if body.is_manager else "return"
    return body.misfit(f"`{body.member}` has no `{word}`")


def _missing_return(body: _Body, returns: Sequence[ast.Return]) -> Opinion | None:
    if body.member not in (*ATTRIBUTES, "start_lock"):
        return None
    is_open = isinstance(body.function.body[-1], ast.Match | ast.Assert | ast.Expr)
    if is_open or not may_end(body.source, body.owner, body.function):
        return None
    reason = f"`{body.member}` may end without a `return`"
    if {unparse(each) for each in returns} == {"return True"}:  # so it is never `False`
        return body.misfit(reason)
    return unknown(reason, body.function, body.at.module)


# ---- what members of this package return


def _opinion_on_state(source: ClassSource, member: str) -> Opinion | None:
    name = _STATE.get(member, "")
    every = [each for each in to_instance(source, name) if each.member == name]
    last = {each.at.function: each for each in every}  # what a method assigns or deletes last
    given = [each for each in every if each.value or each is last[each.at.function]]
    own = [e for e in given if e.at.module.name.partition(".")[0] not in sys.stdlib_module_names]
    opinions = (
        _opinion_on_assignment(member, each, each.value, is_only=len(given) == 1)
        if each.value
        else _opinion_on_deletion(member, each, source)
        for each in own
    )
    return next(filter(None, opinions), None)


def _opinion_on_assignment(
    member: str, given: Assigned, value: ast.expr, *, is_only: bool
) -> Opinion | None:
    verdict = _verdict_on(member, value, given.at)
    if verdict is None:
        return None
    is_sure = is_only or member in ATTRIBUTES
    reason = f"`{member}` returns `{given.member}`, which is assigned `{unparse(value)}`"
    verdict = verdict if is_sure else Verdict.UNCHECKED
    return Opinion(verdict, reason, given.statement, given.at.module)


def _opinion_on_deletion(member: str, given: Assigned, source: ClassSource) -> Opinion | None:
    if not given.is_deletion or given.member in source.known_members:
        return None
    reason = f"`{member}` returns `{given.member}`, which is deleted"
    is_sure = given.statement in getattr(given.at.function, "body", ())
    return (misfit if is_sure else unknown)(reason, given.statement, given.at.module)


# ---- the verdict on one value


def _verdict_on(
    member: str, value: ast.expr, at: Context, *, is_manager: bool = False
) -> Verdict | None:
    """Return the verdict on a value that *member* returns, unless it fits or is not known."""
    if member == "is_started" and (verdict := _verdict_on_choice(value, at)):
        return verdict
    if _calls_a_plain_value(value, at):
        return Verdict.VIOLATED
    if _is_wrong_by_own_method(member, value, at, is_manager):
        return Verdict.VIOLATED
    if member == "start_lock" and (_is_none_when_new(value, at) or _is_used_up(value, at)):
        return Verdict.VIOLATED
    kinds = kinds_returned(value, at) or _none_at_first(member, value, at)
    if not kinds:
        return Verdict.UNCHECKED if _is_doubtful(member, value, at) else None
    return _verdict_on_kinds(member, kinds, value, at, is_manager)


def _verdict_on_kinds(
    member: str, kinds: Sequence[Kind], value: ast.expr, at: Context, is_manager: bool
) -> Verdict | None:
    right = [kind for kind in kinds if not _is_wrong(member, kind, is_manager)]
    if right:
        is_in_doubt = member == "is_started" and len(right) < len(kinds)
        return Verdict.UNCHECKED if is_in_doubt else None
    is_vague = _is_vague(member, value, {kind.name for kind in kinds}, at)
    return Verdict.UNCHECKED if is_vague else Verdict.VIOLATED


def _verdict_on_choice(value: ast.expr, at: Context) -> Verdict | None:
    """Return the verdict on a flag that may be an operand of ``and`` or ``or``, if it is wrong."""
    if not isinstance(value, ast.BoolOp):
        return None
    for names in _ends(value, at):
        if names.isdisjoint({"bool", "object"}):
            # It has to be true now and then, and false. A declared `int` may be a `bool`.
            return Verdict.UNCHECKED if "int" in names else Verdict.VIOLATED
    return None


def _ends(value: ast.BoolOp, at: Context) -> Iterator[set[str]]:
    """Yield the kinds of each operand with which ``and`` or ``or`` may end."""
    is_or = isinstance(value.op, ast.Or)
    for each in value.values:
        kinds = kinds_returned(each, at) or _none_at_first("is_started", each, at)
        names = {kind.name for kind in kinds or ()}
        if each is not value.values[-1]:
            names = names - {"NoneType"} if is_or else names & _FALSE
        if names:
            yield names


def _is_vague(member: str, value: ast.expr, names: set[str], at: Context) -> bool:
    """Return whether a value may be a right one now and then, though its kinds are wrong."""
    # A declared `int` may be a `bool`, and an attribute that is `None` something else later.
    match value:
        case ast.Name() | ast.Attribute():
            return not names.isdisjoint(("NoneType", "int"))
        case ast.Call(func=function) if member == "is_started" and "int" in names:
            return not name_of(function, at).startswith("builtins.")
        case _:
            return False


def _is_wrong_by_own_method(member: str, value: ast.expr, at: Context, is_manager: bool) -> bool:
    """Return whether a value is the result of a method of the class that returns a wrong one."""
    match value, at.target:
        case (
            ast.Call(func=ast.Attribute(value=ast.Name(id=subject), attr=name)),
            ClassSource() as target,
        ) if subject in first_parameter(at.function):
            found = target.find(name)
        case ast.Call(func=ast.Attribute(value=subject) as called), ClassSource() as target if (
            is_super(subject)
        ):
            found = next_after(called, at)
        case _:
            return False
    match found:
        case (owner, ast.FunctionDef(decorator_list=[]) as method) if at.depth < _MAX_CALLS:
            there = inside(owner, method, target)._replace(depth=at.depth + 1)
            returns = live_returns(method, target.modules.version)
            values = [each.value for each in returns if each.value]
            verdicts = {_verdict_on(member, each, there) for each in values}
            return Verdict.VIOLATED in verdicts or (is_generator(method) and not is_manager)
        case _:
            return False


def _calls_a_plain_value(value: ast.expr, at: Context) -> bool:
    """Return whether a value is the result of calling an attribute that cannot be called."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    kinds = kinds_of(value.func, at)
    return bool(kinds) and all(kind in (BOOL, INT, STR) for kind in kinds or ())


def _none_at_first(member: str, value: ast.expr, at: Context) -> Kinds:
    """Return the kind of ``None`` for a flag that is that before it is something unknown."""
    match value, at.target:
        case ast.Attribute(value=ast.Name(), attr=name), ClassSource() as target if (
            member == "is_started"
        ):
            given = to_instance(target, name)
            return (NONE,) if any(each.value and is_none(each.value) for each in given) else None
        case _:
            return None


def _is_none_when_new(value: ast.expr, at: Context) -> bool:
    """Return whether a lock is an attribute that is ``None`` until another member assigns it."""
    body = getattr(at.function, "body", ())
    match value, at.target, body:
        case ast.Attribute(value=ast.Name(), attr=name), ClassSource() as target, [
            *docstring,
            ast.Return(),
        ] if all(isinstance(getattr(e, "value", e), ast.Constant) for e in docstring):
            given = to_instance(target, name)
            made = {
                getattr(each.at.function, "name", ""): bool(each.value and is_none(each.value))
                for each in given
            }
            is_none_first = [made.pop(each) for each in CONSTRUCTORS if each in made]
            return bool(is_none_first) and all(is_none_first) and made.keys() <= {*MEMBERS}
        case _:
            return False


def _is_used_up(value: ast.expr, at: Context) -> bool:
    """Return whether a lock is kept, and can be entered only once."""
    match value, at.target:
        case ast.Call(func=function), _:
            return _makes_generator(function, at, is_cached=True)
        case ast.Attribute(value=ast.Name(id=subject), attr=name), ClassSource() as target if (
            subject in first_parameter(at.function)
        ):
            every = to_instance(target, name)
            given = [each for each in every if each.at.function != at.function]
            kept = [] if every else _values_kept(target, name)
            values = [(each.value, each.at) for each in given] or kept
        case _:
            values = _values_of_global(value, at)
    return bool(values) and all(
        isinstance(each, ast.Call) and _makes_generator(each.func, there) for each, there in values
    )


def _values_kept(target: ClassSource, name: str) -> list[tuple[ast.expr | None, Context]]:
    """Return the values that a class body, or the function of a cached property, gives once."""
    match target.find(name):
        case (owner, ast.Assign(value=value)) if name in owner.in_body:
            return [(value, inside(owner))]
        case (owner, ast.FunctionDef() as function) if decorator_names(function) == {
            "cached_property"
        }:
            there = inside(owner, function, target)
            returns = live_returns(function, target.modules.version)
            return [(each.value, there) for each in returns]
        case _:
            return []


def _values_of_global(node: ast.expr, at: Context) -> list[tuple[ast.expr | None, Context]]:
    """Return the value of a name that a module binds once."""
    found = definition_of(node, at)
    if found is None or found.module is None or _is_local(node, at):
        return []
    name, *others = found.parts
    bindings = found.module.scope(at.modules.version).bindings.get(name, ())
    if others or len(bindings) != 1 or name in found.module.rebound:
        return []
    return [(each and each.value, at.of_module(found.module)) for each in bindings]


def _makes_generator(function: ast.expr, at: Context, *, is_cached: bool = False) -> bool:
    """Return whether a function makes the context manager of a generator, good for one entry.

    *is_cached*: and whether it returns the same one in every call.
    """
    followed = function_of(function, at)
    found = None if followed or _is_local(function, at) else definition_of(function, at)
    maker = followed[0] if followed else found and found.statement
    return isinstance(maker, Function) and _is_manager(maker, is_cached=is_cached)


def _is_local(node: ast.expr, at: Context) -> bool:
    """Return whether the first part of a dotted name is a variable of the function."""
    first = "".join(dotted_name(node)[:1])
    function = at.function
    return function is not None and bool(
        is_bound_in(first, function) or parameter_named(first, function)
    )


def _is_manager(function: Function, *, is_cached: bool) -> bool:
    names = [last_part(callee_of(each)) for each in function.decorator_list]
    if is_cached:
        return len(names) == 2 and names[0] in _CACHES and names[1] == "contextmanager"
    return names == ["contextmanager"]


def _is_doubtful(member: str, value: ast.expr, at: Context) -> bool:
    """Return whether a value of unknown kind may well be another one than has to be returned."""
    match value:
        case ast.Call(
            func=ast.Attribute(attr="get"), args=[ast.Constant(value=str()), *default]
        ) if member in ATTRIBUTES:
            return all(map(is_none, default))
        case ast.Call(func=ast.Name(id="getattr"), args=[_, _, default]) if member in ATTRIBUTES:
            return is_none(default)
        case ast.Call(func=ast.Attribute(attr="pop" | "popitem" | "setdefault" | "submit")):
            return member not in (*ATTRIBUTES, "start_lock")
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name))):
            _, statement = (at.target and at.target.find(name)) or (None, None)
            return last_part(getattr(statement, "annotation", value)) == "Any"
        case ast.Call(func=function):
            return name_of(function, at) in RETURNING_ANYTHING
        case _:
            return False


def _is_wrong(member: str, kind: Kind, is_manager: bool) -> bool:
    if kind.name == "object":
        return False
    if is_manager:
        return kind == NONE
    if member in ATTRIBUTES:
        return fits_attribute(member, (kind,), "").verdict is Verdict.VIOLATED
    return kind != NONE if member != "start_lock" else _is_no_lock(kind)


def _is_no_lock(kind: Kind) -> bool:
    verdict = returns_lock((kind,)).verdict
    if verdict is Verdict.UNCHECKED and kind.cls is not None and kind.name != "type":
        return not kind.cls.has_unknown_base and not is_manager_class(kind.cls)
    is_uncalled = kind.function is not None or kind.name.startswith(("type[", "builtin_function"))
    return verdict is Verdict.VIOLATED or is_other_lock(kind.name) or is_uncalled


# ---- the kinds of a value, with those of what methods assign to the instance


def kinds_returned(value: ast.expr, at: Context) -> Kinds:
    """Return the kinds of a value, with those of what methods assign to the instance."""
    kinds, target = kinds_of(value, at), at.target
    if kinds is not None or target is None or at.function is None:
        return kinds
    own = first_parameter(at.function)
    match value:
        case ast.Name(id=name):
            return (Kind(target.node.name, target),) if name in own else _of_entered(name, at)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in own:
            return _of_attribute_of_self(target, attribute)
        case ast.Attribute(value=subject, attr=attribute):
            return of_attribute(kinds_returned(subject, at), attribute, at, is_called=False)
        case ast.Call(func=ast.Attribute(value=subject, attr=attribute)):
            return of_attribute(kinds_returned(subject, at), attribute, at, is_called=True)
        case _:
            return None


def _of_attribute_of_self(target: ClassSource, attribute: str) -> Kinds:
    given = to_instance(target, attribute)
    parts = [kinds_of(each.value, each.at) if each.value else None for each in given]
    if not any(getattr(each.at.function, "name", "") in CONSTRUCTORS for each in given):
        match target.find(attribute):
            case (owner, ast.Assign(value=assigned)) if (
                attribute in owner.in_body or owner.module.is_ours
            ):
                parts.append(kinds_of(assigned, inside(owner)))
            case _:
                pass
    return union(parts)


def _of_entered(name: str, at: Context) -> Kinds:
    """Return the kind of the variable of a ``with`` statement, if that enters a lock."""
    assert at.function is not None
    items = (node for node in walk(at.function) if isinstance(node, ast.withitem))
    entered = [e for e in items if e.optional_vars and unparse(e.optional_vars) == name]
    return (BOOL,) if entered and _is_lock(entered[0].context_expr, at) else None


def _is_lock(value: ast.expr, at: Context) -> bool:
    kinds = kinds_returned(value, at) or (NONE,)
    is_ours = unparse(value) == "super().start_lock()"
    return is_ours or all(each.name.startswith("threading.") for each in kinds)
