"""Modules and classes, read from their source: nothing is imported, and no code of theirs runs."""

from __future__ import annotations

import ast
import importlib.util
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TypeAlias

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.evaluation.conditions import decides
from backend_contract._conformance.source.evaluation.scopes import Function, Scope, read_scope
from backend_contract.errors import CouldNotCheckError

__all__ = [
    "Assignment",
    "ClassSource",
    "Function",
    "Member",
    "Module",
    "ModuleFinder",
    "iter_statements",
    "origin_of_name",
    "qualified_name",
    "star_origins",
]

# Their classes define no member of a backend.
_TYPE_MODULES = ("abc", "typing", "typing_extensions")

# Cycles of aliases that grow longer, as in `x = x.y`, end here.
_MAX_STEPS = 100

Assignment: TypeAlias = ast.Assign | ast.AnnAssign
Member: TypeAlias = Function | Assignment
_Step: TypeAlias = tuple[Path, tuple[str, ...]]


class Module:
    """A parsed source file, under the name it is imported by."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name = name
        self.path = path
        self.tree = tree
        self._scopes: dict[tuple[int, int], Scope] = {}

    def scope(self, version: tuple[int, int]) -> Scope:
        """Return what the module binds under Python *version*."""
        if version not in self._scopes:
            self._scopes[version] = read_scope(self.tree.body, decides(version))
        return self._scopes[version]

    @cached_property
    def bindings(self) -> dict[str, ast.stmt]:
        """The statement that binds each name of the module; see :func:`_bindings`."""
        return _bindings(self.tree.body)

    @cached_property
    def guarded(self) -> dict[str, ast.stmt]:
        """The import that binds each name in the body of a ``try`` that handles its failure."""
        tries = [
            s for s in iter_statements(self.tree.body) if isinstance(s, ast.Try) and s.handlers
        ]
        imports = (
            s for each in tries for s in each.body if isinstance(s, ast.Import | ast.ImportFrom)
        )
        return {name: statement for statement in imports for name in _bound_names(statement)}

    @cached_property
    def set_from_outside(self) -> set[str]:
        """The attributes that statements of the module assign, such as ``Class.member``."""
        assignments = [s for s in iter_statements(self.tree.body) if isinstance(s, Assignment)]
        targets = [target for each in assignments for target in _assigned(each)]
        return {ast.unparse(target) for target in targets if isinstance(target, ast.Attribute)}

    @property
    def package(self) -> str:
        """The package that relative imports in it start from."""
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]


class ClassSource:
    """A class statement, its module and the classes it inherits from."""

    def __init__(
        self,
        module: Module,
        node: ast.ClassDef,
        bases: Sequence[ClassSource | None],
        modules: ModuleFinder,
    ) -> None:
        self.module = module
        self.node = node
        self.bases = bases
        """``None`` for a base whose source was not found."""
        self.modules = modules
        """The finder of the modules that its module imports."""

    @cached_property
    def scope(self) -> Scope:
        """The names that the class body binds when it runs."""
        return read_scope(self.node.body, decides(self.modules.version))

    @cached_property
    def scope_for_checkers(self) -> Scope:
        """The same as type checkers see it, for which ``TYPE_CHECKING`` is true."""
        return read_scope(self.node.body, decides(self.modules.version, type_checking=True))

    @cached_property
    def in_body(self) -> dict[str, Member]:
        """The statements that define members in the body of this class, without inherited ones.

        Of several definitions it is the one that counts: the last one, in the branches that run.
        """
        found: dict[str, Member] = {
            statement.target.id: statement
            for statement in iter_statements(self.node.body)
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
            if statement.value is None
        }
        for name, alternatives in self.scope.bindings.items():
            for binding in alternatives:
                if binding is not None and isinstance(binding.statement, Member):
                    found[name] = binding.statement
        return found

    @cached_property
    def with_setter(self) -> set[str]:
        """The names of the properties of this class that have a setter."""
        return {
            statement.name
            for statement in iter_statements(self.node.body)
            if isinstance(statement, Function)
            if f"{statement.name}.setter" in map(ast.unparse, statement.decorator_list)
        }

    @cached_property
    def on_self(self) -> dict[str, Member]:
        """The assignments to attributes of ``self`` in the methods of this class."""
        found: dict[str, Member] = {}
        for method in iter_statements(self.node.body):
            if isinstance(method, Function) and method.args.args:
                for name, statement in _attributes_set(method, method.args.args[0].arg):
                    found.setdefault(name, statement)
        return found

    @cached_property
    def lineage(self) -> list[ClassSource | None]:
        """The class and its ancestors, nearest first; ``None`` stands for an unknown one.

        A class that is inherited more than once keeps its last place, as in Python's own order.
        """
        whole: list[ClassSource | None] = [self]
        for base in self.bases:
            whole += [None] if base is None else base.lineage
        return [s for n, s in enumerate(whole, start=1) if s is None or s not in whole[n:]]

    @property
    def has_guarded_base(self) -> bool:
        """Whether a ``try`` imports a base of the class, or of a base: checkers differ there."""
        return any(
            ast.unparse(base).partition(".")[0] in cls.module.guarded
            for cls in self.known_lineage
            for base in cls.node.bases
        )

    @property
    def known_lineage(self) -> list[ClassSource]:
        """The part of the lineage whose source was found."""
        return [source for source in self.lineage if source is not None]

    @cached_property
    def known_members(self) -> set[str]:
        """The names that the known lineage defines in its class bodies."""
        return {name for source in self.known_lineage for name in source.in_body}

    @property
    def has_unknown_base(self) -> bool:
        """Whether the source of a direct or indirect base was not found."""
        return None in self.lineage

    def find(self, member: str) -> tuple[ClassSource, Member] | None:
        """Return the nearest class that defines *member* and its statement, or ``None``."""
        for source in self.known_lineage:
            statement = source.in_body.get(member) or source.on_self.get(member)
            if statement is not None:
                return source, statement
        return None


class ModuleFinder:
    """The modules and classes that an environment can import; each file is parsed once."""

    def __init__(self, environment: Environment, search_path: Iterable[str] | None = None) -> None:
        self._environment = environment
        self._search_path = list(environment.path if search_path is None else search_path)
        self._trees: dict[Path, ast.Module] = {}
        self._modules: dict[str, Module | None] = {}
        self._classes: dict[tuple[Path, tuple[str, ...]], ClassSource] = {}
        self._below: dict[Path, ModuleFinder] = {}

    @property
    def version(self) -> tuple[int, int]:
        """The version of Python whose modules these are."""
        return self._environment.version

    def below(self, root: Path) -> ModuleFinder:
        """Return a finder that searches *root* first, and shares the parsed files."""
        if root not in self._below:
            finder = ModuleFinder(self._environment, [str(root), *self._search_path])
            finder._trees = self._trees
            self._below[root] = finder
        return self._below[root]

    def module(self, name: str) -> Module | None:
        """Return the module with that dotted name; ``None`` if it has no Python source.

        Raises :class:`CouldNotCheckError` if its source cannot be parsed.
        """
        if name not in self._modules:
            self._modules[name] = self._find_module(name)
        return self._modules[name]

    def _find_module(self, name: str) -> Module | None:
        spec: ModuleSpec | None = None
        for part in name.split("."):
            spec = self._find_spec(part, spec)
            if spec is None:
                return None
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        return Module(name, Path(spec.origin), self.parse(Path(spec.origin)))

    def _find_spec(self, name: str, parent: ModuleSpec | None) -> ModuleSpec | None:
        """Find a module in the search path, or in the package *parent*."""
        path = self._search_path if parent is None else parent.submodule_search_locations
        # Without a path, the parent is not a package. The name of a relative import outside of
        # packages is empty.
        if path is None or not name:
            return None
        # By its last name only: to find a dotted one, Python would import the parents.
        spec = PathFinder.find_spec(name, path)
        may_be_editable = parent is None and self._environment.is_this and name not in sys.modules
        if spec is None and may_be_editable:
            spec = importlib.util.find_spec(name)  # asks the hooks of editable installs
        return spec

    def parse(self, path: Path) -> ast.Module:
        """Return the syntax tree of a file. Raises :class:`CouldNotCheckError` if it has none."""
        if path not in self._trees:
            try:
                if path.exists() and not (path.is_file() or path.is_dir()):
                    raise CouldNotCheckError(f"{path}: not a regular file")
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
        """Return the class that *module* defines or imports as *name*, one part per nesting.

        Raises :class:`CouldNotCheckError` if that is not a class, or its source is not found.
        """
        return self._find(module, tuple(name), ())

    # In the methods below, `steps` are the modules and names already followed.

    def _find(self, module: Module, name: tuple[str, ...], steps: tuple[_Step, ...]) -> ClassSource:
        step = (module.path, name)
        if step not in self._classes:
            if step in steps or len(steps) > _MAX_STEPS:
                raise CouldNotCheckError(f"{module.path}: {'.'.join(name)} refers to itself")
            self._classes[step] = self._follow(module, name, (*steps, step))
        return self._classes[step]

    def _follow(
        self, module: Module, name: tuple[str, ...], steps: tuple[_Step, ...]
    ) -> ClassSource:
        """Find the class behind the statement that binds the first part of *name*."""
        first, *rest = name
        guarded = module.guarded.get(first)
        if isinstance(guarded, ast.Import | ast.ImportFrom):
            origin, *imported = origin_of_name(module, guarded, first)
            with suppress(CouldNotCheckError):  # then Python goes on with another definition
                return self._find_below(origin, (*imported, *rest), steps)
        match module.bindings.get(first):
            case ast.ClassDef() as node:
                return self._read_class(module, _nested_class(module, node, rest), steps)
            case ast.ImportFrom() | ast.Import() as statement:
                origin, *imported = origin_of_name(module, statement, first)
                return self._find_below(origin, (*imported, *rest), steps)
            case ast.Assign(value=ast.Name() | ast.Attribute() as value):
                return self._find(module, (*ast.unparse(value).split("."), *rest), steps)
            case None:
                return self._find_by_star_import(module, name, steps)
            case statement:
                kind = "a function" if isinstance(statement, Function) else "not a class"
                raise CouldNotCheckError(
                    f"{module.path}:{statement.lineno}: {first!r} is {kind}; expected a class "
                    "statement"
                )

    def _find_by_star_import(
        self, module: Module, name: tuple[str, ...], steps: tuple[_Step, ...]
    ) -> ClassSource:
        for statement in _star_imports(module.tree.body):
            try:
                return self._find_below(_origin(module, statement), name, steps)
            except CouldNotCheckError:
                continue
        raise CouldNotCheckError(f"{module.path}: no class {'.'.join(name)!r}")

    def _find_below(
        self, origin: str, name: tuple[str, ...], steps: tuple[_Step, ...]
    ) -> ClassSource:
        """Find the class *name*; its first parts may be names of modules below *origin*."""
        module = self.module(origin)
        if len(name) > 1 and (module is None or name[0] not in module.bindings):
            return self._find_below(f"{origin}.{name[0]}", name[1:], steps)
        if module is None or not name:
            raise CouldNotCheckError(f"no source of a class {'.'.join((origin, *name))!r}")
        return self._find(module, name, steps)

    def _read_class(
        self, module: Module, node: ast.ClassDef, steps: tuple[_Step, ...]
    ) -> ClassSource:
        bases: list[ClassSource | None] = []
        for expression in node.bases:
            base = expression.value if isinstance(expression, ast.Subscript) else expression
            if not _defines_no_member(base, module):
                name = tuple(ast.unparse(base).split("."))
                try:
                    bases.append(self._find(module, name, steps))
                except CouldNotCheckError:
                    bases.append(None)
        return ClassSource(module, node, bases, self)


def _nested_class(module: Module, node: ast.ClassDef, names: Iterable[str]) -> ast.ClassDef:
    """Return the class that *names* lead to inside of *node*, or *node* without any."""
    for name in names:
        statement = _bindings(node.body).get(name)
        if not isinstance(statement, ast.ClassDef):
            raise CouldNotCheckError(
                f"{module.path}:{node.lineno}: class {node.name!r} has no class {name!r}"
            )
        node = statement
    return node


def iter_statements(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """Yield the statements of a scope, including those below an ``if``, ``try`` or ``with``."""
    for node in body:
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.ClassDef | Function | ast.expr):
            yield from iter_statements(ast.iter_child_nodes(node))


def _assigned(statement: Assignment) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _attributes_set(function: Function, name: str) -> Iterator[tuple[str, Assignment]]:
    """Yield the attributes that *function* assigns to the variable *name*, with the statements."""
    for node in ast.walk(function):
        if isinstance(node, Assignment):
            for target in _assigned(node):
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == name:
                    yield target.attr, node


def _variables_set(statement: Assignment) -> list[str]:
    nodes = [node for target in _assigned(statement) for node in ast.walk(target)]
    return [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _bound_by_import(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _bound_names(statement: ast.stmt) -> list[str]:
    """Return the names that a statement binds in its scope."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign() | ast.AnnAssign():
            return _variables_set(statement)
        case ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case ast.Import(names=names):
            return [_bound_by_import(alias) for alias in names]
        case _:
            return []


