"""All five checkers on the kinds of classes that they judge differently, or not at all."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from conformance.static.support import KINDS, KNOWN_OF_KINDS, shorthand, targets_of

from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract._conformance.static.checking import check


@pytest.mark.parametrize("checker", CHECKERS)
def test_kinds(checker: str, tmp_path: Path) -> None:
    """`check` finds the same in every class by every checker, unless its comment allows more."""
    for package in ("attr", "pydantic"):
        assert importlib.util.find_spec(package), f"install {package}"
    for path in KINDS:
        shutil.copy(path, tmp_path)
    targets = targets_of(f"{tmp_path}/{name}" for name in KNOWN_OF_KINDS)
    reports = check(targets, CHECKERS[checker], None)
    found = dict(zip(KNOWN_OF_KINDS, map(shorthand, reports), strict=True))
    wrong = {name: text for name, text in found.items() if text not in KNOWN_OF_KINDS[name]}
    assert wrong == {}
