"""The format ``github``."""

from __future__ import annotations

import re
from dataclasses import replace

from backend_contract._conformance.formats import render
from backend_contract._conformance.results import Outcome, Report


def lines(outcome: Outcome) -> list[str]:
    """Return the commands, without those that belong to no line."""
    commands = render(outcome, "github", color=False)
    return [each for each in commands if not each.startswith("::notice title=backend-contract::")]


def test_commands(outcome: Outcome) -> None:
    """Each finding that is not ok is one command at its line."""
    assert [re.split("::`|; see", line)[0] for line in lines(outcome)] == [
        "::notice file=mine.py,line=6,title=BC309 violated",  # expected
        "::error file=mine.py,line=12,title=BC101 violated",
        "::notice file=mine.py,line=12,title=BC102 blocked::BC101 has to hold first",
        "::warning file=mine.py,line=9,title=BC309 unchecked",
    ]


def test_not_lenient(outcome: Outcome) -> None:
    """An unchecked clause is an error unless the run is lenient."""
    *_, unchecked = lines(replace(outcome, lenient=False))
    assert unchecked.startswith("::error file=mine.py,line=9,title=BC309 unchecked::")


def test_errors() -> None:
    """A target that could not be checked is an error without a line."""
    (line,) = lines(Outcome(reports=[Report(target="", error="no a:B\n100 %")]))
    assert line == "::error title=backend-contract could not check::no a:B%0A100 %25"


def test_level(violation: Outcome) -> None:
    """A violation of MUST is an error; one of SHOULD is a warning."""
    (finding,) = violation.findings
    (line,) = lines(violation)
    level = {"MUST": "error", "SHOULD": "warning"}[finding.clause.level.value]
    assert line.startswith(f"::{level} file=mine.py,line=6,title=BC304 violated::")
