"""Classes, read from their source, and the finder that follows names to them.

Nothing is imported, and no code of theirs runs.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TypeAlias

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.modules import (
    Assignment,
    Module,
    bindings_of,
    bound_names,
    has_conditions,
    iter_statements,
    origin_of,
    origin_of_name,
    qualified_name,
    targets_of,
)
from backend_contract._conformance.source.parsing import (
    Function,
    InvalidSyntaxError,
    SourceError,
    blocks,
    generic_of,
    parse,
    unparse,
)
from backend_contract._conformance.source.reachability import shadowed_nodes
from backend_contract._conformance.source.roots import Roots
from backend_contract._conformance.source.scopes import (
    Binding,
    Scope,
    decides,
    decides_as_checkers,
    read_scope,
)
from backend_contract.errors import CouldNotCheckError

# Their classes define no member of a backend.
_TYPE_MODULES = ("abc", "typing", "typing_extensions")

CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__attrs_post_init__")
"""The methods that make an instance, or complete a new one."""

# Cycles of aliases that grow longer, as in `x = x.y`, end here.
_MAX_PARTS = 100

_THIS_PACKAGE = Path(__file__).parents[2]

Member: TypeAlias = Function | Assignment
_Step: TypeAlias = tuple[Path, tuple[str, ...]]


class ClassSource:
    """A class statement, its module and the classes it inherits from."""

    def __init__(self, module: Module, node: ast.ClassDef, modules: ModuleFinder) -> None:
        self.module = module
        self.node = node
        self.modules = modules
        """The finder of the modules that its module imports."""
        self._lineage: list[ClassSource | None] | None = None
        self.identity = module.path, node.lineno
        """A key that the class has under every name: its file and line."""

    @cached_property
    def statements(self) -> Sequence[ast.stmt]:
        """The statements of the class body; see :func:`iter_statements`."""
        return [*iter_statements(self.node.body)]

    @cached_property
    def written_bases(self) -> list[ast.expr]:
        """The bases that may define a member, as they are written, without type arguments."""
        bases = map(generic_of, self.node.bases)
        return [base for base in bases if not _defines_no_member(base, self.module)]

    @cached_property
    def bases(self) -> Sequence[ClassSource | None]:
        """The classes of :attr:`written_bases`; ``None`` for one whose source was not found."""
        return [*map(self.class_named, self.written_bases)]

    def class_named(self, expression: ast.expr) -> ClassSource | None:
        """Return the class that an expression in its module names; ``None`` if not found."""
        return self.modules.class_at(self.module, unparse(expression).split("."))

    @cached_property
    def scope(self) -> Scope:
        """The names that the class body binds when it runs."""
        return read_scope(self.node.body, decides(self.modules.version))

    @cached_property
    def scope_for_checkers(self) -> Scope:
        """The same by the conditions that all type checkers decide: ``TYPE_CHECKING`` is true."""
        if not has_conditions(self.statements):
            return self.scope
        return read_scope(self.node.body, decides_as_checkers(self.modules.version))

    @cached_property
    def in_body(self) -> dict[str, Member]:
        """The statements that define members in the body of this class, without inherited ones.

        Of several definitions it is the one that counts: the last one, in the branches that run.
        """
        found: dict[str, Member] = {
            statement.target.id: statement
            for statement in self.statements
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
            if statement.value is None
        }
        for name, alternatives in self.scope.bindings.items():
            for binding in alternatives:
                if binding is not None and isinstance(binding.statement, Member):
                    found[name] = binding.statement
        return found

    @cached_property
    def nested(self) -> set[str]:
        """The names of the classes directly in the class body."""
        return {each.name for each in self.node.body if isinstance(each, ast.ClassDef)}

    def definitions(self, *, type_checking: bool) -> list[ast.stmt]:
        """The statements that may bind the name of the class in its module, in their order."""
        scope = self.module.scope(self.modules.version, type_checking=type_checking)
        return scope.reached.get(self.node.name, [])

    @property
    def is_decided(self) -> bool:
        """Whether Python takes this class, and no other one of its name in the module."""
        bindings = self.module.scope(self.modules.version).bindings.get(self.node.name, ())
        return [each and each.statement for each in bindings] == [self.node]

    @cached_property
    def unreachable(self) -> set[str]:
        """The names that only branches of the class body bind that never run."""
        names = {name for each in self.statements for name in bound_names(each)}
        return names - self.scope.reached.keys() - self.in_body.keys()

    @cached_property
    def with_setter(self) -> dict[str, Function]:
        """The setters of the properties of this class, by their names."""
        return {
            statement.name: statement
            for statement in self.statements
            if isinstance(statement, Function)
            if f"{statement.name}.setter" in map(unparse, statement.decorator_list)
        }

    @cached_property
    def on_self(self) -> dict[str, Member]:
        """The assignments to attributes of ``self`` in the methods of this class."""
        found: dict[str, Member] = {}
        for method in self.statements:
            if isinstance(method, Function) and method.args.args:
                for name, statement in _attributes_set(method, method.args.args[0].arg):
                    found.setdefault(name, statement)
        return found

    @property
    def lineage(self) -> list[ClassSource | None]:
        """The class and its ancestors, nearest first; ``None`` is where an unknown one may be.

        A class that is inherited more than once keeps its last place, as in Python's own order. A
        class that inherits from itself has an unknown base.
        """
        if self._lineage is None:
            # In this order no call is nested in another one, however long the chain is.
            for source in ancestors_first(self, lambda base: base._lineage is not None):
                source._lineage = source._merge_lineages()
        return self._lineage or []

    def _merge_lineages(self) -> list[ClassSource | None]:
        whole: list[ClassSource | None] = [self]
        for base in self.bases:
            whole += (base and base._lineage) or [None]
        place = {source: number for number, source in enumerate(whole)}
        if None in place:
            place[None] = whole.index(None)
        return [source for number, source in enumerate(whole) if number == place[source]]

    @cached_property
    def has_guarded_base(self) -> bool:
        """Whether a ``try`` imports a base of the class, or of a base: checkers differ there."""
        return any(
            unparse(base).partition(".")[0] in cls.module.guarded
            for cls in self.known_lineage
            for base in cls.node.bases
        )

    @cached_property
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
        return _find(self, member)


@lru_cache(maxsize=2**14)
def _find(source: ClassSource, member: str) -> tuple[ClassSource, Member] | None:
    for each in source.known_lineage:
        statement = each.in_body.get(member) or each.on_self.get(member)
        if statement is not None:
            return each, statement
    return None


def ancestors_first(
    source: ClassSource, is_known: Callable[[ClassSource], bool]
) -> Iterator[ClassSource]:
    """Yield the ancestors that are not known yet, each after its own ones, and at last *source*.

    Of classes that inherit each other, the first that is reached comes last.
    """
    entered = {source}
    waiting = [(source, iter(source.bases))]
    while waiting:
        current, bases = waiting[-1]
        base = next(bases, current)
        if base is current:
            waiting.pop()
            yield current
        elif base is not None and base not in entered and not is_known(base):
            entered.add(base)
            waiting.append((base, iter(base.bases)))


class ModuleFinder:
    """The modules and classes that an environment can import; each file is parsed once."""

    def __init__(self, environment: Environment, roots: Roots, root: Path | None = None) -> None:
        self._environment = environment
        self._roots = roots
        first = [] if root is None else [str(root), *map(str, roots.search_path)]
        self._search_path = [*first, *environment.path]
        self._fallbacks = [] if root is None else list(map(str, roots.fallbacks(root)))
        self._trees: dict[Path, ast.Module | CouldNotCheckError] = {}
        self._modules: dict[str, Module | None] = {}
        self._ours: dict[str, Module | None] = {}
        self._classes: dict[_Step, ClassSource | CouldNotCheckError] = {}
        self._sources: dict[ast.ClassDef, ClassSource] = {}
        self._below: dict[Path, ModuleFinder] = {}

    @property
    def version(self) -> tuple[int, int]:
        """The version of Python whose modules these are."""
        return self._environment.version

    def below(self, root: Path) -> ModuleFinder:
        """Return a finder that searches *root* first, and shares the parsed files."""
        if root not in self._below:
            finder = ModuleFinder(self._environment, self._roots, root)
            finder._trees = self._trees
            self._below[root] = finder
        return self._below[root]

    def module(self, name: str) -> Module | None:
        """Return the module with that dotted name; ``None`` if it has no Python source.

        Raises :class:`CouldNotCheckError` if its source cannot be parsed.
        """
        if name not in self._modules:
            self._modules[name] = self._find_module(name, self._find_top(name.partition(".")[0]))
        return self._modules[name]

    def _imported_module(self, name: str) -> Module | None:
        """Return a module that another one imports: checkers get this package if it is missing."""
        module = self.module(name)
        if module is None and name.partition(".")[0] == _THIS_PACKAGE.name:
            if name not in self._ours:
                spec = PathFinder.find_spec(_THIS_PACKAGE.name, [str(_THIS_PACKAGE.parent)])
                self._ours[name] = self._find_module(name, spec)
            module = self._ours[name]
        return module

    def _find_module(self, name: str, spec: ModuleSpec | None) -> Module | None:
        found, *others = name.split(".")
        for part in others:
            if spec is None or not part:
                return None
            # By its last name only: to find a dotted one, Python would import the parents. Without
            # locations, the parent is not a package.
            locations, found = spec.submodule_search_locations or [], f"{found}.{part}"
            spec = PathFinder.find_spec(part, locations) or self._roots.find_editable(found)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        return Module(name, Path(spec.origin), self.parse(Path(spec.origin)))

    def _find_top(self, name: str) -> ModuleSpec | None:
        if not name:  # that of a relative import outside of packages
            return None
        spec = PathFinder.find_spec(name, self._search_path) or self._roots.find_editable(name)
        if spec is None and name not in sys.stdlib_module_names:
            spec = PathFinder.find_spec(name, self._fallbacks)
            if spec is not None:
                self._roots.use(spec)
        return spec

    def parse(self, path: Path) -> ast.Module:
        """Return the syntax tree of a file. Raises :class:`CouldNotCheckError` if it has none."""
        if path not in self._trees:
            try:
                self._trees[path] = parse(path)
            except InvalidSyntaxError as error:
                self._trees[path] = self._explain(error)
            except CouldNotCheckError as error:
                self._trees[path] = error
        tree = self._trees[path]
        if isinstance(tree, CouldNotCheckError):
            raise tree.with_traceback(None)
        return tree

    def _explain(self, error: InvalidSyntaxError) -> CouldNotCheckError:
        """Return *error*, or a better one if only the version of this interpreter is the reason."""
        environment, here = self._environment, sys.version_info[:2]
        if environment.version <= here or not environment.can_parse(error.content):
            return error
        version = "{}.{}".format(*here)
        return SourceError(
            f"{error}: this command runs on Python {version}, which cannot parse the file; Python "
            f"{environment.written_version} can: install and run backend-contract there",
            may_concern_us=error.may_concern_us,
        )

    def find_class(self, module: Module, name: Sequence[str]) -> ClassSource:
        """Return the class that *module* defines or imports as *name*, one part per nesting.

        Raises :class:`CouldNotCheckError` if that is not a class, or its source is not found.
        """
        steps: dict[_Step, None] = {}
        result = self._follow(module, tuple(name), steps)
        for step in steps:
            self._classes[step] = result
        if isinstance(result, CouldNotCheckError):
            raise result.with_traceback(None)
        return result

    def _follow(
        self, module: Module, name: tuple[str, ...], steps: dict[_Step, None]
    ) -> ClassSource | CouldNotCheckError:
        """Follow *name* through imports and aliases to a class, and add each step to *steps*."""
        try:
            while True:
                step = (module.path, name)
                if step in self._classes:
                    return self._classes[step]
                if step in steps or len(name) > _MAX_PARTS:
                    return CouldNotCheckError(f"{module.path}: {'.'.join(name)} refers to itself")
                steps[step] = None
                following = self._step(module, name)
                if isinstance(following, ast.ClassDef):
                    return self.class_of(module, following)
                module, name = following
        except CouldNotCheckError as error:
            return error

    def _step(
        self, module: Module, name: tuple[str, ...]
    ) -> ast.ClassDef | tuple[Module, tuple[str, ...]]:
        """Return the class that *name* means in *module*, or the module and name to read next."""
        first, *rest = name
        guarded = module.guarded.get(first)
        if isinstance(guarded, ast.Import | ast.ImportFrom):
            with suppress(CouldNotCheckError):  # then Python goes on with another definition
                origin, following = self.imported(module, guarded, name)
                if following[0] in origin.bindings:
                    return origin, following
        match module.bindings.get(first):
            case ast.ClassDef() as node:
                return _nested_class(module, self._defined(module, node), rest)
            case ast.ImportFrom() | ast.Import() as statement:
                return self.imported(module, statement, name)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) if isinstance(
                alias := generic_of(value), ast.Name | ast.Attribute
            ):
                return module, (*unparse(alias).split("."), *rest)
            case None:
                return self._star_imported(module, name), name
            case statement:
                kind = "a function" if isinstance(statement, Function) else "not a class"
                raise CouldNotCheckError(
                    f"{module.path}:{statement.lineno}: {first!r} is {kind}; expected a class "
                    "statement"
                )

    def _defined(self, module: Module, last: ast.ClassDef) -> ast.ClassDef:
        """Return the class statement that binds the name of *last*, if conditions decide that."""
        if len(module.namesakes.get(last, ())) < 2:
            return last
        match module.scope(self.version).bindings.get(last.name):
            case (Binding(statement=ast.ClassDef() as node),):
                return node
            case _:
                return last

    def imported(
        self, module: Module, statement: ast.ImportFrom | ast.Import, name: tuple[str, ...]
    ) -> tuple[Module, tuple[str, ...]]:
        """Return the module and the name there of a *name* that an import binds in *module*.

        Raises :class:`CouldNotCheckError` if its source is not found.
        """
        first, *rest = name
        origin, *imported = origin_of_name(module, statement, first)
        name = (*imported, *rest)
        while name:
            found = self._imported_module(origin)
            if found is not None and (len(name) == 1 or name[0] in found.bindings):
                return found, name
            if len(name) == 1:
                break
            origin, name = f"{origin}.{name[0]}", name[1:]  # modules below the origin
        raise CouldNotCheckError(f"no source of a class {'.'.join((origin, *name))!r}")

    def _star_imported(self, module: Module, name: tuple[str, ...]) -> Module:
        """Return the module that binds the first part of *name*, through star imports.

        Each module is looked at once, however many ways lead to it.
        """
        entered = {module.path}
        waiting = [self._star_origins(module)]
        while waiting:
            origin = next(waiting[-1], None)
            if origin is None:
                waiting.pop()
            elif origin.exports(name[0]):
                return origin
            elif origin.path not in entered:
                entered.add(origin.path)
                waiting.append(self._star_origins(origin))
        raise CouldNotCheckError(f"{module.path}: no class {'.'.join(name)!r}")

    def is_bound_by_star(self, module: Module, name: str, *, behind: int) -> bool:
        """Return whether ``from ... import *`` behind a line of *module* binds *name*."""
        for statement in module.star_imports:
            if statement.lineno > behind:
                with suppress(CouldNotCheckError):
                    origin = self._imported_module(origin_of(module, statement))
                    if origin is not None and not origin.exports(name):
                        origin = self._star_imported(origin, (name,))
                    if origin is not None:
                        return True
        return False

    def _star_origins(self, module: Module) -> Iterator[Module]:
        for name in reversed(module.star_origins):  # the last one wins
            with suppress(CouldNotCheckError):
                origin = self._imported_module(name)
                if origin is not None:
                    yield origin

    def class_of(self, module: Module, node: ast.ClassDef) -> ClassSource:
        """Return the class of a class statement of *module*, wherever it stands."""
        if node not in self._sources:
            self._sources[node] = ClassSource(module, node, self)
        return self._sources[node]

    def class_at(self, module: Module, name: Sequence[str]) -> ClassSource | None:
        """Return what :meth:`find_class` does; ``None`` if it raises."""
        with suppress(CouldNotCheckError):
            return self.find_class(module, name)
        return None


def _nested_class(module: Module, node: ast.ClassDef, names: Iterable[str]) -> ast.ClassDef:
    """Return the class that *names* lead to inside of *node*, or *node* without any."""
    for name in names:
        statement = bindings_of(iter_statements(node.body)).get(name)
        if not isinstance(statement, ast.ClassDef):
            raise CouldNotCheckError(
                f"{module.path}:{node.lineno}: class {node.name!r} has no class {name!r}"
            )
        node = statement
    return node


def _attributes_set(function: Function, name: str) -> Iterator[tuple[str, Assignment]]:
    """Yield the attributes that *function* assigns to the variable *name*, with the statements."""
    nodes: list[ast.AST] = [function]
    for node in nodes:
        nodes += blocks(node)  # no expression contains an assignment
        if isinstance(node, Assignment) and node not in shadowed_nodes(function, name):
            for target in targets_of(node):
                if isinstance(target, ast.Attribute) and unparse(target.value) == name:
                    yield target.attr, node


def _defines_no_member(base: ast.expr, module: Module) -> bool:
    """Return whether a base, such as ``ABC`` or ``object``, has no member of a backend."""
    if unparse(base) == "object" and "object" not in module.bindings:
        return True
    return qualified_name(base, module).partition(".")[0] in _TYPE_MODULES
