"""Finding targets: named classes, and the backends in a file, a directory or a package.

Nothing is imported; sources are only parsed.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend_contract._conformance.results import NotChecked
from backend_contract._conformance.source.classes import ClassSource, ModuleFinder
from backend_contract._conformance.source.discovery.entry_points import declared_entry_points
from backend_contract._conformance.source.discovery.files import Excludes, files_below
from backend_contract._conformance.source.discovery.recognition import (
    Recognition,
    is_abstract_class,
)
from backend_contract._conformance.source.discovery.registrations import (
    calls_in,
    registered_classes,
)
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.modules import Module, imported_modules
from backend_contract._conformance.source.parsing import (
    Function,
    SourceError,
    blocks,
    exists,
    is_directory,
    last_part,
    unparse,
    walk,
)
from backend_contract._conformance.source.scopes import Decide, decides
from backend_contract._conformance.source.targets import (
    EXPECTED_TARGET,
    Project,
    SearchContext,
    Target,
    is_dotted_name,
    module_by_name,
    module_of_file,
    modules_for,
    named_module,
    read_tree,
    require_importable,
    require_one_definition,
    root_of,
    search_in,
    target_in,
)
from backend_contract.errors import CouldNotCheckError

_MAKERS = {"type", "new_class", "ABCMeta"}
"""The functions that make a class of a name and its bases."""

_MOST_LISTED = 10
"""The number of classes up to which a message names all of a module."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found."""

    targets: list[Target | CouldNotCheckError] = field(
        default_factory=list["Target | CouldNotCheckError"]
    )
    """The classes to check, and the reasons why others cannot be."""
    not_checked: list[NotChecked] = field(default_factory=list["NotChecked"])
    """The classes that look like backends, and are not among the targets."""
    notes: list[str] = field(default_factory=list[str])
    """What else was left out."""
    excluded: tuple[str, ...] = ()
    """What the settings exclude."""


def find_targets(
    texts: Sequence[str],
    environment: Environment | None = None,
    here: Path | None = None,
    project: Project | None = None,
) -> list[Target | CouldNotCheckError]:
    """Return the class that each text names, or the reason why it names none.

    A text without a colon is a file, a directory, a module or a package, and stands for all
    backends found there; see :func:`search`. The results keep the order of the texts.
    """
    return search(texts, environment, here, project).targets


def search(
    texts: Sequence[str],
    environment: Environment | None = None,
    here: Path | None = None,
    project: Project | None = None,
    *,
    whole_project: bool = False,
) -> Found:
    """Return what *texts* name, and what was left out.

    A text is a class, or a file, a directory, a module or a package to search. There, a backend is
    a class that inherits ``BackendBase`` or ``Backend``, directly or not, is decorated with
    ``@conforms``, is registered in a ``BackendRegistry``, or is an entry point of the project; and
    a class that inherits one of these. An abstract class is named in a note.

    Modules are looked up in *here* first (default: the current directory), then in *environment*
    (default: that of this interpreter). *project* gives the settings; with *whole_project* its
    entry points are targets wherever they are, and an exclude that matches nothing is noted.
    """
    environment, here = environment or this_environment(), here or Path.cwd()
    project = project or Project(directory=here)
    try:
        context = search_in(environment, here, project)
    except CouldNotCheckError as error:
        return Found(targets=[error])
    discovery = _Discovery(context, project)
    for text in texts:
        try:
            discovery.add(text)
        except CouldNotCheckError as error:
            discovery.found.targets.append(error)
    if whole_project:
        discovery.add_entry_points(None)
    return discovery.result(whole_project)


