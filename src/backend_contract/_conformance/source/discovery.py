"""Finding targets: named classes, and the backends in a file, a directory or a package.

Nothing is imported; sources are only parsed.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.members import base_names, is_abstract
from backend_contract._conformance.source.modules import (
    ClassSource,
    Module,
    ModuleFinder,
    iter_statements,
    qualified_name,
)
from backend_contract._conformance.source.targets import (
    EXPECTED_TARGET,
    SearchContext,
    Target,
    is_dotted_name,
    module_by_name,
    module_of_file,
    require_one_definition,
    target_in,
)
from backend_contract.errors import CouldNotCheckError

__all__ = ["discover", "find_targets"]

_NOT_SEARCHED = {"__pycache__", "node_modules", "site-packages"}


def find_targets(
    texts: Sequence[str], environment: Environment | None = None, here: Path | None = None
) -> list[Target | CouldNotCheckError]:
    """Return the class that each text names, or the reason why it names none.

    A text without a colon is a file, a directory, a module or a package, and stands for all
    backends that :func:`discover` finds there. The results keep the order of the texts.

    Modules are looked up in *here* first (default: the current directory), then in *environment*
    (default: that of this interpreter).
    """
    environment = environment or this_environment()
    search = SearchContext(
        modules=ModuleFinder(environment), environment=environment, here=here or Path.cwd()
    )
    targets: list[Target | CouldNotCheckError] = []
    for text in texts:
        try:
            if ":" in text and not _exists(search.here / text):
                targets.append(_find_class(text, search))
            else:
                targets += discover(text, search)
        except CouldNotCheckError as error:
            targets.append(error)
    return targets


def _find_class(text: str, search: SearchContext) -> Target:
    location, _, qualname = text.rpartition(":")
    if not location or not is_dotted_name(qualname):
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {text!r}")
    module = (module_of_file if _is_path(location) else module_by_name)(location, search)
    try:
        target = target_in(module, qualname, text, search)
    except CouldNotCheckError as error:
        known = [node.name for node in module.tree.body if isinstance(node, ast.ClassDef)]
        import difflib  # seldom needed, and slow to load

        near = difflib.get_close_matches(qualname, known, n=1)
        hint = "".join(f"; did you mean {name!r}?" for name in near)
        raise CouldNotCheckError(f"{text}: {error}{hint}") from None
    require_one_definition(target)
    return target


def discover(text: str, search: SearchContext) -> list[Target | CouldNotCheckError]:
    """Return the backends in the file, directory, module or package *text*, in source order.

    A backend is a class that inherits ``BackendBase``, directly or not, or is decorated with
    ``@conforms``. Nested classes and those below an ``if`` or a ``try`` count; those in functions
    do not. A class that is declared abstract (``ABC`` or ``Protocol`` among its bases, or an
    abstract method in its body) is left out. A file that cannot be read or parsed is an error
    among the results.

    Raises :class:`CouldNotCheckError` if nothing of that name exists, or it contains no backend.
    """
    if "\0" in text or not text:
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {text!r}")
    path = search.here / text
    if path.is_dir():
        found, example = _in_directory(text, search), "path/to/file.py"
    elif _is_path(text):
        found, example = _in_module(module_of_file(text, search), text, search), text
    else:
        found, example = _in_package(text, search), text
    if not found:
        raise CouldNotCheckError(
            f"{text}: found no subclass of BackendBase and no @conforms class; name any other "
            f"class as {example}:Class"
        )
    return found


def _in_directory(text: str, search: SearchContext) -> list[Target | CouldNotCheckError]:
    path = search.here / text
    locations = (
        os.path.normpath(Path(text, file.relative_to(path))) for file in _files_below(path)
    )
    return _in_each(locations, _in_file, search)


def _in_package(name: str, search: SearchContext) -> list[Target | CouldNotCheckError]:
    module = module_by_name(name, search)
    found = _in_module(module, name, search)
    if module.path.stem == "__init__":
        directory = module.path.parent
        files = (file.relative_to(directory).with_suffix("") for file in _files_below(directory))
        names = (".".join([name, *file.parts]).removesuffix(".__init__") for file in files)
        found += _in_each((other for other in names if other != name), _in_named, search)
    return found


def _in_each(
    locations: Iterable[str],
    find: Callable[[str, SearchContext], list[Target | CouldNotCheckError]],
    search: SearchContext,
) -> list[Target | CouldNotCheckError]:
    """Collect the results of *find* for each location; an error is one of them."""
    found: list[Target | CouldNotCheckError] = []
    for location in locations:
        try:
            found += find(location, search)
        except CouldNotCheckError as error:
            found.append(error)
    return found


def _in_named(name: str, search: SearchContext) -> list[Target | CouldNotCheckError]:
    return _in_module(module_by_name(name, search), name, search)


def _in_file(location: str, search: SearchContext) -> list[Target | CouldNotCheckError]:
    tree = search.modules.parse(Path(os.path.abspath(search.here / location)))
    if not any(isinstance(node, ast.ClassDef) for node in ast.walk(tree)):
        return []
    try:
        module = module_of_file(location, search)
    except CouldNotCheckError:
        if _imports_this_package(tree):
            raise
        return []  # cannot be imported under its name, and contains no backend
    return _in_module(module, location, search)


def _in_module(
    module: Module, location: str, search: SearchContext
) -> list[Target | CouldNotCheckError]:
    found: list[Target | CouldNotCheckError] = []
    for qualname, node in _classes(module.tree.body, ""):
        if not (node.bases or node.decorator_list):
            continue
        try:
            target = target_in(module, qualname, f"{location}:{qualname}", search)
        except CouldNotCheckError:  # the name means something else at the end of the module
            continue
        if target.source.node is node and _is_backend(target.source):
            try:
                require_one_definition(target)
            except CouldNotCheckError as error:
                found.append(error)
            else:
                found.append(target)
    return found


def _files_below(directory: Path) -> Iterator[Path]:
    """Yield Python files, except hidden ones and those of virtual environments."""
    for parent, directories, files in os.walk(directory):
        directories[:] = sorted(
            name
            for name in directories
            if not name.startswith(".")
            and name not in _NOT_SEARCHED
            and not Path(parent, name, "pyvenv.cfg").is_file()
        )
        yield from (Path(parent, name) for name in sorted(files) if name.endswith(".py"))


def _classes(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in iter_statements(body):
        if isinstance(node, ast.ClassDef):
            yield f"{prefix}{node.name}", node
            yield from _classes(node.body, f"{prefix}{node.name}.")


def _is_backend(source: ClassSource) -> bool:
    if base_names(source) & {"ABC", "Protocol"} or any(map(is_abstract, source.node.body)):
        return False
    # That module defines no other class to inherit.
    if any(base.module.name == "backend_contract.base" for base in source.known_lineage):
        return True
    return any(_is_conforms(each, source.module) for each in source.node.decorator_list)


def _is_conforms(decorator: ast.expr, module: Module) -> bool:
    name = qualified_name(decorator, module) or ""
    return name.startswith("backend_contract.") and name.endswith(".conforms")


def _imports_this_package(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        if any(name.partition(".")[0] == "backend_contract" for name in names):
            return True
    return False


def _is_path(text: str) -> bool:
    return text.endswith(".py") or "/" in text or os.sep in text


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # not a possible file name
        return False
