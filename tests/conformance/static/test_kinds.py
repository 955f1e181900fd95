"""Kinds of classes that checkers judge differently, or not at all, all in one run of mypy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conformance.static.support import KINDS, KNOWN_OF_KINDS, shorthand, targets_of

from backend_contract._conformance.results import Report
from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checking import check

# Reading attrs and pydantic takes mypy longer than all the rest: `tests/typing` includes them.
CHECKED = [name for name in KNOWN_OF_KINDS if not name.startswith("generated.py:")]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The reports by file and class."""
    directory = tmp_path_factory.mktemp("kinds")
    for path in KINDS:
        shutil.copy(path, directory)
    targets = targets_of(f"{directory}/{name}" for name in CHECKED)
    return dict(zip(CHECKED, check(targets, Mypy(), None), strict=True))


@pytest.mark.parametrize("name", CHECKED)
def test_kind(name: str, reports: dict[str, Report]) -> None:
    """A class breaks the clauses that its comment names, and no other."""
    assert shorthand(reports[name]) in KNOWN_OF_KINDS[name]


@pytest.mark.parametrize("path", KINDS, ids=lambda path: path.stem)
def test_both_verdicts(path: Path) -> None:
    """Every kind has classes that keep all clauses, and classes that do not."""
    known = [words for name, words in KNOWN_OF_KINDS.items() if name.startswith(f"{path.name}:")]
    assert [""] in known
    assert any("" not in words for words in known)
    assert len(known) >= 10
