"""The file of a user, in another directory, with mypy and pyright as they are installed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FILE = """\
from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from backend_contract import Backend, BackendBase, RuntimeServerContextType, conforms
from backend_contract.runtime_context import get_metadata


class Cluster(BackendBase):
    backend_type = "CLUSTER"

    def register_config(self, config: Mapping[str, Any]) -> None:
        super().register_config(config)

    def start(self) -> None:
        self.address = str(self.config.address or "localhost")
        self._started = True

    def stop(self) -> None:
        self._started = False

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route = get_metadata(runtime_context, "x-route-info")


@conforms
class Echo:
    backend_type = "ECHO"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.is_started = False
        self.lock = threading.RLock()

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...


class Unfinished(BackendBase):
    backend_type = "UNFINISHED"

    def start(self) -> int:  # wrong
        return 1


class Other: ...


backends: list[Backend] = [Cluster(), Echo()]
Unfinished()  # wrong
backend: Backend = Other()  # wrong
Cluster().start(True)  # wrong
Cluster(7)  # wrong
"""
WRONG = {n for n, line in enumerate(FILE.splitlines(), 1) if line.endswith("# wrong")}


def mypy(path: Path) -> set[int]:
    """Return the lines with errors by `mypy --strict`."""
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--output=json", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    return {row["line"] for row in rows if row["severity"] == "error"}


def pyright(path: Path) -> set[int]:
    """Return the lines with errors by pyright without a configuration, as in an editor."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--outputjson"),
            *("--pythonpath", sys.executable, path.name),
        ],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = json.loads(run.stdout)["generalDiagnostics"]
    return {row["range"]["start"]["line"] + 1 for row in rows if row["severity"] == "error"}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_installed_package(checker: Callable[[Path], set[int]], tmp_path: Path) -> None:
    """Users of the wheel get exactly the errors that are due."""
    import backend_contract

    assert "site-packages" in str(backend_contract.__file__)  # the wheel, not this checkout
    (tmp_path / "theirs.py").write_text(FILE)
    assert checker(tmp_path / "theirs.py") == WRONG
    assert len(WRONG) == 5
