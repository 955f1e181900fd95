"""Which edits a finding asks for, read from the source of the class."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from backend_contract._conformance.fixes.annotations import (
    Annotation,
    Place,
    spell_part,
    spell_text,
)
from backend_contract._conformance.fixes.model import CannotFixError, Edit, EditKind
from backend_contract._conformance.fixes.returns import (
    Test,
    is_bool,
    is_lock,
    is_str,
    returns_none,
    returns_only,
    yields_nothing,
)
from backend_contract._conformance.fixes.spelling import names_of_module
from backend_contract._conformance.results import Finding
from backend_contract._conformance.source.classes import ClassSource, Member
from backend_contract._conformance.source.members import EXPECTED_ANNOTATIONS
from backend_contract._conformance.source.modules import qualified_name
from backend_contract._conformance.source.parsing import (
    Function,
    decorator_names,
    is_generator,
    positional_of,
)

Refuses = Callable[[Path], "str | None"]
"""Returns why a file must not be changed, or ``None``."""


class Definition(NamedTuple):
    """The definition of a member that counts, in a file that may be changed."""

    clause: str
    """The id of the clause whose finding asks for edits of it."""
    member: str
    owner: ClassSource
    statement: Member

    @property
    def place(self) -> Place:
        """The place of its annotations."""
        return Place(self.owner, self.statement.lineno, names_of_module(self.owner.module.tree))

    def edit(self, kind: EditKind, name: str = "", annotation: Annotation | None = None) -> Edit:
        """Return an edit of the statement."""
        return Edit(
            path=self.owner.module.path,
            line=self.statement.lineno,
            owner=self.place.names.classes.index(self.owner.node),
            member=self.member,
            clause=self.clause,
            kind=kind,
            name=name,
            text=annotation.text if annotation else "",
            imports=annotation.imports if annotation else (),
        )


def define(source: ClassSource, clause: str, member: str, refuses: Refuses) -> Definition:
    """Return the definition of *member*. Raises :class:`CannotFixError` if it must not change."""
    found = source.find(member)
    if found is None:
        raise CannotFixError(f"the source of `{member}` was not found")
    owner, statement = found
    reason = refuses(owner.module.path)
    if reason is not None:
        inherited = f" (from {owner.module.name}.{owner.node.name})" if owner != source else ""
        raise CannotFixError(f"`{member}`{inherited} {reason}")
    if isinstance(statement, Function):
        statement = _only_definition(owner, member)
    return Definition(clause, member, owner, statement)


def _only_definition(owner: ClassSource, member: str) -> Function:
    """Return the function that counts: the getter of a property, or the only definition."""
    functions = [
        each
        for each in owner.statements
        if isinstance(each, Function)
        and each.name == member
        and not decorator_names(each) & {"setter", "deleter"}
    ]
    if len(functions) != 1:
        raise CannotFixError(f"`{member}` is defined more than once")
    with tokenize.open(owner.module.path) as file:
        lines = file.read().split("\n")[functions[0].lineno - 1 : functions[0].body[0].lineno]
    if any(re.search(r"#\s*type:(?!\s*ignore)", line) for line in lines):
        raise CannotFixError(f"`{member}` has a type comment")
    return functions[0]


def parameters_of(function: Function) -> list[tuple[ast.arg, ast.expr | None]]:
    """Return the positional parameters without ``self``, each with its default."""
    arguments = function.args
    positional = positional_of(arguments)
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*defaults, *arguments.defaults], strict=True))
    return pairs if "staticmethod" in decorator_names(function) else pairs[1:]


def plan_annotations(
    finding: Finding, source: ClassSource, refuses: Refuses
) -> tuple[list[Edit], list[str]]:
    """Return the edits that an unchecked finding asks for, and the reasons why others are not."""
    steps = (
        step
        for member in finding.clause.members
        if member != "__init__" or source.find(member) is not None
        for step in _steps(source, finding.clause.id, member, refuses)
    )
    edits, reasons = carry_out(steps)
    return edits, reasons or ([] if edits else list(finding.because))


Step = Callable[[], "list[Edit]"]
"""Returns the edits of one part of a member, or raises :class:`CannotFixError`."""


def carry_out(steps: Iterable[Step]) -> tuple[list[Edit], list[str]]:
    """Return the edits of *steps*, and the reasons of those that raise, each once."""
    edits: list[Edit] = []
    reasons: dict[str, None] = {}
    for step in steps:
        try:
            edits += step()
        except CannotFixError as reason:
            reasons[str(reason)] = None
    return edits, list(reasons)


def _steps(source: ClassSource, clause: str, member: str, refuses: Refuses) -> Iterator[Step]:
    try:
        definition = define(source, clause, member, refuses)
    except CannotFixError as reason:
        if _is_open(source, member):
            yield partial(_refuse, reason)
        return
    function = definition.statement
    if not isinstance(function, Function):
        yield partial(_annotate_attribute, definition)
        return
    parts = [part for name, part in EXPECTED_ANNOTATIONS if name == member and part]
    for part in sorted(parts):
        if part == "result":
            yield partial(_annotate_result, definition, function)
        else:
            number = int(part.removeprefix("parameter "))
            yield partial(_annotate_parameter, definition, function, number)


def _refuse(reason: CannotFixError) -> list[Edit]:
    raise reason


def _is_open(source: ClassSource, member: str) -> bool:
    """Return whether a part of a member that must not change has no usable annotation."""
    found = source.find(member)
    if found is None or not isinstance(found[1], Function):
        return True
    annotated = [parameter.annotation for parameter, _ in parameters_of(found[1])]
    return found[1].returns is None or any(
        each is None or _is_foreign_context(each, found[0]) for each in annotated
    )


def _annotate_result(definition: Definition, function: Function) -> list[Edit]:
    if function.returns is not None:
        return []
    annotation = spell_text(_result(definition, function), definition.place)
    return [definition.edit(EditKind.RESULT, annotation=annotation)]


_RESULTS: dict[str, tuple[Test, str]] = {
    "is_started": (is_bool, "a `bool`"),
    "backend_type": (is_str, "a `str`"),
    "start_lock": (is_lock, "a context manager"),
}


def _result(definition: Definition, function: Function) -> str:
    member, owner = definition.member, definition.owner
    if isinstance(function, ast.AsyncFunctionDef):
        raise CannotFixError(f"`{member}` is `async`")
    if is_generator(function):
        return _generator_result(member, function)
    is_property = any(ast.unparse(d).endswith("property") for d in function.decorator_list)
    if member in ("backend_type", "is_started") and not is_property:
        raise CannotFixError(f"`{member}` is a method")
    if member in _RESULTS:
        accepts, what = _RESULTS[member]
        is_kept = returns_only(function, owner, accepts)
    else:
        is_kept, what = returns_none(function, owner), "only `None`"
    if not is_kept:
        raise CannotFixError(f"its source does not show that `{member}` returns {what}")
    return EXPECTED_ANNOTATIONS[member, "result"].text


def _generator_result(member: str, function: Function) -> str:
    if member != "start_lock" or "contextmanager" not in decorator_names(function):
        raise CannotFixError(f"`{member}` is a generator")
    return "Iterator[None]" if yields_nothing(function) else "Iterator[object]"


def _annotate_parameter(definition: Definition, function: Function, number: int) -> list[Edit]:
    parameters = parameters_of(function)
    if number > len(parameters):
        if function.args.vararg is not None and function.args.vararg.annotation is None:
            name = function.args.vararg.arg
            raise CannotFixError(f"`*{name}` of `{definition.member}` takes any number of values")
        return []
    parameter, default = parameters[number - 1]
    annotated = parameter.annotation
    if annotated is not None and not _is_foreign_context(annotated, definition.owner):
        return []
    annotation = spell_part(definition.member, number, default, definition.place)
    if annotation is None:
        raise CannotFixError(f"the default of `{parameter.arg}` does not fit its annotation")
    return [definition.edit(EditKind.PARAMETER, parameter.arg, annotation)]


def _is_foreign_context(annotated: ast.expr, owner: ClassSource) -> bool:
    """Return whether an annotation is Caikit's alias, which no checker can resolve."""
    name = qualified_name(annotated, owner.module)
    return name.startswith("caikit.") and name.endswith(".RuntimeServerContextType")


