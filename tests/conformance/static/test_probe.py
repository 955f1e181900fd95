from __future__ import annotations

import ast
import re

import pytest

from backend_contract._conformance import static
from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.static import probe
from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.probe import Mark, Probe, decide
from backend_contract.clauses import CLAUSES, in_layer
from backend_contract.errors import CouldNotCheckError

MARKS = probe._MARKS


def mark_id(mark: Mark) -> str:
    return "-".join(filter(None, (mark.clause, mark.kind, mark.member, mark.part, str(mark.line))))


@pytest.fixture(scope="module")
def errors_of_canaries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[int]]:
    """The lines that mypy reports in the probe of each canary."""
    directory = tmp_path_factory.mktemp("canaries")
    (directory / f"{static._CANARY_MODULE}.py").write_text(static._CANARIES)
    names = re.findall(r"^class (\w+)", static._CANARIES, re.MULTILINE)
    probes = {name: Probe(static._CANARY_MODULE, name) for name in names}
    for each in probes.values():
        (directory / each.file).write_text(each.text)
    stubs = static.copy_missing_stubs(directory / "stubs")
    files = [each.file for each in probes.values()]
    request = CheckRequest(files, directory, [stubs], directory / "cache", this_environment())
    diagnostics = Mypy().check(request)
    return {
        name: {d.line for d in diagnostics if d.path.name == each.file}
        for name, each in probes.items()
    }


def test_every_clause_of_layer_s_is_used_and_only_those() -> None:
    for kind in ("use", "typed"):
        used = {mark.clause for mark in MARKS if mark.kind == kind}
        assert used == {clause.id for clause in in_layer("S")}


def test_every_member_has_its_lines() -> None:
    for clause in in_layer("S"):
        members = {mark.member for mark in MARKS if mark.clause == clause.id}
        assert members == set(clause.members)


def test_no_comment_that_looks_like_a_mark_is_overlooked() -> None:
    lines = [line for line in probe._LINES if re.search(r"# BC\d+", line)]
    assert len(lines) == len(MARKS)


@pytest.mark.parametrize("mark", [m for m in MARKS if m.kind != "typed"], ids=mark_id)
def test_no_line_of_use_can_be_blind(mark: Mark, errors_of_canaries: dict[str, set[int]]) -> None:
    caught = {name for name, lines in errors_of_canaries.items() if mark.line in lines}
    assert "Good" not in caught
    assert caught or mark.kind == "defined"  # for those, see the samples of the static check


@pytest.mark.parametrize("mark", [m for m in MARKS if m.kind == "typed"], ids=mark_id)
def test_every_line_on_types_tells_any_from_the_right_type(
    mark: Mark, errors_of_canaries: dict[str, set[int]]
) -> None:
    assert mark.line in errors_of_canaries["Good"]
    assert mark.line not in errors_of_canaries["Untyped"]


def test_only_the_two_lines_of_the_import_differ_from_class_to_class() -> None:
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


def test_the_probe_is_its_text_with_the_class_in_its_place() -> None:
    text = Probe("backend_contract", "LocalBackend").text
    assert text == "\n".join(probe._LINES).replace("  # import", "") + "\n"
    assert text.count("\n") == len(probe._LINES)


def test_a_mark_counts_lines_as_checkers_do() -> None:
    lines = Probe("package.module", "Outer").text.split("\n")
    assert lines[probe._SEEN - 1].endswith("  # seen")
    for mark in MARKS:
        words = " ".join(filter(None, mark[1:]))
        assert lines[mark.line - 1].endswith(f"  # {words}")


def test_two_classes_have_two_files_and_one_class_always_the_same() -> None:
    assert re.fullmatch(r"probe_[0-9a-f]{16}\.py", Probe("a.b", "C").file)
    assert Probe("a.b", "C").file == Probe("a.b", "C").file
    assert Probe("a.b", "C").file != Probe("a", "b.C").file


def test_a_violation_outweighs_what_is_untyped() -> None:
    use = next(mark for mark in MARKS if mark.clause == "BC202" and mark.kind == "use")
    assert decide(CLAUSES["BC202"], {use.line: ["wrong"]}) == (Verdict.VIOLATED, [use])
    assert decide(CLAUSES["BC202"], {}).verdict is Verdict.UNCHECKED


def test_a_class_that_never_can_be_made_breaks_the_constructors_clause_alone() -> None:
    errors = {mark.line: ["abstract"] for mark in MARKS if mark.kind == "defined"}
    violated = [c.id for c in in_layer("S") if decide(c, errors).verdict is Verdict.VIOLATED]
    assert violated == ["BC201"]


CANARIES = re.findall(r"^class (\w+)", static._CANARIES, re.MULTILINE)


@pytest.mark.parametrize("canary", CANARIES)
def test_what_is_known_of_a_canary_passes(
    canary: str, errors_of_canaries: dict[str, set[int]]
) -> None:
    errors = {line: ["said"] for line in errors_of_canaries[canary]}
    static._require_the_known(canary, errors, "mypy 2")


@pytest.mark.parametrize("canary", CANARIES)
def test_a_base_that_is_any_and_is_not_told_from_others_stops_the_run(
    canary: str, errors_of_canaries: dict[str, set[int]]
) -> None:
    errors = {line: ["said"] for line in errors_of_canaries[canary] ^ {probe._SEEN}}
    with pytest.raises(CouldNotCheckError, match=f"base class .* of our own \\({canary}\\)"):
        static._require_the_known(canary, errors, "mypy 2")


@pytest.mark.parametrize("clause", [clause.id for clause in in_layer("S")])
@pytest.mark.parametrize("canary", CANARIES)
def test_a_single_clause_that_comes_out_otherwise_stops_the_run(
    canary: str, clause: str, errors_of_canaries: dict[str, set[int]]
) -> None:
    errors = {line: ["said"] for line in errors_of_canaries[canary]}
    for mark in (mark for mark in MARKS if mark.clause == clause):
        if canary.startswith("Breaks"):
            errors.pop(mark.line, None)
        else:
            errors[mark.line] = ["said"]
    with pytest.raises(CouldNotCheckError, match=f"{clause} is .* of our own \\({canary}\\)"):
        static._require_the_known(canary, errors, "mypy 2")
