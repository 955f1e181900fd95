"""Modules, read from their source: the names that their statements bind and import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from backend_contract._conformance.source.parsing import (
    Function,
    all_statements,
    blocks,
    bound_by_import,
    is_file,
    unparse,
    walk,
)
from backend_contract._conformance.source.scopes import Scope, decides, read_scope

Assignment: TypeAlias = ast.Assign | ast.AnnAssign


class Module:
    """A parsed source file, under the name it is imported by."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name = name
        self.path = path
        self.tree = tree
        self._scopes: dict[tuple[tuple[int, int], bool], Scope] = {}

    def scope(self, version: tuple[int, int], *, type_checking: bool = False) -> Scope:
        """Return what the module binds under Python *version*, or what type checkers see."""
        key = version, type_checking and has_conditions(self.statements)
        if key not in self._scopes:
            decide = decides(version, type_checking=type_checking)
            try:
                self._scopes[key] = read_scope(self.tree.body, decide)
            except RecursionError:  # an `elif` chain of hundreds of branches
                self._scopes[key] = Scope({}, {}, is_open=True)
        return self._scopes[key]

    @cached_property
    def statements(self) -> Sequence[ast.stmt]:
        """The statements of the module; see :func:`iter_statements`."""
        return [*iter_statements(self.tree.body)]

    @cached_property
    def bindings(self) -> dict[str, ast.stmt]:
        """The statement that binds each name of the module; see :func:`_bindings`."""
        return bindings_of(self.statements)

    @cached_property
    def guarded(self) -> dict[str, ast.stmt]:
        """The import that binds each name in the body of a ``try`` that handles its failure."""
        tries = [s for s in self.statements if isinstance(s, ast.Try) and s.handlers]
        imports = (
            s for each in tries for s in each.body if isinstance(s, ast.Import | ast.ImportFrom)
        )
        return {name: statement for statement in imports for name in bound_names(statement)}

    @cached_property
    def namesakes(self) -> dict[ast.ClassDef, list[ast.ClassDef]]:
        """The classes that share a name with each class, or with the nearest class around it."""
        found: dict[ast.ClassDef, list[ast.ClassDef]] = {}
        waiting = [(self.tree.body, list[ast.ClassDef]())]
        while waiting:
            body, around = waiting.pop()
            classes = [s for s in iter_statements(body) if isinstance(s, ast.ClassDef)]
            by_name: dict[str, list[ast.ClassDef]] = {}
            for each in classes:
                by_name.setdefault(each.name, []).append(each)
            for each in classes:
                same = by_name[each.name]
                found[each] = same if len(same) > 1 else around
                waiting.append((each.body, found[each]))
        return found

    @cached_property
    def star_imports(self) -> list[ast.ImportFrom]:
        """The statements ``from ... import *`` of the module."""
        imports = (each for each in self.statements if isinstance(each, ast.ImportFrom))
        return [each for each in imports if each.names[0].name == "*"]

    @property
    def star_origins(self) -> list[str]:
        """The dotted names of the modules that it imports all names of."""
        return [origin_of(self, each) for each in self.star_imports]

    def exports(self, name: str) -> bool:
        """Return whether ``from ... import *`` of this module may bind *name*."""
        return name in self.bindings and (name[0] != "_" or "__all__" in self.bindings)

    @cached_property
    def set_from_outside(self) -> set[str]:
        """The attributes that statements of the module assign, such as ``Class.member``."""
        every = [t for s in self.statements if isinstance(s, Assignment) for t in targets_of(s)]
        return {unparse(each) for each in every if isinstance(each, ast.Attribute)}

    @cached_property
    def rebound(self) -> set[str]:
        """The names of the module that functions may bind again."""
        return {name for n in walk(self.tree) if isinstance(n, ast.Global) for name in n.names}

    @cached_property
    def attributes(self) -> dict[str, list[ast.Attribute]]:
        """The attributes that the module reads or assigns, by their names."""
        found: dict[str, list[ast.Attribute]] = {}
        for node in walk(self.tree):
            if isinstance(node, ast.Attribute):
                found.setdefault(node.attr, []).append(node)
        return found

    @cached_property
    def stub(self) -> Path | None:
        """The stub file beside the module, if there is one."""
        path = self.path.with_suffix(".pyi")
        return path if is_file(path) else None

    @cached_property
    def root(self) -> Path:
        """The directory that its name is counted from."""
        return self.path.parents[self.name.count(".") + (self.path.stem == "__init__")]

    @property
    def is_ours(self) -> bool:
        """Whether the module belongs to this package."""
        return self.name.startswith("backend_contract.")

    @property
    def package(self) -> str:
        """The package that relative imports in it start from."""
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]


def iter_statements(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """Yield the statements of a scope, including those below an ``if``, ``try`` or ``with``."""
    waiting = [*body][::-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.ClassDef | Function):
            waiting += blocks(node)[::-1]


def has_conditions(statements: Iterable[ast.stmt]) -> bool:
    """Return whether conditions decide which of the statements run."""
    return any(isinstance(each, ast.If | ast.While) for each in statements)


def targets_of(statement: Assignment) -> list[ast.expr]:
    """Return what a statement assigns to."""
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def bound_names(statement: ast.stmt) -> list[str]:
    """Return the names that a statement binds in its scope."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign() | ast.AnnAssign():
            nodes = (node for target in targets_of(statement) for node in walk(target))
            names = (node for node in nodes if isinstance(node, ast.Name))
            return [each.id for each in names if isinstance(each.ctx, ast.Store)]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [*map(bound_by_import, names)]
        case _:
            return []


def bindings_of(statements: Iterable[ast.stmt]) -> dict[str, ast.stmt]:
    """Return the statement that binds each name: the last class or import, else the last one."""
    preferred: dict[str, ast.stmt] = {}
    others: dict[str, ast.stmt] = {}
    for statement in statements:
        is_preferred = isinstance(statement, ast.ClassDef | ast.ImportFrom | ast.Import)
        for name in bound_names(statement):
            (preferred if is_preferred else others)[name] = statement
    return others | preferred


def origin_of(module: Module, statement: ast.ImportFrom) -> str:
    """Return the dotted name of the module that a ``from`` import reads."""
    if not statement.level:
        return statement.module or ""
    package = module.package.split(".")
    parts = [*package[: len(package) - statement.level + 1], statement.module or ""]
    return ".".join(part for part in parts if part)


def origin_of_name(
    module: Module, statement: ast.ImportFrom | ast.Import, name: str
) -> tuple[str, ...]:
    """Return the module that an import binds *name* to, and the name in that module, if any."""
    alias = next(each for each in statement.names if bound_by_import(each) == name)
    if isinstance(statement, ast.ImportFrom):
        return origin_of(module, statement), alias.name
    return (alias.name if alias.asname else name,)


def imported_modules(module: Module) -> set[str]:
    """Return the dotted names of what a module imports, modules and their contents alike."""
    names: set[str] = set()
    for node in all_statements(module.tree):
        if isinstance(node, ast.ImportFrom):
            origin = origin_of(module, node)
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def qualified_name(expression: ast.expr, module: Module) -> str:
    """Return the dotted name that an expression was imported as, whether or not it is installed.

    Empty if it was not imported.
    """
    first, *rest = unparse(expression).split(".")
    statement = module.bindings.get(first)
    if not isinstance(statement, ast.ImportFrom | ast.Import):
        return ""
    return ".".join([*origin_of_name(module, statement, first), *rest])
