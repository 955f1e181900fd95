"""How an annotation is spelled in a module: with the imports that it has, or with new ones."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

from backend_contract._conformance.fixes.model import NewImport
from backend_contract._conformance.source.modules import bound_names
from backend_contract._conformance.source.parsing import bound_by_import

# A module that imports one of these can import aconfig too.
_DEPEND_ON_ACONFIG = ("aconfig", "backend_contract", "caikit")
_STANDARD = ("collections.abc", "contextlib", "typing")


class Spelling(NamedTuple):
    """An expression that means a given name in a module."""

    text: str
    imports: tuple[NewImport, ...] = ()
    is_for_types: bool = False
    """Whether the name may not exist at run time, at least not yet at the place of use."""


@lru_cache(maxsize=32)  # each of its classes asks for them
def names_of_module(tree: ast.Module) -> ModuleNames:
    """Return the names of a module."""
    return ModuleNames(tree)


class ModuleNames:
    """The names of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree

    @cached_property
    def _bound(self) -> dict[str, list[ast.AST]]:
        """The nodes that bind each global name, wherever in the module."""
        bound: dict[str, list[ast.AST]] = {}
        for name, node in _bindings_of_scope(self._tree):
            bound.setdefault(name, []).append(node)
        for function in ast.walk(self._tree):
            if isinstance(function, ast.Global):
                for name in function.names:
                    bound.setdefault(name, []).append(function)
        return bound

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        """All classes of the module, always in the same order."""
        return [node for node in ast.walk(self._tree) if isinstance(node, ast.ClassDef)]

    @cached_property
    def defers_annotations(self) -> bool:
        """Whether annotations are not evaluated: the module imports them from ``__future__``."""
        binding = self._bound.get("annotations", ())
        return any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in binding)

    def imports_package(self, *packages: str) -> bool:
        """Return whether the module cannot be imported without one of *packages*."""
        names: list[str] = []
        for statement in self._tree.body:
            if isinstance(statement, ast.Import):
                names += [alias.name for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom) and not statement.level:
                names.append(statement.module or "")
        return any(name.partition(".")[0] in packages for name in names)

    def is_free(self, name: str, class_names: Iterable[str]) -> bool:
        """Return whether nothing in the module, or in the class, binds *name*."""
        return name not in self._bound and name not in class_names

    def spell(
        self, module: str, name: str, line: int, hidden: Iterable[str], *, qualified: bool = False
    ) -> Spelling | None:
        """Return how to write *name* of *module* on *line*; a new import is *qualified* if it can.

        *hidden* are the names that the class around binds. ``None`` if every spelling would mean
        something else there.
        """
        known = self._reuse(module, name, line, hidden)
        if known is not None:
            return known
        for_types = not self._is_installed(module)
        # `import *` may bind any name.
        is_late = for_types or "*" in self._bound
        ways = [
            (name, Spelling(name, (NewImport(module, name, for_types),), is_late)),
            (
                module.partition(".")[0],
                Spelling(f"{module}.{name}", (NewImport(module, "", for_types),), is_late),
            ),
        ]
        for bound, spelling in reversed(ways) if qualified else ways:
            if self.is_free(bound, hidden):
                return spelling
        return None

    def _is_installed(self, module: str) -> bool:
        """Return whether the module may import *module* at run time."""
        if module in _STANDARD:
            return True
        packages = _DEPEND_ON_ACONFIG if module == "aconfig" else (module,)
        return self.imports_package(*packages)

    def reuse_early(self, module: str, name: str, line: int, hidden: Iterable[str]) -> str | None:
        """Return how to write *name* if the module has imported it before *line*."""
        known = self._reuse(module, name, line, hidden)
        return known.text if known is not None and not known.is_for_types else None

    def _reuse(self, module: str, name: str, line: int, hidden: Iterable[str]) -> Spelling | None:
        for bound, nodes in sorted(self._bound.items(), key=lambda each: each[0] != name):
            for node in nodes:
                text = dict(_offered_by(node, module, name)).get(bound)
                if text is None or bound in hidden or not self._keeps(nodes, module, name):
                    continue
                is_early = node in self._tree.body and getattr(node, "lineno", line) < line
                return Spelling(text, (), not (is_early and len(nodes) == 1))
        return None

    def _keeps(self, nodes: list[ast.AST], module: str, name: str) -> bool:
        """Return whether every binding is an import of the same thing, or its absence."""
        for node in nodes:
            match node:
                case ast.Import() | ast.ImportFrom():
                    if not any(_offered_by(node, module, name)):
                        return False
                case ast.Assign(value=ast.Constant(value=None)):
                    pass
                case _:
                    return False
        return True


def _offered_by(node: ast.AST, module: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield how to write *name* of *module* after an import, with the name that it binds."""
    match node:
        case ast.ImportFrom(module=str(origin), names=aliases, level=0):
            for alias in aliases:
                bound = bound_by_import(alias)
                if alias.name == name and _same(origin, module):
                    yield bound, bound
                elif f"{origin}.{alias.name}" == module:
                    yield bound, f"{bound}.{name}"
        case ast.Import(names=aliases):
            for alias in aliases:
                if alias.name == module:
                    yield bound_by_import(alias), f"{alias.asname or module}.{name}"
        case _:
            pass


def _same(module: str, wanted: str) -> bool:
    """Return whether *module* offers the names of *wanted* too."""
    if wanted == "backend_contract":
        return module.partition(".")[0] == wanted
    return module == wanted or (wanted == "collections.abc" and module == "typing")


def _bindings_of_scope(scope: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names that the scope of a module or class binds, and the binding nodes."""
    pending = [*ast.iter_child_nodes(scope)]
    while pending:
        node = pending.pop(0)
        for name in _bound_by(node):
            yield name, node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                pass  # a scope of its own
            case ast.Assign(targets=[ast.Name()]):
                pending.append(node.value)
            case _:
                pending += ast.iter_child_nodes(node)


def _bound_by(node: ast.AST) -> list[str]:
    match node:
        case ast.stmt():
            return bound_names(node)
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.ExceptHandler(name=str(name)):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case _:
            return []


def names_of_class(node: ast.ClassDef) -> set[str]:
    """Return the names that the body of a class binds; annotations in it mean these."""
    return {name for name, _ in _bindings_of_scope(ast.Module(node.body, []))}
