"""Edits are kept only if a check of a copy confirms them; here the check is a made-up one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support import make_finding

from backend_contract._conformance.fixes.fixing import Fixed, Fixer
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.source.targets import Target

SOURCE = "class Mine:\n    def start(self): pass\n    def stop(self): pass\n"
FIXED = SOURCE.replace("(self)", "(self) -> None")

Judge = Callable[[str], "Finding | str"]
"""Returns the finding on BC309, or an error, for the text of the file."""


def finding(verdict: Verdict, *because: str) -> Finding:
    return make_finding("BC309", verdict, because=because)


def fix(folder: Path, judge: Judge, *, unsafe: bool = False, text: str = SOURCE) -> Fixed:
    """Fix ``mine.py`` if *judge* is the check."""
    file = folder / "mine.py"
    file.write_bytes(text.encode())

    def check(targets: Sequence[Target]) -> dict[str, Report]:
        reports: dict[str, Report] = {}
        for target in targets:
            path = target.source.module.path
            result = judge(path.read_text())
            if isinstance(result, str):
                reports[target.text] = Report(target=target.text, error=result)
            else:
                found = replace(result, path=path)
                reports[target.text] = Report(target=target.text, findings=(found,))
        return reports

    targets = [t for t in find_targets(["mine.py:Mine"], here=folder) if isinstance(t, Target)]
    fixer = Fixer(targets, folder, this_environment(), check, unsafe=unsafe)
    fixed = fixer.fix(check(targets))
    assert file.read_bytes() == text.encode(), "only the copy is edited"
    return fixed


def test_confirmed(tmp_path: Path) -> None:
    """Edits after which the clause is ok are kept."""
    fixed = fix(tmp_path, lambda text: finding(Verdict.OK if text == FIXED else Verdict.UNCHECKED))
    assert fixed.contents == {tmp_path / "mine.py": FIXED.encode()}
    assert [(edit.path.name, edit.line, edit.clause) for edit in fixed.edits] == [
        ("mine.py", 2, "BC309"),
        ("mine.py", 3, "BC309"),
    ]
    assert fixed.refusals == []


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (finding(Verdict.VIOLATED, "wrong now"), "BC309 is violated after it: wrong now"),
        (finding(Verdict.BLOCKED, "BC101"), "BC309 is blocked after it"),
        (finding(Verdict.UNCHECKED, "a", "b"), "the clause is not ok after it"),
        ("it crashed", "a check fails after it: it crashed"),
    ],
)
def test_refused(tmp_path: Path, after: Finding | str, reason: str) -> None:
    """Edits after which the clause is no better, or the check fails, are dropped."""
    before = finding(Verdict.UNCHECKED, "a", "b")
    fixed = fix(tmp_path, lambda text: before if text == SOURCE else after)
    assert (fixed.contents, fixed.edits) == ({}, [])
    assert len(fixed.refusals) >= 2
    assert all(reason in each.reason for each in fixed.refusals[:2])


def test_partly(tmp_path: Path) -> None:
    """An edit is kept if fewer reasons are left, and the rest is said."""
    text = SOURCE.replace("stop(self): pass", "stop(self): return 1")
    fixed = fix(
        tmp_path,
        lambda text: (
            finding(Verdict.UNCHECKED, *(["a"] if "start(self)" in text else []), "b")
            if "start(self):" in text
            else finding(Verdict.UNCHECKED, "b")
        ),
        text=text,
    )
    assert [edit.member for edit in fixed.edits] == ["start"]
    (refusal,) = fixed.refusals
    assert "`stop`" in refusal.reason
    assert (refusal.path, refusal.clause) == (tmp_path / "mine.py", "BC309")


def test_expected(tmp_path: Path) -> None:
    """A clause that is expected to fail is not fixed."""
    before = replace(finding(Verdict.UNCHECKED), expected_because="known")
    assert fix(tmp_path, lambda _: before).edits == []


def test_unsafe(tmp_path: Path) -> None:
    """Unsafe edits are only counted, unless asked for; annotations follow in the same run."""
    text = SOURCE.replace("def stop", "async def stop")

    def judge(text: str) -> Finding:
        if "async" in text:
            return finding(Verdict.VIOLATED)
        return finding(Verdict.OK if text == FIXED else Verdict.UNCHECKED)

    fixed = fix(tmp_path, judge, text=text)
    assert (fixed.edits, len(fixed.unsafe)) == ([], 1)
    fixed = fix(tmp_path, judge, text=text, unsafe=True)
    assert fixed.contents == {tmp_path / "mine.py": FIXED.encode()}
    assert not fixed.unsafe


def test_unparsable(tmp_path: Path) -> None:
    """A file that libcst does not reproduce stays as it is, with the reason."""
    fixed = fix(tmp_path, lambda _: finding(Verdict.UNCHECKED), text=SOURCE.replace("\n", "\r"))
    assert fixed.contents == {}
    assert "libcst" in fixed.refusals[0].reason
