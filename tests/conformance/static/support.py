"""Helpers of the tests of `static`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static import probe
from backend_contract._conformance.static.checkers import Diagnostic
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.probe import (
    CANARY_MODULE,
    CANARY_PROBES,
    known_verdicts,
)
from backend_contract.clauses import in_layer

__all__ = [
    "DUE",
    "KINDS",
    "KNOWN",
    "KNOWN_OF_KINDS",
    "RETURNS",
    "SAMPLES",
    "USED",
    "WHOLE",
    "FakeChecker",
    "finding",
    "reported_in",
    "shorthand",
    "targets_of",
]

SAMPLES = Path(__file__).parent / "samples.py"
KNOWN = {
    match[1]: "" if match[2] == "ok" else match[2]
    for match in re.finditer(r"^class (\w+).*:  # (.+)$", SAMPLES.read_text(), re.MULTILINE)
}
"""The clauses that each class of the samples does not keep, in their shorthand."""

KINDS = sorted((Path(__file__).parent / "kinds").glob("*.py"))
"""Files with further classes, each of one kind."""
KNOWN_OF_KINDS = {
    f"{path.name}:{match[1]}": [
        text
        for each in match[2].replace("ok", "").split(" or ")
        for text in dict.fromkeys((each.replace("(b)", ""), each.replace("(b)", "b")))
    ]
    for path in KINDS
    for match in re.finditer(r"^class (\w+).*:  # (.+)$", path.read_text(), re.MULTILINE)
}
"""For each class of those files the clauses that it may be said not to keep, in shorthand.

``BC201(b)`` is violated or blocked: checkers differ in what they find first.
"""

WHOLE = SAMPLES.read_text().partition("class Nameless")[0]
"""Source with the imports of the samples and their class `Whole`, which keeps every clause."""

RETURNS = {mark.line for mark in probe.MARKS if mark.kind == "returns"}
"""The lines of a probe with an error if the calls before them return."""
DUE = {mark.line for mark in probe.MARKS if mark.kind == "typed"} | RETURNS | {probe.SEEN_LINE}
"""The lines of a probe with an error if the class keeps every clause."""
USED = {mark.line for mark in probe.MARKS if mark.kind == "use"}
"""The lines of a probe with an error if the class breaks every clause."""


def targets_of(texts: Iterable[str]) -> list[Target]:
    """Return the targets that *texts* name; each must name a class."""
    found = find_targets([*texts])
    targets = [target for target in found if isinstance(target, Target)]
    assert len(targets) == len(found), found
    return targets


def finding(report: Report, clause: str) -> Finding:
    assert report.error is None
    return next(each for each in report.findings if each.clause.id == clause)


def shorthand(report: Report) -> str:
    """Return the clauses that do not hold, as in the samples, or the error.

    Most classes there keep the name of their base. BC104 counts only for those with ``OwnName`` in
    theirs, and for its examples.
    """
    letters = {Verdict.VIOLATED: "", Verdict.UNCHECKED: "u", Verdict.BLOCKED: "b"}
    return report.error or " ".join(
        finding.clause.id + letters[finding.verdict]
        for finding in report.findings
        if finding.verdict is not Verdict.OK
        and (finding.clause.id != "BC104" or re.search("OwnName|BC104", report.target))
    )


def reported_in(name: str) -> set[int]:
    """Return the lines to report in the probe of a class, by its name."""
    verdicts = {clause.id: _verdict(name, clause.id) for clause in in_layer("S")}
    seen = set() if name == "UntypedByItsBase" else {probe.SEEN_LINE}
    for mark in probe.MARKS:
        verdict = verdicts[mark.clause]
        is_due = mark.kind == "returns" or (
            mark.kind == "typed" and verdict is not Verdict.UNCHECKED
        )
        if is_due or (mark.kind == "use" and verdict is Verdict.VIOLATED):
            seen.add(mark.line)
    return seen


def _verdict(name: str, clause: str) -> Verdict:
    if name in CANARY_PROBES:
        return known_verdicts(name, clause)[0]
    if name.startswith("Untyped"):
        return Verdict.UNCHECKED
    return Verdict.VIOLATED if name.startswith("Breaks") else Verdict.OK


class FakeChecker:
    """A checker that decides by the name of the class: `Breaks...`, `Untyped...` or another."""

    is_installed = True

    def __init__(
        self,
        lines: Callable[[str], set[int]] = reported_in,
        message: str = "no",
        name: str = "fake",
    ) -> None:
        self.name = name
        self.lines = lines
        self.message = message
        self.requests: list[CheckRequest] = []
        self.texts: list[dict[str, str]] = []

    def version(self) -> str:
        return "7.1"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        self.requests.append(request)
        assert len(self.requests) < 20, "the checker is started again and again"
        texts = {path.name: path.read_text() for path in request.directory.glob("*.py")}
        self.texts.append(texts)
        assert {*request.files} | {f"{CANARY_MODULE}.py"} == {*texts}
        return [
            Diagnostic(request.directory / file, line, self.message, False)
            for file in request.files
            for line in self.lines(_class_in(texts[file]))
        ]


def _class_in(probe_text: str) -> str:
    (name,) = re.findall(r"import (\w+) as Outermost", probe_text)
    return str(name)
