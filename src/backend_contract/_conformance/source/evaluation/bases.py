"""Bases that the source leaves open: chosen at run time, computed, or different for checkers."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache

from backend_contract._conformance.source.definitions import dotted_name
from backend_contract._conformance.source.evaluation.scopes import Function
from backend_contract._conformance.source.modules import (
    ClassSource,
    Module,
    ModuleFinder,
    origin_of_name,
)
from backend_contract._conformance.source.parsing import unparse
from backend_contract.errors import CouldNotCheckError

__all__ = ["why_undecided"]

_OURS = "backend_contract"
_KNOWN = {_OURS, "typing_extensions", *sys.stdlib_module_names}
_MAX_STEPS = 20


@lru_cache(maxsize=2**14)
def why_undecided(source: ClassSource, member: str) -> str | None:
    """Return the reason why *member* may come from another base, or ``None`` if it may not."""
    for cls in source.known_lineage:
        if member in cls.in_body:
            return None
        base = _open_base(cls)
        if base is not None:
            return f"the base `{base}` of `{cls.node.name}` is only known at run time"
    return None


@lru_cache(maxsize=1024)
def _open_base(cls: ClassSource) -> str | None:
    """Return the first base of a class that the source leaves open, as it is written."""
    if cls.module.name.partition(".")[0] == _OURS:
        return None
    for base in cls.node.bases:
        if _is_open(base, cls.module, cls.modules):
            return unparse(base)
    return None


def _is_open(base: ast.expr, module: Module, modules: ModuleFinder) -> bool:
    """Return whether an expression means one class or another, or is not the name of a class."""
    for _ in range(_MAX_STEPS):
        parts = _class_name(base)
        if not parts:
            return True
        if parts[0] in module.guarded:
            return False
        bindings = _bindings(parts[0], module, modules)
        if bindings is None:
            return True
        match bindings:
            case ast.Import() | ast.ImportFrom() as statement:
                if origin_of_name(module, statement, parts[0])[0].partition(".")[0] in _KNOWN:
                    return False
                try:
                    module, name = modules.imported(module, statement, tuple(parts))
                except CouldNotCheckError:
                    return False
                base = ast.parse(".".join(name), mode="eval").body
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                if not isinstance(base, ast.Subscript) or _class_name(value):
                    base = value
                    continue
                return True
            case _:
                return isinstance(bindings, Function)
    return False


def _class_name(expression: ast.expr) -> list[str]:
    """Return the parts of the name of a class, without type arguments."""
    generic = expression.value if isinstance(expression, ast.Subscript) else expression
    return dotted_name(generic)


def _bindings(name: str, module: Module, modules: ModuleFinder) -> ast.stmt | ast.Pass | None:
    """Return the statement that binds a name, for Python and for checkers; ``None`` if they differ.

    ``pass`` stands for a name that the module does not bind.
    """
    in_python = module.scope(modules.version).bindings.get(name)
    for_checkers = module.scope(modules.version, type_checking=True).bindings.get(name)
    if in_python is None and for_checkers is None:
        return ast.Pass()
    if not in_python or len(in_python) != 1 or in_python[0] is None:
        return None
    statement = in_python[0].statement
    if for_checkers == in_python:
        return statement
    values = [each[0].value for each in (in_python, for_checkers or ()) if each and each[0]]
    names = [_class_name(value) for value in values if value is not None]
    is_same = len(names) == 2 and bool(names[0]) and names[0] == names[1]
    return statement if is_same else None
