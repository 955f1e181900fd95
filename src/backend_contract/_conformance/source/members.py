"""Members of a class as its source defines them: location, text, annotations and values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from backend_contract._conformance.source.classes import ClassSource, Member
from backend_contract._conformance.source.definitions import definition_of, name_of
from backend_contract._conformance.source.evaluation.assignments import to_class, to_instance
from backend_contract._conformance.source.modules import Module, qualified_name
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    generic_of,
    last_part,
    positional_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.signatures import alternatives, takes_any_type


class ExpectedAnnotation(NamedTuple):
    """An annotation that conforms, for one part of one member."""

    text: str
    """The annotation as code."""
    module: str = ""
    """The module to import its first name from; empty for a builtin."""
    name: str = ""
    """The name to import: a module itself if *module* is empty."""


_CONFIG = ExpectedAnnotation("aconfig.Config", name="aconfig")
_NONE = ExpectedAnnotation("None")
_STR = ExpectedAnnotation("str")
_CONTEXT = "RuntimeServerContextType"

EXPECTED_ANNOTATIONS = {
    ("backend_type", ""): _STR,
    ("is_started", ""): ExpectedAnnotation("bool"),
    ("is_started", "result"): ExpectedAnnotation("bool"),
    ("backend_type", "result"): _STR,
    ("__init__", "parameter 1"): ExpectedAnnotation("aconfig.Config | None", name="aconfig"),
    ("__init__", "result"): _NONE,
    ("register_config", "parameter 1"): _CONFIG,
    ("register_config", "result"): _NONE,
    ("start", "result"): _NONE,
    ("stop", "result"): _NONE,
    ("start_lock", "result"): ExpectedAnnotation(
        "AbstractContextManager[object]", "contextlib", "AbstractContextManager"
    ),
    ("handle_runtime_context", "parameter 1"): _STR,
    ("handle_runtime_context", "parameter 2"): ExpectedAnnotation(
        _CONTEXT, "backend_contract", _CONTEXT
    ),
    ("handle_runtime_context", "result"): _NONE,
}
"""By member and part: ``result``, ``parameter N`` (from 1, without ``self``), or empty."""

# Class decorators known not to add a member of a backend.
_INERT = {"conforms", "dataclass", "final", "override", "runtime_checkable", "total_ordering"}


def location_of(source: ClassSource, member: str) -> tuple[Path, int]:
    """Return file and line of *member* if the file of the class defines it, else of the class."""
    found = source.find(member)
    if found is not None and found[0].module.path == source.module.path:
        return source.module.path, found[1].lineno
    return source.module.path, source.node.lineno


@lru_cache(maxsize=2**14)
def describe(source: ClassSource, member: str) -> str:
    """Return the definition of *member* on one line, and its class if it is inherited."""
    found = source.find(member)
    if found is None:
        searched = " in the part of its source that was found" if source.has_unknown_base else ""
        return f"no `{member}`{searched}"
    owner, statement = found
    inherited = "" if owner is source else f"  (from {owner.module.name}.{owner.node.name})"
    return _header(statement) + inherited


def _header(statement: Member) -> str:
    if not isinstance(statement, Function):
        return unparse(statement)
    is_async = isinstance(statement, ast.AsyncFunctionDef)
    return format_header(statement, "async def" if is_async else "def")


def format_header(function: Function, keyword: str = "def") -> str:
    """Return the decorators, the parameters and the result of a function on one line."""
    decorators = "".join(f"@{unparse(decorator)} " for decorator in function.decorator_list)
    returns = f" -> {unparse(function.returns)}" if function.returns else ""
    return f"{decorators}{keyword} {function.name}({unparse(function.args)}){returns}"


# The parts of a member have the names of the probe: "result", "parameter N" (from 1, without
# `self`), or "" for an attribute.


def annotation(source: ClassSource, member: str, part: str) -> ast.expr | None:
    """Return the annotation of a part of *member*, or ``None`` if it has none."""
    if part.startswith("parameter "):
        parameter = _parameter(source, member, part)
        return parameter.annotation if parameter is not None else None
    match source.find(member):
        case (_, ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns)):
            return returns
        case (_, ast.AnnAssign(annotation=annotated)):
            return annotated
        case _:
            return None


def _parameter(source: ClassSource, member: str, part: str) -> ast.arg | None:
    """Return the parameter that receives the positional argument *part*."""
    found = source.find(member)
    if found is None or not isinstance(found[1], Function):
        return None
    function, number = found[1], int(part.removeprefix("parameter "))
    if any(unparse(decorator) == "staticmethod" for decorator in function.decorator_list):
        number -= 1
    positional = positional_of(function.args)
    return positional[number] if number < len(positional) else function.args.vararg


@lru_cache(maxsize=2**14)
def contains_any(source: ClassSource, member: str, part: str) -> bool:
    """Return whether the annotation of a part of *member* is ``Any``, or a union with it."""
    found = source.find(member)
    annotated = annotation(source, member, part)
    if found is None or annotated is None:
        return False
    module = found[0].module
    return any(
        _is_any(each, module) or _is_any_class(each, module) for each in alternatives(annotated)
    )


_HASHABLE = {"collections.abc.Hashable", "typing.Hashable"}


def accepts_everything(source: ClassSource, member: str, part: str) -> bool:
    """Return whether a parameter of *member* takes every type: ``object``, or a type variable."""
    found = source.find(member)
    annotated = annotation(source, member, part)
    if found is None or annotated is None or not isinstance(found[1], Function):
        return False
    return any(
        unparse(each) == "object"
        or qualified_name(each, found[0].module) in _HASHABLE
        or takes_any_type(each, found[0], found[1])
        for each in alternatives(annotated)
    )


def _is_any(annotated: ast.expr, module: Module) -> bool:
    return qualified_name(annotated, module) in ("typing.Any", "typing_extensions.Any")


def _is_any_class(annotated: ast.expr, module: Module) -> bool:
    """Return whether an annotation is ``type[Any]``, which has every attribute, or ``type``."""
    match annotated:
        case ast.Subscript(value=ast.Name(id="type" | "Type"), slice=inner):
            return _is_any(inner, module)
        case ast.Name(id="type" | "Type"):
            return True
        case _:
            return False


def missing_annotation(source: ClassSource, member: str, part: str) -> str | None:
    """Describe the missing annotation of a part of *member*; ``None`` if none is known to miss."""
    found = source.find(member)
    if found is None or annotation(source, member, part) is not None:
        return None
    if part.startswith("parameter "):
        given = _parameter(source, member, part)
        return f"parameter `{given.arg}` of `{member}` has no annotation" if given else None
    if isinstance(found[1], Function):
        return f"`{member}` has no return annotation"
    # A value in the class body has a type without annotation. In an unannotated method it has none.
    return None if member in found[0].in_body else f"`{member}` has no annotation"


def imports_of_annotation(source: ClassSource, member: str, part: str) -> set[tuple[Path, int]]:
    """Return file and line of the statements that bind the names in an annotation."""
    found = source.find(member)
    annotated = annotation(source, member, part)
    if found is None or annotated is None:
        return set()
    module = found[0].module
    names = {node.id for node in walk(annotated) if isinstance(node, ast.Name)}
    lines = {module.bindings[name].lineno for name in names & module.bindings.keys()}
    return {(module.path.resolve(), line) for line in lines}


def is_protocol(source: ClassSource) -> bool:
    """Return whether ``Protocol`` is a direct base of the class, which then is a Protocol too."""
    return "Protocol" in base_names(source)


def base_names(source: ClassSource) -> set[str]:
    """Return the last part of the name of each base, as it is written."""
    bases = [generic_of(base) for base in source.node.bases]
    return {last_part(base) for base in bases}


def is_our_own(source: ClassSource, member: str) -> bool:
    """Return whether the class inherits *member* from this package, which is known to be right."""
    found = source.find(member)
    if found is None or is_abstract(found[1]):
        return False
    return found[0] is not source and found[0].module.is_ours


def _comes_first(source: ClassSource, member: str, cls: ClassSource) -> bool:
    """Return whether *cls* gets *member* from its body, or from a first base of this package.

    No further base may inherit from the class that defines it: it would come first then.
    """
    if member in cls.in_body:
        return cls is source or cls.module.is_ours
    found = source.find(member)
    if found is None or not cls.bases:
        return False
    first, *others = cls.bases
    return (
        first is not None
        and found[0] in first.lineage
        and not any(other is None or found[0] in other.lineage for other in others)
        and _comes_first(source, member, first)
    )


def is_guarded_and_ours(source: ClassSource, member: str) -> bool:
    """Return whether a ``try`` imports the base that gives *member*, which is one of ours."""
    return source.has_guarded_base and not source.has_unknown_base and is_our_own(source, member)


def may_be_hidden(source: ClassSource, member: str) -> bool:
    """Return whether a base that cannot be read may override the *member* that was found."""
    if not source.has_unknown_base:  # only the checker fails to resolve some base
        return not source.has_guarded_base and not _comes_first(source, member, source)
    # Any base can hide an attribute of the instance: a property takes precedence.
    known = source.lineage[: source.lineage.index(None)]
    return not any(cls and member in cls.in_body for cls in known)


def lacks_value(source: ClassSource, member: str, *, on_class: bool = False) -> bool:
    """Return whether *member* is declared, but an instance has no value for it.

    With *on_class*, the class itself needs the value; one assigned through ``self`` or by a
    dataclass does not count. False if something unreadable may provide the value: a class
    decorator, a metaclass, a statement of the module, a base whose source was not found.
    """
    lineage = source.known_lineage
    if source.has_unknown_base or any(_may_be_set_elsewhere(cls, member) for cls in lineage):
        return False
    if not _is_only_declared(lineage, member):
        return False
    is_set = any(member in cls.on_self or "dataclass" in _decorators(cls) for cls in lineage)
    return on_class or not (is_set or to_instance(source, member))


def _is_only_declared(lineage: list[ClassSource], member: str) -> bool:
    """Return whether class bodies declare *member*, and none assigns or implements it."""
    declared = [statement for cls in lineage if (statement := cls.in_body.get(member))]
    # An abstract method hides an inherited value; a bare annotation does not.
    decisive = [s for s in declared if isinstance(s, Function) or s.value is not None]
    return bool(declared) and (not decisive or is_abstract(decisive[0]))


def is_abstract(statement: ast.stmt) -> bool:
    """Return whether a statement defines an abstract method."""
    return isinstance(statement, Function) and any(
        "abstract" in unparse(decorator) for decorator in statement.decorator_list
    )


def _decorators(source: ClassSource) -> set[str]:
    calls = [callee_of(d) for d in source.node.decorator_list]
    return {last_part(call) for call in calls}


@lru_cache(maxsize=2**14)
def _may_be_set_elsewhere(source: ClassSource, member: str) -> bool:
    keywords = source.node.keywords
    return bool(
        any(each.arg != "metaclass" or not _is_followed(each.value, source) for each in keywords)
        or (keywords and to_class(source, member))
        or f"{source.node.name}.{member}" in source.module.set_from_outside
        or _decorators(source) - _INERT
        or "__init_subclass__" in source.in_body
    )


def _is_followed(metaclass: ast.expr, source: ClassSource) -> bool:
    return last_part(metaclass) == "ABCMeta" or source.class_named(metaclass) is not None


# ---- abstract members

_ABSTRACT_METHODS = {
    f"abc.abstract{kind}" for kind in ("method", "property", "classmethod", "staticmethod")
}
_ABSTRACT_BASES = {"abc.ABC", "typing.Protocol", "typing_extensions.Protocol"}


class Abstract(NamedTuple):
    """The members that a class leaves abstract: those without which Python makes no instance.

    A type checker may miss a spelling of the decorator, and may take more for abstract than Python:
    the body ``...`` of a method of a Protocol, or a decorated method without ``ABCMeta``.
    """

    certain: frozenset[str]
    is_open: bool
    """Whether others may be abstract."""


@lru_cache(maxsize=2**12)
def abstract_members(source: ClassSource) -> Abstract:
    """Return what the class leaves abstract, as far as the source shows it."""
    has_meta = _has_abstract_meta(source)
    if has_meta is False:
        return Abstract(frozenset(), False)
    lineage = source.known_lineage
    if has_meta is None or any(cls.scope.is_open for cls in lineage):
        return Abstract(frozenset(), True)
    names = {name for cls in lineage for name in cls.scope.bindings}
    states = {name: _is_abstract(name, lineage) for name in names}
    certain = frozenset(name for name, state in states.items() if state)
    is_replaced = "__new__" in source.known_members
    return Abstract(certain, is_replaced or None in states.values())


def _has_abstract_meta(source: ClassSource) -> bool | None:
    """Return whether ``ABCMeta`` makes the class; ``None`` if the source does not tell."""
    if source.has_unknown_base:
        return None
    found: set[bool | None] = {False}
    for cls in source.known_lineage:
        found |= {name_of(generic_of(base), cls) in _ABSTRACT_BASES for base in cls.node.bases}
        found |= {
            name_of(each.value, cls) == "abc.ABCMeta" or None
            for each in cls.node.keywords
            if each.arg == "metaclass"
        }
    return None if None in found else True in found


def _is_abstract(name: str, lineage: list[ClassSource]) -> bool | None:
    """Return whether the nearest definition is abstract; ``None`` if it may be."""
    for cls in lineage:
        alternatives = cls.scope.bindings.get(name)
        if alternatives is None:
            continue
        states = {_is_abstract_binding(each and each.statement, cls) for each in alternatives}
        if any(map(is_abstract, _accessors(name, cls))) or len(states) > 1:
            return None
        return states.pop()
    return False


def _accessors(name: str, cls: ClassSource) -> Iterator[Function]:
    """Yield the setters, deleters and getters of a property."""
    for statement in cls.statements:
        if isinstance(statement, Function) and statement.name == name:
            written = [unparse(each) for each in statement.decorator_list]
            if any(each.startswith(f"{name}.") for each in written):
                yield statement


def _is_abstract_binding(statement: ast.stmt | None, cls: ClassSource) -> bool | None:
    match statement:
        case (
            ast.FunctionDef(decorator_list=decorators)
            | ast.AsyncFunctionDef(decorator_list=decorators)
        ):
            names = {name_of(callee_of(each), cls) for each in decorators}
            if names & _ABSTRACT_METHODS:
                return True
            return None if is_abstract(statement) else False
        case ast.Assign(value=ast.Name() | ast.Attribute() as value):
            return _is_abstract_alias(value, cls)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return False if isinstance(value, ast.Constant) else None
        case None:
            return None
        case _:
            return False


def _is_abstract_alias(value: ast.Name | ast.Attribute, cls: ClassSource) -> bool | None:
    if isinstance(value, ast.Name):
        found = definition_of(value, cls)
        return _is_abstract_binding(found and found.statement, cls)
    # The function of another class keeps its mark.
    other = cls.class_named(value.value)
    return (other and _is_abstract(value.attr, other.known_lineage)) or None
