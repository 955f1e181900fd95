"""`check` with both frameworks installed: their own types are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance.results import Report
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checking import check
from backend_contract._conformance.static.stubs import copy_missing_stubs

if TYPE_CHECKING:
    from conftest import WarmCache

ANNOTATIONS = {
    "grpc.ServicerContext | fastapi.Request": True,
    "grpc.ServicerContext | starlette.requests.Request": True,
    "grpc.ServicerContext | starlette.requests.HTTPConnection": True,
    "grpc.RpcContext | fastapi.Request": True,
    "grpc.ServicerContext": False,
    "fastapi.Request": False,
    "grpc.ServicerContext | fastapi.WebSocket": False,
    "grpc.aio.ServicerContext | fastapi.Request": False,
}
"""Whether a context of either kind is accepted, by the annotation of `runtime_context`."""


def test_stubs(tmp_path: Path) -> None:
    """No bundled stub is used: aconfig has the stub package that is installed with this one."""
    stubs = copy_missing_stubs(tmp_path / "stubs", this_environment())
    assert [path.name for path in stubs.iterdir()] == []


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, warm_cache: WarmCache) -> dict[str, Report]:
    """The reports on one class per annotation, from one run."""
    lines = [
        "import fastapi, grpc, grpc.aio, starlette.requests",
        "from backend_contract import LocalBackend",
    ]
    for number, annotation in enumerate(ANNOTATIONS):
        lines += [
            f"class Mine{number}(LocalBackend):",
            f"    backend_type = 'MINE{number}'",
            "    def handle_runtime_context(",
            f"        self, model_id: str, runtime_context: {annotation}",
            "    ) -> None: ...",
        ]
    path = tmp_path_factory.mktemp("contexts") / "mine.py"
    path.write_text("\n".join(lines) + "\n")
    targets = [target for target in find_targets([str(path)]) if isinstance(target, Target)]
    return dict(zip(ANNOTATIONS, check(targets, Mypy(), warm_cache([path.parent])), strict=True))


@pytest.mark.parametrize(("annotation", "accepts_both"), ANNOTATIONS.items())
def test_annotation(annotation: str, accepts_both: bool, reports: dict[str, Report]) -> None:
    """A part of the union of contexts is told from all of it."""
    report = reports[annotation]
    assert report.error is None
    verdicts = {finding.clause.id: finding.verdict.value for finding in report.findings}
    assert verdicts.pop("BC501") == ("ok" if accepts_both else "violated")
    assert {*verdicts.values()} == {"ok"}