class _Discovery:
    """A search under way."""

    def __init__(self, context: SearchContext, project: Project) -> None:
        self.found = Found()
        self._context = context
        self._project = project
        self._excludes = Excludes(project.directory, project.exclude)
        self._recognition = Recognition()
        self._further: dict[object, Target | CouldNotCheckError] = {}
        """Registered classes and entry points outside of what was searched, so far."""
        self._abstract: list[str] = []
        self._private: list[str] = []

    def add(self, text: str) -> None:
        """Add the class that *text* names, or the backends in what it names.

        Raises :class:`CouldNotCheckError` if nothing of that name exists, or it has no backend.
        """
        if ":" in text and not exists(self._context.here / text):
            self.found.targets.append(_find_class(text, self._context))
            return
        if "\0" in text or not text:
            raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {text!r}")
        before = self._count()
        example = text
        if is_directory(self._context.here / text):
            self._add_directory(text)
            example = "path/to/file.py"
        elif _is_path(text):
            module = module_of_file(text, self._context)
            self._add_modules({text: module})
        else:
            self._add_package(text)
        if self._count() == before:
            raise CouldNotCheckError(
                f"{text}: found no subclass of BackendBase and no @conforms class; name any other "
                f"class as {example}:Class"
            )

    def _count(self) -> int:
        return len(self.found.targets) + len(self.found.not_checked) + len(self._further)

    def _add_directory(self, text: str) -> None:
        directory = Path(os.path.abspath(self._context.here / text))
        trees: dict[str, tuple[Path, ast.Module]] = {}
        for file in self._files_below(directory):
            location = os.path.normpath(Path(text, file.relative_to(directory)))
            try:
                trees[location] = read_tree(location, self._context)
            except CouldNotCheckError as error:
                self._add_unreadable(error)
        # Another file may have shown that the folder of a file belongs to a namespace package.
        self._add_modules(
            {
                location: named_module(path, tree, self._context)
                for location, (path, tree) in trees.items()
            }
        )
        self.add_entry_points(directory)

    def _add_package(self, name: str) -> None:
        module = module_by_name(name, self._context)
        modules = {name: module}
        if module.path.stem == "__init__":
            for other in self._names_below(name, module.path.parent):
                try:
                    found = module_by_name(other, self._context)
                except CouldNotCheckError as error:
                    self._add_unreadable(error)
                else:
                    modules[other] = found
        public = _public(name, modules)
        self._add_modules({other: modules[other] for other in public})
        for other in modules:
            if other not in public and any(True for _ in self._backends_in(modules[other])):
                self._private.append(other)

    def _names_below(self, name: str, directory: Path) -> Iterator[str]:
        for file in self._files_below(directory):
            parts = file.relative_to(directory).with_suffix("").parts
            other = ".".join([name, *parts]).removesuffix(".__init__")
            if other != name:
                yield other

    def _files_below(self, directory: Path) -> Iterator[Path]:
        found = self.found
        return files_below(directory, self._excludes, found.targets.append, found.notes.append)

    def _add_unreadable(self, error: CouldNotCheckError) -> None:
        if isinstance(error, SourceError) and not error.may_concern_us:
            self.found.notes.append(f"skipped {error}")
        else:
            self.found.targets.append(error)

    def _add_modules(self, modules: dict[str, Module]) -> None:
        """Add the backends in *modules*, whose keys are how to name them."""
        elsewhere: dict[tuple[Path, int], ClassSource] = {}
        paths = {module.path for module in modules.values()}
        for module in modules.values():
            for source in registered_classes(module, self._finder(module)):
                self._recognition.register(source)
                if source.module.path not in paths:
                    elsewhere[source.identity] = source
        for location, module in modules.items():
            self._add_module(location, module)
        for identity, source in elsewhere.items():
            if root_of(source.module, self._context) is not None:  # not installed
                name = f"{source.module.name}:{_qualname(source)}"
                try:
                    self._further[identity] = _find_class(name, self._context)
                except CouldNotCheckError as error:
                    self._further[identity] = error

    def _add_module(self, location: str, module: Module) -> None:
        candidates = [*self._backends_in(module)]
        if candidates:
            try:
                require_importable(module, location)
            except CouldNotCheckError as error:
                self.found.targets.append(error)
                return
        for qualname, source in candidates:
            self._add_class(location, module, source, qualname)
        for source in _made_classes(module, self._finder(module)):
            if self._recognition.is_backend(source):
                reason = "is a backend that a call makes, which no checker follows"
                self._leave_out(source, source.node.name, reason, "write a class statement")

    def _finder(self, module: Module) -> ModuleFinder:
        return modules_for(root_of(module, self._context), self._context)

    def _backends_in(self, module: Module) -> Iterator[tuple[str, ClassSource]]:
        recognition = self._recognition
        finder = self._finder(module)
        for qualname, node in _classes(module.tree, decides(finder.version)):
            source = finder.class_of(module, node)
            if recognition.is_backend(source) or recognition.why_it_looks_like_a_backend(source):
                yield qualname, source

    def _add_class(self, location: str, module: Module, source: ClassSource, qualname: str) -> None:
        text = f"{location}:{qualname}"
        if is_abstract_class(source):
            self._abstract.append(text)
        elif not self._recognition.is_backend(source):
            looks = self._recognition.why_it_looks_like_a_backend(source)
            advice = "decorate it with @conforms, name it as a target, or exclude its file"
            self._leave_out(source, qualname, looks, advice)
        elif "<locals>" in qualname:
            reason = "is a backend inside a function, where no checker can import it"
            self._leave_out(source, qualname, reason, "move it to the module")
        else:
            self._add_backend(text, module, source, qualname)

    def _add_backend(self, text: str, module: Module, source: ClassSource, qualname: str) -> None:
        try:
            target = target_in(module, qualname, text, self._context)
        except CouldNotCheckError:
            target = None
        if target is not None and target.source.node is source.node:
            try:
                require_one_definition(target)
            except CouldNotCheckError as error:
                self.found.targets.append(error)
            else:
                self.found.targets.append(target)
        elif target is None or not _is_replaced(source, target.source):
            reason = "is a backend whose name means something else at the end of its module"
            self._leave_out(source, qualname, reason, "rename it")

    def _leave_out(self, source: ClassSource, name: str, reason: str | None, advice: str) -> None:
        path, line = source.identity
        because = f"{reason}; {advice}"
        self.found.not_checked.append(NotChecked(name=name, path=path, line=line, because=because))

    def add_entry_points(self, below: Path | None) -> None:
        """Add the entry points that the project declares, or those of them that are *below*."""
        directory = self._project.directory
        includes_project = below is None or directory.is_relative_to(below)
        try:
            declared = declared_entry_points(directory)
        except CouldNotCheckError as error:
            if includes_project:
                self._further[str(error)] = error
            return
        context = replace(self._context, here=directory)
        for text in declared:
            try:
                target = _find_class(text, context)
            except CouldNotCheckError as error:
                if includes_project:
                    self._further[text] = CouldNotCheckError(f"entry point {error}")
                continue
            if below is None or target.source.module.path.is_relative_to(below):
                self._further[target.source.identity] = target

    def result(self, whole_project: bool) -> Found:
        """Return what was found: each class once by each name."""
        by_text = {getattr(each, "text", each): each for each in self.found.targets}
        targets = [*by_text.values()]
        searched = _identities(targets)
        targets += (each for key, each in self._further.items() if key not in searched)
        checked = _identities(targets)
        left_out = {(each.path, each.line): each for each in self.found.not_checked}
        return Found(
            targets=[self._complete(each) for each in targets],
            not_checked=[each for key, each in left_out.items() if key not in checked],
            notes=[*self.found.notes, *self._notes(whole_project)],
            excluded=tuple(self._excludes.excluded),
        )

    def _notes(self, whole_project: bool) -> Iterator[str]:
        if self._abstract:
            yield f"abstract classes are not checked: {', '.join(self._abstract)}"
        if self._private:
            reason = "private modules that no public module of the package imports are not searched"
            yield f"{reason}: {', '.join(self._private)}"
        if whole_project:
            yield from (f"exclude: {glob!r} excludes nothing" for glob in self._excludes.unused)

    def _complete(self, target: Target | CouldNotCheckError) -> Target | CouldNotCheckError:
        if isinstance(target, CouldNotCheckError):
            return target
        roots = self._context.roots
        others = (path for path in (*roots.search_path, *roots.used) if path != target.root)
        return replace(target, search_path=tuple(others))


