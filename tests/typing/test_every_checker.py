"""The command with the real checkers: strange paths, hostile settings, disagreement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend_contract._conformance.cli.main import main
from backend_contract._conformance.static.checkers import CHECKERS

BACKENDS = """\
import threading
from contextlib import AbstractContextManager

from backend_contract import LocalBackend


class Good(LocalBackend):
    backend_type = "GOOD"


class Bad(LocalBackend):
    backend_type = "BAD"

    def start(self) -> int:  # type: ignore
        return 1


class Inferred(LocalBackend):
    backend_type = "INFERRED"

    def start_lock(self):
        return threading.RLock()
"""
HOSTILE = {
    "mypy.ini": "[mypy]\nignore_errors = True\n",
    "pyrightconfig.json": '{"ignore": ["**"], "typeCheckingMode": "off", "stubPath": "typings"}',
    "pyrefly.toml": 'preset = "off"\nreplace-imports-with-any = ["*"]\n',
    "ty.toml": '[rules]\nall = "ignore"\n',
    "pyproject.toml": "[tool.mypy]\nignore_errors = true\n[tool.pyright]\nignore = ['**']\n"
    "[tool.ty.rules]\nall = 'ignore'\n[tool.pyrefly]\nproject-excludes = ['**']\n",
    ".gitignore": "*\n",
    "typings/threading.pyi": "",
}
every_checker = pytest.mark.parametrize("checker", CHECKERS)


@pytest.fixture
def directory(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A name that could end a string, a line or a list in a configuration file.
    directory = tmp_path / "we'ird \"dir \n [x] é ☃"
    directory.mkdir()
    (directory / "mine.py").write_text(BACKENDS)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    return directory


def verdicts(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, str]]:
    """Return the verdicts on each target, from the JSON report."""
    main(["check", "--output-format", "json", *arguments])
    document = json.loads(capsys.readouterr().out)
    assert document["errors"] == []
    return {
        report["target"]: {f["clause"]: f["verdict"] for f in report["findings"]}
        for report in document["reports"]
    }


@every_checker
def test_hostile_settings(
    checker: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A strange directory and hostile settings change no verdict."""
    for name, text in HOSTILE.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    found = verdicts(capsys, "--checker", checker, "mine.py:Good", "mine.py:Bad")
    assert set(found["mine.py:Good"].values()) == {"ok"}
    assert {c for c, v in found["mine.py:Bad"].items() if v != "ok"} == {"BC309"}
    assert found["mine.py:Bad"]["BC309"] == "violated"


@every_checker
def test_name_in_report(checker: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report names the checker and its version."""
    assert main(["check", "--checker", checker, "mine.py:Good"]) == 0
    shown = capsys.readouterr().out
    assert f"10 ok (layer S, by {checker} {CHECKERS[checker].version()})\n" in shown


def test_disagreement(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report shows the verdict of each checker if they differ."""
    assert main(["check", "--checker", "all", "mine.py:Inferred"]) == 1
    shown = capsys.readouterr().out
    assert "BC401  unchecked" in shown
    said = {line.split()[1]: line.split()[-1] for line in shown.splitlines() if "  says  " in line}
    assert said == {
        "mypy": "unchecked",
        "pyright": said["pyright"],
        "pyrefly": "unchecked",
        "ty": "unchecked",
        "zuban": "ok",
    }
    assert main(["check", "--lenient", "--checker", "all", "mine.py:Inferred"]) == 0
    capsys.readouterr()
    assert main(["check", "--checker", "zuban", "mine.py:Inferred"]) == 0


def test_agreement(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All checkers agree on annotated classes."""
    assert main(["check", "--checker", "all", "--output-format", "json", "mine.py:Bad"]) == 1
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    for finding in report["findings"]:
        assert {part["verdict"] for part in finding["parts"]} == {finding["verdict"]}
        assert [part["checked_by"].split()[0] for part in finding["parts"]] == [*CHECKERS]
