"""The settings of a project: ``[tool.backend-contract]`` in the nearest ``pyproject.toml``.

Only the nearest file, from the current directory upwards, is read, as in other tools. If it lacks
the table, the defaults apply. Two of the settings select the clauses that a run reports.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeAlias, cast

from backend_contract._conformance.results import Report
from backend_contract._conformance.source.parsing import MAX_SETTINGS, read_file, read_toml
from backend_contract._conformance.source.targets import Project
from backend_contract.clauses import CLAUSES, in_layer
from backend_contract.errors import CouldNotCheckError

Table: TypeAlias = "dict[str, object]"

_FILE = "pyproject.toml"
_HINTS = {"strict": "unchecked clauses fail by default; see `lenient`"}
"""Hints for keys that are not settings but might be expected."""


@dataclass(frozen=True, kw_only=True)
class ExpectedViolation:
    """A known violation, which does not fail a run while it exists."""

    target: str
    clause: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Settings(Project):
    """The settings for all runs of a project."""

    targets: tuple[str, ...] = ()
    checkers: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    lenient: bool = False
    error_on_warning: bool = False
    expected_violations: tuple[ExpectedViolation, ...] = ()


_KEYS = tuple(field.name.replace("_", "-") for field in fields(Settings)[1:])


def read_settings(directory: Path, checkers: tuple[str, ...]) -> Settings:
    """Return the settings for a run in *directory*; *checkers* are the valid names of checkers.

    Raises :class:`CouldNotCheckError` if the file cannot be read, or contains an unknown key, a
    value of the wrong type, or an expected violation without target, clause or reason.
    """
    files = (parent / _FILE for parent in (directory, *directory.parents))
    file = next((file for file in files if os.path.lexists(file)), None)
    if file is None:
        return Settings(directory=directory)
    table = _read_table(file)
    where = f"{file}: [tool.backend-contract]"
    _reject_unknown(table, _KEYS, where)
    names = _strings(table, "checkers", where)
    for name in names:
        if name not in checkers:
            known = ", ".join(checkers)
            raise CouldNotCheckError(f"{where}: unknown checker {name!r}; expected one of {known}")
    return Settings(
        directory=file.parent,
        targets=_strings(table, "targets", where),
        exclude=_non_empty_strings(table, "exclude", where),
        search_path=_non_empty_strings(table, "search-path", where),
        checkers=names,
        select=_strings(table, "select", where),
        ignore=_strings(table, "ignore", where),
        lenient=_boolean(table, "lenient", where),
        error_on_warning=_boolean(table, "error-on-warning", where),
        expected_violations=tuple(_expected_violations(table, where)),
    )


def _read_table(file: Path) -> Table:
    if b"backend-contract" not in read_file(file, limit=MAX_SETTINGS):  # most runs need no parser
        return {}
    tool: object = read_toml(file, MAX_SETTINGS).get("tool", {})
    tables = cast("Table", tool) if isinstance(tool, dict) else {}
    table = tables.get("backend-contract", {})
    if not isinstance(table, dict):
        raise CouldNotCheckError(f"{file}: tool.backend-contract must be a table, got {table!r}")
    return cast("Table", table)


def _reject_unknown(table: Table, known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            hint = _HINTS.get(key, f"expected one of {', '.join(known)}")
            raise CouldNotCheckError(f"{where}: unknown key {key!r}; {hint}")


def _boolean(table: Table, key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise CouldNotCheckError(f"{where}: {key} must be true or false, got {value!r}")
    return value


def _strings(table: Table, key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if isinstance(value, list):
        elements = cast("list[object]", value)
        strings = tuple(element for element in elements if isinstance(element, str))
        if len(strings) == len(elements):
            return strings
    raise CouldNotCheckError(f"{where}: {key} must be a list of strings, got {value!r}")


def _non_empty_strings(table: Table, key: str, where: str) -> tuple[str, ...]:
    strings = _strings(table, key, where)
    for string in strings:
        if not string.strip() or "\0" in string:
            raise CouldNotCheckError(f"{where}: {key} must not contain {string!r}")
    return strings


def _expected_violations(table: Table, where: str) -> Iterator[ExpectedViolation]:
    key = "expected-violations"
    value = table.get(key, [])
    if not isinstance(value, list):
        raise CouldNotCheckError(f"{where}: {key} must be an array of tables, got {value!r}")
    for number, entry in enumerate(cast("list[object]", value), start=1):
        here = f"{where}: {key}, entry {number}"
        if not isinstance(entry, dict):
            raise CouldNotCheckError(f"{here}: must be a table, got {entry!r}")
        yield _expected_violation(cast("Table", entry), here)


def _expected_violation(entry: Table, here: str) -> ExpectedViolation:
    names = tuple(field.name for field in fields(ExpectedViolation))
    _reject_unknown(entry, names, here)
    strings = {name: text for name in names if isinstance(text := entry.get(name), str)}
    for name in names:
        if not strings.get(name, "").strip():
            raise CouldNotCheckError(
                f"{here}: {name} must be a non-empty string, got {entry.get(name)!r}"
            )
    expected = ExpectedViolation(**strings)
    if expected.clause not in CLAUSES:
        raise CouldNotCheckError(
            f"{here}: unknown clause {expected.clause!r}; `backend-contract clauses` lists them"
        )
    return expected


class Selection:
    """The clauses that a run can decide, divided into those that it reports and the others."""

    def __init__(self, selected: Iterable[str], decidable: Sequence[str]) -> None:
        self.selected = [clause for clause in decidable if clause in {*selected}]
        self.not_selected = tuple(clause for clause in decidable if clause not in self.selected)

    def filter(self, report: Report) -> Report:
        """Return *report* with the findings on the selected clauses only.

        It has a note on those without a finding: only a literal shows a name without running it.
        """
        findings = [each for each in report.findings if each.clause.id in self.selected]
        judged = {each.clause.id for each in findings}
        left = [clause for clause in self.selected if clause not in judged]
        notes = report.notes
        if left and report.error is None:
            reason = "not judged, as the source shows no literal name; `--run` does"
            notes = (*notes, f"{' and '.join(left)}: {reason}")
        return replace(report, findings=tuple(findings), notes=notes)


def select_clauses(select: Sequence[str], ignore: Sequence[str], layers: str) -> Selection:
    """Return the clauses of *layers* whose ids begin with one of *select* and none of *ignore*.

    Without *select*, all are selected. Raises :class:`CouldNotCheckError` if a prefix matches no
    clause, or if no clause of *layers* is left.
    """
    selected = _matching(select, "select") if select else {*CLAUSES}
    selected -= _matching(ignore, "ignore")
    decidable = sorted({clause.id for layer in layers for clause in in_layer(layer)})
    selection = Selection(selected, decidable)
    if not selection.selected:
        needs_run = selected and "B" not in layers
        raise CouldNotCheckError(
            "select and ignore leave no clause to check"
            + (f"; {', '.join(sorted(selected))}: add --run" if needs_run else "")
        )
    return selection


def _matching(prefixes: Sequence[str], name: str) -> set[str]:
    found: set[str] = set()
    for prefix in prefixes:
        wanted = prefix.strip().upper()
        matching = {clause for clause in CLAUSES if wanted and clause.startswith(wanted)}
        if not matching:
            raise CouldNotCheckError(
                f"{name}: {prefix!r} matches no clause; known are {', '.join(CLAUSES)}"
            )
        found |= matching
    return found
