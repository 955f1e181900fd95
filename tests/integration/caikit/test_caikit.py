"""Backends that were not written here: Caikit's own, installed from PyPI."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

LOCAL = "caikit.core.module_backends.local_backend:LocalBackend"


def installed() -> Path:
    """The folder that Caikit is installed in."""
    spec = importlib.util.find_spec("caikit")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def check(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend_contract", "check", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def verdicts(report: str) -> dict[str, str]:
    return dict(re.findall(r"^  (BC\d+)  (\w+)", report, re.MULTILINE))


@pytest.mark.parametrize(
    "target",
    [
        LOCAL,
        "caikit.core.module_backends:LocalBackend",
        f"{installed()}/core/module_backends/local_backend.py:LocalBackend",
    ],
    ids=["its module", "re-exported", "its file"],
)
def test_caikits_local_backend(target: str, tmp_path: Path) -> None:
    run = check(target, cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    # Caikit has no py.typed and annotates little: what it does not say is not taken for right.
    assert verdicts(run.stdout) == {
        "BC101": "ok",
        "BC102": "ok",
        "BC201": "ok",
        "BC202": "unchecked",
        "BC307": "unchecked",
        "BC309": "unchecked",
        "BC401": "ok",
        "BC501": "unchecked",
    }
    for reason in (
        "parameter `config` of `register_config` has no annotation",
        "`is_started` has no return annotation",
        "`start` has no return annotation; `stop` has no return annotation",
        "`handle_runtime_context` has no return annotation; parameter 2 of",
    ):
        assert reason in " ".join(run.stdout.split())
    assert re.search(r"local_backend\.py:\d+\n +found +def start\(self\)", run.stdout)


def test_it_fails_a_strict_check(tmp_path: Path) -> None:
    assert check("--strict", LOCAL, cwd=tmp_path).returncode == 1


def test_caikits_base_class_is_abstract(tmp_path: Path) -> None:
    run = check("caikit.core.module_backends:BackendBase", cwd=tmp_path)
    assert run.returncode == 1
    assert verdicts(run.stdout) == {
        "BC101": "violated",
        "BC102": "blocked",
        "BC201": "ok",
        "BC202": "violated",
        "BC307": "unchecked",
        "BC309": "violated",
        "BC401": "ok",
        "BC501": "unchecked",
    }


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("def start(self, timeout): ...", {"BC309": "violated"}),
        ("async def start(self): ...", {"BC309": "violated"}),
        ("def handle_runtime_context(self, model_id, context): ...", {"BC501": "violated"}),
    ],
)
def test_a_mistake_in_a_subclass_of_caikits_is_seen(
    method: str, expected: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        "from caikit.core.module_backends import LocalBackend\n\n"
        f"class Mine(LocalBackend):\n    {method}\n"
    )
    run = check("mine.py:Mine", cwd=tmp_path)
    assert run.returncode == 1
    assert verdicts(run.stdout).items() >= expected.items()


@pytest.mark.parametrize(
    ("file", "arguments", "status", "undecided"),
    [
        ("before.py", [], 0, {"BC201", "BC202", "BC307", "BC309", "BC501"}),
        ("after.py", ["--strict"], 0, set()),
    ],
)
def test_the_documentations_two_backends_are_what_it_says(
    file: str, arguments: list[str], status: int, undecided: set[str], tmp_path: Path
) -> None:
    page = (Path(__file__).parents[3] / "docs/caikit.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^:caption: {file}\n\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / file).write_text(code)
    run = check(*arguments, f"{file}:Cluster", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (status, "")
    said = verdicts(run.stdout)
    assert {clause for clause, verdict in said.items() if verdict == "unchecked"} == undecided
