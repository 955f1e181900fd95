"""Classes, read from the source they are written in. Nothing here imports or runs what it reads."""

from __future__ import annotations

import ast
import importlib.util
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TypeAlias

from backend_contract._conformance.source.environment import Environment
from backend_contract.errors import CouldNotCheckError

__all__ = ["ClassSource", "Module", "ModuleFinder", "iter_statements", "qualified_name"]

_TYPE_MODULES = ("abc", "typing", "typing_extensions")

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Assignment: TypeAlias = ast.Assign | ast.AnnAssign
Member: TypeAlias = Function | Assignment


class Module:
    """One parsed source file, under the name it is imported by."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name = name
        self.path = path
        self.tree = tree

    @cached_property
    def bindings(self) -> dict[str, ast.stmt]:
        """What gives each name of the module its meaning; see :func:`_bindings`."""
        return _bindings(self.tree.body)

    @cached_property
    def set_from_outside(self) -> set[str]:
        """What statements of the module itself set, such as ``Class.member``."""
        targets = [
            t
            for s in iter_statements(self.tree.body)
            if isinstance(s, Assignment)
            for t in _assigned(s)
        ]
        return {ast.unparse(target) for target in targets if isinstance(target, ast.Attribute)}

    @property
    def package(self) -> str:
        """What a relative import in it starts from."""
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]


class ClassSource:
    """A class statement, the module it stands in, and the classes it inherits from."""

    def __init__(
        self,
        module: Module,
        node: ast.ClassDef,
        bases: Sequence[ClassSource | None],
    ) -> None:
        self.module = module
        self.node = node
        self.bases = bases
        """``None`` for a base whose source was not found."""

    @cached_property
    def in_body(self) -> dict[str, Member]:
        """The statements in the body of this very class that give its members."""
        return {
            name: statement
            for name, statement in _bindings(self.node.body).items()
            if isinstance(statement, Member)
        }

    @cached_property
    def on_self(self) -> dict[str, Member]:
        """The assignments to attributes of ``self`` in the methods of this very class."""
        found: dict[str, Member] = {}
        for method in self.in_body.values():
            if isinstance(method, Function) and method.args.args:
                instance = method.args.args[0].arg
                for node in ast.walk(method):
                    if isinstance(node, Assignment):
                        for target in _assigned(node):
                            if (
                                isinstance(target, ast.Attribute)
                                and isinstance(target.value, ast.Name)
                                and target.value.id == instance
                            ):
                                found.setdefault(target.attr, node)
        return found

    @cached_property
    def lineage(self) -> list[ClassSource | None]:
        """The class and those it inherits from, nearest first; ``None`` where one is not known.

        A class that comes more than once stands where it comes last, as in Python's own order.
        """
        whole: list[ClassSource | None] = [self]
        for base in self.bases:
            whole += [None] if base is None else base.lineage
        comes_again = [source in whole[place + 1 :] for place, source in enumerate(whole)]
        return [s for s, again in zip(whole, comes_again, strict=True) if s is None or not again]

    @property
    def known_lineage(self) -> list[ClassSource]:
        """The part of its lineage whose source was found."""
        return [source for source in self.lineage if source is not None]

    @property
    def has_unknown_base(self) -> bool:
        """Whether the source of some class it inherits from, directly or not, was not found."""
        return None in self.lineage

    def find(self, member: str) -> tuple[ClassSource, Member] | None:
        """The nearest class that gives ``member``, and the statement that does."""
        for source in self.known_lineage:
            statement = source.in_body.get(member) or source.on_self.get(member)
            if statement is not None:
                return source, statement
        return None


class ModuleFinder:
    """The source files that can be imported in an environment, each parsed once."""

    def __init__(self, environment: Environment, search_path: Iterable[str] | None = None) -> None:
        self._environment = environment
        self._search_path = list(environment.path if search_path is None else search_path)
        self._trees: dict[Path, ast.Module] = {}
        self._modules: dict[str, Module | None] = {}
        self._classes: dict[tuple[Path, tuple[str, ...]], ClassSource] = {}
        self._below: dict[Path, ModuleFinder] = {}

    def below(self, root: Path) -> ModuleFinder:
        """The same, with ``root`` before everything else."""
        if root not in self._below:
            sources = ModuleFinder(self._environment, [str(root), *self._search_path])
            sources._trees = self._trees
            self._below[root] = sources
        return self._below[root]

    def module(self, name: str) -> Module | None:
        """The module of that dotted name; ``None`` where there is no Python source of it.

        Raises :class:`CouldNotCheckError` where there is one that cannot be parsed.
        """
        if name not in self._modules:
            self._modules[name] = self._find_module(name)
        return self._modules[name]

    def _find_module(self, name: str) -> Module | None:
        path: Sequence[str] | None = self._search_path
        spec = None
        parts = name.split(".")
        if not all(parts):  # a relative import outside any package
            return None
        for part in parts:
            if path is None:
                return None
            # By its last name alone: for a dotted one, the parents would have to be imported.
            found = PathFinder.find_spec(part, path)
            is_first = spec is None and part not in sys.modules
            if found is None and is_first and self._environment.is_this:
                found = importlib.util.find_spec(part)  # asks the hooks of editable installs
            if found is None:
                return None
            spec, path = found, found.submodule_search_locations
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        return Module(name, Path(spec.origin), self.parse(Path(spec.origin)))

    def parse(self, path: Path) -> ast.Module:
        """The tree of that file. Raises :class:`CouldNotCheckError` where it has none."""
        if path not in self._trees:
            try:
                if path.exists() and not (path.is_file() or path.is_dir()):
                    raise CouldNotCheckError(f"{path}: is neither a file nor a directory")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", SyntaxWarning)
                    self._trees[path] = ast.parse(path.read_bytes())
            except OSError as error:
                raise CouldNotCheckError(f"{path}: {error.strerror}") from None
            except SyntaxError as error:
                raise CouldNotCheckError(f"{path}:{error.lineno}: {error.msg}") from None
            except (ValueError, RecursionError, MemoryError) as error:
                raise CouldNotCheckError(f"{path}: cannot be parsed: {error}") from None
        return self._trees[path]

    def find_class(self, module: Module, name: Sequence[str]) -> ClassSource:
        """The class called ``name`` (a part a nesting) in ``module``, or what it imports so called.

        Raises :class:`CouldNotCheckError` where that is no class, or its source is not found.
        """
        return self._find(module, tuple(name), ())

    def _find(self, module: Module, name: tuple[str, ...], seen: tuple[object, ...]) -> ClassSource:
        here = (module.path, name)
        if here not in self._classes:
            self._classes[here] = self._find_anew(module, name, seen)
        return self._classes[here]

    def _find_anew(
        self, module: Module, name: tuple[str, ...], seen: tuple[object, ...]
    ) -> ClassSource:
        here = (module.path, name)
        if here in seen or len(seen) > 100:
            raise CouldNotCheckError(f"{module.path}: {'.'.join(name)} leads back to itself")
        seen = (*seen, here)
        statement = module.bindings.get(name[0])
        match statement:
            case ast.ClassDef():
                return self._nested(module, statement, name[1:], seen)
            case ast.ImportFrom():
                alias = next(a for a in statement.names if (a.asname or a.name) == name[0])
                origin = _origin(module, statement)
                return self._find_below(origin, (alias.name, *name[1:]), seen)
            case ast.Import():
                alias = next(a for a in statement.names if _bound_by_import(a) == name[0])
                origin = alias.name if alias.asname else name[0]
                return self._find_below(origin, name[1:], seen)
            case ast.Assign(value=ast.Name() | ast.Attribute() as value):
                return self._find(module, (*ast.unparse(value).split("."), *name[1:]), seen)
            case None:
                for star in _star_imports(module.tree.body):
                    try:
                        return self._find_below(_origin(module, star), name, seen)
                    except CouldNotCheckError:
                        continue
                raise CouldNotCheckError(f"{module.path}: no class {'.'.join(name)!r}")
            case _:
                kind = "a function" if isinstance(statement, Function) else "no class statement"
                raise CouldNotCheckError(
                    f"{module.path}:{statement.lineno}: {name[0]!r} is {kind}; expected a class"
                )

    def _find_below(
        self, origin: str, name: tuple[str, ...], seen: tuple[object, ...]
    ) -> ClassSource:
        """The class ``name``, whose first parts may be names of modules below ``origin``."""
        module = self.module(origin)
        if len(name) > 1 and (module is None or name[0] not in module.bindings):
            return self._find_below(f"{origin}.{name[0]}", name[1:], seen)
        if module is None or not name:
            raise CouldNotCheckError(f"no source of a class {'.'.join((origin, *name))!r}")
        return self._find(module, name, seen)

    def _nested(
        self, module: Module, node: ast.ClassDef, inner: tuple[str, ...], seen: tuple[object, ...]
    ) -> ClassSource:
        for part in inner:
            statement = _bindings(node.body).get(part)
            if not isinstance(statement, ast.ClassDef):
                raise CouldNotCheckError(
                    f"{module.path}:{node.lineno}: class {node.name!r} has no class {part!r}"
                )
            node = statement
        bases: list[ClassSource | None] = []
        for expression in node.bases:
            base = expression.value if isinstance(expression, ast.Subscript) else expression
            if not _defines_no_member(base, module):
                name = tuple(ast.unparse(base).split("."))
                try:
                    bases.append(self._find(module, name, seen))
                except CouldNotCheckError:
                    bases.append(None)
        return ClassSource(module, node, bases)


def iter_statements(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """The statements of one scope, those below an ``if``, ``try`` or ``with`` among them."""
    for node in body:
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.ClassDef | Function | ast.expr):
            yield from iter_statements(ast.iter_child_nodes(node))


def _assigned(statement: Assignment) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _bound_by_import(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _bound_names(statement: ast.stmt) -> list[str]:
    """The names that a statement gives a meaning in its scope."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign() | ast.AnnAssign():
            targets = [node for target in _assigned(statement) for node in ast.walk(target)]
            stored = (node for node in targets if isinstance(node, ast.Name))
            return [node.id for node in stored if isinstance(node.ctx, ast.Store)]
        case ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case ast.Import(names=names):
            return [_bound_by_import(alias) for alias in names]
        case _:
            return []


