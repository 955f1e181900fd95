"""The probe: a file that uses a class as a runtime would, for a type checker to read.

Its text is ``probe_template.py.txt``. The comment at the end of a line there gives the meaning of
an error on that line, or of a missing one: verdicts depend on lines, never on the wording of a
checker.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from backend_contract._conformance.results import Verdict
from backend_contract.clauses import Clause, in_layer
from backend_contract.errors import CouldNotCheckError

Errors: TypeAlias = Mapping[int, Sequence[str]]
"""The messages of a checker in one probe, by line, counted from 1."""


class Mark(NamedTuple):
    """The comment at the end of a line of the probe."""

    line: int
    clause: str
    kind: str
    """``use``, ``defined``, ``typed``, ``returns`` or ``doubt``; see the head of the template."""
    member: str
    part: str
    """``result``, ``arguments`` (all), ``parameter N`` (from 1, without ``self``), or empty."""


class Decision(NamedTuple):
    """The result of one probe for one clause."""

    verdict: Verdict
    marks: Sequence[Mark]
    """The lines that show a violation, or the lines that show nothing."""


TEMPLATE = (Path(__file__).parent / "probe_template.py.txt").read_text("utf-8").splitlines()
"""The lines of the template."""
IMPORT_LINE, ALIAS_LINE = (n for n, line in enumerate(TEMPLATE, 1) if line.endswith("  # import"))
"""The two lines that import the class."""
SEEN_LINE = next(n for n, line in enumerate(TEMPLATE, 1) if line.endswith("  # seen"))
"""The line with an error unless a base of the class is ``Any``."""
MARKS: Sequence[Mark] = [
    Mark(number, *mark)
    for number, line in enumerate(TEMPLATE, start=1)
    for mark in re.findall(
        r"\S  # (BC\d+) (use|defined|typed|returns|doubt) (\w+)(?: (.+))?$", line
    )
]
"""The marks of the template."""
_MARKS_OF = {
    clause.id: [mark for mark in MARKS if mark.clause == clause.id] for clause in in_layer("S")
}
PROBED = tuple(clause for clause in in_layer("S") if _MARKS_OF[clause.id])
"""The clauses of layer S that the probe decides; the source alone decides the others."""
_EXPECTED = [mark.line for mark in MARKS if mark.kind in ("typed", "returns")]
WITHOUT_VIOLATION: Errors = dict.fromkeys((SEEN_LINE, *_EXPECTED), ())
"""The errors in the probe of a class that violates nothing and hides nothing."""
_INSTANTIATED = next(m for m in MARKS if m.kind == "defined" and m.member == "__init__")


class Probe(NamedTuple):
    """The probe of the class *qualname* of *module*; both are dotted identifiers."""

    module: str
    qualname: str

    @property
    def file(self) -> str:
        """The name of its file, which caches go by: always the same for one text."""
        return f"probe_{digest(self.text)}.py"

    @property
    def text(self) -> str:
        """The text of its file."""
        outermost, dot, inner = self.qualname.partition(".")
        lines = list(TEMPLATE)
        lines[IMPORT_LINE - 1] = f"from {self.module} import {outermost} as Outermost"
        lines[ALIAS_LINE - 1] = f"Target = Outermost{dot}{inner}"
        return "\n".join(lines) + "\n"


def decide(clause: Clause, errors: Errors, without: Collection[Mark] = ()) -> Decision:
    """Decide *clause* by the *errors* in a probe, *without* the marks that mean nothing there."""
    if errors is WITHOUT_VIOLATION:  # the usual case
        return Decision(Verdict.OK, ())
    marks = [mark for mark in _MARKS_OF[clause.id] if mark not in without]
    violated = [mark for mark in marks if _is_violated(mark, errors)]
    if violated:
        return Decision(Verdict.VIOLATED, violated)
    undecided = [mark for mark in marks if _is_undecided(mark, errors)]
    return Decision(Verdict.UNCHECKED if undecided else Verdict.OK, undecided)


def _is_violated(mark: Mark, errors: Errors) -> bool:
    if mark.kind == "returns":
        return mark.line not in errors
    if mark.line not in errors or mark.kind in ("typed", "doubt"):
        return False
    if mark.kind == "defined" and mark != _INSTANTIATED:
        # A class with further abstract members can never be instantiated: only BC201 reports it.
        return _INSTANTIATED.line not in errors
    return True


def _is_undecided(mark: Mark, errors: Errors) -> bool:
    if mark.kind == "typed":
        return mark.line not in errors
    return mark.kind == "doubt" and mark.line in errors


def typed_marks(clause: Clause) -> list[Mark]:
    """Return the lines that show whether the members of *clause* have types at all."""
    return [mark for mark in _MARKS_OF[clause.id] if mark.kind == "typed"]


def import_error(errors: Errors) -> str | None:
    """Return why the checker could not import the class, or ``None`` if it could."""
    return next((errors[line][0] for line in (IMPORT_LINE, ALIAS_LINE) if line in errors), None)


def has_unresolved_base(errors: Errors) -> bool:
    """Return whether a direct or indirect base of the class is ``Any`` to the checker."""
    return SEEN_LINE not in errors


def digest(*parts: str) -> str:
    """Return a short name for *parts*, fit for a file and for a module."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


# ---- canaries: backends with known verdicts
#
# Every run of a checker includes them. If a single verdict on them is not the known one, the
# results are discarded, so a checker that sees nothing never makes a target pass.

CANARIES = (Path(__file__).parent / "canaries.py.txt").read_text(encoding="utf-8")
"""The source of the module of canaries."""
CANARY_MODULE = "backend_contract_canaries"
"""The name of that module."""
_KNOWN = dict(re.findall(r"^class (\w+).*:  # (.+)$", CANARIES, re.MULTILINE))
CANARY_PROBES = {name: Probe(CANARY_MODULE, name) for name in _KNOWN}
"""The probe of each canary, by the name of its class."""


def require_known_verdicts(canary: str, errors: Errors, checked_by: str) -> None:
    """Raise :class:`CouldNotCheckError` if a verdict on a canary is not the known one."""
    for clause in PROBED:
        verdict, marks = decide(clause, errors)
        known = known_verdicts(canary, clause.id)
        if verdict not in known:
            messages = [m for mark in marks for m in errors.get(mark.line, ())]
            message = import_error(errors) or next(iter(messages), "nothing")
            expected = " or ".join(each.value for each in known)
            raise CouldNotCheckError(
                f"{checked_by} failed a built-in self-test ({canary}/{clause.id}: expected "
                f"{expected}, got {verdict.value}); its results were discarded; it reported: "
                f"{message}"
            )
    if has_unresolved_base(errors) is not (canary == "UntypedByItsBase"):
        raise CouldNotCheckError(
            f"{checked_by} failed a built-in self-test ({canary}: it does not tell a base class "
            "that is `Any` from others); its results were discarded"
        )


def known_verdicts(canary: str, clause: str) -> Sequence[Verdict]:
    """Return the verdicts that a working checker may give on a clause of a canary."""
    known = _KNOWN[canary]
    for verdict in (Verdict.UNCHECKED, Verdict.VIOLATED):
        if known == verdict.value:
            return (verdict,)
    words = known.split()
    for letter, verdicts in _LETTERS.items():
        if f"{clause}{letter}" in words:
            return verdicts
    return (Verdict.OK,)


_LETTERS = {
    "": (Verdict.VIOLATED,),
    "u": (Verdict.UNCHECKED,),
    "x": (Verdict.VIOLATED, Verdict.UNCHECKED),
}
