"""The directories that modules are imported from, beside those on the path of an interpreter."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cached_property
from importlib.machinery import ModuleSpec
from pathlib import Path

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.parsing import (
    all_statements,
    exists,
    is_directory,
    is_file,
    parse,
    read_file,
    walk,
)
from backend_contract.errors import CouldNotCheckError

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", ".git")


class Roots:
    """The roots of the files of a project, and the packages installed there for editing."""

    def __init__(
        self, environment: Environment, here: Path, search_path: tuple[Path, ...] = ()
    ) -> None:
        self._environment = environment
        self._here = here
        self.search_path = search_path
        """The directories of the settings, which come before those of the interpreter."""
        self.used: dict[Path, None] = {}
        """The other directories in which a module was found."""
        self._namespaces: dict[Path, Path] = {}
        self._observed: set[Path] = set()
        self._known: dict[Path, Path] = {}
        """The roots of the files in a folder, until another namespace package is observed."""
        self._packages: dict[Path, tuple[Path, set[str]]] = {}
        """For a folder, the root of the packages around it, and the names of it and those above."""

    def root_of(self, path: Path) -> Path:
        """Return the directory that the name of a module is counted from.

        That is the directory around its outermost package, unless an observed import shows that
        this directory belongs to a namespace package, or the settings name one above.
        """
        folder = path.parent
        if folder not in self._known:
            self._known[folder] = self._find_root(path)
        return self._known[folder]

    def _find_root(self, path: Path) -> Path:
        around = [entry for entry in self.search_path if path.is_relative_to(entry)]
        if around:
            return max(around, key=lambda entry: len(entry.parts))
        root, _ = self._package_root(path)
        names = [root, *root.parents]
        roots = [self._namespaces[name] for name in names if name in self._namespaces]
        return roots[-1] if roots else root

    def _package_root(self, path: Path) -> tuple[Path, set[str]]:
        folder = path.parent
        if folder not in self._packages:
            root = folder
            while root.name and is_file(root / "__init__.py"):
                root = root.parent
            self._packages[folder] = root, {each.name for each in (root, *root.parents)}
        return self._packages[folder]

    def observe(self, path: Path, tree: ast.Module) -> None:
        """Note the namespace packages around a file, as its imports show them."""
        if path in self._observed:
            return
        self._observed.add(path)
        for node in all_statements(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                self._observe_relative(path, node)
            elif isinstance(node, ast.ImportFrom):
                self._observe_absolute(path, [f"{node.module}.{each.name}" for each in node.names])
            elif isinstance(node, ast.Import):
                self._observe_absolute(path, [each.name for each in node.names])

    def _observe_absolute(self, path: Path, names: list[str]) -> None:
        root, above = self._package_root(path)
        names = [name for name in names if "." in name and name.partition(".")[0] in above]
        for folder in (root, *root.parents) if names else ():
            inner = [name.split(".")[1] for name in names if name.startswith(f"{folder.name}.")]
            if any(_has_module(folder, name) for name in inner):
                self._note(folder)
                return

    def _observe_relative(self, path: Path, node: ast.ImportFrom) -> None:
        root, _ = self._package_root(path)
        package = [*path.parents][min(node.level, len(path.parents)) - 1]
        if package != root and package not in root.parents:
            return
        first = (node.module or node.names[0].name).partition(".")[0]
        if package.name.isidentifier() and _has_module(package, first):
            self._note(package)

    def _note(self, package: Path) -> None:
        self._namespaces[package] = package.parent
        self._known.clear()

    def fallbacks(self, root: Path) -> list[Path]:
        """Return where else modules may be: above *root*, and in a ``src`` of project or run."""
        above = [root, *root.parents]
        project = next((each for each in above if _is_project(each)), None)
        if project is None:
            project = self._here if self._here in above else root
        return [*above[1 : above.index(project) + 1], project / "src", self._here / "src"]

    def use(self, spec: ModuleSpec) -> None:
        """Note the directory that contains a top-level module: checkers have to search it."""
        if spec.origin and spec.submodule_search_locations is None:
            self.used[Path(spec.origin).parent] = None
        for location in spec.submodule_search_locations or ():
            self.used[Path(location).parent] = None

    def find_editable(self, name: str) -> ModuleSpec | None:
        """Return where an import hook of an editable install finds the module *name*."""
        spec = ModuleSpec(name, None)
        for path in self._editable.get(name, ()):
            _locate(spec, path)
        if spec.origin is None and not spec.submodule_search_locations:
            return None
        if "." not in name and _names_its_place(spec):
            self.use(spec)
        return spec

    @cached_property
    def _editable(self) -> dict[str, list[Path]]:
        """The paths of modules by name, read from the source of the hooks, which is not run."""
        paths: dict[str, list[Path]] = {}
        around: dict[str, list[Path]] = {}  # namespace packages
        for hook in _hooks(self._environment):
            try:
                tree = parse(hook)
            except CouldNotCheckError:  # not a hook of an editable install
                continue
            for name, text in _mapped(tree):
                path = Path(text)
                path = path.parent if path.name == "__init__.py" else path
                paths.setdefault(name, []).append(path)
                while "." in name:
                    name, path = name.rpartition(".")[0], path.parent
                    if path.name != name.rpartition(".")[2]:
                        break
                    around.setdefault(name, []).append(path)
        return around | paths


def _is_project(directory: Path) -> bool:
    return any(exists(directory / name) for name in _PROJECT_FILES)


def _has_module(package: Path, name: str) -> bool:
    return is_file(package / f"{name}.py") or is_directory(package / name)


def _hooks(environment: Environment) -> Iterator[Path]:
    """Yield the files of the modules that ``.pth`` files import."""
    for entry in environment.path:
        try:
            names = sorted(name for name in os.listdir(entry) if name.endswith(".pth"))
        except OSError:  # an entry of the path need not exist
            continue
        for name in names:
            try:
                content = read_file(Path(entry, name))
            except CouldNotCheckError:  # as Python does
                continue
            for module in re.findall(rb"^import[ \t]+(\w+)", content, re.MULTILINE):
                yield Path(entry, f"{os.fsdecode(module)}.py")


def _mapped(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names and paths in a hook: ``{name: path}``, ``{name: [path]}``, ``f(name, path)``.

    The first two are those of setuptools, the last one that of hatchling and PDM.
    """
    for node in walk(tree):
        pairs: list[tuple[ast.expr | None, ast.expr]] = []
        if isinstance(node, ast.Dict):
            pairs = [*zip(node.keys, node.values, strict=True)]
        elif isinstance(node, ast.Call) and len(node.args) == 2:
            pairs = [(node.args[0], node.args[1])]
        for key, value in pairs:
            for path in value.elts if isinstance(value, ast.List) else [value]:
                match key, path:
                    case ast.Constant(str(name)), ast.Constant(str(text)):
                        if Path(text).is_absolute():
                            yield name, text
                    case _:
                        pass


def _locate(spec: ModuleSpec, path: Path) -> None:
    """Add what is at *path*, which may lack its suffix, to a spec."""
    if is_directory(path):
        if spec.submodule_search_locations is None:
            spec.submodule_search_locations = []
        spec.submodule_search_locations.append(str(path))
        if is_file(path / "__init__.py"):
            spec.origin = str(path / "__init__.py")
    else:
        files = [file for file in (path, path.with_name(f"{path.name}.py")) if is_file(file)]
        spec.origin = str(files[0]) if files else None


def _names_its_place(spec: ModuleSpec) -> bool:
    """Return whether the files of a top-level module are called like it."""
    if spec.submodule_search_locations is None:
        return Path(spec.origin or "").stem == spec.name
    return all(Path(each).name == spec.name for each in spec.submodule_search_locations)
