"""From what a checker is made to have reported to a report; no checker is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.targets import Target, find_targets
from backend_contract._conformance.static import probe
from backend_contract._conformance.static.checkers import Diagnostic
from backend_contract._conformance.static.interpret import ProbeResult, interpret
from backend_contract.clauses import CLAUSES, in_layer

DUE = {mark.line: ["due"] for mark in probe._MARKS if mark.kind == "typed"} | {probe._SEEN: ["due"]}
"""What a checker reports of a class that keeps every clause, and is typed throughout."""

HEAD = """\
from typing import Any, Protocol
from nowhere import Unknown, Unheard

class Whole:
    backend_type = "X"
    is_started = False
    def __init__(self, config: int | None = None) -> None: ...
    def register_config(self, config: int) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> int: ...
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...
"""
FIRST = len(HEAD.splitlines()) + 1
"""The line on which the class of a test begins."""


def lines(clause: str, kind: str, member: str = "", part: str | None = None) -> list[int]:
    found = [
        mark.line
        for mark in probe._MARKS
        if (mark.clause, mark.kind) == (clause, kind)
        and member in ("", mark.member)
        and part in (None, mark.part)
    ]
    assert found
    return found


def report(
    directory: Path,
    text: str = "class Mine(Whole): ...",
    without: Sequence[int] = (),
    said: Mapping[int, list[str]] = {},
    diagnostics: Sequence[Diagnostic] = (),
) -> Report:
    """On ``Mine``: every line that is due is reported, but those in ``without``, and ``said``."""
    (directory / "mine.py").write_text(f"{HEAD}{text}\n")
    (target,) = find_targets([f"{directory}/mine.py:Mine"])
    assert isinstance(target, Target), target
    errors = {line: text for line, text in DUE.items() if line not in without} | dict(said)
    return interpret(ProbeResult(target, "mypy 2.4.1", errors, diagnostics))


def finding(of: Report, clause: str) -> Finding:
    return next(each for each in of.findings if each.clause.id == clause)


def wrong(of: Report) -> dict[str, Verdict]:
    assert of.error is None
    return {f.clause.id: f.verdict for f in of.findings if f.verdict is not Verdict.OK}


def test_what_keeps_every_clause_has_a_finding_of_each(tmp_path: Path) -> None:
    whole = report(tmp_path)
    assert whole.target == f"{tmp_path}/mine.py:Mine"
    assert [f.clause for f in whole.findings] == list(in_layer("S"))
    assert wrong(whole) == {}
    stop = finding(whole, "BC309")
    assert stop == Finding(
        CLAUSES["BC309"], Verdict.OK, tmp_path / "mine.py", 9, layer="S", by="mypy 2.4.1"
    )


@pytest.mark.parametrize("line", [probe._IMPORT, probe._ALIAS])
def test_a_class_that_is_not_found_has_no_finding(tmp_path: Path, line: int) -> None:
    none = report(tmp_path, said={line: ["no such class", "more"]})
    target = f"{tmp_path}/mine.py:Mine"
    assert none == Report(target, error=f"{target}: mypy: no such class")


def test_a_violation_is_found_where_the_member_is(tmp_path: Path) -> None:
    said = {lines("BC309", "use", "stop")[0]: ["CompleteTarget is wrong", "CompleteTarget again"]}
    text = "class Mine(Whole):\n    x = 1\n    async def stop(self) -> None: ..."
    broken = report(tmp_path, text, said=said)
    assert wrong(broken) == {"BC309": Verdict.VIOLATED}
    assert finding(broken, "BC309")[2:6] == (
        tmp_path / "mine.py",
        FIRST + 2,
        "async def stop(self) -> None",
        ("mypy: Mine is wrong", "mypy: Mine again"),
    )


def test_each_member_that_is_wrong_is_named_once(tmp_path: Path) -> None:
    both = [*lines("BC309", "use"), *lines("BC501", "use")]
    broken = report(tmp_path, "class Mine: ...", said={line: ["no member"] for line in both})
    assert finding(broken, "BC309").found == "no `start`; no `stop`"
    assert finding(broken, "BC309").because == ("mypy: no member",)
    assert finding(broken, "BC501").found == "no `handle_runtime_context`"
    assert finding(broken, "BC501").line == FIRST


def test_what_is_abstract_is_called_so(tmp_path: Path) -> None:
    said = {line: ["abstract"] for line in lines("BC309", "defined", "stop")}
    broken = report(tmp_path, said=said)
    assert wrong(broken) == {"BC309": Verdict.VIOLATED}
    assert finding(broken, "BC309").because == (
        "`stop` is abstract, and the class does not define it",
    )
    never_made = report(
        tmp_path, said=said | {lines("BC201", "defined")[0]: ["Cannot make CompleteTarget"]}
    )
    assert wrong(never_made) == {"BC201": Verdict.VIOLATED}
    assert finding(never_made, "BC201").because == ("mypy: Cannot make Mine",)


@pytest.mark.parametrize(
    ("without", "said", "verdict"),
    [
        ([], lines("BC101", "use"), Verdict.BLOCKED),
        (lines("BC101", "typed"), [], Verdict.OK),
        ([], [], Verdict.OK),
    ],
    ids=["violated", "unchecked", "ok"],
)
def test_a_clause_waits_for_the_one_it_requires(
    tmp_path: Path, without: list[int], said: list[int], verdict: Verdict
) -> None:
    of = report(tmp_path, without=without, said={line: ["wrong"] for line in said})
    blocked = finding(of, "BC102")
    assert blocked.verdict is verdict
    assert blocked.because == (("BC101",) if verdict is Verdict.BLOCKED else ())
    assert bool(blocked.found) is False
    assert finding(of, "BC201").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("body", "clause", "part", "reason"),
    [
        ("def start(self): ...", "BC309", "result", "`start` has no return annotation"),
        (
            "def start(self) -> Unheard: ...",
            "BC309",
            "result",
            "what `start` returns is `Any` to mypy, in part at least: import of line 2",
        ),
        (
            "def start(self) -> Whole: ...",
            "BC309",
            "result",
            "what `start` returns is `Any` to mypy, in part at least",
        ),
        (
            "is_started: Unheard = 1",
            "BC307",
            "",
            "`is_started` is `Any` to mypy, in part at least: import of line 2",
        ),
        (
            "def register_config(self, config: Unheard) -> None: ...",
            "BC202",
            "parameter 1",
            "parameter 1 of `register_config` is `Any` to mypy, in part at least: import of line 2",
        ),
        (
            "def register_config(self, config: Any) -> None: ...",
            "BC202",
            "parameter 1",
            "parameter 1 of `register_config` is `Any` to mypy, in part at least",
        ),
        (
            "def register_config(self, config) -> None: ...",
            "BC202",
            "parameter 1",
            "parameter `config` of `register_config` has no annotation",
        ),
    ],
)
def test_what_is_untyped_says_why(
    tmp_path: Path, body: str, clause: str, part: str, reason: str
) -> None:
    file, member = (tmp_path / "mine.py").resolve(), reason.partition("`")[2].partition("`")[0]
    member = {"config": "register_config"}.get(member, member)
    diagnostics = [
        Diagnostic(file.with_name("a.py"), 2, "import of another file", True),
        Diagnostic(file.with_name("z.py"), 2, "import of another file", True),
        Diagnostic(file, 1, "no import", False),
        Diagnostic(file, 2, "no import", False),
        Diagnostic(file, 3, "import of another line", True),
        Diagnostic(file, 2, "import of line 2", True),
    ]
    missing = lines(clause, "typed", member, part)
    open_ = report(tmp_path, f"class Mine(Whole):\n    {body}", missing, diagnostics=diagnostics)
    assert wrong(open_) == {clause: Verdict.UNCHECKED}
    assert finding(open_, clause).because == (reason,)
    assert finding(open_, clause).line == FIRST + 1


def test_who_takes_every_object_is_typed(tmp_path: Path) -> None:
    missing = [*lines("BC202", "typed", part="parameter 1"), *lines("BC201", "typed")]
    text = """\
