"""What `backend-contract new` writes is green for every tool that its readers use."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from backend_contract._conformance.cli.main import main
from backend_contract.clauses import in_layer

# Each backend is one of a name that `ruff format` could break lines at.
TARGETS = {
    "mine.py:MineBackend": [],
    "own.py:OwnBackend": ["--structural"],
    "folder/text_generation_with_a_long_name.py:TextGenerationWithALongNameBackend": [],
    "package/inner.py:InnerBackend": ["--structural"],
}
STRICT_PYRIGHT = '{"typeCheckingMode": "strict"}'


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("new")
    (directory / "package").mkdir()
    (directory / "package/__init__.py").touch()
    (directory / "pyrightconfig.json").write_text(STRICT_PYRIGHT)
    for target, options in TARGETS.items():
        file = directory / target.partition(":")[0]
        assert main(["new", file.stem, *options, "--directory", str(file.parent)]) == 0
    return directory


def run_tool(directory: Path, *arguments: str) -> str:
    """Run a Python tool, require that it finds nothing wrong, and return its output."""
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.exhaustive
def test_suites(directory: Path) -> None:
    """The suites pass, with every clause exercised."""
    suites = ["test_mine.py", "package/test_inner.py"]
    shown = run_tool(directory, "pytest", "-p", "no:cacheprovider", "-W", "error", *suites)
    clauses = len(in_layer("B"))
    summaries = [line for line in shown.splitlines() if "clauses exercised" in line]
    assert len(summaries) == len(suites)
    assert all(f": {clauses} of {clauses} clauses exercised" in line for line in summaries)


@pytest.mark.exhaustive
def test_check(directory: Path) -> None:
    """`check --run` finds no violation, and nothing unchecked."""
    shown = run_tool(directory, "backend_contract", "check", "--run", *TARGETS)
    assert " violated" not in shown
    assert " unchecked" not in shown


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(["mypy", "--strict", "."], marks=pytest.mark.exhaustive),
        pytest.param(["pyright", "--pythonpath", sys.executable], marks=pytest.mark.exhaustive),
        pytest.param(
            [
                "pyrefly",
                "check",
                "--search-path=folder",
                f"--python-interpreter-path={sys.executable}",
            ],
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            ["ty", "check", "--extra-search-path=folder", f"--python={sys.executable}"],
            marks=pytest.mark.exhaustive,
        ),
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["ruff", "format", "--no-cache", "--check", "--line-length", "100", "."],
    ],
    ids=lambda tool: " ".join(tool[:2]),
)
def test_tools(tool: list[str], directory: Path) -> None:
    """Type checkers, at their strictest, and ruff have nothing to say."""
    if importlib.util.find_spec(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed; nox -s kit has it")
    run_tool(directory, *tool)
