"""Opinions on the members of a class, wherever their values are given.

A type checker believes the declaration of a base, picks one of two definitions by its own rules,
and does not see what statements outside of the class body assign. There the source decides, or
nothing does.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.evaluation.assignments import (
    Assigned,
    to_class,
    to_instance,
)
from backend_contract._conformance.source.evaluation.fields import (
    is_inherited_by_model,
    why_not_on_class,
)
from backend_contract._conformance.source.evaluation.fitness import (
    ATTRIBUTES,
    Opinion,
    all_of,
    fits_attribute,
    fits_constructor,
    fits_function,
    fits_method,
    one_of,
)
from backend_contract._conformance.source.evaluation.kinds import (
    Context,
    kinds_of,
    literals_of,
    read_kinds,
    result_of,
)
from backend_contract._conformance.source.evaluation.scopes import Binding, Function
from backend_contract._conformance.source.evaluation.stub_files import stub_opinion
from backend_contract._conformance.source.modules import ClassSource
from backend_contract._conformance.source.parsing import unparse, walk

__all__ = [
    "constructor_opinion",
    "is_chosen_at_run_time",
    "literal_names",
    "name_opinion",
    "opinion_on",
    "reads_other_class",
    "why_incomplete",
]

_LAST_COUNTS = ("pyright", "pyrefly", "ty")
"""Checkers that take the last one of several methods, as Python does."""


_CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__attrs_post_init__")


class _Value(NamedTuple):
    """A binding of a member in a class body."""

    cls: ClassSource
    binding: Binding


@lru_cache(maxsize=2**14)
def opinion_on(
    source: ClassSource, member: str, checker: str, *, on_class: bool = False
) -> Opinion | None:
    """Return what the source tells of a member; ``None`` if the checker knows it better.

    *on_class*: as it reads on the class, instead of on an instance.
    """
    if on_class and (reason := why_not_on_class(source, member)) is not None:
        return Opinion(Verdict.VIOLATED, reason)
    reason = _why_open(source, member)
    if reason is not None:
        return Opinion(Verdict.UNCHECKED, reason)
    values, is_open = _values(source, member)
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
        return Opinion(Verdict.UNCHECKED, f"{computed.why} may change `{member}`")
    return _opinion_on_all(source, member, checker, on_class, values, on_self)


def _why_open(source: ClassSource, member: str) -> str | None:
    """Return why the class may have another value than those that the source shows."""
    for each in to_class(source, member):
        if each.member is None:
            return f"{each.why} may change `{member}`"
    if any(cls.scope.is_open for cls in source.known_lineage if not _is_ours(cls)):
        return f"a class body that calls `locals`, `vars`, `exec` or `eval` may give `{member}`"
    return None


def _opinion_on_all(
    source: ClassSource,
    member: str,
    checker: str,
    on_class: bool,
    values: list[_Value | None],
    on_self: list[Assigned],
) -> Opinion | None:
    afterwards = to_class(source, member)
    if not afterwards and _is_plain(source, member):
        body = _plain_opinion(source, member, values, on_class)
    else:
        body = _body_opinion(source, member, values, afterwards, checker, on_class)
    if on_class:
        return _with_instance_name(source, member, body, on_self)
    return _with_instance(source, member, body, on_self, values)


def _values(source: ClassSource, member: str) -> tuple[list[_Value | None], bool]:
    """Return the bindings of which one counts, and whether others may hide them.

    ``None`` among them stands for no value.
    """
    found: list[_Value | None] = []
    for cls in source.lineage:
        if cls is None:
            return found, True
        alternatives = cls.scope.bindings.get(member)
        if alternatives is not None:
            found += [_Value(cls, each) for each in alternatives if each is not None]
            if None not in alternatives:
                return found, False
    return [*found, None], False


def _is_ours(cls: ClassSource) -> bool:
    return cls.module.name.startswith("backend_contract.")


def _is_property(values: list[_Value | None]) -> bool:
    """Return whether the class may have a property, which is not abstract."""
    return any(
        value is not None
        and isinstance(value.binding.statement, Function)
        and _decorator_names(value.binding.statement) in ({"property"}, {"getter"})
        for value in values
    )


def _decorator_names(function: Function) -> set[str]:
    return {unparse(each).rpartition(".")[2] for each in function.decorator_list}


def _opinion_on_read_only(member: str, on_self: list[Assigned]) -> Opinion | None:
    """Return the opinion on assignments to a property without a setter, which raise.

    A constructor that raises breaks another clause.
    """
    for each in on_self:
        opinion = _opinion_on_assigned(member, each, False, is_bound=True)
        function = each.at.function
        is_constructor = isinstance(function, Function) and function.name in _CONSTRUCTORS
        if opinion.verdict is Verdict.VIOLATED:
            return opinion
        if not is_constructor:
            reason = f"`self.{member}` is assigned, and the property has no setter"
            return Opinion(Verdict.VIOLATED, reason, each.statement, each.at.module)
    return None


def _has_setter(values: list[_Value | None], member: str) -> bool:
    """Return whether the property of a class has a setter, or something that may be one."""
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
    """Return whether a statement is an assignment such as ``locals()["start"] = ...``."""
    return isinstance(statement, ast.Assign) and any(
        isinstance(each, ast.Subscript) for each in statement.targets
    )


def _plain_opinion(
    source: ClassSource, member: str, values: list[_Value | None], on_class: bool
) -> Opinion | None:
    """Return the opinion on a single value, or ``None`` if the checker infers its type."""
    value = values[0]
    if value is None or isinstance(value.binding.statement, Function | ast.ClassDef):
        return None
    opinion = _opinion_on_value(source, member, value, on_class)
    if opinion.verdict is Verdict.OK:  # checkers take both values of a conditional expression
        is_sure = (
            isinstance(value.binding.value, ast.IfExp)
            or _is_method_of_other(source, value)
            or _is_made_property(value)
        )
        return opinion if is_sure else None
    is_trusted = isinstance(value.binding.statement, ast.AnnAssign) or not (
        isinstance(value.binding.value, ast.Lambda) or _is_declared_above(source, value.cls, member)
    )
    if opinion.verdict is Verdict.UNCHECKED and (is_trusted or _is_function(value)):
        return None
    return opinion


def _is_made_property(value: _Value) -> bool:
    """Return whether a value is a property that is made by a call, or another one."""
    at = Context(value.cls.module, value.cls.modules, value.cls)
    kinds = kinds_of(value.binding.value, at) if value.binding.value is not None else None
    return {kind.name for kind in kinds or ()} == {"property"}


def _is_method_of_other(source: ClassSource, value: _Value) -> bool:
    """Return whether a value is a method of another class, whose ``self`` checkers reject."""
    at = Context(value.cls.module, value.cls.modules, value.cls)
    kinds = kinds_of(value.binding.value, at) if value.binding.value is not None else None
    lineage = source.known_lineage
    return bool(kinds) and any(
        kind.owner is not None and kind.owner not in lineage for kind in kinds or ()
    )


def _is_function(value: _Value) -> bool:
    at = Context(value.cls.module, value.cls.modules, value.cls)
    kinds = kinds_of(value.binding.value, at) if value.binding.value is not None else None
    return kinds is not None and all(isinstance(kind.function, Function) for kind in kinds)


def _is_declared_above(source: ClassSource, cls: ClassSource, member: str) -> bool:
    """Return whether a base of *cls* has *member*: checkers take its declared type."""
    lineage = source.known_lineage
    return any(member in each.in_body for each in lineage[lineage.index(cls) + 1 :])


def _opinion_on_value(
    source: ClassSource, member: str, value: _Value | None, on_class: bool
) -> Opinion:
    if value is None:
        return Opinion(Verdict.VIOLATED, f"the class has no `{member}` when it runs")
    opinion = _opinion_on_binding(source, member, value, on_class)
    return opinion._replace(statement=value.binding.statement, module=value.cls.module)


def _opinion_on_binding(source: ClassSource, member: str, value: _Value, on_class: bool) -> Opinion:
    cls, (statement, expression) = value
    at = Context(cls.module, cls.modules, cls, target=source)
    if isinstance(statement, Function) and expression is None:
        return _opinion_on_function(member, value, at, on_class)
    if isinstance(statement, ast.Import):
        return Opinion(Verdict.VIOLATED, f"`{member}` is a module")
    if expression is None:
        return Opinion(Verdict.UNCHECKED, f"cannot follow how `{member}` is bound")
    kinds = kinds_of(expression, at)
    written = unparse(expression)
    if member in ATTRIBUTES:
        kinds = read_kinds(kinds, at, on_class=on_class)
        if kinds is not None and len(kinds) > 1 and _is_declared_as_any(statement):
            kinds = None
        return fits_attribute(member, kinds, written)
    return fits_method(member, kinds, written, at, is_bound=False)


def _is_declared_as_any(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign) and any(
        isinstance(each, ast.Name | ast.Attribute) and unparse(each).rpartition(".")[2] == "Any"
        for each in walk(statement.annotation)
    )


def _opinion_on_function(member: str, value: _Value, at: Context, on_class: bool) -> Opinion:
    function = value.binding.statement
    assert isinstance(function, Function)
    names = _decorator_names(function)
    if any("abstract" in name for name in names):
        return Opinion(
            Verdict.VIOLATED, f"`{member}` is abstract, and the class does not define it"
        )
    if _is_ours(value.cls) and not on_class:
        return Opinion(Verdict.OK)
    if member not in ATTRIBUTES:
        return fits_function(member, function, at)
    if not names:
        return Opinion(Verdict.VIOLATED, f"`{member}` is a method")
    if names & {"property", "cached_property", "getter"} and len(names) == 1:
        if on_class:
            return Opinion(Verdict.VIOLATED, f"`{member}` is a property, which the class lacks")
        return fits_attribute(member, result_of(function, at), f"def {member}")
    return Opinion(Verdict.UNCHECKED, f"cannot follow the decorators of `{member}`")


def _body_opinion(
    source: ClassSource,
    member: str,
    values: list[_Value | None],
    afterwards: list[Assigned],
    checker: str,
    on_class: bool,
) -> Opinion | None:
    """Return the opinion on a member with several definitions, or one outside of the body."""
    opinions = [_opinion_on_value(source, member, value, on_class) for value in values]
    for assigned in afterwards:
        opinion = _opinion_on_assigned(member, assigned, on_class, is_bound=False)
        if assigned.is_deletion:
            opinion = Opinion(Verdict.UNCHECKED, f"`{member}` is deleted after the class body")
        opinions = [opinion] if assigned.is_certain else [*opinions, opinion]
    opinion = one_of(opinions)
    if opinion.verdict is Verdict.UNCHECKED and not afterwards:
        return None if _is_seen(source, member, values, checker) else opinion
    return opinion


def _is_seen(source: ClassSource, member: str, values: list[_Value | None], checker: str) -> bool:
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
    return "getter" in _decorator_names(function)


def _opinion_on_assigned(
    member: str, assigned: Assigned, on_class: bool, *, is_bound: bool
) -> Opinion:
    opinion = _fits_assigned(member, assigned, on_class, is_bound)
    return opinion._replace(statement=assigned.statement, module=assigned.at.module)


def _fits_assigned(member: str, assigned: Assigned, on_class: bool, is_bound: bool) -> Opinion:
    if assigned.value is None:
        return Opinion(Verdict.UNCHECKED, f"cannot follow what is assigned to `{member}`")
    kinds = kinds_of(assigned.value, assigned.at)
    written = unparse(assigned.value)
    if member in ATTRIBUTES:
        kinds = kinds if is_bound else read_kinds(kinds, assigned.at, on_class=on_class)
        return fits_attribute(member, kinds, written)
    return fits_method(member, kinds, written, assigned.at, is_bound=is_bound)


# ---- constructors


@lru_cache(maxsize=2**12)
def constructor_opinion(source: ClassSource, checker: str) -> Opinion | None:
    """Return the opinion on ``__init__`` if *checker* takes another one than Python does."""
    declared = stub_opinion(source, "__init__")
    if declared is not None:
        return declared
    for cls in source.lineage:
        if cls is None:
            return None
        alternatives = cls.scope.bindings.get("__init__")
        if alternatives is not None:
            break
    else:
        return None
    reached = cls.scope.reached.get("__init__", [])
    is_other = reached != cls.scope_for_checkers.reached.get("__init__", [])
    is_first = len(reached) > 1 and (checker not in _LAST_COUNTS or len(alternatives) > 1)
    is_value = any(each and each.value is not None for each in alternatives)
    if not is_other and not is_first and not is_value and not is_inherited_by_model(source, cls):
        return None
    values = [_Value(cls, each) for each in alternatives if each is not None]
    opinions = [_opinion_on_constructor(value, source) for value in values]
    return one_of(opinions) if len(values) == len(alternatives) else None


def _opinion_on_constructor(value: _Value, source: ClassSource) -> Opinion:
    cls, (statement, _) = value
    if not isinstance(statement, Function):
        return Opinion(Verdict.UNCHECKED, "cannot follow the value of `__init__`")
    at = Context(cls.module, cls.modules, cls, target=source)
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
    for member in _MEMBERS:
        for each in to_class(source, member):
            if each.is_deletion:
                return f"`{member}` is deleted after the class body"
            if each.member is None and isinstance(each.statement, ast.expr):
                return f"{each.why} may replace the class"
    return None


_MEMBERS = (
    "backend_type", "is_started", "register_config", "start", "stop", "start_lock",
    "handle_runtime_context",
)  # fmt: skip


# ---- instances


def _with_instance(
    source: ClassSource,
    member: str,
    body: Opinion | None,
    on_self: list[Assigned],
    values: list[_Value | None],
) -> Opinion | None:
    """Return the opinion on a member that methods assign to the instance as well."""
    given = [each for each in on_self if not each.is_deletion]
    opinions = [_opinion_on_assigned(member, each, False, is_bound=True) for each in given]
    worst = all_of(opinions) if opinions else None
    if worst is None or (
        body is not None and body.verdict is Verdict.VIOLATED and values != [None]
    ):
        return body
    if worst.verdict is Verdict.VIOLATED:
        return worst
    if worst.verdict is Verdict.UNCHECKED and _is_inferred(source, member, given, values):
        return None if values == [None] else body
    if worst.verdict is Verdict.UNCHECKED or (member not in ATTRIBUTES and values == [None]):
        return worst
    return None if values == [None] else body


def _is_inferred(
    source: ClassSource, member: str, given: list[Assigned], values: list[_Value | None]
) -> bool:
    """Return whether a checker has a type to compare the assigned values with."""
    is_annotated = any(isinstance(each.statement, ast.AnnAssign) for each in given) or any(
        isinstance(cls.in_body.get(member), ast.AnnAssign) for cls in source.known_lineage
    )
    return is_annotated or (len(given) == 1 and values == [None] and member in ATTRIBUTES)


def _with_instance_name(
    source: ClassSource, member: str, body: Opinion | None, on_self: list[Assigned]
) -> Opinion | None:
    """Return the opinion on a name of the class, if instances are given one as well."""
    if body is not None and body.verdict is not Verdict.OK:
        return body
    given = [each for each in on_self if not each.is_deletion]
    if not given or member not in ATTRIBUTES:
        return body
    values, _ = _values(source, member)
    if not any(value is not None and value.binding.value is not None for value in values):
        return body
    of_class = _literals(source, values)
    for each in given:
        own = literals_of(each.value, each.at) if each.value is not None else None
        if own is None or of_class is None:
            if each.value is not None and _reads_itself(each.value, member):
                continue
            return Opinion(Verdict.UNCHECKED, f"a method assigns another `{member}` to instances")
        if set(own) != set(of_class):
            reason = f"a method assigns {own[0]!r} to `{member}` of an instance"
            return Opinion(Verdict.VIOLATED, reason, each.statement, each.at.module)
    return body


def _reads_itself(value: ast.expr, member: str) -> bool:
    """Return whether a value is the member of the class, such as ``type(self).backend_type``."""
    return isinstance(value, ast.Attribute) and value.attr == member


def _literals(source: ClassSource, values: list[_Value | None]) -> tuple[object, ...] | None:
    found: tuple[object, ...] = ()
    for value in values:
        if value is None or value.binding.value is None:
            return None
        at = Context(value.cls.module, value.cls.modules, value.cls, target=source)
        literals = literals_of(value.binding.value, at)
        if literals is None:
            return None
        found += literals
    return found


def name_opinion(source: ClassSource) -> Opinion | None:
    """Return whether the literal name of a class is well-formed; ``None`` if there is none."""
    names = literal_names(source)
    return one_of([_opinion_on_name(name) for name in names]) if names else None


def literal_names(source: ClassSource) -> list[str]:
    """Return the names that the source may give a class, if all of them are literals."""
    if any(each.value is None for each in to_class(source, "backend_type")):
        return []
    literals = _name_literals(source) or ()
    names = [each for each in literals if isinstance(each, str)]
    return names if len(names) == len(literals) else []


def _name_literals(source: ClassSource) -> tuple[object, ...] | None:
    values, is_open = _values(source, "backend_type")
    if is_open:
        return None
    afterwards = [each for each in to_class(source, "backend_type") if each.value is not None]
    found: tuple[object, ...] | None = () if afterwards else _literals(source, values)
    for each in afterwards:
        literals = literals_of(each.value, each.at) if each.value is not None else None
        found = None if found is None or literals is None else (*found, *literals)
    return found


def _opinion_on_name(name: str) -> Opinion:
    if not name.strip():
        return Opinion(Verdict.VIOLATED, "the name is empty")
    if name != name.strip():
        return Opinion(Verdict.VIOLATED, f"the name {name!r} has blanks around it")
    if name != name.upper():
        return Opinion(
            Verdict.VIOLATED, f"the name {name!r} is not upper case; write {name.upper()!r}"
        )
    return Opinion(Verdict.OK)
