"""All five checkers say what the corpus has, on every Python they know; marks are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import matrix
import pytest

from backend_contract._conformance.static.checkers import CHECKERS

VERSIONS = range(matrix.OLDEST, matrix.NEWEST + 1)
every_run = pytest.mark.parametrize(
    ("checker", "minor"),
    [(checker, minor) for checker in CHECKERS for minor in VERSIONS],
    ids=lambda value: value if isinstance(value, str) else f"3.{value}",
)


@every_run
def test_direct_use_is_reported_where_it_is_wrong_and_nowhere_else(
    checker: str, minor: int
) -> None:
    otherwise = matrix.disagreements(checker, minor)
    marked = [case for case in matrix.CASES if checker in case.unlike]
    assert [case for case in otherwise if case not in marked] == []  # what is not marked
    assert [case for case in marked if case not in otherwise] == []  # marks that are out of date
    assert matrix.reported_elsewhere(checker, minor) == []


@every_run
def test_check_says_the_same_by_every_checker(checker: str, minor: int) -> None:
    said = matrix.said_of_samples(checker, minor)
    expected = {
        sample.name: matrix.SAID_OTHERWISE.get((checker, sample.name), (sample.known, ""))[0]
        for sample in matrix.ALL_SAMPLES
    }
    assert {name: said[name] for name in said if said[name] != expected[name]} == {}


def test_only_what_has_no_annotations_may_be_seen_otherwise() -> None:
    samples = {sample.name: sample for sample in matrix.ALL_SAMPLES}
    for (checker, name), (said, reason) in matrix.SAID_OTHERWISE.items():
        assert checker in CHECKERS
        assert not samples[name].is_annotated
        assert said != samples[name].known
        assert reason
    assert sum(sample.is_annotated for sample in samples.values()) > 120


def test_every_mark_names_a_checker_and_has_its_reason_above_it() -> None:
    for case in matrix.CASES:
        assert case.unlike <= CHECKERS.keys()
        assert bool(case.reason) or not case.unlike, case
        assert case.is_wrong or len(case.lines) == 1 or not case.unlike


def test_no_comment_that_looks_like_a_mark_is_overlooked() -> None:
    marked = {(case.file, line) for case in matrix.CASES for line in case.lines}
    for path in matrix.FILES:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if re.search(r"\S.*#\s*[E!](?!\w)", line):
                assert (path.name, number) in marked


def test_there_are_right_cases_and_wrong_ones() -> None:
    wrong = sum(case.is_wrong for case in matrix.CASES)
    assert wrong > 100
    assert len(matrix.CASES) - wrong > 100


def test_the_readme_shows_the_table_of_this_run(capsys: pytest.CaptureFixture[str]) -> None:
    shown = matrix.table(11)
    with capsys.disabled():
        print(f"\n{shown}\n")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"\n{shown}\n" in readme
