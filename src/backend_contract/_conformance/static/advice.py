"""Advice on one finding: how to fix the mistake that was made, or which annotation to write."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backend_contract._conformance.results import Finding, Verdict, blocked
from backend_contract._conformance.source import members
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.members import EXPECTED_ANNOTATIONS, ExpectedAnnotation
from backend_contract._conformance.source.modules import Assignment, targets_of
from backend_contract._conformance.source.parsing import (
    Function,
    callee_of,
    is_generator,
    last_part,
    positional_of,
    unparse,
)

_HANDLER = ("model_id", "runtime_context")
_POSITIONAL = {"__init__": 1, "register_config": 1, "handle_runtime_context": 2}
"""The number of positional arguments that each method receives, if any."""

_SHAPES = {
    "backend_type": 'backend_type = "{name}"',
    "is_started": "@property def is_started(self) -> bool",
    "__init__": "def __init__(self, config: aconfig.Config | None = None) -> None",
    "register_config": "def register_config(self, config: aconfig.Config) -> None",
    "start": "def start(self) -> None",
    "stop": "def stop(self) -> None",
    "start_lock": "def start_lock(self) -> AbstractContextManager[object]",
    "handle_runtime_context": (
        "def handle_runtime_context(self, model_id: str, "
        "runtime_context: RuntimeServerContextType) -> None"
    ),
}
"""A definition of each member that conforms."""

_ACCEPTABLE = {
    "str": {"str", "object", "Any"},
    "bool": {"bool"},
    "None": {"None"},
    "aconfig.Config": {"Config", "dict", "Dict", "Mapping", "ConfigType", "object", "Any"},
    "RuntimeServerContextType": {"RuntimeServerContextType", "object", "Any"},
}
"""Names that may stand for an expected annotation; others are named in the advice."""


def advise(source: ClassSource, clause: str, verdict: Verdict, concerned: Sequence[str]) -> str:
    """Return how to fix a finding about the *concerned* members of a class.

    Empty if the fix of the clause says it as well.
    """
    if verdict not in (Verdict.VIOLATED, Verdict.UNCHECKED):
        return ""
    sentences: list[str] = []
    for member in dict.fromkeys(concerned):
        if verdict is Verdict.VIOLATED:
            sentences += _fixes(source, clause, member)
        else:
            sentences.append(_annotations(source, member))
    return " ".join(filter(None, sentences))


def is_missing(source: ClassSource, member: str) -> bool:
    """Return whether the class has no *member*, or leaves it abstract."""
    found = source.find(member)
    if found is None:
        return not source.has_unknown_base
    return members.is_abstract(found[1]) or members.lacks_value(source, member)


def block_constructor(findings: Sequence[Finding], source: ClassSource) -> tuple[Finding, ...]:
    """Return *findings*, with the constructor's blocked by the clause of a missing member.

    Such a class cannot be created, or is incomplete: that is not a mistake of its constructor.
    """
    missing = [
        finding.clause.id
        for finding in findings
        if finding.verdict is Verdict.VIOLATED
        and finding.clause.id != "BC201"
        and any(is_missing(source, member) for member in finding.clause.members)
    ]
    return tuple(
        blocked(finding, missing[0])
        if missing and finding.clause.id == "BC201" and finding.verdict is not Verdict.VIOLATED
        else finding
        for finding in findings
    )


# What is violated.


def _fixes(source: ClassSource, clause: str, member: str) -> list[str]:
    found = source.find(member)
    if is_missing(source, member):
        return [f"Define `{_shape(source, member)}`."] if member != "__init__" else []
    if found is None:
        return []
    owner, statement = found
    if member == "backend_type":
        return [*_fixes_of_name(source, clause, owner, statement)]
    if member == "is_started":
        return [*_fixes_of_flag(statement)]
    if not isinstance(statement, Function):
        return [f"Define it as a method: `{_SHAPES[member]}`."]
    return [*_fixes_of_method(statement)]


def _shape(source: ClassSource, member: str) -> str:
    return _SHAPES[member].format(name=_suggested_name(source))


def _suggested_name(source: ClassSource) -> str:
    """Return a name for a backend after that of its class: ``RAY`` for ``RayBackend``."""
    name = source.node.name.strip("_")
    name = name.removesuffix("Backend").rstrip("_") or name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _fixes_of_name(
    source: ClassSource, clause: str, owner: ClassSource, statement: ast.stmt
) -> Iterator[str]:
    value = statement.value if isinstance(statement, Assignment) else None
    name = _string(value)
    shape = _shape(source, "backend_type")
    if clause == "BC103" and name is not None:
        name = name.strip().upper()
        yield f"Write `backend_type = {_quoted(name)}`." if name else f"Write `{shape}`."
    elif clause == "BC104":
        if name == _suggested_name(source):
            shape = shape.replace('"', '"MY_', 1)
        yield f"Give the class its own name: `{shape}`."
    elif isinstance(statement, Function):
        kind = "property" if _has_decorator(statement, "property") else "method"
        yield f"Replace the {kind} by a string in the class body: `{shape}`."
    elif "backend_type" not in owner.in_body:
        yield f"Assign it in the class body, not to `self`: `{shape}`."
    elif isinstance(value, ast.Constant) and name is None:
        yield f"Give it a string: `{shape}`."


def _string(value: ast.expr | None) -> str | None:
    """Return the string that a literal is, or ``None``."""
    match value:
        case ast.Constant(value=str(text)):
            return text
        case _:
            return None


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


def _fixes_of_flag(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, Function):
        if isinstance(statement, ast.AsyncFunctionDef):
            yield "Remove `async` from `is_started`."
        if not _has_decorator(statement, "property"):
            yield "Make it a property: put `@property` above `def is_started`."
        elif _last_name(statement.returns) not in ("", "bool"):
            yield "Return a `bool`: `@property def is_started(self) -> bool`."
    elif isinstance(statement, ast.AnnAssign) and _last_name(statement.annotation) != "bool":
        yield "Declare it as `is_started: bool`."
    elif isinstance(statement, Assignment):
        yield "Give it a `bool`: `is_started = False`."


def _fixes_of_method(function: Function) -> Iterator[str]:
    name = function.name
    if isinstance(function, ast.AsyncFunctionDef):
        yield f"Remove `async` from `{name}`."
    for kind in ("property", "cached_property"):
        if _has_decorator(function, kind):
            yield f"Remove `@{kind}` from `{name}`, which is called."
    fixes = [*_fixes_of_parameters(function), *_fixes_of_result(function)]
    yield from fixes
    if not fixes and not isinstance(function, ast.AsyncFunctionDef):
        yield from _fixes_of_annotations(function)


class _Parameters(NamedTuple):
    """The parameters that a method receives from its caller."""

    positional: list[ast.arg]
    required: list[ast.arg]
    """Those without default, keyword-only ones included."""
    has_rest: bool
    """Whether there are ``*args``."""


def _parameters(function: Function) -> _Parameters:
    given = function.args
    positional = positional_of(given)
    with_default = positional[len(positional) - len(given.defaults) :]
    bound = 0 if _has_decorator(function, "staticmethod") else 1
    required = [each for each in positional[bound:] if each not in with_default]
    for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if default is None:
            required.append(each)
    return _Parameters(positional[bound:], required, given.vararg is not None)


def _fixes_of_parameters(function: Function) -> Iterator[str]:
    name = function.name
    parameters = _parameters(function)
    expected = _POSITIONAL.get(name, 0)
    received = parameters.positional[:expected]
    if len(received) < expected <= len(received) + len(function.args.kwonlyargs):
        yield f"Remove the `*` from `{name}`, so that arguments can be given by position."
        return
    if len(received) < expected and not parameters.has_rest:
        many = {1: "a configuration", 2: "both arguments"}[expected]
        yield f"Let `{name}` take {many} by position: `{_SHAPES[name]}`."
        return
    if name == "handle_runtime_context":
        yield from _fixes_of_names(function, received)
    optional = received if name == "__init__" else []
    for each in parameters.required:
        if each in optional:
            yield f"Give `{each.arg}` the default `None`."
        elif each not in received:
            yield f"Give `{each.arg}` of `{name}` a default, or remove it."


def _fixes_of_names(function: Function, received: Sequence[ast.arg]) -> Iterator[str]:
    names = [each.arg for each in received]
    if set(names) == {*_HANDLER} and names != [*_HANDLER]:
        yield "Take `model_id` first, and `runtime_context` second."
        return
    renamed = [
        f"`{name}` to `{right}`"
        for name, right in zip(names, _HANDLER, strict=False)
        if name != right
    ]
    if renamed and not (len(names) < 2 and function.args.kwarg):
        yield f"Rename {' and '.join(renamed)}."
    if any(each in function.args.posonlyargs for each in received):
        yield "Remove the `/`, so that both can be given by keyword."


def _fixes_of_result(function: Function) -> Iterator[str]:
    written = function.returns
    if function.name != "start_lock":
        if written is not None and not _is_acceptable(written, "None"):
            yield f"Return nothing from `{function.name}`: `-> None`."
    elif _has_decorator(function, "contextmanager"):
        if written is not None and not {*_names(written)} & {"Iterator", "Generator", "Iterable"}:
            yield "Annotate what it yields: `-> Iterator[None]`."
    elif is_generator(function):
        yield "Put `@contextmanager` above `def start_lock`."


def _fixes_of_annotations(function: Function) -> Iterator[str]:
    if function.name == "start_lock":
        yield f"Return a context manager: `{_SHAPES['start_lock']}`."
    for number, parameter in enumerate(_parameters(function).positional, start=1):
        expected = EXPECTED_ANNOTATIONS.get((function.name, f"parameter {number}"))
        written = parameter.annotation
        if expected is None or written is None:
            continue
        is_optional = expected.text.endswith(" | None")
        kind = expected.text.removesuffix(" | None")
        accepts_none = {"None", "Optional", "object", "Any"} & {*_names(written)}
        if not _is_acceptable(written, kind) or (is_optional and not accepts_none):
            yield f"Annotate `{parameter.arg}: {expected.text}`."


def _is_acceptable(annotation: ast.expr, expected: str) -> bool:
    return bool({*_names(annotation)} & _ACCEPTABLE.get(expected, {expected}))


def _names(annotation: ast.expr) -> list[str]:
    """Return the last parts of the names in an annotation, quoted or not."""
    return re.findall(r"(\w+)(?![\w.])", unparse(annotation))


def _last_name(annotation: ast.expr | None) -> str:
    return unparse(annotation).strip("'\"").rpartition(".")[2] if annotation else ""


def _has_decorator(function: Function, name: str) -> bool:
    calls = [callee_of(d) for d in function.decorator_list]
    return any(last_part(call) == name for call in calls)


# What is unchecked.


def _annotations(source: ClassSource, member: str) -> str:
    found = source.find(member)
    shape, name = _shape(source, member), source.node.name
    if found is None or (source.has_unknown_base and members.may_be_hidden(source, member)):
        return f"Make the bases of `{name}` importable, or define in it: `{shape}`."
    owner, statement = found
    if owner.module.path != source.module.path:
        return f"Override it in `{name}`: `{shape}`{_imports(source, _expected(member))}."
    if isinstance(statement, Function):
        return _annotated_function(owner, member, statement)
    if member in ("backend_type", "is_started"):
        return f"Write `{_annotated_value(member, statement)}`."
    return f"Define it as a method: `{shape}`{_imports(source, _expected(member))}."


def _expected(member: str) -> dict[str, ExpectedAnnotation]:
    return {part: each for (name, part), each in EXPECTED_ANNOTATIONS.items() if name == member}


def _annotated_value(member: str, statement: Assignment) -> str:
    expected = EXPECTED_ANNOTATIONS[member, ""].text
    target = unparse(targets_of(statement)[0])
    target = target if target.rpartition(".")[2] == member else member
    if statement.value is None:
        return f"{target}: {expected}"
    text = _string(statement.value)
    value = unparse(statement.value) if text is None else _quoted(text)
    return f"{target}: {expected} = {value if len(value) <= 37 else '...'}"


def _annotated_function(source: ClassSource, member: str, function: Function) -> str:
    parts = [
        part
        for part in _expected(member)
        if part
        and (
            members.missing_annotation(source, member, part) is not None
            or members.contains_any(source, member, part)
        )
    ]
    if not parts:
        return _unresolved_function(source, member, function)
    if member == "handle_runtime_context" and len(_parameters(function).positional) < 2:
        return f"Write `{_SHAPES[member]}`{_imports(source, _expected(member))}."
    wanted = {part: _wanted(function, member, part) for part in parts}
    header = _header(function, {part: each.text for part, each in wanted.items()})
    return f"Write `{header}`{_imports(source, wanted)}."


def _unresolved_function(source: ClassSource, member: str, function: Function) -> str:
    shape = f"`{_shape(source, member)}`{_imports(source, _expected(member))}"
    for decorator in function.decorator_list:
        return f"Annotate the decorator `@{unparse(decorator)}`, or write {shape} without it."
    return f"Make the modules of its annotations importable, or write {shape}."


def _wanted(function: Function, member: str, part: str) -> ExpectedAnnotation:
    if part == "result" and _has_decorator(function, "contextmanager"):
        return ExpectedAnnotation("Iterator[None]", "collections.abc", "Iterator")
    return EXPECTED_ANNOTATIONS[member, part]


def _header(function: Function, wanted: dict[str, str]) -> str:
    whole = copy.deepcopy(function)
    bound = 0 if _has_decorator(function, "staticmethod") else 1
    positional = positional_of(whole.args)
    for part, text in wanted.items():
        annotation = ast.parse(text, mode="eval").body
        if part == "result":
            whole.returns = annotation
            continue
        number = int(part.removeprefix("parameter ")) - 1 + bound
        rest = [whole.args.vararg] if whole.args.vararg else []
        for parameter in positional[number : number + 1] or rest:
            parameter.annotation = annotation
    return members.format_header(whole)


def _imports(source: ClassSource, wanted: dict[str, ExpectedAnnotation]) -> str:
    lines = [
        f"`from {each.module} import {each.name}`" if each.module else f"`import {each.name}`"
        for each in dict.fromkeys(wanted.values())
        if each.name and each.name not in source.module.bindings
    ]
    return f" with {' and '.join(lines)}" if lines else ""
