"""The parser, ``--version``, ``clauses`` and ``explain``, and how the command ends."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance.cli.main import build_parser, main
from backend_contract._conformance.formats import FORMATS
from backend_contract.clauses import CLAUSES, Clause, Level

if TYPE_CHECKING:
    from conftest import Command


def test_version(command: Command) -> None:
    """``--version`` and ``-V`` print the version of the distribution."""
    for option in ("--version", "-V"):
        run = command(option)
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout == f"backend-contract {importlib.metadata.version('backend-contract')}\n"


COMMANDS = ("new", "check", "clauses", "explain", "stubs")


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help fits on one screen, and has an example that the parser accepts."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*filter(None, [name]), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= (40 if name == "check" else 24)
    assert all(len(line) <= 80 for line in lines)
    _, _, example = next(line for line in lines if "Example:" in line).partition(
        "backend-contract "
    )
    assert example.startswith(name)
    assert build_parser().parse_args(example.split()).command
    if name == "check":
        assert all(any(f in line for line in lines) for f in FORMATS)
        assert "Exit status: 0" in lines[-1]


def test_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments the help is printed, and nothing was checked: status 2."""
    assert main([]) == 2
    shown = capsys.readouterr()
    assert main(["--help"]) == 0
    assert (shown.out, shown.err) == (capsys.readouterr().out, "")
    assert all(f"\n    {name} " in shown.out for name in COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh", "zsh"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A script for each shell, with the commands and their options."""
    assert main(["--print-completion", shell]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for word in ("backend-contract", *COMMANDS, "lenient", "structural"):
        assert word in shown.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ch"], ["check"]),
        (["check", "--unsafe"], ["--unsafe-fixes"]),
        (["check", "--output-format", "sa"], ["sarif"]),
        (["check", "mi"], ["mine.py"]),
        (["check", "--backend-config", "mi"], ["mine.py"]),
        (["new", "mine", "--directory", "m"], ["my"]),
        (["explain", "mi"], []),
    ],
)
def test_completion_in_bash(
    words: list[str], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bash completes commands, options, choices and paths."""
    assert main(["--print-completion", "bash"]) == 0
    (tmp_path / "mine.py").touch()
    (tmp_path / "my").mkdir()
    (tmp_path / "script").write_text(
        f"{capsys.readouterr().out}\nCOMP_WORDS=(backend-contract {' '.join(words)})\n"
        f"COMP_CWORD={len(words)}\n_shtab_backend_contract\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    run = subprocess.run(
        ["/bin/bash", "script"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (run.stdout.split(), run.stderr) == (expected, "")


def test_completion_without_shtab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without shtab, one line says how to install it."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print-completion", "bash"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "backend-contract[check]" in shown.err


@pytest.mark.parametrize("name", ["lenient", "error_on_warning"])
def test_switches(name: str) -> None:
    """A switch may be given either way, of which the last counts, or not at all."""
    on = f"--{name.replace('_', '-')}"
    off = on.replace("--", "--no-")
    for given, value in (([], None), ([on], True), ([off], False), ([off, on], True)):
        assert vars(build_parser().parse_args(["check", *given]))[name] is value


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
        (["--print-completion", "csh"], "'csh'"),
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


@pytest.mark.parametrize(
    ("arguments", "parser"),
    [
        (["check", "--runn", "a:B"], "backend-contract check"),
        (["new", "mine", "other"], "backend-contract new"),
        (["--run", "check", "a:B"], "backend-contract"),
    ],
)
def test_unknown_argument(
    arguments: list[str], parser: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parser that rejects an argument shows its own usage and names its own help."""
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"usage: {parser} [")
    assert f"{parser}: error: unrecognized arguments: " in shown
    assert shown.endswith(f"; see {parser} --help\n")


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


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\n::error::x", "##[error]x", "\u202e", "\udcff", "\x85"]
)
def test_echo(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error escapes the words that it repeats."""
    for arguments in (
        ["check", f"--{text}"],
        ["check", "--checker", text],
        ["explain", text],
        [text],
    ):
        assert main(arguments) == 2
        message = capsys.readouterr().err.rpartition(": error: ")[2].removesuffix("\n")
        assert message.isprintable()
        assert "##[" not in message