def _identities(targets: Iterable[Target | CouldNotCheckError]) -> set[object]:
    return {each.source.identity for each in targets if isinstance(each, Target)}


def _public(name: str, modules: dict[str, Module]) -> dict[str, None]:
    below = {other: other.removeprefix(name).replace(".__main__", "") for other in modules}
    public = [other for other in modules if "._" not in below[other]]
    reached = dict.fromkeys(public)
    waiting = list(public)
    while waiting:
        for other in imported_modules(modules[waiting.pop()]):
            if other in modules and other not in reached:
                reached[other] = None
                waiting.append(other)
    return {other: None for other in modules if other in reached}


def _qualname(source: ClassSource) -> str:
    return next(name for name, node in _classes(source.module.tree) if node is source.node)


def _classes(
    tree: ast.Module, decide: Decide = lambda _: None
) -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield the classes in source order, with their qualified names.

    Leaves out the branches that *decide* says are not executed.
    """
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, prefix = waiting.pop()
        if isinstance(node, ast.ClassDef):
            yield f"{prefix}{node.name}", node
            prefix = f"{prefix}{node.name}."
        elif isinstance(node, Function):
            prefix = f"{prefix}{node.name}.<locals>."
        waiting += ((child, prefix) for child in reversed(_executed(node, decide)))


def _executed(node: ast.AST, decide: Decide) -> Sequence[ast.AST]:
    """Return the statements directly below *node* that are executed, as far as *decide* tells."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" not in unparse(node.test):
        is_taken = decide(node.test)
        if is_taken is not None:
            return node.body if is_taken else node.orelse
    return blocks(node)


