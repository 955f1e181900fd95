"""All formats: valid output for any outcome, and on every path of the command."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from conformance.formats.outcomes import outcomes
from hypothesis import given, settings

from backend_contract._conformance.formats import FORMATS, render
from backend_contract._conformance.results import Outcome
from backend_contract._conformance.static.checkers import subprocesses

if TYPE_CHECKING:
    from conformance.formats.conftest import Validate
    from conftest import Main


def errors_in(document: Any, name: str) -> list[str]:
    if name == "json":
        return [error["message"] for error in document["errors"]]
    (invocation,) = document["runs"][0]["invocations"]
    notifications = invocation["toolExecutionNotifications"]
    errors = [each["message"]["text"] for each in notifications if each["level"] == "error"]
    assert invocation["executionSuccessful"] is (not errors)
    return errors


@pytest.mark.parametrize("name", ["json", "sarif"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.py:X"],
        ["nowhere.py:X", "mine.py:Good"],
        [],
        ["--python", "/nowhere", "mine.py:Good"],
        ["--checker", "mipy", "mine.py:Good"],
        ["--checker", "ty", "mine.py:Good"],
        ["--unknown", "mine.py:Good"],
        ["a\nb\x1b.py:X"],
        ["mine.py"],
    ],
    ids=lambda arguments: " ".join(map(repr, arguments)) or "nothing",
)
def test_could_not_check(
    name: str,
    arguments: list[str],
    run_main: Main,
    validate: Validate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A document is valid, and contains the error, whatever could not be checked."""
    monkeypatch.setattr(subprocesses, "find_program", lambda _: None)
    shown = run_main("check", f"--output-format={name}", *arguments)
    errors = errors_in(validate(shown.out, name), name)
    assert len(errors) == (0 if arguments == ["mine.py"] else 1)
    assert shown.status == (2 if errors else 1)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("has_findings", [True, False])
def test_nothing_is_left_out(name: str, has_findings: bool, outcome: Outcome) -> None:
    """Every format has what a reader needs to know before trusting a result."""
    first, *others = outcome.reports
    reports = [replace(first, notes=("a thread is left",)), *others] if has_findings else []
    notes = ("broken.py was skipped",)
    excluded = ("old.py",)
    whole = replace(outcome, reports=reports, notes=notes, excluded=excluded)
    text = unescape("\n".join(render(whole, name, color=False)))
    told = ["broken.py was skipped", "old.py"]
    if name != "json":
        told += ["lenient: unchecked clauses do not fail"]
    if has_findings:
        told += ["a thread is left"]
    for each in told:
        assert each in text


@pytest.mark.exhaustive
@given(outcome=outcomes)
def test_any_outcome(outcome: Outcome, validate: Validate) -> None:
    """Any outcome is a valid document, which can be encoded."""
    for name in ("json", "sarif"):
        text = "\n".join(render(outcome, name, color=False))
        text.encode("utf-8")
        validate(text, name)


@pytest.mark.exhaustive
@given(outcome=outcomes)
@settings(max_examples=30)
def test_any_text(outcome: Outcome) -> None:
    """No text can end a line, add a GitHub command or control a terminal."""
    for name in FORMATS:
        for line in "\n".join(render(outcome, name, color=False)).split("\n"):
            assert line.isprintable()
            assert name == "github" or not line.lstrip().startswith("::")
            assert name == "github" or "##[" not in line
    for line in render(outcome, "github", color=False):
        assert re.fullmatch(r"::(error|warning|notice) [^\r\n]*::[^\r\n]*", line)
        properties = line.split("::")[1].partition(" ")[2]
        assert len(properties.split(",")) in (1, 3)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FORMATS)
@given(outcome=outcomes)
@settings(max_examples=20)
def test_any_encoding(name: str, outcome: Outcome) -> None:
    """Documents are ASCII, or can be encoded in UTF-8."""
    text = "\n".join(render(outcome, name, color=False))
    text.encode("ascii" if name in ("json", "sarif", "junit", "html") else "utf-8")
