"""Where files and clauses are found."""

from __future__ import annotations

import json
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from support import make_finding

from backend_contract._conformance.formats import common, render
from backend_contract._conformance.formats.common import in_repository, reference, repository
from backend_contract._conformance.results import Outcome, Report
from backend_contract.clauses import CLAUSES

if TYPE_CHECKING:
    from conformance.formats.conftest import Validate


@pytest.fixture(params=["directory", "file", "none"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that locations are relative to, for a command that runs in a subfolder."""
    (tmp_path / "deep/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/sub")
    if request.param == "directory":
        (tmp_path / ".git").mkdir()
    elif request.param == "file":  # a worktree
        (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    else:
        return tmp_path / "deep/sub"
    return tmp_path


def test_repository(root: Path) -> None:
    """The root is the directory with `.git`, or else the current one."""
    assert repository() == root
    assert in_repository(root / "a b.py").as_posix() == "a b.py"
    assert in_repository(Path("mine.py")) == Path.cwd().relative_to(root) / "mine.py"
    assert in_repository(Path("/elsewhere/mine.py")) == Path("/elsewhere/mine.py")


def test_nearest_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a submodule, the root is that of the submodule."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "module").mkdir()
    (tmp_path / "module/.git").write_text("gitdir: ../.git/modules/module\n")
    monkeypatch.chdir(tmp_path / "module")
    assert repository() == tmp_path / "module"


def test_github(root: Path) -> None:
    """Annotations name files relative to the root."""
    finding = make_finding(path=root / "src/mine.py")
    outcome = Outcome(reports=[Report(target="a:B", findings=(finding,))])
    line, _ = render(outcome, "github", color=False)
    assert line.startswith("::error file=src/mine.py,line=6,")


def test_sarif(root: Path, validate: Validate) -> None:
    """Results name files relative to the root, which the log names."""
    finding = make_finding(path=root / "ä b/100%.py")
    outcome = Outcome(reports=[Report(target="a:B", findings=(finding,))])
    (run,) = validate("\n".join(render(outcome, "sarif", color=False)), "sarif")["runs"]
    (location,) = run["results"][0]["locations"]
    file = location["physicalLocation"]["artifactLocation"]
    assert file == {"uri": "%C3%A4%20b/100%25.py", "uriBaseId": "%SRCROOT%"}
    base = run["originalUriBaseIds"]["%SRCROOT%"]["uri"]
    assert unquote(base) == f"file://{root}/"


def test_elsewhere(root: Path) -> None:
    """A file outside of the repository has an absolute location."""
    finding = make_finding(path=Path("/elsewhere/mine.py"))
    outcome = Outcome(reports=[Report(target="a:B", findings=(finding,))])
    log = json.loads("\n".join(render(outcome, "sarif", color=False)))
    (location,) = log["runs"][0]["results"][0]["locations"]
    file = location["physicalLocation"]["artifactLocation"]
    assert file == {"uri": "file:///elsewhere/mine.py"}


def test_documentation() -> None:
    """The address of the documentation is the one that the package declares, if any."""
    urls = metadata("backend-contract").get_all("Project-URL") or []
    start = "Documentation, "
    declared = [url.removeprefix(start) for url in urls if url.startswith(start)]
    assert declared == [common.DOCUMENTATION] * bool(common.DOCUMENTATION)


def test_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clause is found on its page, or else by a command."""
    assert reference(CLAUSES["BC501"]) == "backend-contract explain BC501"
    monkeypatch.setattr(common, "DOCUMENTATION", "https://docs.example")
    assert reference(CLAUSES["BC501"]) == "https://docs.example/contract.html#bc501"


def test_help_uri(validate: Validate, monkeypatch: pytest.MonkeyPatch) -> None:
    """SARIF links rules to their pages, if there are any."""
    outcome = Outcome(reports=[Report(target="a:B", findings=(make_finding(),))])

    def rule() -> dict[str, str]:
        log = validate("\n".join(render(outcome, "sarif", color=False)), "sarif")
        (found,) = log["runs"][0]["tool"]["driver"]["rules"]
        return dict(found)

    assert "helpUri" not in rule()
    assert "backend-contract explain BC309" in str(rule()["help"])
    monkeypatch.setattr(common, "DOCUMENTATION", "https://docs.example")
    assert rule()["helpUri"] == "https://docs.example/contract.html#bc309"


@pytest.mark.parametrize("name", ["full", "concise"])
@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("color", [True, False])
def test_hyperlink(name: str, terminal: bool, color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clause is a hyperlink only in color, on a terminal, and if it has a page."""
    outcome = Outcome(reports=[Report(target="a:B", findings=(make_finding(),))])
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    assert "\x1b]8" not in "\n".join(render(outcome, name, color))
    monkeypatch.setattr(common, "DOCUMENTATION", "https://docs.example")
    link = "\x1b]8;;https://docs.example/contract.html#bc309\x1b\\BC309\x1b]8;;\x1b\\"
    assert (link in "\n".join(render(outcome, name, color))) is (terminal and color)
