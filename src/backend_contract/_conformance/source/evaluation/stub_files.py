"""Stub files beside modules: type checkers read the stub, and Python the module."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.classes import ClassSource, Member
from backend_contract._conformance.source.evaluation.fitness import (
    ATTRIBUTES,
    Opinion,
    fits_attribute,
    fits_function,
    unknown,
)
from backend_contract._conformance.source.evaluation.inference import (
    kinds_of,
    kinds_of_annotation,
    result_of,
)
from backend_contract._conformance.source.evaluation.kinds import Context
from backend_contract._conformance.source.parsing import Function, unparse, walk
from backend_contract.errors import CouldNotCheckError


def stub_opinion(source: ClassSource, member: str) -> Opinion | None:
    """Return the opinion on a member that a stub file declares differently than its module.

    ``None`` if there is no stub, or if both agree.
    """
    for cls in source.known_lineage:
        in_module = cls.in_body.get(member) or cls.on_self.get(member)
        path = None if cls.module.is_ours else cls.module.stub
        if path is None:
            if in_module is not None:
                return None
            continue
        in_stub = _in_stub(cls, path, member)
        if in_module is None and in_stub is None:
            continue
        return _compared(member, cls, in_module, in_stub, path.name)
    return None


def _in_stub(cls: ClassSource, path: Path, member: str) -> Member | None:
    return _members_in_stub(cls, path).get(member)


@lru_cache(maxsize=256)
def _members_in_stub(cls: ClassSource, path: Path) -> dict[str, Member]:
    try:
        tree = cls.modules.parse(path)
    except CouldNotCheckError:
        return {}
    found: dict[str, Member] = {}
    for node in walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == cls.node.name:
            for each in node.body:
                if isinstance(each, Function):
                    found.setdefault(each.name, each)
                elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                    found[each.target.id] = each
                elif isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                    found[each.targets[0].id] = each
    return found


def _compared(
    member: str,
    cls: ClassSource,
    in_module: Member | None,
    in_stub: Member | None,
    name: str,
) -> Opinion | None:
    if in_module is None or in_stub is None:
        where = "not in the module" if in_module is None else "only in the module"
        reason = f"`{member}` is {where}: type checkers read {name} instead"
        return unknown(reason, in_module, cls.module)
    if isinstance(in_module, Function) and isinstance(in_stub, Function):
        is_same = _shape(in_module) == _shape(in_stub) and _agree(in_module, in_stub)
    elif member in ATTRIBUTES:
        return _compared_attribute(member, cls, in_module, in_stub, name)
    else:
        is_same = unparse(in_module) == unparse(in_stub)
    if is_same:
        return None
    at = Context(cls.module, cls.modules, cls, target=cls)
    if isinstance(in_module, Function) and member not in ATTRIBUTES and member != "__init__":
        opinion = fits_function(member, in_module, at)
        if opinion.verdict is Verdict.VIOLATED:
            return opinion._replace(statement=in_module, module=cls.module)
    reason = f"type checkers read {name}, which declares `{member}` differently"
    return unknown(reason, in_module, cls.module)


def _shape(function: Function) -> tuple[object, ...]:
    given = function.args
    names = [
        [each.arg for each in part] for part in (given.posonlyargs, given.args, given.kwonlyargs)
    ]
    optional = [default is not None for default in given.kw_defaults]
    decorators = sorted(unparse(each) for each in function.decorator_list)
    several = given.vararg and given.vararg.arg, given.kwarg and given.kwarg.arg
    is_async = isinstance(function, ast.AsyncFunctionDef)
    return is_async, names, len(given.defaults), optional, several, decorators


def _agree(in_module: Function, in_stub: Function) -> bool:
    pairs = [(in_module.returns, in_stub.returns)]
    for one, other in zip(_parameters(in_module), _parameters(in_stub), strict=True):
        pairs.append((one.annotation, other.annotation))
    return all(
        one is None or (other is not None and unparse(one) == unparse(other))
        for one, other in pairs
    )


def _parameters(function: Function) -> list[ast.arg]:
    return [each for each in walk(function.args) if isinstance(each, ast.arg)]


def _compared_attribute(
    member: str, cls: ClassSource, in_module: Member, in_stub: Member, name: str
) -> Opinion | None:
    at = Context(cls.module, cls.modules, cls if member in cls.in_body else None, target=cls)
    if isinstance(in_module, Function):
        names = {unparse(each) for each in in_module.decorator_list}
        is_method = not isinstance(in_stub, Function)
        if names != {"property"} or is_method is (member == "backend_type"):
            reason = f"type checkers read {name}, which declares `{member}` differently"
            return unknown(reason, in_module, cls.module)
        kinds = result_of(in_module, at)
    elif in_module.value is not None:
        kinds = kinds_of(in_module.value, at)
    else:
        assert isinstance(in_module, ast.AnnAssign)
        kinds = kinds_of_annotation(in_module.annotation, at)
    opinion = fits_attribute(member, kinds, unparse(in_module))
    return (
        None
        if opinion.verdict is Verdict.OK
        else opinion._replace(statement=in_module, module=cls.module)
    )