def _annotate_attribute(definition: Definition) -> list[Edit]:
    """Annotate an assignment to ``self``, and the method around it, which may hide its type."""
    _, member, owner, statement = definition
    around = _method_around(statement, owner)
    if around is None or not isinstance(statement, ast.Assign):
        raise CannotFixError(f"the type of `{member}` is not known")
    if (member, "") not in EXPECTED_ANNOTATIONS:
        raise CannotFixError(f"`{member}` is assigned to `self`; define it as a method")
    if member == "is_started" and not is_bool(statement.value, owner):
        raise CannotFixError(f"its source does not show that `{member}` is a `bool`")
    edits = _annotate_method(definition._replace(member=around.name, statement=around), around)
    if edits and isinstance(statement.value, ast.Constant):
        return edits
    if [type(target) for target in statement.targets] != [ast.Attribute]:
        raise CannotFixError(f"`{member}` is assigned together with others")
    annotation = spell_text(EXPECTED_ANNOTATIONS[member, ""].text, definition.place)
    return [*edits, definition.edit(EditKind.ATTRIBUTE, member, annotation)]


def _method_around(statement: Member, owner: ClassSource) -> Function | None:
    methods = (each for each in owner.in_body.values() if isinstance(each, Function))
    around = (m for m in methods if m.lineno <= statement.lineno <= (m.end_lineno or 0))
    return next(around, None)


def _annotate_method(definition: Definition, method: Function) -> list[Edit]:
    """Return the edits of a method without any annotation: checkers do not read its body."""
    parameters = parameters_of(method)
    if method.returns is not None or any(p.annotation is not None for p, _ in parameters):
        return []
    if not returns_none(method, definition.owner):
        return []
    edits = [definition.edit(EditKind.RESULT, annotation=Annotation("None"))]
    if method.name == "__init__" and parameters:
        edits += _annotate_parameter(definition, method, 1)
    return edits
