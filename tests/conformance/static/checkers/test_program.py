"""Checkers that are programs: whether they are installed, and their versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.static.checkers.support import PROGRAMS, FakeRuns, request_in

from backend_contract._conformance.static.checkers import CHECKERS, subprocesses
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram
from backend_contract.errors import CouldNotCheckError

every_program = pytest.mark.parametrize("name", PROGRAMS)


@every_program
@pytest.mark.parametrize("version", ["1.2", "0.0.1", "1.2.3a4", "10.20.30"])
@pytest.mark.parametrize("rest", ["", " (abc 2026-01-01)"])
def test_version(name: str, version: str, rest: str, runs: FakeRuns) -> None:
    """The version is the one that the program prints."""
    runs.answers = [CompletedProgram(0, f"{name} {version}{rest}\n", "")]
    assert CHECKERS[name].version() == version
    (run,) = runs.runs
    assert run.command == [f"/bin/{name}", "--version"]
    assert run.environment == ({"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"} if name == "pyright" else {})


@pytest.mark.parametrize(
    "done",
    [
        CompletedProgram(1, "ty 1.2.3", ""),
        CompletedProgram(-9, "ty 1.2.3", ""),
        CompletedProgram(0, "ty 1", ""),
        CompletedProgram(0, "ty 1.2.3 and more", ""),
        CompletedProgram(0, "a ty 1.2.3", ""),
    ],
    ids=["status", "signal", "one number", "more", "less"],
)
def test_unexpected_version(done: CompletedProgram, runs: FakeRuns) -> None:
    """Any other output is an error that quotes it."""
    runs.answers = [done]
    with pytest.raises(CouldNotCheckError) as raised:
        CHECKERS["ty"].version()
    message = str(raised.value)
    assert message.startswith("/bin/ty --version: expected 'ty' and a version")
    assert repr(done.output) in message


@every_program
def test_is_installed(name: str, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program is installed if it is found."""
    assert CHECKERS[name].is_installed is True
    monkeypatch.setattr(subprocesses, "find_program", lambda wanted: None)
    assert CHECKERS[name].is_installed is False


@every_program
def test_not_installed(
    name: str, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program that is not found is an error that says how to install it."""
    monkeypatch.setattr(subprocesses, "find_program", lambda wanted: None)
    requirement = "pyright[nodejs]" if name == "pyright" else name
    for ask in (CHECKERS[name].version, lambda: CHECKERS[name].check(request_in(tmp_path))):
        with pytest.raises(CouldNotCheckError, match=f"^{name} is not installed") as raised:
            ask()
        assert f"-m pip install '{requirement}'" in str(raised.value)
    assert runs.runs == []
