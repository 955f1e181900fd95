"""The examples, checked by every type checker."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backend_contract._conformance.cli.main import main
from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract.clauses import in_layer

if TYPE_CHECKING:
    from conftest import WarmCache

EXAMPLES = Path(__file__).parents[3] / "examples"
TARGETS = (
    "structural_backend.py:EchoBackend",
    "text_generation_backend.py:TextGenerationBackend",
    "ray_backend.py:RayBackend",
)


@pytest.fixture(scope="module")
def document(cache_home: Path, warm_cache: WarmCache) -> Any:
    """The report on all examples."""
    warm_cache([EXAMPLES])
    output = io.StringIO()
    targets = [str(EXAMPLES / target) for target in TARGETS]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output):
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        status = main(["check", "--checker=all", "--output-format=json", *targets])
    assert status == 0
    return json.loads(output.getvalue())


@pytest.mark.parametrize("number", range(len(TARGETS)), ids=TARGETS)
def test_example(document: Any, number: int) -> None:
    """The installed checkers find no violation in an example, and nothing unchecked."""
    report = document["reports"][number]
    assert report["target"].endswith(TARGETS[number])
    assert [finding["verdict"] for finding in report["findings"]] == ["ok"] * len(in_layer("S"))


@pytest.mark.exhaustive  # `nox -s kit` installs all five
def test_checkers(document: Any) -> None:
    """Each of the five checkers has checked the examples."""
    names = [f"{checker.name} {checker.version()}" for checker in CHECKERS.values()]
    assert [source["checked_by"] for source in document["sources"]] == names
    assert len(names) == 5
    assert document["errors"] == []
