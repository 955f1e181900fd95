"""`backend-contract check` on Caikit's own backends, installed from PyPI."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

LOCAL = "caikit.core.module_backends.local_backend:LocalBackend"


def installed() -> Path:
    """Return the folder in which Caikit is installed."""
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
    """Return the verdicts of a full report by clause."""
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
def test_local_backend(target: str, tmp_path: Path) -> None:
    """LocalBackend violates no clause that types can decide; missing annotations are reported."""
    run = check(target, cwd=tmp_path)
    assert (run.returncode, run.stderr) == (1, "")
    # Caikit has no py.typed and few annotations; a missing annotation is never taken for correct.
    assert verdicts(run.stdout) == {
        "BC101": "ok",
        "BC102": "ok",
        "BC103": "ok",
        "BC104": "ok",
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
        "`handle_runtime_context` has no return annotation",
        "cannot resolve parameter 2 of `handle_runtime_context`",
    ):
        assert reason in " ".join(run.stdout.split())
    assert re.search(r"local_backend\.py:\d+\n +found +def start\(self\)", run.stdout)


def test_lenient(tmp_path: Path) -> None:
    """LocalBackend passes a lenient check."""
    assert check("--lenient", LOCAL, cwd=tmp_path).returncode == 0


def test_base_class(tmp_path: Path) -> None:
    """Caikit's BackendBase is abstract, which violates clauses."""
    run = check("caikit.core.module_backends:BackendBase", cwd=tmp_path)
    assert run.returncode == 1
    assert verdicts(run.stdout) == {
        "BC101": "violated",
        "BC102": "blocked",
        "BC201": "blocked",
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
def test_subclass(method: str, expected: dict[str, str], tmp_path: Path) -> None:
    """A mistake in a subclass of Caikit's LocalBackend is a violation."""
    (tmp_path / "mine.py").write_text(
        "from caikit.core.module_backends import LocalBackend\n\n"
        f"class Mine(LocalBackend):\n    {method}\n"
    )
    run = check("mine.py:Mine", cwd=tmp_path)
    assert run.returncode == 1
    assert verdicts(run.stdout).items() >= expected.items()


@pytest.mark.parametrize(
    ("file", "status", "undecided"),
    [
        ("before.py", 1, {"BC201", "BC202", "BC307", "BC309", "BC501"}),
        ("after.py", 0, set()),
    ],
)
def test_documented_backends(file: str, status: int, undecided: set[str], tmp_path: Path) -> None:
    """The two backends of docs/caikit.md have the verdicts that the page states."""
    page = (Path(__file__).parents[3] / "docs/caikit.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^:caption: {file}\n\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / file).write_text(code)
    run = check(f"{file}:Cluster", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (status, "")
    found = verdicts(run.stdout)
    assert {clause for clause, verdict in found.items() if verdict == "unchecked"} == undecided
