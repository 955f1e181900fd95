"""The errors of mypy in the canaries, for the tests of the probe and of the self-test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.probe import CANARIES, CANARY_MODULE, CANARY_PROBES
from backend_contract._conformance.static.stubs import copy_missing_stubs


@pytest.fixture(scope="package")
def lines_of_canaries(
    tmp_path_factory: pytest.TempPathFactory, filled_cache: Path
) -> dict[str, set[int]]:
    """The lines that mypy reports in the probe of each canary."""
    directory = tmp_path_factory.mktemp("canaries")
    (directory / f"{CANARY_MODULE}.py").write_text(CANARIES)
    for probe in CANARY_PROBES.values():
        (directory / probe.file).write_text(probe.text)
    stubs = copy_missing_stubs(directory / "stubs", this_environment())
    cache = shutil.copytree(filled_cache, directory / "cache")
    files = [probe.file for probe in CANARY_PROBES.values()]
    request = CheckRequest(files, directory, [stubs], cache, this_environment())
    diagnostics = Mypy().check(request)
    return {
        name: {d.line for d in diagnostics if d.path.name == probe.file}
        for name, probe in CANARY_PROBES.items()
    }