def _bindings(body: Iterable[ast.stmt]) -> dict[str, ast.stmt]:
    """What gives each name its meaning: classes and imports before anything else, the last one."""
    telling: dict[str, ast.stmt] = {}
    others: dict[str, ast.stmt] = {}
    for statement in iter_statements(body):
        tells = isinstance(statement, ast.ClassDef | ast.ImportFrom | ast.Import)
        for name in _bound_names(statement):
            (telling if tells else others)[name] = statement
    return others | telling


def _star_imports(body: Iterable[ast.stmt]) -> Iterator[ast.ImportFrom]:
    for statement in iter_statements(body):
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            yield statement


def _origin(module: Module, statement: ast.ImportFrom) -> str:
    """The dotted name of the module that a ``from`` import takes from."""
    if not statement.level:
        return statement.module or ""
    package = module.package.split(".")
    parts = [*package[: len(package) - statement.level + 1], statement.module or ""]
    return ".".join(part for part in parts if part)


def qualified_name(expression: ast.expr, module: Module) -> str | None:
    """Return the dotted name that an expression was imported as, or ``None`` if it was not."""
    first, *rest = ast.unparse(expression).split(".")
    match module.bindings.get(first):
        case ast.ImportFrom(names=names) as statement:
            alias = next(a for a in names if (a.asname or a.name) == first)
            return ".".join([_origin(module, statement), alias.name, *rest])
        case ast.Import(names=names):
            alias = next(a for a in names if _bound_by_import(a) == first)
            return ".".join([alias.name if alias.asname else first, *rest])
        case _:
            return None


def _defines_no_member(base: ast.expr, module: Module) -> bool:
    """Return whether a base, such as ``ABC`` or ``object``, has no member of a backend."""
    name = qualified_name(base, module)
    if name is None:
        return ast.unparse(base) == "object" and "object" not in module.bindings
    return name.partition(".")[0] in _TYPE_MODULES