def _is_replaced(source: ClassSource, last: ClassSource) -> bool:
    """Return whether *last* takes the place of a class of its name that nothing uses before."""
    node = source.node
    return (
        node is not last.node
        and last.is_decided
        and node in last.definitions(type_checking=False)
        and not node.decorator_list
        and not any(
            isinstance(each, ast.Name)
            and each.id == node.name
            and node.lineno < each.lineno < last.node.lineno
            for each in walk(source.module.tree)
        )
    )


def _made_classes(module: Module, finder: ModuleFinder) -> Iterator[ClassSource]:
    """Yield the source of what calls such as ``type("Mine", (Base,), {})`` make."""
    for node in calls_in(module.tree):
        match [*node.args, *(each.value for each in node.keywords)]:
            case [name, ast.Tuple(elts=bases), *_] if last_part(node.func) in _MAKERS:
                made = ast.parse(f"class _({', '.join(map(unparse, bases))}): ...").body[0]
                assert isinstance(made, ast.ClassDef)
                made.name = str(name.value if isinstance(name, ast.Constant) else unparse(name))
                yield ClassSource(module, ast.copy_location(made, node), finder)
            case _:
                pass


def _is_path(text: str) -> bool:
    return text.endswith(".py") or "/" in text or os.sep in text


def _find_class(text: str, search: SearchContext) -> Target:
    location, _, as_in_pytest = text.partition("::")
    if location and is_dotted_name(qualname := as_in_pytest.replace("::", ".")):
        raise CouldNotCheckError(
            f"{text}: put one colon before the class, as in {location}:{qualname}"
        )
    location, _, qualname = text.rpartition(":")
    if not location or not is_dotted_name(qualname):
        raise CouldNotCheckError(f"{EXPECTED_TARGET}, got {text!r}")
    module = (module_of_file if _is_path(location) else module_by_name)(location, search)
    try:
        target = target_in(module, qualname, text, search)
    except CouldNotCheckError as error:
        raise CouldNotCheckError(f"{text}: {error}{_similar(qualname, module)}") from None
    require_one_definition(target)
    return target


def _similar(qualname: str, module: Module) -> str:
    """Return a hint at the classes that a wrong name may mean, if there are any."""
    import difflib  # seldom needed, and slow to load

    known = [node.name for node in module.tree.body if isinstance(node, ast.ClassDef)]
    for name in difflib.get_close_matches(qualname, known, n=1):
        return f"; did you mean {name!r}?"
    return f"; classes in the module: {', '.join(known)}" if 0 < len(known) <= _MOST_LISTED else ""