def _bindings(body: Iterable[ast.stmt]) -> dict[str, ast.stmt]:
    """Return the statement that binds each name: the last class or import, else the last one."""
    preferred: dict[str, ast.stmt] = {}
    others: dict[str, ast.stmt] = {}
    for statement in iter_statements(body):
        is_preferred = isinstance(statement, ast.ClassDef | ast.ImportFrom | ast.Import)
        for name in _bound_names(statement):
            (preferred if is_preferred else others)[name] = statement
    return others | preferred


def _star_imports(body: Iterable[ast.stmt]) -> Iterator[ast.ImportFrom]:
    for statement in iter_statements(body):
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            yield statement


def star_origins(module: Module) -> list[str]:
    """Return the dotted names of the modules that *module* imports all names of."""
    return [_origin(module, statement) for statement in _star_imports(module.tree.body)]


def _origin(module: Module, statement: ast.ImportFrom) -> str:
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
    if isinstance(statement, ast.ImportFrom):
        alias = next(each for each in statement.names if (each.asname or each.name) == name)
        return _origin(module, statement), alias.name
    alias = next(each for each in statement.names if _bound_by_import(each) == name)
    return (alias.name if alias.asname else name,)


def qualified_name(expression: ast.expr, module: Module) -> str | None:
    """Return the dotted name that an expression was imported as, or ``None`` if it was not."""
    first, *rest = ast.unparse(expression).split(".")
    statement = module.bindings.get(first)
    if not isinstance(statement, ast.ImportFrom | ast.Import):
        return None
    return ".".join([*origin_of_name(module, statement, first), *rest])


def _defines_no_member(base: ast.expr, module: Module) -> bool:
    """Return whether a base, such as ``ABC`` or ``object``, has no member of a backend."""
    name = qualified_name(base, module)
    if name is None:
        return ast.unparse(base) == "object" and "object" not in module.bindings
    return name.partition(".")[0] in _TYPE_MODULES
