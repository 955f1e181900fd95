"""The examples keep every clause in the eyes of five checkers."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend_contract._conformance.cli.main import main
from backend_contract._conformance.static.checkers import CHECKERS

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    "target",
    [
        "structural_backend.py:EchoBackend",
        "text_generation_backend.py:TextGenerationBackend",
        "ray_backend.py:RayBackend",
    ],
)
def test_five_checkers_say_that_an_example_keeps_every_clause(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--strict", "--checker", "all", f"{EXAMPLES}/{target}"]) == 0
    shown = capsys.readouterr().out
    assert "8 ok (layer S" in shown
    for checker in CHECKERS.values():
        assert f"{checker.name} {checker.version()}" in shown
