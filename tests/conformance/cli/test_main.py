"""The parser, ``--version``, ``clauses`` and ``explain``, and how the command ends."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance.cli.main import main
from backend_contract._conformance.formats import FORMATS
from backend_contract.clauses import CLAUSES, Clause, Level

if TYPE_CHECKING:
    from conftest import Command


def test_version(command: Command) -> None:
    """``--version`` prints the version of the distribution."""
    run = command("--version")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"backend-contract {importlib.metadata.version('backend-contract')}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["explain", "--help"]])
def test_help(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help fits on one screen, and explains each format."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) <= 48
    if "check" in arguments:
        assert all(name in shown for name in FORMATS)
        assert "Exit status: 0" in shown


@pytest.mark.parametrize("level", Level)
def test_clauses(
    level: Level, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``clauses`` prints one line per clause: id, level, layers and text."""
    monkeypatch.setitem(CLAUSES, "BC304", replace(CLAUSES["BC304"], level=level))
    assert main(["clauses"]) == 0
    lines = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    listed = [line for line in lines if line and line[0].startswith("BC")]
    assert listed == [[c.id, c.level.value, c.layers, c.text] for c in CLAUSES.values()]


@pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)
def test_explain(clause: Clause, capsys: pytest.CaptureFixture[str]) -> None:
    """``explain`` prints everything about a clause, with its examples."""
    assert main(["explain", clause.id.lower()]) == 0
    shown = capsys.readouterr().out
    unwrapped = " ".join(shown.split())
    for text in (clause.id, clause.text, clause.why, clause.fix, clause.expected):
        assert " ".join(text.split()) in unwrapped
    for example in (clause.bad, clause.good):
        assert all(f"    {line}\n" in shown for line in example.splitlines() if line)


@pytest.mark.parametrize("level", Level)
def test_explain_level(
    level: Level, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``explain`` names the level of a clause."""
    monkeypatch.setitem(CLAUSES, "BC304", replace(CLAUSES["BC304"], level=level))
    assert main(["explain", "BC304"]) == 0
    words = capsys.readouterr().out.split()
    assert words[words.index("Level:") + 1] == level.value


def test_explain_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """``explain`` of an unknown clause is status 2, and says how to list the clauses."""
    assert main(["explain", "BC999"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "'BC999'" in shown.err
    assert "`backend-contract clauses`" in shown.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "COMMAND"),
        (["check", "--checker", "x", "a:B"], "'x'"),
        (["check", "--checker", "mypy,x", "a:B"], "'x'"),
        (["check", "--runtime", "a:B"], "--runtime"),
        (["check", "--config", "a.yaml", "a:B"], ""),
        (["x"], "'x'"),
    ],
)
def test_usage_error(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line is status 2, with the usage on standard error."""
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("usage: backend-contract")
    assert problem in shown.err.rpartition(": error: ")[2]


def test_broken_pipe() -> None:
    """A reader that closes the pipe early causes no traceback."""
    run = subprocess.run(  # noqa: S602 - the test needs a pipe
        f"{sys.executable} -m backend_contract clauses | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("BC101")
    assert run.stderr == ""