class Mine(Whole):
    def __init__(self, config: object = None) -> None: ...
    def register_config(self, config: object) -> {}: ...
"""
    assert wrong(report(tmp_path, text.format("object"), missing)) == {}
    for result in ("object", "Any"):
        half = report(tmp_path, text.format(result), lines("BC202", "typed"))
        assert wrong(half) == {"BC202": Verdict.UNCHECKED}
        assert finding(half, "BC202").because == (
            "what `register_config` returns is `Any` to mypy, in part at least",
        )
    text = "class Mine(Whole):\n    is_started: object = 1"
    assert wrong(report(tmp_path, text, lines("BC307", "typed"))) == {"BC307": Verdict.UNCHECKED}


@pytest.mark.parametrize(
    ("body", "unchecked", "line", "reason"),
    [
        ("def stop(self) -> None | Any: ...", "BC309", 1, "what `stop` returns is `Any` to mypy"),
        ("def start(self) -> Any | None: ...", "BC309", 1, "what `start` returns is `Any` to mypy"),
        (
            "x = 1\n    def __init__(self, config: int | Any = None): ...",
            "BC201",
            2,
            "parameter 1 of `__init__` is `Any` to mypy",
        ),
        ("is_started: bool | Any = True", "BC307", 1, "`is_started` is `Any` to mypy"),
    ],
)
def test_a_union_with_any_is_unchecked_whatever_a_checker_sees(
    tmp_path: Path, body: str, unchecked: str, line: int, reason: str
) -> None:
    found = report(tmp_path, f"class Mine(Whole):\n    {body}")
    assert wrong(found) == {unchecked: Verdict.UNCHECKED}
    assert finding(found, unchecked).line == FIRST + line
    assert finding(found, unchecked).because == (f"{reason}, in part at least",)


def test_all_that_is_any_in_part_is_shown(tmp_path: Path) -> None:
    text = "class Mine(Whole):\n    def stop(self) -> Any | None: ...\n"
    found = finding(report(tmp_path, f"{text}    def start(self) -> Any | None: ..."), "BC309")
    assert found.line == FIRST + 2
    assert found.found == "def start(self) -> Any | None; def stop(self) -> Any | None"
    assert len(found.because) == 2


def test_a_base_that_is_any_to_the_checker_may_give_another_member(tmp_path: Path) -> None:
    text = "class Mine(Unknown, Whole):\n    def stop(self) -> None: ...\n"
    seen = report(tmp_path, text)
    assert wrong(seen) == {}
    unseen = report(tmp_path, f"{text}    def start(self) -> None: ...\n", [probe._SEEN])
    assert set(wrong(unseen).values()) == {Verdict.UNCHECKED}
    assert set(wrong(unseen)) == {c.id for c in in_layer("S")} - {"BC309"}
    assert finding(unseen, "BC307").because == (
        "a base class is `Any` to mypy, and may give another `is_started`",
    )
    half = report(tmp_path, text, [probe._SEEN])
    assert finding(half, "BC309").because == (
        "a base class is `Any` to mypy, and may give another `start`",
    )
    assert finding(half, "BC309").found == "def start(self) -> None  (from mine.Whole)"


@pytest.mark.parametrize(
    ("text", "violated", "because"),
    [
        (
            "class Mine:\n    backend_type: str",
            {"BC101": Verdict.VIOLATED, "BC102": Verdict.BLOCKED},
            "`backend_type` is declared, and nothing gives it to an instance",
        ),
        (
            "class Mine:\n    backend_type: str\n    def f(self): self.backend_type = 'X'",
            {"BC102": Verdict.VIOLATED},
            "`backend_type` is declared, and nothing gives it to the class",
        ),
        (
            "class Mine:\n    is_started: bool",
            {"BC307": Verdict.VIOLATED},
            "`is_started` is declared, and nothing gives it to an instance",
        ),
        (
            "class Mine:\n    is_started: bool\n    def f(self): self.is_started = True",
            {},
            "",
        ),
        (
            "class Mine:\n    stop: object",
            {"BC309": Verdict.VIOLATED},
            "`stop` is declared, and nothing gives it to an instance",
        ),
        (
            "class Mine(Protocol): ...",
            {"BC201": Verdict.VIOLATED},
            "the class is a Protocol, of which there are no instances",
        ),
        (
            "class Mine:\n    backend_type: str = 7",
            {"BC101": Verdict.VIOLATED, "BC102": Verdict.BLOCKED},
            "its value is 7, whatever is declared",
        ),
        (
            "class Mine:\n    is_started: bool = 'yes'",
            {"BC307": Verdict.VIOLATED},
            "its value is 'yes', whatever is declared",
        ),
        ("class Mine:\n    is_started: bool = True\n    backend_type = 'X'", {}, ""),
        (
            "class Mine:\n    start: object = None",
            {"BC309": Verdict.VIOLATED},
            "its value is None, whatever is declared",
        ),
        ("class Mine:\n    start: object = int()", {}, ""),
    ],
)
def test_what_a_declaration_hides_is_read_from_the_source(
    tmp_path: Path, text: str, violated: dict[str, Verdict], because: str
) -> None:
    found = report(tmp_path, text)
    assert wrong(found) == violated
    if violated:
        first = finding(found, next(iter(violated)))
        assert first.because == (because,)
        assert first.line == FIRST + ("Protocol" not in text)


def test_what_a_checker_reports_comes_before_what_the_source_says(tmp_path: Path) -> None:
    said = {line: ["wrong"] for line in lines("BC307", "use")}
    found = report(tmp_path, "class Mine(Whole):\n    is_started: str = 7", said=said)
    assert finding(found, "BC307").because == ("mypy: wrong",)
