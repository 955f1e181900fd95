"""Fixtures for tests of the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from backend_contract._conformance.cli.main import main

if TYPE_CHECKING:
    from conftest import WarmCache


class Shown(NamedTuple):
    """The exit status of the command, and its output."""

    status: int
    out: str
    err: str


Main = Callable[..., Shown]


@pytest.fixture
def run_main(
    project: Path,
    cache_home: Path,
    warm_cache: WarmCache,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Main:
    """Run the command in this process, in the directory *project*, with a warm cache."""
    warm_cache([project])
    monkeypatch.chdir(project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))

    def run(*arguments: str) -> Shown:
        return Shown(main(arguments), *capsys.readouterr())

    return run
