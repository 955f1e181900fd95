"""Findings, reports and outcomes, and their combination."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from support import make_finding

from backend_contract._conformance.results import (
    Finding,
    NotChecked,
    Outcome,
    Report,
    Source,
    Verdict,
    blocked_by,
    combine,
    combine_reports,
    count_verdicts,
)
from backend_contract.clauses import CLAUSES, Level

LETTERS = {
    "o": Verdict.OK,
    "v": Verdict.VIOLATED,
    "u": Verdict.UNCHECKED,
    "b": Verdict.BLOCKED,
    "n": Verdict.NOT_APPLICABLE,
    "s": Verdict.NEEDS_A_SUITE,
    "x": Verdict.NEEDS_AN_EXTRA,
}
SHOULD = replace(CLAUSES["BC304"], level=Level.SHOULD)


def finding(letter: str, layer: str = "S", by: str = "", clause: str = "BC309") -> Finding:
    by = by or f"{layer} {letter}"
    return make_finding(clause, LETTERS[letter], because=(by,), layer=layer, checked_by=by)


def findings(words: str) -> list[Finding]:
    """Return one finding per word, such as ``Sv``: its layer and the letter of its verdict."""
    return [finding(word[1], word[0]) for word in words.split()]


@pytest.mark.parametrize(
    ("words", "letter"),
    [
        ("So", "o"),
        ("So So", "o"),
        ("So Su", "u"),
        ("So Sb", "b"),
        ("Su Sb", "u"),
        ("Su Sv", "v"),
        ("Bo Bn", "n"),
        ("So Su Sb Sv", "v"),
        ("Su Bo", "o"),
        ("Sb Bo", "o"),
        ("Sb Bu", "b"),
        ("Su Bu", "u"),
        ("Su Bn", "n"),
        ("Su Bs", "s"),
        ("So Bx", "o"),
        ("Bs Bx", "s"),
        ("So Bn", "o"),
        ("So Bv", "v"),
        ("Sv Bo", "v"),
        ("So Su Bu", "u"),
        ("So Su Bo", "o"),
        ("So Sv Bo", "v"),
    ],
)
def test_combine_verdicts(words: str, letter: str) -> None:
    """Within a layer the worst verdict counts; across layers violated counts, and then ok."""
    for order in permutations(findings(words)):
        assert combine(order).verdict is LETTERS[letter]


def test_combine_one() -> None:
    """A single finding is returned unchanged."""
    alone = finding("v")
    assert combine([alone]) is alone


def test_combine_parts() -> None:
    """The parts are kept in order; the reasons are those of the decisive verdict."""
    both = combine([finding("o", by="mypy 1"), finding("v", by="ty 2"), finding("v", by="zuban 3")])
    assert both.because == ("ty 2", "zuban 3")
    assert [part.verdict for part in both.parts] == [Verdict.OK, Verdict.VIOLATED, Verdict.VIOLATED]
    names = ("mypy 1", "ty 2", "zuban 3")
    assert both.sources == tuple(Source(layer="S", checked_by=name) for name in names)


def test_combine_advice() -> None:
    """The advice is that of the decisive finding, or else of one that agrees with it."""
    silent, loud = finding("v"), replace(finding("v", "B"), advice="Remove `async`.")
    other = replace(finding("o"), advice="Do nothing.")
    assert combine([silent, loud]).advice == "Remove `async`."
    assert combine([other, silent]).advice == ""
    assert combine([replace(silent, advice="Define it."), loud]).advice == "Define it."


def test_combine_stepwise() -> None:
    """Combining step by step equals combining at once."""
    first, second, third = findings("So Su Bo")
    assert combine([combine([first, second]), third]) == combine([first, second, third])


def test_combine_reports() -> None:
    """Reports are combined clause by clause, in order of id; each error is kept once."""
    one = Report(target="a:B", findings=(finding("o", clause="BC309"),), notes=("a", "b"))
    two = Report(
        target="a:B",
        findings=(finding("v", "B", clause="BC103"), finding("v", clause="BC309")),
        notes=("b",),
    )
    broken = Report(target="a:B", error="no such module")
    both = combine_reports([one, two, broken, broken])
    assert [(f.clause.id, f.verdict) for f in both.findings] == [
        ("BC103", Verdict.VIOLATED),
        ("BC309", Verdict.VIOLATED),
    ]
    assert (both.error, both.notes) == ("no such module", ("a", "b"))
    assert combine_reports([one]) == one


@pytest.mark.parametrize("letter", LETTERS)
def test_fails(letter: str) -> None:
    """A violated or unchecked clause fails; with *lenient* only a violated one."""
    each = finding(letter)
    assert each.fails() is (letter in "vu")
    assert each.fails(lenient=True) is (letter == "v")
    report = Report(target="a:B", findings=(each,))
    assert Outcome(reports=[report]).fails is (letter in "vu")
    assert Outcome(reports=[report], lenient=True).fails is (letter == "v")


@pytest.mark.parametrize("letter", LETTERS)
def test_should(letter: str) -> None:
    """A clause of level SHOULD fails only with *error_on_warning*; its violation is a warning."""
    must = finding(letter, clause="BC304")
    should = replace(must, clause=SHOULD)
    assert should.is_warning is (letter == "v")
    assert not must.is_warning
    report = Report(target="a:B", findings=(should,))
    assert not Outcome(reports=[report]).fails
    assert Outcome(reports=[report], error_on_warning=True).fails is (letter in "vu")
    both = Outcome(reports=[report], error_on_warning=True, lenient=True)
    assert both.fails is (letter == "v")


@pytest.mark.parametrize(
    ("words", "covered", "stale"),
    [
        ("Sv", True, False),
        ("Su", True, False),
        ("So", False, False),
        ("Sb", False, False),
        ("So Bo", False, True),
        ("So So Bo", False, True),
        ("So Bv", True, False),
        ("So Bu", False, False),
        ("Su Bo", False, False),
        ("So Su Bo", False, False),
        ("So Bb", False, False),
        ("So Bn", False, False),
        ("So Bs", False, False),
    ],
)
def test_expected(words: str, covered: bool, stale: bool) -> None:
    """An entry covers what does not hold, and is stale only if every layer found the clause ok."""
    known = replace(combine(findings(words)), expected_because="known")
    assert (known.is_expected, known.is_stale) == (covered, stale)
    assert known.fails() is stale
    assert known.fails(lenient=True) is stale


@pytest.mark.parametrize(("letter", "stale"), [("o", True), ("u", False), ("n", False)])
def test_expected_in_one_layer(letter: str, stale: bool) -> None:
    """If only layer B decides a clause, its verdict alone tells whether an entry is stale."""
    known = replace(finding(letter, "B", clause="BC303"), expected_because="known")
    assert known.is_stale is stale


def test_not_checked() -> None:
    """A class that was not checked fails the run as an unchecked clause does."""
    missed = NotChecked(name="Mine", path=Path("mine.py"), line=3, because="five members")
    assert Outcome(not_checked=[missed]).fails
    assert not Outcome(not_checked=[missed], lenient=True).fails


@pytest.mark.parametrize(
    ("verdicts", "blocker"),
    [
        ({"BC302": "o", "BC303": "o"}, None),
        ({"BC302": "u", "BC303": "n"}, None),
        ({"BC302": "o", "BC303": "v"}, "BC303"),
        ({"BC302": "v", "BC303": "v"}, "BC302"),
        ({"BC302": "b", "BC303": "o"}, "root"),
    ],
)
def test_blocked_by(verdicts: dict[str, str], blocker: str | None) -> None:
    """A violated requirement blocks; of a blocked one, the root cause is named."""
    clause = replace(CLAUSES["BC306"], requires=("BC302", "BC303"))
    of = {each: replace(finding(v, clause=each), because=("root",)) for each, v in verdicts.items()}
    assert blocked_by(clause, of.__getitem__) == blocker


@pytest.mark.parametrize(("level", "blocker"), [(Level.MUST, "BC304"), (Level.SHOULD, None)])
def test_blocked_by_level(level: Level, blocker: str | None) -> None:
    """A violated clause of level SHOULD blocks nothing."""
    required = replace(finding("v", clause="BC304"), clause=replace(SHOULD, level=level))
    clause = replace(CLAUSES["BC306"], requires=("BC304",))
    assert blocked_by(clause, lambda _: required) == blocker


def test_outcome() -> None:
    """An outcome lists each source once, and every error with its target if it has one."""
    outcome = Outcome(
        reports=[
            Report(target="a:B", findings=tuple(findings("So Bo"))),
            Report(target="a:C", findings=tuple(findings("So")), error="it broke"),
            Report(target="", error="no a:D"),
        ],
        problems=("no ty",),
    )
    assert outcome.sources == (
        Source(layer="S", checked_by="S o"),
        Source(layer="B", checked_by="B o"),
    )
    assert outcome.errors == [("a:C", "it broke"), (None, "no a:D"), (None, "no ty")]
    assert len(outcome.findings) == 3


def test_text() -> None:
    """``repr`` is short; ``str`` lists the findings that are not ok."""
    report = Report(target="a:B", findings=(finding("o"), finding("v", clause="BC303")))
    assert count_verdicts(report.findings) == "1 ok, 1 violated"
    assert repr(report) == "<Report a:B: 1 ok, 1 violated>"
    assert repr(report.findings) == "(<Finding BC309 ok>, <Finding BC303 violated>)"
    heading, line = str(report).splitlines()
    assert heading == "a:B: 1 ok, 1 violated"
    assert line.strip().startswith("mine.py:6: BC303 violated: ")
    assert "BC309" not in str(report)
    assert "no class" in str(Report(target="a:B", error="no class"))
