"""The command where both frameworks are really installed, and typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend_contract._conformance import static
from backend_contract._conformance.cli.main import main


def test_a_typed_framework_is_used_as_it_is(tmp_path: Path) -> None:
    stubs = static.copy_missing_stubs(tmp_path / "stubs")
    assert [path.name for path in stubs.iterdir()] == ["aconfig"]


@pytest.mark.parametrize(
    ("annotation", "status"),
    [
        ("grpc.ServicerContext | fastapi.Request", 0),
        ("grpc.ServicerContext | starlette.requests.Request", 0),
        ("grpc.ServicerContext | starlette.requests.HTTPConnection", 0),
        ("grpc.RpcContext | fastapi.Request", 0),
        ("grpc.ServicerContext", 1),
        ("fastapi.Request", 1),
        ("grpc.ServicerContext | fastapi.WebSocket", 1),
        ("grpc.aio.ServicerContext | fastapi.Request", 1),
    ],
)
def test_a_part_of_the_context_union_is_told_from_all_of_it(
    tmp_path: Path, annotation: str, status: int
) -> None:
    (tmp_path / "mine.py").write_text(
        "import fastapi, grpc, grpc.aio, starlette.requests\n"
        "from backend_contract import LocalBackend\n\n"
        "class Mine(LocalBackend):\n"
        f"    def handle_runtime_context(self, model_id: str, runtime_context: {annotation})"
        " -> None: ...\n"
    )
    assert main(["check", "--strict", f"{tmp_path}/mine.py:Mine"]) == status
