"""The tool that looks for backends in distributions from PyPI."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "survey.py"


@pytest.fixture(scope="module")
def survey() -> Any:
    spec = importlib.util.spec_from_file_location("survey", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHAPED = """\
class Shaped:
    backend_type = "SHAPED"
    is_started: bool = False
    def register_config(self, config): ...
    def start(self): ...
    def stop(self): ...
"""


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class Mine(base.BackendBase):\n    backend_type = 'MINE'\n", ["Mine"]),
        (SHAPED, ["Shaped"]),
        ("class BackendBase(abc.ABC):\n    backend_type = None\n", []),
        (SHAPED.replace("Shaped:", "Shaped(Protocol):"), []),
        (SHAPED.replace("    def stop(self): ...\n", ""), []),
        ("class Other(BackendBase):\n    name = 'OTHER'\n", []),
    ],
)
def test_find_backends(survey: Any, tmp_path: Path, source: str, found: list[str]) -> None:
    """Classes with a name that inherit a base, or have most of the members, are backends."""
    (tmp_path / "module.py").write_text(source)
    assert [name for _, name in survey.find_backends(tmp_path)] == found


def test_page(survey: Any) -> None:
    """The page shows a verdict per clause and backend, and packages without a backend."""
    finding = {"clause": "BC101", "found": "backend_type = 1", "because": ["no str"]}
    one = survey.Surveyed(
        target="one:Mine",
        distribution="caikit",
        version="1.2",
        findings=[{**finding, "verdict": "violated"}],
        error="",
        fixed=[{**finding, "verdict": "ok"}],
    )
    text = survey.page([one], "2026-01-02")
    assert "as they were on 2026-01-02" in text
    assert "| [BC101](contract.md#bc101) | ✗ |" in text
    assert "caikit 1.2: 1 violated." in text
    assert "Layer S after `--fix`: 1 ok." in text
    assert "Searched without finding a backend: caikit-nlp, " in text
