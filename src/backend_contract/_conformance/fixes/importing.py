"""Adding imports to a module, beside its other imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TypeAlias, cast

import libcst as cst

from backend_contract._conformance.fixes.model import NewImport
from backend_contract._conformance.fixes.spelling import ModuleNames

_CHECKING = "TYPE_CHECKING"
_MAX_WIDTH = 88
_NAME_LINE = re.compile(r"\s+[^#,\s][^#,]*, *(#.*)?$")

_Statement: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement


def add_imports(module: cst.Module, imports: Iterable[NewImport]) -> cst.Module:
    """Return *module* with *imports*, each once, and sorted among those that it has."""
    wanted = sorted(dict.fromkeys(imports), key=lambda each: (each.module, each.name))
    for each in wanted:
        if each.for_types:
            module = _add_for_types(module, each)
        else:
            module = module.with_changes(body=_with_import(module.body, each, _start(module)))
    return module


def _add_for_types(module: cst.Module, new: NewImport) -> cst.Module:
    """Add an import below ``if TYPE_CHECKING:``, which is added if there is none."""
    for statement in module.body:
        if isinstance(statement, cst.If) and _is_type_checking(statement.test):
            block = statement.body
            if isinstance(block, cst.IndentedBlock):
                # Compound statements are the only others that a block can have.
                inside = _with_import(cast("Sequence[_Statement]", block.body), new, 0)
                return cst.ensure_type(module.with_deep_changes(block, body=inside), cst.Module)
    names = ModuleNames(ast.parse(module.bytes))
    test = names.reuse_early("typing", _CHECKING, sys.maxsize, ())
    if test is None:
        test = _CHECKING
        body = _with_import(module.body, NewImport("typing", _CHECKING), _start(module))
        module = module.with_changes(body=body)
    guard = cst.If(cst.parse_expression(test), cst.IndentedBlock([_statement(new)]))
    end = _end_of_imports(module.body, _start(module))
    body = [*module.body[:end], guard, *module.body[end:]]
    return module.with_changes(body=_spaced(body, end))


def _is_type_checking(test: cst.BaseExpression) -> bool:
    match test:
        case cst.Name(value=name) | cst.Attribute(attr=cst.Name(value=name)):
            return name == _CHECKING
        case _:
            return False


def _import_of(statement: _Statement | None) -> cst.Import | cst.ImportFrom | None:
    match statement:
        case cst.SimpleStatementLine(body=[cst.Import() | cst.ImportFrom() as found]):
            return found
        case _:
            return None


def _module_of(statement: cst.ImportFrom) -> str:
    dots = "." * len(statement.relative)
    return dots + (cst.Module([]).code_for_node(statement.module) if statement.module else "")


def _start(module: cst.Module) -> int:
    """Return the index after the docstring and the imports from ``__future__``."""
    start = 1 if module.get_docstring() is not None else 0
    for number, statement in enumerate(module.body):
        small = statement.body if isinstance(statement, cst.SimpleStatementLine) else ()
        if any(isinstance(s, cst.ImportFrom) and _module_of(s) == "__future__" for s in small):
            start = number + 1
    return start


def _end_of_imports(body: Sequence[_Statement], start: int) -> int:
    """Return the index after the imports at the top, with what stands between them."""
    end = start
    for number, statement in enumerate(body):
        if number >= start and _import_of(statement):
            end = number + 1
        elif isinstance(statement, cst.ClassDef | cst.FunctionDef):
            break
    return end


def _statement(new: NewImport) -> cst.SimpleStatementLine:
    text = f"from {new.module} import {new.name}" if new.name else f"import {new.module}"
    statement = cst.parse_statement(text)
    assert isinstance(statement, cst.SimpleStatementLine)
    return statement


def _with_import(body: Sequence[_Statement], new: NewImport, start: int) -> list[_Statement]:
    """Return *body* with the import, at its place among those from index *start* on."""
    extended = _extend(body, new, start)
    if extended is not None:
        return extended
    region = range(start, _end_of_imports(body, start))
    key = _sort_key(new.module, bool(new.name))
    place = max((n + 1 for n in region if (_key_of(body[n]) or (9,)) <= key), default=start)
    return _spaced([*body[:place], _statement(new), *body[place:]], place)


def _extend(body: Sequence[_Statement], new: NewImport, start: int) -> list[_Statement] | None:
    """Add the name to an import from the same module."""
    if not new.name:
        return None
    for number, line in enumerate(body[: _end_of_imports(body, start)]):
        found = _import_of(line)
        if not isinstance(line, cst.SimpleStatementLine) or not isinstance(found, cst.ImportFrom):
            continue
        changed = None if line.trailing_whitespace.comment else _with_name(found, new)
        if changed is not None:
            return [*body[:number], line.with_changes(body=[changed]), *body[number + 1 :]]
    return None


def _with_name(found: cst.ImportFrom, new: NewImport) -> cst.BaseSmallStatement | None:
    """Return an import with the name added, in order if its names are.

    ``None`` if it has parentheses, but not one name per line.
    """
    if _module_of(found) != new.module or isinstance(found.names, cst.ImportStar):
        return None
    aliases = [alias.with_changes(comma=cst.MaybeSentinel.DEFAULT) for alias in found.names]
    is_sorted = aliases == sorted(aliases, key=_order_of_name)
    added = cst.ImportAlias(cst.Name(new.name))
    ordered = sorted([*aliases, added], key=_order_of_name) if is_sorted else [*aliases, added]
    place = ordered.index(added)
    code = cst.Module([]).code_for_node
    if found.lpar:
        first, *lines, last = code(found).splitlines()
        if [len(lines), last] != [len(aliases), ")"] or not all(map(_NAME_LINE.match, lines)):
            return None
    else:
        changed = found.with_changes(names=ordered)
        if len(code(changed)) <= _MAX_WIDTH:
            return changed
        first, last = f"from {new.module} import (", ")"
        lines = [f"    {code(alias)}," for alias in aliases]
    margin = lines[0][: -len(lines[0].lstrip())]
    lines.insert(place, f"{margin}{new.name},")
    return cst.ensure_type(
        cst.parse_statement("\n".join([first, *lines, last])), cst.SimpleStatementLine
    ).body[0]


def _order_of_name(alias: cst.ImportAlias) -> tuple[int, str]:
    """Return the place of a name as isort and Ruff sort it: constants, classes, the rest."""
    name = alias.evaluated_name
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower()


def _sort_key(module: str, is_from: bool) -> tuple[int, bool, str]:
    top = module.partition(".")[0]
    section = 3 if module.startswith(".") else 1 if top in sys.stdlib_module_names else 2
    return section if top != "__future__" else 0, is_from, module.lower()


def _key_of(statement: _Statement | None) -> tuple[int, bool, str] | None:
    match _import_of(statement):
        case cst.ImportFrom() as found:
            return _sort_key(_module_of(found), True)
        case cst.Import(names=names):
            return _sort_key(names[0].evaluated_name, False)
        case _:
            return None


def _spaced(body: list[_Statement], place: int) -> list[_Statement]:
    """Put blank lines around the new statement at *place*, as between sections of imports."""
    previous, new, following = [None, *body, None][place : place + 3]
    assert new is not None
    joins_previous = _same_section(previous, new)
    joins_following = _same_section(new, following)
    if joins_following and not joins_previous:
        # It takes over the heading of its section.
        body[place] = new.with_changes(leading_lines=_leading(body[place + 1]))
        body[place + 1] = body[place + 1].with_changes(leading_lines=[])
        return body
    is_apart = previous is not None and not joins_previous
    body[place] = new.with_changes(leading_lines=_blank(1 if is_apart else 0))
    is_spaced = _import_of(new) and _import_of(previous)
    if following is not None and not joins_following and not is_spaced:
        body[place + 1] = _after_blank(following)
    return body


def _after_blank(statement: _Statement) -> _Statement:
    leading = _leading(statement)
    if leading and not leading[0].comment:
        return statement
    count = 2 if isinstance(statement, cst.ClassDef | cst.FunctionDef) else 1
    return statement.with_changes(leading_lines=[*_blank(count), *leading])


def _same_section(one: _Statement | None, other: _Statement | None) -> bool:
    """Return whether two statements are imports that no blank line separates."""
    keys = _key_of(one), _key_of(other)
    return None not in keys and len({key and key[0] for key in keys}) == 1


def _leading(statement: _Statement) -> list[cst.EmptyLine]:
    lines: Sequence[cst.EmptyLine] = getattr(statement, "leading_lines", ())
    return list(lines)


def _blank(count: int) -> list[cst.EmptyLine]:
    return [cst.EmptyLine(indent=False) for _ in range(count)]
