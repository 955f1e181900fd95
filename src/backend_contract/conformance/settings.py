"""What ``[tool.backend-contract]`` says in the nearest ``pyproject.toml``.

Only the nearest one upward from the current directory counts, as in other tools; where it has no
such table, there are no settings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

from backend_contract.clauses import CLAUSES
from backend_contract.conformance.verdicts import CouldNotCheckError

Table: TypeAlias = "dict[str, object]"

__all__ = ["ExpectedViolation", "Settings", "read_settings"]


class ExpectedViolation(NamedTuple):
    """A violation that is known, and does not let a run fail while it is there."""

    target: str
    clause: str
    reason: str


class Settings(NamedTuple):
    """What a project has settled for all its runs."""

    directory: Path
    """What its paths are relative to, and where its modules are looked for."""
    targets: tuple[str, ...] = ()
    checkers: tuple[str, ...] = ()
    strict: bool = False
    expected_violations: tuple[ExpectedViolation, ...] = ()


def read_settings(directory: Path, checkers: tuple[str, ...]) -> Settings:
    """The settings for a run in ``directory``, of which ``checkers`` may be named.

    Raises :class:`CouldNotCheckError` for a file that cannot be read, an unknown key, a value of
    another type, and an expected violation that lacks its target, its clause or its reason.
    """
    file = next((d / _NAME for d in (directory, *directory.parents) if (d / _NAME).exists()), None)
    if file is None:
        return Settings(directory)
    table = _table(file)
    where = f"{file}: [tool.backend-contract]"
    _refuse_unknown(table, ("targets", "checkers", "strict", "expected-violations"), where)
    strict = table.get("strict", False)
    if not isinstance(strict, bool):
        raise CouldNotCheckError(f"{where}: strict is true or false, got {strict!r}")
    named = _texts(table, "checkers", where)
    for name in named:
        if name not in checkers:
            known = ", ".join(checkers)
            raise CouldNotCheckError(f"{where}: no checker {name!r}; expected one of {known}")
    return Settings(
        file.parent,
        _texts(table, "targets", where),
        named,
        strict,
        _expected_violations(table, where),
    )


_NAME = "pyproject.toml"


def _table(file: Path) -> Table:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CouldNotCheckError(f"{file}: {error.strerror}") from None
    if b"backend-contract" not in content:  # most runs need no parser
        return {}
    if sys.version_info < (3, 11):
        import tomli as tomllib
    else:
        import tomllib
    try:
        tool: object = tomllib.loads(content.decode("utf-8")).get("tool", {})
    except (ValueError, RecursionError) as error:
        raise CouldNotCheckError(f"{file}: cannot be read: {error}") from None
    tables = cast("Table", tool) if isinstance(tool, dict) else {}
    table = tables.get("backend-contract", {})
    if not isinstance(table, dict):
        raise CouldNotCheckError(f"{file}: tool.backend-contract is a table, got {table!r}")
    return cast("Table", table)


def _refuse_unknown(table: Table, known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise CouldNotCheckError(
                f"{where}: unknown key {key!r}; expected one of {', '.join(known)}"
            )


def _texts(table: Table, key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    texts = cast("list[object]", value) if isinstance(value, list) else [None]
    found = tuple(each for each in texts if isinstance(each, str))
    if len(found) != len(texts):
        raise CouldNotCheckError(f"{where}: {key} is a list of strings, got {value!r}")
    return found


def _expected_violations(table: Table, where: str) -> tuple[ExpectedViolation, ...]:
    key = "expected-violations"
    value = table.get(key, [])
    if not isinstance(value, list):
        raise CouldNotCheckError(f"{where}: {key} is an array of tables, got {value!r}")
    found: list[ExpectedViolation] = []
    for number, entry in enumerate(cast("list[object]", value), start=1):
        here = f"{where}: {key}, entry {number}"
        if not isinstance(entry, dict):
            raise CouldNotCheckError(f"{here}: is a table, got {entry!r}")
        found.append(_expected_violation(cast("Table", entry), here))
    return tuple(found)


def _expected_violation(entry: Table, here: str) -> ExpectedViolation:
    fields = ExpectedViolation._fields
    _refuse_unknown(entry, fields, here)
    texts = {field: text for field in fields if isinstance(text := entry.get(field), str)}
    for field in fields:
        if not texts.get(field, "").strip():
            raise CouldNotCheckError(
                f"{here}: needs a {field}, which is a text; got {entry.get(field)!r}"
            )
    expected = ExpectedViolation(**texts)
    if expected.clause not in CLAUSES:
        raise CouldNotCheckError(
            f"{here}: no clause {expected.clause!r}; `backend-contract clauses` lists them"
        )
    return expected
