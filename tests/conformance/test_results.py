"""What several findings on one clause come to."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from backend_contract._conformance.results import (
    Finding,
    Outcome,
    Report,
    Source,
    Verdict,
    combine,
    combine_reports,
)
from backend_contract.clauses import CLAUSES

LETTERS = {"v": Verdict.VIOLATED, "u": Verdict.UNCHECKED, "b": Verdict.BLOCKED, "o": Verdict.OK}


def finding(letter: str, layer: str = "S", by: str = "", clause: str = "BC309") -> Finding:
    verdict = LETTERS[letter]
    by = by or f"{layer} {letter}"
    return Finding(CLAUSES[clause], verdict, Path("a.py"), 1, "found", (by,), layer, by)


def findings(words: str) -> list[Finding]:
    """One for each word, such as ``Sv``: its layer and the letter of its verdict."""
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
        ("So Su Sb Sv", "v"),
        ("Su Ro", "o"),
        ("Sb Ro", "o"),
        ("Sb Ru", "b"),
        ("Su Ru", "u"),
        ("So Rv", "v"),
        ("Sv Ro Bo", "v"),
        ("Su Ru Bo", "o"),
        ("So Su Ru", "u"),
        ("So Su Ro", "o"),
    ],
)
def test_in_a_layer_the_worst_counts_and_layers_add_to_each_other(words: str, letter: str) -> None:
    for order in permutations(findings(words)):
        assert combine(order).verdict is LETTERS[letter]


def test_a_single_finding_stays_as_it_is() -> None:
    alone = finding("v")
    assert combine([alone]) is alone


def test_the_parts_are_kept_and_the_reasons_are_those_of_the_verdict() -> None:
    both = combine([finding("o", by="mypy 1"), finding("v", by="ty 2"), finding("v", by="zuban 3")])
    assert both.because == ("ty 2", "zuban 3")
    assert [part.verdict for part in both.parts] == [Verdict.OK, Verdict.VIOLATED, Verdict.VIOLATED]
    assert both.sources == (Source("S", "mypy 1"), Source("S", "ty 2"), Source("S", "zuban 3"))


def test_combining_step_by_step_is_combining_at_once() -> None:
    first, second, third = findings("So Su Ro")
    assert combine([combine([first, second]), third]) == combine([first, second, third])


def test_reports_are_combined_clause_by_clause_and_no_error_is_lost() -> None:
    one = Report("a:B", (finding("o", clause="BC309"),))
    two = Report("a:B", (finding("v", "R", clause="BC103"), finding("v", clause="BC309")))
    broken = Report("a:B", error="no such module")
    both = combine_reports([one, two, broken, broken])
    assert [(f.clause.id, f.verdict) for f in both.findings] == [
        ("BC103", Verdict.VIOLATED),
        ("BC309", Verdict.VIOLATED),
    ]
    assert both.error == "no such module"
    assert combine_reports([one]) == one


@pytest.mark.parametrize(
    ("letter", "expected", "strict", "fails"),
    [
        ("o", "", False, False),
        ("o", "", True, False),
        ("u", "", False, False),
        ("u", "", True, True),
        ("b", "", True, False),
        ("v", "", False, True),
        ("v", "known", True, False),
        ("o", "known", False, True),
        ("u", "known", False, True),
        ("b", "known", False, True),
    ],
)
def test_a_run_fails_for_what_is_violated_or_expected_in_vain(
    letter: str, expected: str, strict: bool, fails: bool
) -> None:
    known = finding(letter)._replace(expected_because=expected)
    assert known.fails(strict) is fails
    assert Outcome([Report("a:B", (known,))], strict=strict).fails is fails


def test_nothing_is_strict_unless_it_is_asked_for() -> None:
    assert not Outcome([Report("a:B", (finding("u"),))]).fails


def test_an_outcome_names_everybody_once_and_every_error() -> None:
    reports = [
        Report("a:B", tuple(findings("So Ro"))),
        Report("a:C", tuple(findings("So"))),
        Report("", error="no a:D"),
    ]
    outcome = Outcome(reports, problems=("no ty",))
    assert outcome.sources == (Source("S", "S o"), Source("R", "R o"))
    assert outcome.errors == [("", "no a:D"), (None, "no ty")]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("letter", LETTERS)
def test_nothing_fails_for_a_clause_that_is_new(letter: str, strict: bool) -> None:
    found = finding(letter)
    new = found._replace(clause=found.clause._replace(fails_from="999.0"))
    assert not new.fails(strict)
    assert new.only_warns is (letter == "v")
    assert not found.only_warns
