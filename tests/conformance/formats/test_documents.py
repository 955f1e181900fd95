"""All formats: valid output for any outcome, and on every path of the command."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_contract._conformance.formats import render
from backend_contract._conformance.results import Finding, NotChecked, Outcome, Report, Verdict
from backend_contract._conformance.static.checkers import subprocesses
from backend_contract.clauses import CLAUSES

if TYPE_CHECKING:
    from conformance.formats.conftest import Validate
    from conftest import Main


def errors_in(document: Any, name: str) -> list[str]:
    if name == "json":
        return [error["message"] for error in document["errors"]]
    (invocation,) = document["runs"][0]["invocations"]
    errors = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
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


texts = st.text(max_size=20)
# Names of files: text, or bytes that are not UTF-8.
paths = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)
    | st.lists(st.integers(1, 255), min_size=1, max_size=10).map(bytes).map(os.fsdecode)
).map(Path)
findings = st.builds(
    Finding,
    clause=st.sampled_from([*CLAUSES.values()]),
    verdict=st.sampled_from(Verdict),
    path=paths,
    line=st.integers(1, 99999),
    found=texts,
    because=st.lists(texts, max_size=2).map(tuple),
    layer=st.sampled_from("SB"),
    checked_by=st.text(min_size=1, max_size=10),
    parts=st.just(()),
    expected_because=texts,
)
outcomes = st.builds(
    Outcome,
    reports=st.lists(
        st.builds(
            Report,
            target=texts,
            findings=st.lists(findings, max_size=3).map(tuple),
            error=st.none() | texts,
            notes=st.lists(texts, max_size=2).map(tuple),
        ),
        max_size=3,
    ),
    problems=st.lists(texts, max_size=2).map(tuple),
    notes=st.lists(texts, max_size=2).map(tuple),
    not_checked=st.lists(
        st.builds(NotChecked, name=texts, path=paths, line=st.integers(1, 9), because=texts),
        max_size=2,
    ),
    excluded=st.lists(texts, max_size=8).map(tuple),
    not_selected=st.lists(st.sampled_from([*CLAUSES]), max_size=8).map(tuple),
    lenient=st.booleans(),
    error_on_warning=st.booleans(),
)


@given(outcome=outcomes)
def test_any_outcome(outcome: Outcome, validate: Validate) -> None:
    """Any outcome is a valid document, which can be encoded."""
    for name in ("json", "sarif"):
        text = "\n".join(render(outcome, name, color=False))
        text.encode("utf-8")
        validate(text, name)


@given(outcome=outcomes)
def test_any_text(outcome: Outcome) -> None:
    """No text can end a line, add a GitHub command or control a terminal."""
    for line in render(outcome, "github", color=False):
        assert re.fullmatch(r"::(error|warning|notice) [^\r\n]*::[^\r\n]*", line)
        properties = line.split("::")[1].partition(" ")[2]
        assert len(properties.split(",")) in (1, 3)
    for line in render(outcome, "concise", color=False):
        assert "\n" not in line
        assert "\x1b" not in line
