"""The name of a backend, as far as literals in the source give it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TypeAlias

from backend_contract._conformance.results import MEMBERS, Verdict
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.construction.factories import metaclass_of
from backend_contract._conformance.source.definitions import definition_of, dotted_name
from backend_contract._conformance.source.evaluation.assignments import (
    Assigned,
    Value,
    to_class,
    values_of,
)
from backend_contract._conformance.source.evaluation.fitness import (
    FITS,
    Opinion,
    misfit,
    one_of,
    unknown,
)
from backend_contract._conformance.source.evaluation.inference import (
    chosen_branches,
    is_bound_in,
    local_bindings,
    parameter_named,
)
from backend_contract._conformance.source.evaluation.kinds import (
    MAX_DEPTH,
    Context,
    Kind,
    has_plain_values,
    inside,
    is_enumeration,
    is_string,
)
from backend_contract._conformance.source.evaluation.standard_library import STRING_METHODS
from backend_contract._conformance.source.members import abstract_members
from backend_contract._conformance.source.parsing import first_parameter
from backend_contract._conformance.source.scopes import Alternatives, Scope
from backend_contract._conformance.source.signatures import always_raises

_NOT_APPLIED = {
    "center", "expandtabs", "format_map", "join", "ljust", "rjust", "translate", "zfill",
}  # fmt: skip
"""Methods of strings that take no string, or a length."""
_MAX_LENGTH = 1000

Literals: TypeAlias = "tuple[object, ...] | None"
"""The literals that an expression may have as its value; ``None`` if it may have another."""


def name_opinion(source: ClassSource) -> Opinion | None:
    """Return whether the literal name of a class is well-formed; ``None`` if there is none."""
    names = literal_names(source)
    return one_of([_opinion_on_name(name) for name in names]) if names else None


def literal_names(source: ClassSource) -> list[str]:
    """Return the names that the source may give a class, if all of them are literals."""
    literals = literals_of_class(source) or ()
    names = [each for each in literals if isinstance(each, str)]
    return names if len(names) == len(literals) else []


def literals_of_class(source: ClassSource) -> Literals:
    """Return the literals that the class may have as its name."""
    values, is_open = values_of(source, "backend_type")
    afterwards = to_class(source, "backend_type")
    if is_open or any(each.value is None for each in afterwards):
        return None
    if not afterwards:
        return _literals(source, values)
    return _either([literals_of(each.value, each.at) for each in afterwards])


def _opinion_on_name(name: str) -> Opinion:
    if not name.strip():
        return misfit("the name is empty")
    if name != name.strip():
        return misfit(f"the name {name!r} has whitespace around it")
    if name != name.upper():
        return misfit(f"the name {name!r} is not upper case; write {name.upper()!r}")
    return FITS


def own_name_opinion(source: ClassSource) -> Opinion | None:
    """Return whether a class has another name than the backends that it inherits from.

    ``None`` if the source shows no literal name.
    """
    names = literal_names(source)
    if not names:
        return None
    doubt = None
    for base in source.known_lineage[1:]:
        of_base = literal_names(base)
        if not of_base or not {*names} & {*of_base} or _is_usable(base) is False:
            continue
        reason = f"`{base.node.name}`, which it inherits from, is {of_base[0]!r} too"
        if len({*names, *of_base}) == 1 and _is_usable(base):
            return misfit(reason, source.node, source.module)
        doubt = unknown(f"perhaps {reason}")
    return doubt or FITS


def _is_usable(cls: ClassSource) -> bool | None:
    """Return whether *cls* is a backend itself; ``None`` if the source does not tell.

    Abstract bases and mixins are not.
    """
    abstract = abstract_members(cls)
    if abstract.certain or always_raises(cls, "start", "NotImplementedError"):
        return False
    if abstract.is_open:
        return None
    return all(cls.find(member) for member in MEMBERS)


# ---- names of instances


def with_names_of_instances(
    source: ClassSource,
    member: str,
    body: Opinion | None,
    on_self: Sequence[Assigned],
    values: Sequence[Value | None],
) -> Opinion | None:
    """Return the opinion on a name of the class, if instances are given one as well."""
    if body is not None and body.verdict is not Verdict.OK:
        return body
    given = [each for each in on_self if not each.is_deletion]
    if not any(value and value.binding.value for value in values):
        return body
    of_class = _literals(source, values)
    opinions = (_opinion_on_other_name(each, member, of_class) for each in given)
    return next((each for each in opinions if each is not None), body)


def _opinion_on_other_name(given: Assigned, member: str, of_class: Literals) -> Opinion | None:
    """Return the opinion on a name that a method assigns, unless it is that of the class."""
    own = literals_of(given.value, given.at)
    if own is None or of_class is None:
        if isinstance(given.value, ast.Attribute) and given.value.attr == member:
            return None  # such as `type(self).backend_type`
        return unknown(f"a method assigns another `{member}` to instances")
    if set(own) == set(of_class):
        return None
    reason = f"a method assigns {own[0]!r} to `{member}` of an instance"
    return misfit(reason, given.statement, given.at.module)


def _literals(source: ClassSource, values: Sequence[Value | None]) -> Literals:
    return _either(
        [
            value and literals_of(value.binding.value, inside(value.cls, target=source))
            for value in values
        ]
    )


# ---- literals


def literals_of(node: ast.expr | None, at: Context) -> Literals:
    """Return the literals that an expression may have as its value."""
    if at.depth > MAX_DEPTH:
        return None
    at = at.deeper()
    match node:
        case ast.Constant(value=value):
            return (value,)
        case ast.NamedExpr(value=value):
            return literals_of(value, at)
        case ast.IfExp():
            return _either([literals_of(each, at) for each in chosen_branches(node, at)])
        case ast.Call(func=ast.Attribute(value=text, attr=name), args=given, keywords=[]) if (
            STRING_METHODS.get(name) == "str" and name not in _NOT_APPLIED
        ):
            return _applied(literals_of(text, at), name, [literals_of(each, at) for each in given])
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([literals_of(left, at), literals_of(right, at)])
        case ast.JoinedStr(values=values):
            return _joined([literals_of(each, at) for each in values])
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return literals_of(value, at)
        case ast.Name() | ast.Attribute():
            return _literals_of_name(node, at)
        case _:
            return None


def _either(parts: Sequence[Literals]) -> Literals:
    return None if None in parts else tuple(each for part in parts for each in part or ())


def _applied(values: Literals, method: str, given: Sequence[Literals]) -> Literals:
    arguments = [each[0] for each in given if each is not None and len(each) == 1]
    if values is None or len(arguments) != len(given):
        return None
    if any(_is_large(each) for each in (*values, *arguments)):
        return None
    try:
        return tuple(getattr(each, method)(*arguments) for each in values)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _is_large(value: object) -> bool:
    """Return whether a method of a string might take long, or make one that fills the memory."""
    return isinstance(value, str) and (len(value) > _MAX_LENGTH or ("{" in value and ":" in value))


def _joined(parts: Sequence[Literals]) -> Literals:
    whole = ""
    for part in parts:
        if part is None or len(part) != 1 or not isinstance(part[0], str):
            return None
        whole += part[0]
    return (whole,)


def _literals_of_name(node: ast.Name | ast.Attribute, at: Context) -> Literals:
    name, *attributes = dotted_name(node) or [""]
    target = at.target if name in first_parameter(at.function) else None
    if target and attributes in (["__name__"], ["__qualname__"]):
        return (target.node.name,)
    if at.function and (parameter_named(name, at.function) or is_bound_in(name, at.function)):
        return None
    bindings = local_bindings(name, at)
    if bindings is None:
        return _literals_of_global(node, at)
    assert at.cls is not None
    if attributes or _is_bound_behind(node, name, at.cls.scope, at):
        return None
    return _literals_of_bindings(bindings, at)


def _literals_of_global(node: ast.expr, at: Context) -> Literals:
    found = definition_of(node, at)
    if found is None or found.module is None:
        return None
    name, *attributes = found.parts
    scope = found.module.scope(at.modules.version)
    is_later = found.module is at.module and _is_bound_behind(node, name, scope, at)
    lines = [each.lineno for each in scope.reached.get(name, ())]
    is_hidden = lines and at.modules.is_bound_by_star(found.module, name, behind=max(lines))
    if name in found.module.rebound or is_later or is_hidden:
        return None
    there = at.of_module(found.module)
    if attributes:
        cls = at.modules.class_at(found.module, [name])
        return _literals_of_attribute(cls, attributes, there) if cls else None
    return _literals_of_bindings(scope.bindings.get(name) or (None,), there)


def _literals_of_bindings(bindings: Alternatives, at: Context) -> Literals:
    return _either([each and literals_of(each.value, at) for each in bindings])


def _literals_of_attribute(cls: ClassSource, attributes: list[str], at: Context) -> Literals:
    """Return the literals of a member of an enumeration, or of a name that a backend has."""
    if attributes == ["backend_type"]:
        return literals_of_class(cls)
    member, *rest = attributes
    if not is_enumeration(cls):
        bindings = None if rest or metaclass_of(cls) else cls.scope.bindings.get(member)
        return _literals_of_bindings(bindings, at.of_class(cls)) if bindings else None
    if rest == ["name"] and member in cls.in_body:
        return (member,)
    is_value = rest == ["value"] or (not rest and is_string(Kind("", cls)))
    if not is_value or not has_plain_values(cls):
        return None
    value = getattr(cls.in_body.get(member), "value", None)
    return literals_of(value, at.of_class(cls))


def _is_bound_behind(node: ast.expr, name: str, scope: Scope, at: Context) -> bool:
    """Return whether a scope binds *name* again after it was read there."""
    reached = scope.reached.get(name, ())
    return at.function is None and any(each.lineno > node.lineno for each in reached)
