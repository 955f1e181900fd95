"""The README is true: its backends conform, its pictures and commands are what they claim."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backend_contract import Backend
from backend_contract.clauses import CLAUSES

if TYPE_CHECKING:
    from conftest import Command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [text.strip() for language, text in BLOCKS if language == "console"]
BACKENDS = {
    match[1]: text
    for language, text in BLOCKS
    if language == "python" and (match := re.search(r"^class (\w+)", text, re.MULTILINE))
}


def test_blocks() -> None:
    """Every code block is one of the two commands or one of the two backends tested here."""
    assert list(BACKENDS) == ["Cluster", "Greeter"]
    assert len(COMMANDS) == 2
    assert len(BLOCKS) == len(BACKENDS) + len(COMMANDS)


def test_length() -> None:
    """The README fits on a few screens."""
    assert len(README.splitlines()) <= 120


def test_good_backend_conforms(tmp_path: Path, command: Command) -> None:
    """The backend of the README keeps every clause, also when it runs."""
    (tmp_path / "mine.py").write_text(BACKENDS["Cluster"])
    run = command("check", "--run", "--output-format=concise", "mine.py:Cluster")
    assert (run.returncode, run.stderr) == (0, "")
    assert "violated" not in run.stdout


def test_good_backend_runs() -> None:
    """The backend of the README can be configured, started and stopped."""
    names: dict[str, type[Backend]] = {}
    exec(BACKENDS["Cluster"], names)  # noqa: S102 - it is our own text
    backend = names["Cluster"]()
    backend.start()
    assert isinstance(backend, Backend)
    assert backend.is_started
    backend.stop()
    assert not backend.is_started


def test_picture_is_the_report(tmp_path: Path, command: Command) -> None:
    """The picture shows what the command prints about the second backend, apart from versions."""
    (tmp_path / "greeter.py").write_text(BACKENDS["Greeter"])
    run = command("check", "greeter.py:Greeter")
    assert run.returncode == 1
    svg = (ROOT / "docs/report.svg").read_text(encoding="utf-8")
    rows = re.findall(r'<text class="report-r\d+"[^>]*>([^<]*)</text>', svg)
    shown = _words("".join(f"{html.unescape(row)} " for row in rows))
    assert _words(f"$ backend-contract check greeter.py:Greeter {run.stdout}") in shown


def _words(text: str) -> str:
    words = re.sub(r"mypy [\d.]+", "mypy", text.replace("\xa0", " ")).split()
    return "".join(words)


def test_first_command_names_an_example() -> None:
    """The first command checks an example that exists."""
    match = re.search(r"backend-contract check (\S+):(\w+)$", COMMANDS[0])
    assert match is not None
    assert f"class {match[2]}(" in (ROOT / match[1]).read_text(encoding="utf-8")


def test_ci_runs_second_command() -> None:
    """The script of CI runs the test command as the README has it."""
    assert COMMANDS[1] in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_clauses_exist() -> None:
    """Every clause that the README mentions exists."""
    assert set(re.findall(r"BC\d+", README)) <= set(CLAUSES)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links(link: str) -> None:
    """Every relative link of the README leads to a file."""
    assert (ROOT / link).is_file()


def test_public_names_are_documented() -> None:
    """Every public name is on the page of names."""
    import backend_contract
    from backend_contract import runtime_context, testing

    page = (ROOT / "docs/names.md").read_text(encoding="utf-8")
    for name in [*backend_contract.__all__, *runtime_context.__all__, *testing.__all__]:
        assert f"`{name}`" in page, name
