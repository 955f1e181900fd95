"""Opinions on the members of a class, wherever their values are given.

A type checker believes the declaration of a base, picks one of two definitions by its own rules,
and does not see what statements outside of the class body assign. There the source decides, or
nothing does.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache

from backend_contract._conformance.results import MEMBERS, Verdict
from backend_contract._conformance.source.construction.execution import may_end
from backend_contract._conformance.source.construction.factories import metaclass_of
from backend_contract._conformance.source.definitions import name_of
from backend_contract._conformance.source.evaluation.assignments import (
    Assigned,
    Value,
    function_of,
    given_after_creation,
    to_class,
    to_instance,
    values_of,
)
from backend_contract._conformance.source.evaluation.fields import (
    is_inherited_by_model,
    why_not_on_class,
)
from backend_contract._conformance.source.evaluation.fitness import (
    ATTRIBUTES,
    FITS,
    Opinion,
    all_of,
    fits_attribute,
    fits_constructor,
    fits_function,
    fits_method,
    fits_results,
    is_manager_class,
    is_other_lock,
    misfit,
    one_of,
    returns_lock,
    unknown,
)
from backend_contract._conformance.source.evaluation.kinds import (
    BOOL,
    NONE,
    Context,
    Kind,
    Kinds,
    chosen_branches,
    inside,
    is_enumeration,
    kinds_of,
    kinds_of_annotation,
    of_attribute,
    read_kinds,
    result_of,
    union,
)
from backend_contract._conformance.source.evaluation.names import with_names_of_instances
from backend_contract._conformance.source.evaluation.stub_files import stub_opinion
from backend_contract._conformance.source.members import abstract_members
from backend_contract._conformance.source.modules import CONSTRUCTORS, ClassSource
from backend_contract._conformance.source.parsing import (
    Function,
    decorator_names,
    first_parameter,
    is_generator,
    is_none,
    is_stub,
    last_part,
    nodes_of,
    returns_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.signatures import always_raises

_LAST_COUNTS = ("pyright", "pyrefly", "ty")
"""Checkers that take the last one of several methods, as Python does."""


@lru_cache(maxsize=2**14)
def opinion_on(
    source: ClassSource, member: str, checker: str, *, on_class: bool = False
) -> Opinion | None:
    """Return what the source tells of a member; ``None`` if the checker knows it better.

    *on_class*: as it reads on the class, instead of on an instance.
    """
    if on_class and (reason := why_not_on_class(source, member)) is not None:
        return misfit(reason)
    reason = _why_open(source, member) or _why_computed(source, member, on_class)
    if reason is not None:
        return unknown(reason)
    values, is_open = values_of(source, member)
    if is_open:
        return None
    declared = stub_opinion(source, member)
    if declared is not None:
        return declared
    on_self = to_instance(source, member)
    if _is_property(values):
        on_self = [each for each in on_self if each.member == member]
        if on_self and not on_class and not _has_setter(values, member):
            return _opinion_on_read_only(member, on_self)
        on_self = []
    computed = next((each for each in on_self if each.member is None), None)
    if computed is not None:
        return unknown(f"{computed.why} may change `{member}`")
    return _opinion_on_all(source, member, checker, on_class, values, on_self)


def _why_open(source: ClassSource, member: str) -> str | None:
    for each in to_class(source, member):
        if each.member is None:
            return f"{each.why} may change `{member}`"
    if any(cls.scope.is_open for cls in source.known_lineage if not cls.module.is_ours):
        return f"a class body that calls `locals`, `vars`, `exec` or `eval` may give `{member}`"
    return None


def _why_computed(source: ClassSource, member: str, on_class: bool) -> str | None:
    """Return which method may give another value than the class body."""
    holders = source.known_lineage
    names = ["__getattribute__"]
    if on_class:
        names.append(member)
        found = metaclass_of(source)
        metaclass = found and found[1].class_named(found[0])
        holders = metaclass.known_lineage if metaclass else []
    for cls in holders:
        for name in names:
            if name in cls.in_body:
                return f"`{name}` of `{cls.node.name}` may give another `{member}`"
    return None


def _opinion_on_all(
    source: ClassSource,
    member: str,
    checker: str,
    on_class: bool,
    values: list[Value | None],
    on_self: list[Assigned],
) -> Opinion | None:
    afterwards = to_class(source, member)
    if not afterwards and _is_plain(source, member):
        body = _plain_opinion(source, member, values, on_class)
    else:
        body = _body_opinion(source, member, values, afterwards, checker, on_class)
    if on_class:
        return with_names_of_instances(source, member, body, on_self, values)
    return _with_instance(source, member, body, on_self, values)


def _is_property(values: list[Value | None]) -> bool:
    """Return whether the class may have a property, which is not abstract."""
    return any(
        value is not None
        and isinstance(value.binding.statement, Function)
        and decorator_names(value.binding.statement) in ({"property"}, {"getter"})
        for value in values
    )


def _opinion_on_read_only(member: str, on_self: list[Assigned]) -> Opinion | None:
    """Return the opinion on assignments to a property without a setter, which raise.

    A constructor that raises breaks another clause.
    """
    for each in on_self:
        opinion = _opinion_on_assigned(member, each, False, is_bound=True)
        function = each.at.function
        is_constructor = isinstance(function, Function) and function.name in CONSTRUCTORS
        if opinion.verdict is Verdict.VIOLATED:
            return opinion
        if not is_constructor:
            reason = f"`self.{member}` is assigned, and the property has no setter"
            return Opinion(Verdict.VIOLATED, reason, each.statement, each.at.module)
    return None


def _has_setter(values: list[Value | None], member: str) -> bool:
    return len(values) != 1 or values[0] is None or member in values[0].cls.with_setter


def _is_plain(source: ClassSource, member: str) -> bool:
    """Return whether every checker sees the definition that Python takes."""
    for cls in source.known_lineage:
        reached = cls.scope.reached.get(member, [])
        if reached != cls.scope_for_checkers.reached.get(member, []) or len(reached) > 1:
            return False
        if reached:
            return None not in cls.scope.bindings[member] and not _is_in_locals(reached[0])
        if member in cls.unreachable:
            return False
    return True


def _is_in_locals(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(each, ast.Subscript) for each in statement.targets
    )


def _plain_opinion(
    source: ClassSource, member: str, values: list[Value | None], on_class: bool
) -> Opinion | None:
    """Return the opinion on a single value, or ``None`` if the checker infers its type."""
    value = values[0]
    if value is not None and _is_class_property(value.binding.statement):
        return unknown("Python 3.13 has no `classmethod` of a `property`")
    if value is None or isinstance(value.binding.statement, Function | ast.ClassDef):
        return None
    opinion = _opinion_on_value(source, member, value, on_class)
    statement = value.binding.statement
    if isinstance(statement, ast.AnnAssign):
        declared = kinds_of_annotation(statement.annotation, inside(value.cls))
        if member not in ATTRIBUTES or fits_attribute(member, declared, "") != FITS:
            return None if opinion.verdict is not Verdict.VIOLATED else opinion
        if opinion.verdict is Verdict.UNCHECKED:
            return FITS
    if opinion.verdict is Verdict.OK:
        return None if is_enumeration(source) else opinion
    kinds = kinds_of(value.binding.value, inside(value.cls)) if value.binding.value else ()
    is_function = kinds is not None and all(isinstance(e.function, Function) for e in kinds)
    is_trusted = not (
        isinstance(value.binding.value, ast.Lambda) or _is_declared_above(source, value.cls, member)
    )
    if opinion.verdict is Verdict.UNCHECKED and (is_trusted or is_function):
        return None
    return opinion


def _is_class_property(statement: ast.stmt) -> bool:
    names = decorator_names(statement) if isinstance(statement, Function) else set[str]()
    return {"classmethod", "property"} <= names and "abstractmethod" not in names


def _is_declared_above(source: ClassSource, cls: ClassSource, member: str) -> bool:
    """Return whether a base of *cls* has *member*: checkers take its declared type."""
    lineage = source.known_lineage
    return any(member in each.in_body for each in lineage[lineage.index(cls) + 1 :])


def _opinion_on_value(
    source: ClassSource, member: str, value: Value | None, on_class: bool
) -> Opinion:
    if value is None:
        return misfit(f"the class has no `{member}` when it runs")
    opinion = _opinion_on_binding(source, member, value, on_class)
    return opinion._replace(statement=value.binding.statement, module=value.cls.module)


def _opinion_on_binding(source: ClassSource, member: str, value: Value, on_class: bool) -> Opinion:
    cls, (statement, expression) = value
    at = inside(cls, target=source)
    if isinstance(statement, Function) and expression is None:
        return _opinion_on_function(member, value, at, on_class)
    if isinstance(statement, ast.Import):
        return misfit(f"`{member}` is a module")
    if expression is None:
        return unknown(f"cannot follow how `{member}` is bound")
    return _fits(member, expression, at, on_class=on_class)


def _opinion_on_function(member: str, value: Value, at: Context, on_class: bool) -> Opinion:
    function = value.binding.statement
    assert isinstance(function, Function)
    names = decorator_names(function)
    if any("abstract" in name for name in names):
        return misfit(f"`{member}` is abstract, and the class does not define it")
    if value.cls.module.is_ours and not on_class:
        return FITS
    if member not in ATTRIBUTES:
        return fits_function(member, function, at)
    if not names:
        return misfit(f"`{member}` is a method")
    if names & {"property", "cached_property", "getter"} and len(names) == 1:
        if on_class:
            return misfit(f"`{member}` is a property, which the class lacks")
        return fits_attribute(member, result_of(function, at), f"def {member}")
    return unknown(f"cannot follow the decorators of `{member}`")


def _body_opinion(
    source: ClassSource,
    member: str,
    values: list[Value | None],
    afterwards: list[Assigned],
    checker: str,
    on_class: bool,
) -> Opinion | None:
    """Return the opinion on a member with several definitions, or one outside of the body."""
    opinions = [_opinion_on_value(source, member, value, on_class) for value in values]
    for assigned in afterwards:
        opinion = _opinion_on_assigned(member, assigned, on_class, is_bound=False)
        if assigned.is_deletion:
            opinion = unknown(f"`{member}` is deleted after the class body")
        opinions = [opinion] if assigned.is_certain else [*opinions, opinion]
    opinion = one_of(opinions)
    if opinion.verdict is Verdict.UNCHECKED and not afterwards:
        return None if _is_seen(source, member, values, checker) else opinion
    return opinion


def _is_seen(source: ClassSource, member: str, values: list[Value | None], checker: str) -> bool:
    """Return whether *checker* takes the method that counts in spite of another definition."""
    if len(values) != 1 or values[0] is None:
        return False
    cls = values[0].cls
    reached = cls.scope.reached.get(member, [])
    if reached != cls.scope_for_checkers.reached.get(member, []):
        return False
    if not all(isinstance(each, Function) and not _is_getter(each) for each in reached):
        return False
    return len(reached) == 1 or checker in _LAST_COUNTS


def _is_getter(function: Function) -> bool:
    """Return whether a function replaces the getter of a property: checkers take the first one."""
    return "getter" in decorator_names(function)


def _opinion_on_assigned(
    member: str, assigned: Assigned, on_class: bool, *, is_bound: bool
) -> Opinion:
    opinion = _fits_assigned(member, assigned, on_class, is_bound)
    return opinion._replace(statement=assigned.statement, module=assigned.at.module)


def _fits_assigned(member: str, assigned: Assigned, on_class: bool, is_bound: bool) -> Opinion:
    if assigned.value is None:
        return unknown(f"cannot follow what is assigned to `{member}`")
    return _fits(member, assigned.value, assigned.at, on_class=on_class, is_bound=is_bound)


def _fits(
    member: str, value: ast.expr, at: Context, *, on_class: bool, is_bound: bool = False
) -> Opinion:
    kinds, written = kinds_of(value, at), unparse(value)
    if member not in ATTRIBUTES:
        opinion = fits_method(member, kinds, written, at, is_bound=is_bound)
        if isinstance(value, ast.Lambda) and opinion.verdict is Verdict.UNCHECKED:
            return fits_results(member, _kinds_returned(value.body, at._replace(function=value)))
        return opinion
    kinds = kinds if is_bound else read_kinds(kinds, at, on_class=on_class)
    return fits_attribute(member, kinds, written)


# ---- bodies

_KEEPING = {"cached_property", "final", "override", "property"}
_STATE = {"is_started": "_started", "start_lock": "_start_lock"}
"""The attributes that members of this package return."""
_MAX_CALLS = 5
_FALSE = {"NoneType", "bytes", "dict", "list", "set", "str", "tuple"}
"""Kinds of which some values are false."""
_NEVER_REFUSED = ("is_started", "stop", "start_lock", "handle_runtime_context")


def body_opinion(source: ClassSource, member: str) -> Opinion | None:
    """Return why the body of *member* returns something else than it has to, if it does."""
    values, _ = values_of(source, member)
    is_replaced = to_instance(source, member) and not _is_property(values)
    if to_class(source, member) or is_replaced:
        return None
    opinions: list[Opinion] = []
    for value in values:
        if value is None:
            continue
        if value.cls.module.is_ours:
            found = _opinion_on_state(source, member)
        else:
            found = _opinion_on_body(source, member, value)
        opinions.append(found or FITS)
    opinion = one_of(opinions) if opinions else FITS
    return None if opinion.verdict is Verdict.OK else opinion


def _opinion_on_body(source: ClassSource, member: str, given: Value) -> Opinion | None:
    owner, (statement, expression) = given
    at = inside(owner, None, source)
    followed = function_of(expression, at) if expression else (statement, at)
    function, at = followed or (None, at)
    if not isinstance(function, Function):
        return None
    at = at._replace(function=function, target=source)
    names = decorator_names(function)
    is_manager = names == {"contextmanager"}
    if not (is_manager or names <= _KEEPING) or is_stub(function):
        return None
    if member not in ATTRIBUTES and names & {"cached_property", "property"}:
        return None
    if is_generator(function):
        reason = f"`{member}` is a generator function: a call only makes a generator"
        return None if is_manager else misfit(reason, function, at.module)
    if function.returns is None or not isinstance(function, ast.FunctionDef):
        return None
    returns = returns_of(function)
    for each, value in _values_returned(returns, at):
        verdict = _verdict_on(member, value, at, is_manager)
        if verdict is not None and (verdict is Verdict.VIOLATED or len(returns) == 1):
            reason = f"`{member}` returns `{unparse(value)}`, whatever its annotation says"
            return Opinion(verdict, reason, each, at.module)
    if (
        not returns
        and not is_manager
        and not may_end(source, owner, function)
        and (
            member in _NEVER_REFUSED
            or (
                member == "register_config"
                and always_raises(source, member, "NotImplementedError") is False
            )
        )
    ):
        return misfit(f"`{member}` always raises", function, at.module)
    if member not in (*ATTRIBUTES, "start_lock"):
        return None
    if not returns and not any(isinstance(node, ast.Raise) for node in nodes_of(function)):
        reason = f"`{member}` has no `{'yield' if is_manager else 'return'}`"
        return misfit(reason, function, at.module)
    is_open = isinstance(function.body[-1], ast.Match | ast.Assert | ast.Expr)
    if returns and not is_open and may_end(source, owner, function):
        reason = f"`{member}` may end without a `return`"
        is_false_then = {unparse(each) for each in returns} == {"return True"}
        return (misfit if is_false_then else unknown)(reason, function, at.module)
    return None


def _values_returned(
    returns: Sequence[ast.Return], at: Context
) -> Iterator[tuple[ast.Return, ast.expr]]:
    for each in returns:
        value = each.value or ast.Constant(None)
        branches = chosen_branches(value, at) if isinstance(value, ast.IfExp) else [value]
        yield from ((each, branch) for branch in branches)


def _opinion_on_state(source: ClassSource, member: str) -> Opinion | None:
    name = _STATE.get(member, "")
    every = [each for each in to_instance(source, name) if each.member == name]
    last = {each.at.function: each for each in every}  # what a method assigns or deletes last
    given = [each for each in every if each.value or each is last[each.at.function]]
    for each in given:
        if each.at.module.name.partition(".")[0] in sys.stdlib_module_names:
            continue
        if each.value:
            verdict = _verdict_on(member, each.value, each.at, False)
            is_sure = member in ATTRIBUTES or len(given) == 1
            reason = f"`{member}` returns `{name}`, which is assigned `{unparse(each.value)}`"
        else:
            is_left = each.is_deletion and name not in source.known_members
            verdict = Verdict.VIOLATED if is_left else None
            is_sure = each.statement in getattr(each.at.function, "body", ())
            reason = f"`{member}` returns `{name}`, which is deleted"
        if verdict:
            verdict = verdict if is_sure else Verdict.UNCHECKED
            return Opinion(verdict, reason, each.statement, each.at.module)
    return None


def _verdict_on(member: str, value: ast.expr, at: Context, is_manager: bool) -> Verdict | None:
    """Return the verdict on a value that *member* returns, unless it fits or is not known."""
    is_flag = member == "is_started"
    if is_flag and isinstance(value, ast.BoolOp):
        for each in value.values:
            kinds = _kinds_returned(each, at) or _none_at_first(each, at)
            names = {kind.name for kind in kinds or ()}
            if each is not value.values[-1]:
                names = names - {"NoneType"} if isinstance(value.op, ast.Or) else names & _FALSE
            if names and names.isdisjoint({"bool", "object"}):
                # It has to be true now and then, and false. A declared `int` may be a `bool`.
                return Verdict.UNCHECKED if "int" in names else Verdict.VIOLATED
    match value, at.target:
        case (
            ast.Call(func=ast.Attribute(value=ast.Name(id=subject), attr=name)),
            ClassSource() as target,
        ) if subject in first_parameter(at.function) and at.depth < _MAX_CALLS:
            found = target.find(name)
            if found and isinstance(found[1], ast.FunctionDef) and not found[1].decorator_list:
                there = inside(found[0], found[1], target)._replace(depth=at.depth + 1)
                values = [each.value for each in returns_of(found[1]) if each.value]
                verdicts = {_verdict_on(member, each, there, False) for each in values}
                if Verdict.VIOLATED in verdicts or (is_generator(found[1]) and not is_manager):
                    return Verdict.VIOLATED
        case _:
            pass
    if member == "start_lock" and _is_none_when_new(value, at):
        return Verdict.VIOLATED
    kinds = _kinds_returned(value, at) or (_none_at_first(value, at) if is_flag else None)
    if kinds is None:
        return Verdict.UNCHECKED if _is_doubtful(member, value, at) else None
    wrong = [kind.name for kind in kinds if _is_wrong(member, kind, is_manager)]
    if not wrong or (len(wrong) < len(kinds) and not is_flag):
        return None
    # A declared `int` may be a `bool`, and an attribute that is `None` something else later.
    is_vague = isinstance(value, ast.Name | ast.Attribute) and not {*wrong}.isdisjoint(
        ("NoneType", "int")
    )
    if is_flag and isinstance(value, ast.Call) and "int" in wrong:
        is_vague = not name_of(value.func, at).startswith("builtins.")
    is_sure = len(wrong) == len(kinds) and not is_vague
    return Verdict.VIOLATED if is_sure else Verdict.UNCHECKED


def _none_at_first(value: ast.expr, at: Context) -> Kinds:
    """Return the kind of ``None`` for an attribute that is that before it is something unknown."""
    match value, at.target:
        case ast.Attribute(value=ast.Name(), attr=name), ClassSource() as target:
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


def _is_doubtful(member: str, value: ast.expr, at: Context) -> bool:
    """Return whether a value of unknown kind may well be another one than has to be returned."""
    match value:
        case ast.Call(
            func=ast.Attribute(attr="get"), args=[ast.Constant(value=str()), *default]
        ) if member in ATTRIBUTES:
            return all(map(is_none, default))
        case ast.Call(func=ast.Name(id="getattr"), args=[_, _, default]) if member in ATTRIBUTES:
            return is_none(default)
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name))):
            _, statement = (at.target and at.target.find(name)) or (None, None)
            return last_part(getattr(statement, "annotation", value)) == "Any"
        case _:
            return False


def _kinds_returned(value: ast.expr, at: Context) -> Kinds:
    """Return the kinds of a value, with those of what methods assign to the instance."""
    kinds, target = kinds_of(value, at), at.target
    own = first_parameter(at.function)
    match value:
        case _ if kinds is not None or target is None or at.function is None:
            return kinds
        case ast.Name(id=name) if name in own:
            return (Kind(target.node.name, target),)
        case ast.Name(id=name):
            items = (node for node in walk(at.function) if isinstance(node, ast.withitem))
            entered = [e for e in items if e.optional_vars and unparse(e.optional_vars) == name]
            is_lock = entered and _is_lock(entered[0].context_expr, at)
            return (BOOL,) if is_lock else None
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in own:
            given = to_instance(target, attribute)
            is_set = any(getattr(e.at.function, "name", "") in CONSTRUCTORS for e in given)
            parts = [kinds_of(each.value, each.at) if each.value else None for each in given]
            match target.find(attribute):
                case (owner, ast.Assign(value=assigned)) if not is_set and (
                    attribute in owner.in_body or owner.module.is_ours
                ):
                    parts.append(kinds_of(assigned, inside(owner)))
                case _:
                    pass
            return union(parts)
        case ast.Attribute(value=subject, attr=attribute):
            return of_attribute(_kinds_returned(subject, at), attribute, at, is_called=False)
        case ast.Call(func=ast.Attribute(value=subject, attr=attribute)):
            return of_attribute(_kinds_returned(subject, at), attribute, at, is_called=True)
        case _:
            return None


def _is_lock(value: ast.expr, at: Context) -> bool:
    kinds = _kinds_returned(value, at) or (NONE,)
    is_ours = unparse(value) == "super().start_lock()"
    return is_ours or all(each.name.startswith("threading.") for each in kinds)


def _is_wrong(member: str, kind: Kind, is_manager: bool) -> bool:
    if kind.name == "object":
        return False
    if is_manager:
        return kind == NONE
    if member in ATTRIBUTES:
        return fits_attribute(member, (kind,), "").verdict is Verdict.VIOLATED
    if member != "start_lock":
        return kind != NONE
    verdict = returns_lock((kind,)).verdict
    if verdict is Verdict.UNCHECKED and kind.cls is not None and kind.name != "type":
        return not kind.cls.has_unknown_base and not is_manager_class(kind.cls)
    is_uncalled = kind.function is not None or kind.name.startswith(("type[", "builtin_function"))
    return verdict is Verdict.VIOLATED or is_other_lock(kind.name) or is_uncalled


# ---- constructors


@lru_cache(maxsize=2**12)
def constructor_opinion(source: ClassSource, checker: str) -> Opinion | None:
    """Return the opinion on ``__init__`` if *checker* takes another one than Python does."""
    declared = stub_opinion(source, "__init__")
    if declared is not None:
        return declared
    cls = _class_of_constructor(source)
    if cls is None:
        return None
    alternatives = cls.scope.bindings["__init__"]
    reached = cls.scope.reached.get("__init__", [])
    is_other = reached != cls.scope_for_checkers.reached.get("__init__", [])
    is_first = len(reached) > 1 and (checker not in _LAST_COUNTS or len(alternatives) > 1)
    is_value = any(each and each.value is not None for each in alternatives)
    if not is_other and not is_first and not is_value and not is_inherited_by_model(source, cls):
        return None
    values = [Value(cls, each) for each in alternatives if each is not None]
    opinions = [_opinion_on_constructor(value, source) for value in values]
    return one_of(opinions) if len(values) == len(alternatives) else None


def _class_of_constructor(source: ClassSource) -> ClassSource | None:
    for cls in source.lineage:
        if cls is None or "__init__" in cls.scope.bindings:
            return cls
    return None


def _opinion_on_constructor(value: Value, source: ClassSource) -> Opinion:
    cls, (statement, _) = value
    if not isinstance(statement, Function):
        return unknown("cannot follow the value of `__init__`")
    at = inside(cls, target=source)
    return fits_constructor(statement, at)._replace(statement=statement, module=cls.module)


def is_chosen_at_run_time(source: ClassSource) -> bool:
    """Return whether a class is one of several of its name, and the source does not tell which."""
    return bool(source.module.namesakes.get(source.node)) and not source.is_decided


def reads_other_class(source: ClassSource, checker: str) -> bool:
    """Return whether *checker* may read another class of the same name than Python does."""
    if not source.module.namesakes.get(source.node):
        return False
    seen = source.definitions(type_checking=True)
    return seen != [source.node] and not (seen[-1:] == [source.node] and checker in _LAST_COUNTS)


def why_incomplete(source: ClassSource) -> str | None:
    """Return why instances of a class may lack a member, or be no instances of it at all."""
    for member in MEMBERS:
        for each in to_class(source, member):
            if each.is_deletion:
                return f"`{member}` is deleted after the class body"
            if each.member is None and isinstance(each.statement, ast.expr):
                return f"{each.why} may replace the class"
    for cls in source.known_lineage:
        is_near = cls.module.root == source.module.root
        setter = cls.in_body.get("__setattr__") if is_near else None
        text = unparse(setter) if isinstance(setter, Function) else ".__setattr__"
        if ".__setattr__" not in text and "__dict__" not in text:
            return f"`__setattr__` of `{cls.node.name}` may keep the constructor from assigning"
    return _why_computed(source, "__init__", False)


def abstract_opinion(source: ClassSource) -> Opinion | None:
    """Return why no instance can be made of a class that seems to have all members, if so."""
    abstract = sorted(abstract_members(source).certain)
    given = given_after_creation(source) if abstract else {}
    for name in abstract:
        given |= {each.member: each for each in to_instance(source, name)}
        reason = f"the class body leaves `{name}` abstract, and no instance can be made"
        if name not in MEMBERS:
            return misfit(reason)
        if name in given:
            _, _, statement, at, is_last, *_ = given[name]
            is_sure = is_last and "abstractmethods" not in unparse(at.module.tree)
            return (misfit if is_sure else unknown)(reason, statement, at.module)
    return None


# ---- instances


def _with_instance(
    source: ClassSource,
    member: str,
    body: Opinion | None,
    on_self: list[Assigned],
    values: list[Value | None],
) -> Opinion | None:
    given = [each for each in on_self if not each.is_deletion]
    opinions = [_opinion_on_assigned(member, each, False, is_bound=True) for each in given]
    is_new = values == [None]  # no class body gives it
    if not opinions or (body is not None and body.verdict is Verdict.VIOLATED and not is_new):
        return body
    worst = all_of(opinions)
    match worst.verdict:
        case Verdict.VIOLATED:
            return worst
        case Verdict.UNCHECKED:
            is_left_to_checker = _is_inferred(source, member, given, values)
        case _:
            is_left_to_checker = member in ATTRIBUTES or not is_new
    if not is_left_to_checker:
        return worst
    return None if is_new else body


def _is_inferred(
    source: ClassSource, member: str, given: list[Assigned], values: list[Value | None]
) -> bool:
    """Return whether a checker has a type to compare the assigned values with."""
    is_annotated = any(isinstance(each.statement, ast.AnnAssign) for each in given) or any(
        isinstance(cls.in_body.get(member), ast.AnnAssign) for cls in source.known_lineage
    )
    return is_annotated or (len(given) == 1 and values == [None] and member in ATTRIBUTES)
