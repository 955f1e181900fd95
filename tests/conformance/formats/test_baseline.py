"""The format ``baseline``: pasted into ``pyproject.toml``, it makes the run succeed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conformance.formats.outcomes import outcomes, texts
from hypothesis import given, settings
from support import make_finding, mostly_exhaustive

from backend_contract._conformance.cli.settings import read_settings
from backend_contract._conformance.formats import render
from backend_contract._conformance.results import Outcome, Report, Verdict

if sys.version_info < (3, 11):
    import tomli as tomllib
else:
    import tomllib

if TYPE_CHECKING:
    from conftest import Main


def entries(text: str) -> list[dict[str, str]]:
    tool = tomllib.loads(text).get("tool", {"backend-contract": {"expected-violations": []}})
    listed: list[dict[str, str]] = tool["backend-contract"]["expected-violations"]
    return listed


def baseline(outcome: Outcome) -> str:
    return "\n".join(render(outcome, "baseline", color=False))


@pytest.mark.parametrize(
    "given",
    mostly_exhaustive([(["mine.py:Bad", "mine:Open", "mine.py:Nameless"],), (["mine.py"],)], 1),
)
def test_round_trip(project: Path, given: list[str], run_main: Main) -> None:
    """With the baseline in the settings, the same run succeeds, and another violation fails it."""
    first = run_main("check", "--output-format", "baseline", *given)
    assert first.status == 1
    (project / "pyproject.toml").write_text(first.out)
    again = run_main("check", *given)
    assert (again.status, again.err) == (0, "")
    assert "3 expected violations" in again.out
    mine = (project / "mine.py").read_text()
    (project / "mine.py").write_text(f"{mine}    def start_lock(self) -> int: ...\n")
    assert run_main("check", *given).status == 1


def test_from_another_directory(
    project: Path, run_main: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Targets are named relative to the settings, wherever the command runs."""
    (project / "pyproject.toml").write_text("[tool.backend-contract]\n")
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    shown = run_main("check", "--output-format", "baseline", "../mine.py:Bad")
    assert [entry["target"] for entry in entries(shown.out)] == ["mine.py:Bad"]
    (project / "pyproject.toml").write_text(shown.out)
    assert run_main("check", "../mine.py:Bad").status == 0


def test_update(project: Path, run_main: Main) -> None:
    """Reasons that are given stay, and entries that are out of date disappear."""
    entry = '[[tool.backend-contract.expected-violations]]\ntarget = "mine.py:{}"\n'
    entry += 'clause = "BC309"\nreason = "\\"old\\" \\U0001F600"\n'
    (project / "pyproject.toml").write_text(entry.format("Bad") + entry.format("Good"))
    shown = run_main("check", "--output-format", "baseline", "mine.py:Bad", "mine.py:Good")
    assert [(entry["target"], entry["reason"]) for entry in entries(shown.out)] == [
        ("mine.py:Bad", '"old" \U0001f600')
    ]


@pytest.mark.parametrize(
    ("clause", "verdict", "listed"),
    [
        ("BC309", Verdict.VIOLATED, True),
        ("BC309", Verdict.UNCHECKED, True),
        ("BC309", Verdict.BLOCKED, False),
        ("BC309", Verdict.OK, False),
        ("BC309", Verdict.NEEDS_A_SUITE, False),
    ],
)
def test_listed(clause: str, verdict: Verdict, listed: bool) -> None:
    """The findings that fail a run are listed, and no others."""
    finding = make_finding(clause, verdict)
    text = baseline(Outcome(reports=[Report(target="a:B", findings=(finding,))]))
    assert bool(entries(text)) is listed
    assert text.startswith("# For pyproject.toml" if listed else "# Nothing is")


def test_level(violation: Outcome) -> None:
    """A violation of SHOULD is listed only if it fails the run."""
    must = violation.findings[0].clause.level.value == "MUST"
    assert bool(entries(baseline(violation))) is must
    assert len(entries(baseline(replace(violation, error_on_warning=True)))) == 1


def test_surrogate() -> None:
    """A name that TOML cannot contain is a comment."""
    text = baseline(Outcome(reports=[Report(target="\udcff:B", findings=(make_finding(),))]))
    assert entries(text) == []
    assert "# no TOML file can contain this name: \\udcff:B" in text


@pytest.mark.exhaustive
@given(target=texts, reason=texts)
@settings(max_examples=200)
def test_any_text(target: str, reason: str) -> None:
    """Any text that TOML can contain is read back as it was."""
    finding = make_finding(expected_because=reason, found=target, because=(reason,))
    text = baseline(Outcome(reports=[Report(target=target, findings=(finding,))]))
    listed = entries(text)
    if any("\ud800" <= character <= "\udfff" for character in target + reason):
        assert listed == []
    else:
        ((entry),) = listed
        assert entry["target"] == target
        assert not reason or entry["reason"] == reason


@pytest.mark.exhaustive
@given(outcome=outcomes)
@settings(max_examples=40)
def test_any_outcome(outcome: Outcome, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any outcome is TOML; the settings accept it if targets and reasons are not blank."""
    directory = tmp_path_factory.mktemp("any")
    text = baseline(outcome)
    listed = entries(text)
    (directory / "pyproject.toml").write_text(text, encoding="utf-8")
    if all(entry["target"].strip() and entry["reason"].strip() for entry in listed):
        settings = read_settings(directory, ())
        assert len(settings.expected_violations) == len(listed)
