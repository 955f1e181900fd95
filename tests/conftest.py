from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What a test says must not depend on how fast the machine is.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's cache directory of the test run's own: the first check in it is cold."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(tmp_path: Path, cache_home: Path) -> Command:
    """Run the command as a user does, in a process of its own."""

    def run(
        *arguments: str, cwd: Path = tmp_path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "MYPYPATH", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        environment["XDG_CACHE_HOME"] = str(cache_home)
        return subprocess.run(
            [sys.executable, "-m", "backend_contract", *arguments],
            cwd=cwd,
            env=environment | variables,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    return run
