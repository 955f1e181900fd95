"""Opinions on making instances: the constructor, and whether they have all members at all."""

from __future__ import annotations

import ast
from functools import lru_cache

from backend_contract._conformance.results import MEMBERS, Verdict
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.evaluation.assignments import (
    Value,
    function_of,
    given_after_creation,
    to_class,
    to_instance,
)
from backend_contract._conformance.source.evaluation.fields import is_inherited_by_model
from backend_contract._conformance.source.evaluation.fitness import (
    Opinion,
    fits_constructor,
    fits_overloads,
    misfit,
    one_of,
    unknown,
)
from backend_contract._conformance.source.evaluation.kinds import inside
from backend_contract._conformance.source.evaluation.opinions import LAST_COUNTS, why_computed
from backend_contract._conformance.source.evaluation.stub_files import stub_opinion
from backend_contract._conformance.source.members import abstract_members
from backend_contract._conformance.source.parsing import Function, unparse, walk
from backend_contract._conformance.source.signatures import is_overloaded


@lru_cache(maxsize=2**12)
def constructor_opinion(source: ClassSource, checker: str) -> Opinion | None:
    """Return the opinion on ``__init__`` if *checker* takes another one than Python does."""
    declared = stub_opinion(source, "__init__") or _opinion_on_assigned(source)
    if declared is not None:
        return declared
    cls = _class_of_constructor(source)
    if cls is None:
        return None
    alternatives = cls.scope.bindings["__init__"]
    if _sees_constructor(cls, checker):
        last = cls.in_body.get("__init__")
        if isinstance(last, Function) and is_overloaded(source, "__init__"):
            return fits_overloads("__init__", last, cls.module)
        if not is_inherited_by_model(source, cls):
            return None
    values = [Value(cls, each) for each in alternatives if each is not None]
    opinions = [_opinion_on_constructor(value, source) for value in values]
    return one_of(opinions) if len(values) == len(alternatives) else None


def _opinion_on_assigned(source: ClassSource) -> Opinion | None:
    """Return the opinion on a constructor that is assigned after the class body, if one is."""
    given = [each for each in to_class(source, "__init__") if each.member == "__init__"]
    if not given:
        return None
    last = given[-1]
    followed = function_of(last.value, last.at) if last.value else None
    opinion = fits_constructor(*followed) if followed else unknown("cannot follow `__init__`")
    if opinion.verdict is Verdict.OK or not last.is_certain:
        opinion = unknown("`__init__` is assigned after the class body")
    return opinion._replace(statement=last.statement, module=last.at.module)


def _sees_constructor(cls: ClassSource, checker: str) -> bool:
    """Return whether *checker* takes the ``__init__`` of the class body that Python takes."""
    if any(each and each.value is not None for each in cls.scope.bindings["__init__"]):
        return False
    reached = cls.scope.reached.get("__init__", [])
    if reached != cls.scope_for_checkers.reached.get("__init__", []):
        return False
    is_last = checker in LAST_COUNTS and len(cls.scope.bindings["__init__"]) <= 1
    return len(reached) <= 1 or is_last


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


def why_other_class(source: ClassSource) -> str | None:
    """Return why the name of a class may mean something else in its module when that has run."""
    module, node = source.module, source.node
    if module.namesakes.get(node) and not source.is_decided:
        return f"`if` or `try` decides at run time which class `{node.name}` is"
    if node not in module.statements:
        return None
    bindings = module.scope(source.modules.version).bindings.get(node.name, ())
    left = [each.statement for each in bindings if each]
    if left and node not in left and not any(_mentions(each, node.name) for each in left):
        return f"line {left[-1].lineno} binds the name `{node.name}` again"
    if source.modules.is_bound_by_star(module, node.name, behind=node.lineno):
        return f"a later `import *` binds the name `{node.name}` again"
    return None


def _mentions(statement: ast.stmt, name: str) -> bool:
    """Return whether a statement such as ``Name = decorate(Name)`` reads the name that it binds."""
    nodes = (each for each in walk(statement) if isinstance(each, ast.Name))
    return any(each.id == name and isinstance(each.ctx, ast.Load) for each in nodes)


def reads_other_class(source: ClassSource, checker: str) -> bool:
    """Return whether *checker* may read another class of the same name than Python does."""
    if not source.module.namesakes.get(source.node):
        return False
    seen = source.definitions(type_checking=True)
    return seen != [source.node] and not (seen[-1:] == [source.node] and checker in LAST_COUNTS)


def why_incomplete(source: ClassSource) -> str | None:
    """Return why an instance may lack a member, or why a call may make something else."""
    return _why_replaced(source) or _why_not_assigned(source) or why_computed(source, "__init__")


def _why_replaced(source: ClassSource) -> str | None:
    for member in MEMBERS:
        for each in to_class(source, member):
            if each.is_deletion:
                return f"`{member}` is deleted after the class body"
            if each.member is None and isinstance(each.statement, ast.expr):
                return f"{each.why} may replace the class"
    return None


def _why_not_assigned(source: ClassSource) -> str | None:
    for cls in source.known_lineage:
        is_near = cls.module.root == source.module.root
        setter = cls.in_body.get("__setattr__") if is_near else None
        text = unparse(setter) if isinstance(setter, Function) else ".__setattr__"
        if ".__setattr__" not in text and "__dict__" not in text:
            return f"`__setattr__` of `{cls.node.name}` may keep the constructor from assigning"
    return None


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
