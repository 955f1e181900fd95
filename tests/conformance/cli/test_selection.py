"""``--select`` and ``--ignore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import make_finding

from backend_contract._conformance.cli.settings import select_clauses
from backend_contract._conformance.results import Report
from backend_contract.clauses import in_layer
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from conftest import Main

STATIC = [clause.id for clause in in_layer("S")]


@pytest.mark.parametrize(
    ("select", "ignore", "selected"),
    [
        ([], [], STATIC),
        (["BC3"], [], ["BC307", "BC309"]),
        (["BC309", "BC4"], [], ["BC309", "BC401"]),
        ([" bc401"], [], ["BC401"]),
        (["BC3"], ["BC307"], ["BC309"]),
        ([], ["BC3", "BC501"], [c for c in STATIC if c not in ("BC307", "BC309", "BC501")]),
        (["BC302", "BC309"], [], ["BC309"]),
    ],
)
def test_prefixes(select: list[str], ignore: list[str], selected: list[str]) -> None:
    """Clauses are selected by prefixes; what is ignored is left out, and both are known."""
    selection = select_clauses(select, ignore, "S")
    assert selection.selected == selected
    assert selection.not_selected == tuple(c for c in STATIC if c not in selected)


def test_layers() -> None:
    """A run with layer B selects among its clauses too."""
    assert "BC302" not in select_clauses(["BC3"], [], "S").selected
    assert "BC302" in select_clauses(["BC3"], [], "SB").selected


@pytest.mark.parametrize("prefix", ["BC9", "", " ", "BC4 1", "X", "BC4011", "BC*"])
@pytest.mark.parametrize("option", ["select", "ignore"])
def test_no_match(option: str, prefix: str) -> None:
    """A prefix that matches nothing is an error that names the clauses."""
    given = {"select": ["BC401"], "ignore": ["BC501"]}
    given[option].append(prefix)
    with pytest.raises(CouldNotCheckError, match=rf"^{option}: '.*matches no clause.*BC101, BC1"):
        select_clauses(given["select"], given["ignore"], "S")


@pytest.mark.parametrize(
    ("select", "ignore", "hint"),
    [(["BC302"], [], True), (["BC401"], ["BC4"], False), ([], ["BC"], False)],
)
def test_nothing_left(select: list[str], ignore: list[str], hint: bool) -> None:
    """A run that would check nothing is an error."""
    with pytest.raises(CouldNotCheckError) as caught:
        select_clauses(select, ignore, "S")
    assert ("BC302: add --run" in str(caught.value)) is hint


def test_filter() -> None:
    """Only findings on selected clauses are kept, with the rest of the report."""
    findings = (make_finding("BC309"), make_finding("BC401"))
    report = Report(target="a:B", findings=findings, error="it broke", notes=("a note",))
    kept = select_clauses(["BC4"], [], "S").filter(report)
    assert kept == Report(target="a:B", findings=findings[1:], error="it broke", notes=("a note",))


def test_command(run_main: Main) -> None:
    """A clause that is not selected is neither shown nor counted, and the last line says so."""
    shown = run_main("check", "--select", "BC4,BC309", "--select=BC102", "mine.py:Bad")
    assert shown.status == 1
    last = shown.out.splitlines()[-1]
    assert last.startswith("2 ok, 1 violated (")
    assert "not selected: BC101, BC103, BC104, BC201, BC202, BC307 and 1 more" in last
    assert "BC201  " not in shown.out
    ignored = run_main("check", "--ignore", "BC309", "mine.py:Bad")
    assert ignored.status == 0
    assert ignored.out.splitlines()[-1].endswith("; not selected: BC309")


def test_blocked(run_main: Main) -> None:
    """A clause is blocked by one that is not selected."""
    shown = run_main("check", "--select", "BC102", "mine.py:Nameless")
    assert "BC101, which has to hold first" in shown.out
    assert shown.status == 0


def test_run(run_main: Main) -> None:
    """With ``--run`` only the selected clauses are reported, and those that they require tried."""
    shown = run_main("check", "--run", "--select", "BC303", "mine.py:Good")
    assert shown.status == 0
    assert shown.out.splitlines()[-1].startswith("1 ok (layer B")


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_error(option: str, run_main: Main) -> None:
    """An unknown clause is one line, and status 2."""
    shown = run_main("check", option, "BC4,BC9", "mine.py:Good")
    assert (shown.status, shown.out) == (2, "")
    assert "'BC9' matches no clause" in shown.err
    assert shown.err.count("\n") == 1
