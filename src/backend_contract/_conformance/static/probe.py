"""The probe: a file that uses a class as a runtime would, for a type checker to look at.

Its text is ``probe_template.py.txt``. The comment at the end of a line there says what an error on
that line, or the lack of one, means: verdicts depend on lines, never on a checker's wording.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from backend_contract._conformance.results import Verdict
from backend_contract.clauses import Clause

__all__ = [
    "Decision",
    "Errors",
    "Mark",
    "Probe",
    "decide",
    "digest",
    "has_unseen_base",
    "import_error",
    "typed_marks",
]

Errors: TypeAlias = Mapping[int, Sequence[str]]
"""What a checker reported in one probe: messages by line, counted from 1."""


class Mark(NamedTuple):
    """What stands at the end of a line of the probe."""

    line: int
    clause: str
    kind: str
    """``use``, ``defined`` or ``typed``; the head of the text explains them."""
    member: str
    part: str
    """Which part of it: ``result``, ``parameter N`` (from 1, without ``self``), or empty."""


class Decision(NamedTuple):
    """What one probe shows of one clause."""

    verdict: Verdict
    marks: Sequence[Mark]
    """The lines that speak against the clause, or that show nothing."""


_LINES = (Path(__file__).parent / "probe_template.py.txt").read_text(encoding="utf-8").splitlines()
_IMPORT, _ALIAS = (n for n, line in enumerate(_LINES, start=1) if line.endswith("  # import"))
_SEEN = next(n for n, line in enumerate(_LINES, start=1) if line.endswith("  # seen"))
_MARKS = [
    Mark(number, *mark)
    for number, line in enumerate(_LINES, start=1)
    for mark in re.findall(r"\S  # (BC\d+) (use|defined|typed) (\w+)(?: (.+))?$", line)
]
_CAN_BE_MADE = next(mark for mark in _MARKS if mark.kind == "defined" and mark.member == "__init__")


class Probe(NamedTuple):
    """The probe of the class ``qualname`` of ``module``; both are dotted identifiers."""

    module: str
    qualname: str

    @property
    def file(self) -> str:
        """The name of its file: always the same one, for the caches that go by names."""
        return f"probe_{digest(self.module, self.qualname)}.py"

    @property
    def text(self) -> str:
        """The text of its file."""
        outermost, dot, inner = self.qualname.partition(".")
        lines = list(_LINES)
        lines[_IMPORT - 1] = f"from {self.module} import {outermost} as Outermost"
        lines[_ALIAS - 1] = f"Target = Outermost{dot}{inner}"
        return "\n".join(lines) + "\n"


def decide(clause: Clause, errors: Errors) -> Decision:
    """What the probe in which ``errors`` were reported shows of ``clause``."""
    marks = [mark for mark in _MARKS if mark.clause == clause.id]
    # A class with abstract members of somebody else's can never be made: that is BC201's alone.
    telling = ("use",) if _CAN_BE_MADE.line in errors else ("use", "defined")
    broken = [
        mark
        for mark in marks
        if mark.line in errors and (mark.kind in telling or mark == _CAN_BE_MADE)
    ]
    if broken:
        return Decision(Verdict.VIOLATED, broken)
    untyped = [mark for mark in marks if mark.kind == "typed" and mark.line not in errors]
    return Decision(Verdict.UNCHECKED if untyped else Verdict.OK, untyped)


def typed_marks(clause: Clause) -> list[Mark]:
    """The lines that show whether what ``clause`` is about is typed at all."""
    return [mark for mark in _MARKS if mark.clause == clause.id and mark.kind == "typed"]


def import_error(errors: Errors) -> str | None:
    """What the checker said where it did not find the class at all."""
    return next((errors[line][0] for line in (_IMPORT, _ALIAS) if line in errors), None)


def has_unseen_base(errors: Errors) -> bool:
    """Whether the class inherits, directly or not, from what is ``Any`` to the checker."""
    return _SEEN not in errors


def digest(*parts: str) -> str:
    """A short name for ``parts``, fit for a file and for a module."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
