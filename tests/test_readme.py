"""The README says what is so: its code conforms, its output is what the command prints."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backend_contract import Backend
from backend_contract.clauses import CLAUSES

if TYPE_CHECKING:
    from conftest import Command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
CONSOLE = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
BACKENDS = {
    match[1]: code for code in CODE if (match := re.search(r"^class (\w+)", code, re.MULTILINE))
}


def test_every_block_of_code_defines_a_backend_or_runs_some() -> None:
    assert list(BACKENDS) == ["Echo", "Mine", "Cluster", "Greeter", "TestMine"]
    assert len(CODE) == len(BACKENDS) + 1


def test_the_runtime_of_the_readme_runs_its_backends() -> None:
    (runtime,) = [code for code in CODE if code not in BACKENDS.values()]
    told: list[tuple[str, object]] = []
    names: dict[str, Any] = {"model_id": "model", "runtime_context": object()}
    exec(BACKENDS["Echo"], names)  # noqa: S102 - it is our own text

    def handle_runtime_context(self: object, model_id: str, runtime_context: object) -> None:
        told.append((model_id, runtime_context))

    names["Echo"].handle_runtime_context = handle_runtime_context
    exec(runtime, names)  # noqa: S102 - it is our own text
    echo, local = names["backends"]
    assert told == [("model", names["runtime_context"])]
    assert names["echo"] is echo
    assert isinstance(echo, names["Echo"])
    assert local.config.threads == 4
    assert not echo.is_started
    assert not local.is_started


@pytest.mark.parametrize("name", ["Echo", "Mine", "Cluster"])
def test_a_backend_of_the_readme_keeps_every_clause_that_types_can_show(
    name: str, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "mine.py").write_text(BACKENDS[name])
    run = command("check", "--strict", f"mine.py:{name}")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("name", ["Echo", "Mine", "Cluster"])
def test_a_backend_of_the_readme_runs(name: str) -> None:
    names: dict[str, type[Backend]] = {}
    exec(BACKENDS[name], names)  # noqa: S102 - it is our own text
    backend = names[name]()
    backend.start()
    assert isinstance(backend, Backend)
    assert backend.is_started
    backend.stop()
    assert not backend.is_started


def test_the_violation_is_printed_as_shown(tmp_path: Path, command: Command) -> None:
    (shown,) = [block for block in CONSOLE if block.startswith("$ backend-contract ")]
    invocation, _, output = shown.partition("\n")
    (tmp_path / "greeter.py").write_text(BACKENDS["Greeter"])
    run = command(*invocation.split()[2:])

    def without_version(text: str) -> str:
        return re.sub(r"by mypy [\d.]+", "by mypy", text).strip()

    assert run.returncode == 1
    assert without_version(run.stdout) == without_version(output)


def test_the_suite_of_the_readme_tries_its_backend(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # a project of its own, wherever that is
    (tmp_path / "test_mine.py").write_text(BACKENDS["Mine"] + BACKENDS["TestMine"])
    (shown,) = [block for block in CONSOLE if block.startswith("$ pytest ")]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0
    (expected,) = re.findall(r"^test_mine.py::.*", shown, re.MULTILINE)
    (summary,) = re.findall(r"^test_mine.py::.*", run.stdout, re.MULTILINE)
    # Without the frameworks, what takes a context of a real request cannot be decided.
    assert re.sub(r"\d+", "N", summary) == re.sub(r"\d+", "N", expected)
    if {"grpc", "fastapi", "uvicorn"} <= {m for m in MODULES if importlib.util.find_spec(m)}:
        assert summary == expected


MODULES = ("grpc", "fastapi", "uvicorn")


def test_the_first_command_of_the_readme_names_an_example_that_is_there() -> None:
    (target,) = re.findall(r"check (\S+):\w+$", CONSOLE[0], re.MULTILINE)
    assert (ROOT / target).is_file()


def test_the_ci_runs_the_test_command_of_the_readme() -> None:
    assert CONSOLE[1].strip() in (ROOT / ".ci/run").read_text()


def test_every_clause_the_readme_names_exists() -> None:
    assert set(re.findall(r"BC\d+", README)) <= set(CLAUSES)


def test_all_public_names_are_in_the_readme() -> None:
    import backend_contract
    from backend_contract import runtime_context, testing

    kit = set(testing.__all__) - {"Finding", "Report", "Verdict"}  # what it returns
    for name in [*backend_contract.__all__, *runtime_context.__all__, *kit]:
        assert f"`{name}`" in README
