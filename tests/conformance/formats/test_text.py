"""The formats ``full`` and ``concise``."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support import make_finding

from backend_contract._conformance.formats import render
from backend_contract._conformance.formats.text import wants_color
from backend_contract._conformance.results import (
    Finding,
    NotChecked,
    Outcome,
    Report,
    Verdict,
    combine,
)
from backend_contract.clauses import CLAUSES


def text(outcome: Outcome, name: str = "full", *, color: bool = False) -> str:
    return "".join(f"{line}\n" for line in render(outcome, name, color))


def outcome_of(*findings: Finding, notes: tuple[str, ...] = ()) -> Outcome:
    return Outcome(reports=[Report(target="mine.py:Mine", findings=findings, notes=notes)])


def test_width(outcome: Outcome) -> None:
    """Without a terminal, lines have at most 100 columns, but for the last, and no blank ends."""
    lines = text(outcome).splitlines()[:-1]
    assert len(lines) > 30
    assert all(len(line) <= 100 and line == line.rstrip() for line in lines)


def test_full(outcome: Outcome) -> None:
    """Each target has a block with all its clauses, and details of those that are not ok."""
    bad, nameless, open_ = re.split(r"^(?=mine\.py:\w)", text(outcome), flags=re.MULTILINE)[1:]
    for block, clauses in ((bad, 10), (nameless, 8), (open_, 10)):  # BC103 needs a name
        assert len(re.findall(r"^  BC\d+  ", block, re.MULTILINE)) == clauses
    assert "BC309  violated" in bad
    assert re.search(r"^ +found +def start\(self\) -> int$", bad, re.MULTILINE)
    assert re.search(r"^ +known +an old server$", bad, re.MULTILINE)
    assert "BC101  violated" in nameless
    assert "BC102  blocked" in nameless
    assert re.search(r"^ +by +BC101, which has to hold first$", nameless, re.MULTILINE)
    assert re.search(r"^ +why +.*no return annotation", open_, re.MULTILINE)


def test_details() -> None:
    """Notes, clauses that do not apply and disagreeing sources are shown."""
    disagreeing = combine([make_finding(), make_finding(verdict=Verdict.OK, checked_by="ty 1")])
    missing = make_finding("BC204", Verdict.NOT_APPLICABLE, because=("it cannot",))
    outcome = outcome_of(disagreeing, missing, notes=("still running: a thread",))
    full = text(outcome)
    assert re.search(r"^ +says +mypy 2\.4\.1: violated\n +says +ty 1: ok$", full, re.MULTILINE)
    assert re.search(r"^  BC204  not applicable\n {20}a registration adds", full, re.MULTILINE)
    assert all(len(line) <= 100 for line in full.splitlines())
    assert "\nnote: still running: a thread\n" in full
    assert "(layer S, by mypy 2.4.1, ty 1)" in full
    concise = text(outcome, "concise")
    assert "mypy 2.4.1: violated; ty 1: ok" in concise
    assert "mine.py:6: BC204 not applicable: it cannot" in concise


@pytest.mark.parametrize(("number", "words"), [(1, "a warning"), (2, "warnings")])
def test_level(violation: Outcome, number: int, words: str) -> None:
    """A violation of SHOULD is labelled as a warning, and counted."""
    (finding,) = violation.findings
    outcome = outcome_of(*[finding] * number)
    should = finding.clause.level.value == "SHOULD"
    label = "warning" if should else "violated"
    full = text(outcome)
    assert f"BC304  {label}" in full
    assert finding.clause.fix in full
    assert (f"{number} violated, {number} of them {words} (" in full) is should
    assert text(outcome, "concise").startswith(f"mine.py:6: BC304 {label}: ")


def test_stale() -> None:
    """Expected violations that do not occur are shown and counted."""
    stale = make_finding("BC303", Verdict.OK, layer="B", expected_because="known")
    outcome = outcome_of(stale, stale, replace(stale, verdict=Verdict.UNCHECKED))
    full = text(outcome)
    assert full.count("stale     expected violation does not occur") == 2
    counts = "2 ok, 1 unchecked, 1 expected violation, 2 stale expected violations ("
    assert counts in full.splitlines()[-1]
    assert text(outcome, "concise").count("does not occur") == 2


def test_last_line() -> None:
    """The last line counts what was found, and shows what was relaxed."""
    findings = (
        make_finding(expected_because="known"),
        make_finding("BC308", Verdict.NEEDS_A_SUITE, layer="B", checked_by="the kit"),
        make_finding("BC502", Verdict.NEEDS_AN_EXTRA, layer="B", checked_by="the kit"),
    )
    report = Report(target="mine.py:Mine", findings=findings, notes=("a note",))
    missed = NotChecked(name="Other", path=Path("other.py"), line=3, because="it has five members")
    plain = Outcome(reports=[report])
    opened = replace(
        plain,
        lenient=True,
        excluded=("old.py",),
        not_selected=("BC101", "BC102"),
        not_checked=[missed],
        notes=("broken.py was skipped",),
    )
    for name in ("full", "concise"):
        assert text(plain, name).splitlines()[-1] == (
            "1 violated, 1 needs a suite, 1 needs an extra, 1 expected violation "
            "(layer S, by mypy 2.4.1; layer B, by the kit)"
        )
        *_, note, last = text(opened, name).replace("note: mine.py:Mine: a note\n", "").splitlines()
        assert last.startswith("1 violated, ")
        assert last.endswith(
            "; 1 class not checked; lenient: unchecked clauses do not fail; excluded: old.py; "
            "not selected: BC101, BC102"
        )
        assert note == "note: broken.py was skipped"
        assert "other.py:3: Other not checked: it has five members" in text(opened, name)
    both = text(replace(plain, reports=[report, replace(report, target="mine.py:Other")]))
    assert both.splitlines()[-1].startswith("2 targets: 2 violated, 2 needs a suite, ")
    assert both.count("\n1 violated, 1 needs a suite") == 2


def test_many_names() -> None:
    """The last line lists six names in full, and says how many more there are."""
    ids = tuple(CLAUSES)[:8]
    outcome = replace(outcome_of(make_finding()), not_selected=ids)
    assert text(outcome).splitlines()[-1].endswith(f"not selected: {', '.join(ids[:6])} and 2 more")


def test_nothing_checked() -> None:
    """Without a result there is no last line."""
    assert text(Outcome(problems=("no ty",))) == ""


def test_color(outcome: Outcome) -> None:
    """Colours change nothing but the colour."""
    for name in ("full", "concise"):
        colored = text(outcome, name, color=True)
        assert "\x1b[1;31mviolated" in colored
        assert re.sub(r"\x1b\[[\d;]*m", "", colored) == text(outcome, name)


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize(
    ("choice", "no_color", "wanted"),
    [
        ("never", None, (False, False)),
        ("always", None, (True, True)),
        ("always", "1", (True, True)),
        ("auto", None, (False, True)),
        ("auto", "", (False, True)),
        ("auto", "1", (False, False)),
    ],
)
def test_wants_color(
    is_terminal: bool,
    choice: str,
    no_color: str | None,
    wanted: tuple[bool, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``auto`` colours a terminal, unless ``NO_COLOR`` has a value or it shows no colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stdout", output := io.StringIO())
    monkeypatch.setattr(output, "isatty", lambda: is_terminal)
    assert wants_color(choice) is wanted[is_terminal]
    monkeypatch.setenv("TERM", "dumb")
    assert wants_color(choice) is (choice == "always")


@pytest.mark.parametrize("path", [":", "::error"])
def test_path_is_no_command(path: str) -> None:
    """A line that begins with the path of a file is no command of GitHub, whatever the path."""
    finding = replace(make_finding("BC101", Verdict.VIOLATED), path=Path(path))
    first, *_ = text(outcome_of(finding), "concise").splitlines()
    assert first.startswith(f"\\x3a{path[1:]}:")
