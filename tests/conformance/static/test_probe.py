"""The probe: its marks, its text, and the verdicts that follow from lines."""

from __future__ import annotations

import ast
import re

import pytest

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.static import probe
from backend_contract._conformance.static.probe import MARKS, PROBED, Mark, Probe, decide
from backend_contract.clauses import CLAUSES, in_layer


def mark_id(mark: Mark) -> str:
    return "-".join(filter(None, (mark.clause, mark.kind, mark.member, mark.part, str(mark.line))))


def test_clauses() -> None:
    """Every clause of layer S has lines that use and that type its members; no other has."""
    for kind in ("use", "typed"):
        used = {mark.clause for mark in MARKS if mark.kind == kind}
        assert used == {clause.id for clause in in_layer("S")} - {"BC103", "BC104"}


def test_members() -> None:
    """Every member of a clause has lines."""
    for clause in PROBED:
        members = {mark.member for mark in MARKS if mark.clause == clause.id}
        assert members == set(clause.members)


def test_marks() -> None:
    """Every comment that looks like a mark is one."""
    lines = [line for line in probe.TEMPLATE if re.search(r"# BC\d+", line)]
    assert len(lines) == len(MARKS)


@pytest.mark.parametrize(
    "mark", [m for m in MARKS if m.kind not in ("typed", "returns")], ids=mark_id
)
def test_use(mark: Mark, lines_of_canaries: dict[str, set[int]]) -> None:
    """Every use is an error in a canary that breaks its clause, and none in the good one."""
    caught = {name for name, lines in lines_of_canaries.items() if mark.line in lines}
    assert "Good" not in caught
    assert caught or mark.kind == "defined"  # the samples break those one by one


@pytest.mark.parametrize("mark", [m for m in MARKS if m.kind == "returns"], ids=mark_id)
def test_returns(mark: Mark, lines_of_canaries: dict[str, set[int]]) -> None:
    """Every line behind a call is an error, unless the call never returns."""
    assert mark.line in lines_of_canaries["Good"]
    assert mark.line not in lines_of_canaries["NeverReturns"] or mark.member == "__init__"


@pytest.mark.parametrize("mark", [m for m in MARKS if m.kind == "typed"], ids=mark_id)
def test_typed(mark: Mark, lines_of_canaries: dict[str, set[int]]) -> None:
    """Every line on types tells `Any` from the right type."""
    assert mark.line in lines_of_canaries["Good"]
    if mark.part == "arguments":
        is_open = mark.line not in lines_of_canaries["UntypedForItsCaller"]
        assert is_open or mark.member != "start"
    elif (mark.member, mark.part) != ("__init__", "result"):
        assert mark.line not in lines_of_canaries["Untyped"]


def test_import_lines() -> None:
    """The probes of two classes differ in the two import lines."""
    one, other = (
        Probe(module, name).text.splitlines()
        for module, name in [("package.module", "Outer.Inner"), ("other", "Alone")]
    )
    different = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    assert different == [
        ("from package.module import Outer as Outermost", "from other import Alone as Outermost"),
        ("Target = Outermost.Inner", "Target = Outermost"),
    ]
    ast.parse("\n".join(one))


def test_text() -> None:
    """A probe is the template with the class in its place."""
    text = Probe("backend_contract", "LocalBackend").text
    assert text == "\n".join(probe.TEMPLATE).replace("  # import", "") + "\n"
    assert text.count("\n") == len(probe.TEMPLATE)


def test_line_numbers() -> None:
    """Marks count lines as checkers do."""
    lines = Probe("package.module", "Outer").text.split("\n")
    assert lines[probe.SEEN_LINE - 1].endswith("  # seen")
    for mark in MARKS:
        words = " ".join(filter(None, mark[1:]))
        assert lines[mark.line - 1].endswith(f"  # {words}")


def test_file_name() -> None:
    """A class always has the same file, and no two share one."""
    assert re.fullmatch(r"probe_[0-9a-f]{16}\.py", Probe("a.b", "C").file)
    assert Probe("a.b", "C").file == Probe("a.b", "C").file
    assert Probe("a.b", "C").file != Probe("a", "b.C").file


def test_file_of_other_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker's cache of an earlier edition of the probe is not taken for one of the next."""
    found = Probe("a.b", "C")
    before = found.file
    monkeypatch.setattr(probe, "TEMPLATE", [*probe.TEMPLATE, "pass"])
    assert found.file != before


def test_violation_first() -> None:
    """A violation outweighs a missing type."""
    use = next(mark for mark in MARKS if mark.clause == "BC202" and mark.kind == "use")
    returns = next(mark for mark in MARKS if mark.clause == "BC202" and mark.kind == "returns")
    errors = {use.line: ["wrong"], returns.line: ["due"]}
    assert decide(CLAUSES["BC202"], errors) == (Verdict.VIOLATED, [use])
    assert decide(CLAUSES["BC202"], {returns.line: ["due"]}).verdict is Verdict.UNCHECKED
    assert decide(CLAUSES["BC202"], {}) == (Verdict.VIOLATED, [returns])
    assert decide(CLAUSES["BC202"], {}, [returns]).verdict is Verdict.UNCHECKED


def test_doubt() -> None:
    """A line of doubt leaves a clause unchecked, unless another line violates it."""
    doubt = next(mark for mark in MARKS if mark.kind == "doubt")
    use = next(mark for mark in MARKS if mark.clause == doubt.clause and mark.kind == "use")
    marks = [mark for mark in MARKS if mark.clause == doubt.clause]
    due = {mark.line: ["due"] for mark in marks if mark.kind in ("typed", "returns")}
    clause = CLAUSES[doubt.clause]
    assert decide(clause, due).verdict is Verdict.OK
    assert decide(clause, due | {doubt.line: ["other"]}) == (Verdict.UNCHECKED, [doubt])
    assert decide(clause, due | {doubt.line: ["other"], use.line: ["wrong"]}) == (
        Verdict.VIOLATED,
        [use],
    )


def test_abstract() -> None:
    """A class that can never be instantiated breaks BC201 alone."""
    errors = {mark.line: ["abstract"] for mark in MARKS if mark.kind in ("defined", "returns")}
    violated = [c.id for c in PROBED if decide(c, errors).verdict is Verdict.VIOLATED]
    assert violated == ["BC201"]
