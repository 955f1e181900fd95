"""Kinds of classes that checkers judge differently, or not at all, all in one run of mypy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conformance.static.support import KINDS, KNOWN_OF_KINDS, shorthand, targets_of

from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checking import check

if TYPE_CHECKING:
    from conftest import WarmCache

# Reading attrs and pydantic takes mypy longer than all the rest: `tests/typing` includes them.
CHECKED = [name for name in KNOWN_OF_KINDS if not name.startswith("generated.py:")]


@pytest.mark.exhaustive
def test_kinds(tmp_path: Path, warm_cache: WarmCache) -> None:
    """A class breaks the clauses that its comment names, and no other."""
    for path in KINDS:
        shutil.copy(path, tmp_path)
    targets = targets_of(f"{tmp_path}/{name}" for name in CHECKED)
    reports = check(targets, Mypy(), warm_cache([tmp_path]))
    found = dict(zip(CHECKED, map(shorthand, reports), strict=True))
    assert {name: text for name, text in found.items() if text not in KNOWN_OF_KINDS[name]} == {}


@pytest.mark.parametrize("path", KINDS, ids=lambda path: path.stem)
def test_both_verdicts(path: Path) -> None:
    """Every kind has classes that keep all clauses, and classes that do not."""
    known = [words for name, words in KNOWN_OF_KINDS.items() if name.startswith(f"{path.name}:")]
    assert [""] in known
    assert any("" not in words for words in known)
    assert len(known) >= 10
