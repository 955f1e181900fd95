"""Backends that start child processes beside grpcio, whose threads may abort a forked child."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILDREN = """\
import subprocess

def start_children(number):
    # With preexec_fn, Python has to fork.
    runs = [subprocess.run(["true"], preexec_fn=int) for _ in range(number)]
    assert all(run.returncode == 0 for run in runs), runs
"""
BACKEND = """\
import grpc
from backend_contract import LocalBackend
from children import start_children

class Forks(LocalBackend):
    backend_type = "FORKS"
    def handle_runtime_context(self, model_id, runtime_context):
        start_children(3)
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "children.py").write_text(CHILDREN)
    (tmp_path / "forks.py").write_text(BACKEND)
    monkeypatch.delenv("GRPC_ENABLE_FORK_SUPPORT", raising=False)
    return tmp_path


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_fork_during_request(directory: Path) -> None:
    """A child that is forked while a request is open lives."""
    program = """\
from backend_contract.testing import grpc_context
from children import start_children
with grpc_context():
    start_children(100)
"""
    done = run(directory, "-c", program)
    assert done.returncode == 0, done.stderr


@pytest.mark.exhaustive
def test_forking_backend(directory: Path) -> None:
    """A backend that forks is not blamed for what grpcio does to its children."""
    done = run(directory, "-m", "backend_contract", "check", "--run", "forks.py:Forks")
    assert done.returncode == 0, done.stdout
    assert "BC502  ok" in done.stdout
