"""All five checkers on the corpus and on the samples, on three of the Pythons they support."""

from __future__ import annotations

import re
from pathlib import Path

import matrix
import pytest

from backend_contract._conformance.static.checkers import CHECKERS

VERSIONS = (matrix.OLDEST, 11, matrix.NEWEST)
every_run = pytest.mark.parametrize(
    ("checker", "minor"),
    [(checker, minor) for checker in CHECKERS for minor in VERSIONS],
    ids=lambda value: value if isinstance(value, str) else f"3.{value}",
)


@every_run
def test_direct_use(checker: str, minor: int) -> None:
    """A checker reports the wrong lines and no others, except for the marked lines."""
    assert matrix.unmarked(checker, matrix.reported(checker, minor)) == {}


@every_run
def test_samples(checker: str, minor: int) -> None:
    """`check` finds the same in every sample by every checker, except for listed differences."""
    found = matrix.verdicts(checker, minor)
    expected = {
        sample.name: matrix.DIFFERENT.get((checker, sample.name), (sample.known, ""))[0]
        for sample in matrix.ALL_SAMPLES
    }
    assert {name: found[name] for name in expected if found[name] != expected[name]} == {}


@every_run
def test_examples(checker: str, minor: int) -> None:
    """Good examples keep every clause, bad ones break the clause they are for and no other."""
    found = matrix.verdicts(checker, minor)
    expected = matrix.EXPECTED_IN_EXAMPLES
    assert {name: found[name] for name in expected if found[name] != expected[name]} == {}


def test_differences_need_missing_annotations() -> None:
    """Verdicts differ only on samples without annotations, and each difference has a reason."""
    samples = {sample.name: sample for sample in matrix.ALL_SAMPLES}
    for (checker, name), (found, reason) in matrix.DIFFERENT.items():
        assert checker in CHECKERS
        assert not samples[name].is_annotated
        assert found != samples[name].known
        assert reason
    assert sum(sample.is_annotated for sample in samples.values()) > 120


def test_reasons() -> None:
    """Every mark names checkers, and has its reason above it."""
    for case in matrix.CASES:
        assert case.unlike <= CHECKERS.keys()
        assert bool(case.reason) or not case.unlike, case
        assert case.is_wrong or len(case.lines) == 1 or not case.unlike


def test_marks() -> None:
    """Every comment that looks like a mark is one."""
    marked = {(case.file, line) for case in matrix.CASES for line in case.lines}
    for path in matrix.FILES:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if re.search(r"\S.*#\s*[E!](?!\w)", line):
                assert (path.name, number) in marked


def test_cases() -> None:
    """The corpus has correct and wrong cases."""
    wrong = sum(case.is_wrong for case in matrix.CASES)
    assert wrong > 100
    assert len(matrix.CASES) - wrong > 100


def test_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    """The documentation shows the table of this run."""
    shown = matrix.table(11)
    with capsys.disabled():
        print(f"\n{shown}\n")
    page = (Path(__file__).parents[2] / "docs/checkers.md").read_text(encoding="utf-8")
    assert f"<!-- matrix -->\n{shown}\n<!--" in page
