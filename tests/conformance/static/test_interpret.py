"""Reports from given errors; no checker is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from conformance.static.support import DUE, finding, targets_of

from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.static import probe
from backend_contract._conformance.static.checkers import Diagnostic
from backend_contract._conformance.static.interpret import ProbeResult, interpret
from backend_contract.clauses import CLAUSES, in_layer

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
"""The first line of the class of a test."""


HINT = " (missing import or annotation)"


def lines(clause: str, kind: str, member: str = "", part: str | None = None) -> list[int]:
    found = [
        mark.line
        for mark in probe.MARKS
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
    errors: Mapping[int, list[str]] = {},
    diagnostics: Sequence[Diagnostic] = (),
) -> Report:
    """Return a report on `Mine`, with *errors* and those due, except the ones in *without*."""
    (directory / "mine.py").write_text(f"{HEAD}{text}\n")
    (target,) = targets_of([f"{directory}/mine.py:Mine"])
    lines = {line: ["due"] for line in DUE if line not in without} | dict(errors)
    return interpret(ProbeResult(target, "mypy 2.4.1", lines, diagnostics))


def wrong(of: Report) -> dict[str, Verdict]:
    """Return the verdicts other than ok; that `Mine` has the name of its base is left out."""
    assert of.error is None
    others = (f for f in of.findings if f.clause.id != "BC104")
    return {f.clause.id: f.verdict for f in others if f.verdict is not Verdict.OK}


def test_all_ok(tmp_path: Path) -> None:
    """A class that keeps every clause has one finding per clause."""
    whole = report(tmp_path)
    assert whole.target == f"{tmp_path}/mine.py:Mine"
    assert [f.clause for f in whole.findings] == list(in_layer("S"))
    assert wrong(whole) == {}
    stop = finding(whole, "BC309")
    assert stop == Finding(
        clause=CLAUSES["BC309"],
        verdict=Verdict.OK,
        path=tmp_path / "mine.py",
        line=9,
        layer="S",
        checked_by="mypy 2.4.1",
    )


@pytest.mark.parametrize("line", [probe.IMPORT_LINE, probe.ALIAS_LINE])
def test_import_error(tmp_path: Path, line: int) -> None:
    """A class that cannot be imported has an error and no findings."""
    none = report(tmp_path, errors={line: ["no such class", "more"]})
    target = f"{tmp_path}/mine.py:Mine"
    assert none == Report(target=target, error=f"{target}: mypy: no such class")


def test_violation(tmp_path: Path) -> None:
    """A violation is located at the member, and quotes the checker."""
    errors = {lines("BC309", "use", "stop")[0]: ["CompleteTarget is wrong", "CompleteTarget again"]}
    text = "class Mine(Whole):\n    x = 1\n    async def stop(self) -> None: ..."
    broken = report(tmp_path, text, errors=errors)
    assert wrong(broken) == {"BC309": Verdict.VIOLATED}
    violation = finding(broken, "BC309")
    assert (violation.path, violation.line) == (tmp_path / "mine.py", FIRST + 2)
    assert violation.found == "async def stop(self) -> None"
    assert violation.because == ("mypy: Mine is wrong", "mypy: Mine again")


def test_missing_members(tmp_path: Path) -> None:
    """Each wrong member is named once; a missing one is located at the class."""
    both = [*lines("BC309", "use"), *lines("BC501", "use")]
    broken = report(tmp_path, "class Mine: ...", errors={line: ["no member"] for line in both})
    assert finding(broken, "BC309").found == "no `start`; no `stop`"
    assert finding(broken, "BC309").because == ("mypy: no member",)
    assert finding(broken, "BC501").found == "no `handle_runtime_context`"
    assert finding(broken, "BC501").line == FIRST


def test_abstract(tmp_path: Path) -> None:
    """An abstract member is called abstract, unless the class has further ones."""
    errors = {line: ["abstract"] for line in lines("BC309", "defined", "stop")}
    broken = report(tmp_path, errors=errors)
    assert wrong(broken) == {"BC309": Verdict.VIOLATED}
    assert finding(broken, "BC309").because == (
        "`stop` is abstract, and the class does not define it",
    )
    never_made = report(
        tmp_path,
        "class Mine(Whole, ABC):\n    @abstractmethod\n    def other(self) -> None: ...",
        errors=errors | {lines("BC201", "defined")[0]: ["Cannot make CompleteTarget"]},
    )
    assert wrong(never_made) == {"BC201": Verdict.VIOLATED}


@pytest.mark.parametrize(
    ("without", "errors", "verdict"),
    [
        ([], lines("BC101", "use"), Verdict.BLOCKED),
        (lines("BC101", "typed"), [], Verdict.OK),
        ([], [], Verdict.OK),
    ],
    ids=["violated", "unchecked", "ok"],
)
def test_blocked(tmp_path: Path, without: list[int], errors: list[int], verdict: Verdict) -> None:
    """A clause is blocked by a violated one that it requires, and by no other."""
    text = "class Mine(Whole):\n    @property\n    def backend_type(self) -> str: ..."
    of = report(tmp_path, text, without=without, errors={line: ["wrong"] for line in errors})
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
            "mypy cannot resolve the return type of `start`{hint}: import of line 2",
        ),
        (
            "def start(self) -> Whole: ...",
            "BC309",
            "result",
            "mypy cannot resolve the return type of `start`{hint}",
        ),
        (
            "is_started: Unheard = False",
            "BC307",
            "",
            "mypy cannot resolve the type of `is_started`{hint}: import of line 2",
        ),
        (
            "def register_config(self, config: Unheard) -> None: ...",
            "BC202",
            "parameter 1",
            "mypy cannot resolve parameter 1 of `register_config`{hint}: import of line 2",
        ),
        (
            "def register_config(self, config: Any) -> None: ...",
            "BC202",
            "parameter 1",
            "mypy cannot resolve parameter 1 of `register_config`{hint}",
        ),
        (
            "def register_config(self, config) -> None: ...",
            "BC202",
            "parameter 1",
            "parameter `config` of `register_config` has no annotation",
        ),
    ],
)
def test_untyped(tmp_path: Path, body: str, clause: str, part: str, reason: str) -> None:
    """An unchecked clause names the missing annotation or import."""
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
    assert finding(open_, clause).because == (reason.format(hint=HINT),)
    assert finding(open_, clause).line == FIRST + 1


def test_object(tmp_path: Path) -> None:
    """A parameter that accepts every object is typed; a result or attribute is not."""
    missing = [line for c in ("BC201", "BC202") for line in lines(c, "typed", part="parameter 1")]
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
            f"mypy cannot resolve the return type of `register_config`{HINT}",
        )
    text = "class Mine(Whole):\n    is_started: object = True"
    assert wrong(report(tmp_path, text, lines("BC307", "typed"))) == {"BC307": Verdict.UNCHECKED}


@pytest.mark.parametrize(
    ("body", "unchecked", "line", "subject"),
    [
        ("def stop(self) -> None | Any: ...", "BC309", 1, "the return type of `stop`"),
        ("def start(self) -> Any | None: ...", "BC309", 1, "the return type of `start`"),
        (
            "x = 1\n    def __init__(self, config: int | Any = None): ...",
            "BC201",
            2,
            "parameter 1 of `__init__`",
        ),
        ("is_started: bool | Any = True", "BC307", 1, "the type of `is_started`"),
    ],
)
def test_union_with_any(tmp_path: Path, body: str, unchecked: str, line: int, subject: str) -> None:
    """A union with `Any` is unchecked, whatever the checker reports."""
    found = report(tmp_path, f"class Mine(Whole):\n    {body}")
    assert wrong(found) == {unchecked: Verdict.UNCHECKED}
    assert finding(found, unchecked).line == FIRST + line
    assert finding(found, unchecked).because == (f"mypy cannot resolve {subject}{HINT}",)


def test_several_unions(tmp_path: Path) -> None:
    """Every member with such a union is shown."""
    text = "class Mine(Whole):\n    def stop(self) -> Any | None: ...\n"
    found = finding(report(tmp_path, f"{text}    def start(self) -> Any | None: ..."), "BC309")
    assert found.line == FIRST + 2
    assert found.found == "def start(self) -> Any | None; def stop(self) -> Any | None"
    assert len(found.because) == 2


def test_unresolved_base(tmp_path: Path) -> None:
    """A base class that the checker cannot resolve may override inherited members."""
    text = "class Mine(Unknown, Whole):\n    def stop(self) -> None: ...\n"
    resolved = report(tmp_path, text)
    assert wrong(resolved) == {}
    unresolved = report(tmp_path, f"{text}    def start(self) -> None: ...\n", [probe.SEEN_LINE])
    assert set(wrong(unresolved).values()) == {Verdict.UNCHECKED}
    assert set(wrong(unresolved)) == {c.id for c in in_layer("S")} - {"BC103", "BC104", "BC309"}
    assert finding(unresolved, "BC307").because == (
        "mypy cannot resolve a base class, which may override `is_started`",
    )
    half = report(tmp_path, text, [probe.SEEN_LINE])
    assert finding(half, "BC309").because == (
        "mypy cannot resolve a base class, which may override `start`",
    )
    assert finding(half, "BC309").found == "def start(self) -> None  (from mine.Whole)"


@pytest.mark.parametrize(
    ("text", "violated", "because"),
    [
        (
            "class Mine:\n    backend_type: str",
            {"BC101": Verdict.VIOLATED, "BC102": Verdict.BLOCKED, "BC201": Verdict.BLOCKED},
            "`backend_type` is declared, but an instance has no value for it",
        ),
        (
            "class Mine:\n    backend_type: str\n    def f(self): self.backend_type = 'X'",
            {"BC102": Verdict.VIOLATED},
            "`backend_type` is declared, but the class has no value for it",
        ),
        (
            "class Mine:\n    is_started: bool",
            {"BC307": Verdict.VIOLATED, "BC201": Verdict.BLOCKED},
            "`is_started` is declared, but an instance has no value for it",
        ),
        (
            "class Mine:\n    is_started: bool\n    def __init__(self): self.is_started = True",
            {},
            "",
        ),
        (
            "class Mine:\n    stop: object",
            {"BC309": Verdict.VIOLATED, "BC201": Verdict.BLOCKED},
            "`stop` is declared, but an instance has no value for it",
        ),
        (
            "class Mine(Protocol): ...",
            {"BC201": Verdict.VIOLATED},
            "the class is a Protocol, which cannot be instantiated",
        ),
        (
            "class Mine:\n    backend_type: str = 7",
            {"BC101": Verdict.VIOLATED, "BC102": Verdict.BLOCKED},
            "the value of `backend_type`, `7`, is of type `int`",
        ),
        (
            "class Mine:\n    is_started: bool = 'yes'",
            {"BC307": Verdict.VIOLATED},
            "the value of `is_started`, `'yes'`, is of type `str`",
        ),
        ("class Mine:\n    is_started: bool = True\n    backend_type = 'X'", {}, ""),
        (
            "class Mine:\n    start: object = None\n    stop: object = int()",
            {"BC309": Verdict.VIOLATED},
            "`start` is `None`, of type `NoneType`, and cannot be called",
        ),
        ("class Mine:\n    start: object = Whole.made()", {}, ""),
    ],
)
def test_declaration(tmp_path: Path, text: str, violated: dict[str, Verdict], because: str) -> None:
    """A declaration without a value, or with a wrong one, is a violation."""
    found = report(tmp_path, text)
    assert wrong(found) == violated
    if violated:
        first = finding(found, next(iter(violated)))
        assert first.because == (because,)
        assert first.line == FIRST + ("Protocol" not in text)


@pytest.mark.parametrize(
    ("body", "clause", "fix"),
    [
        ("def stop(self) -> None: raise OSError", "BC309", "Let `stop` always return `None`."),
        (
            "@property\n    def is_started(self) -> bool: return 1",
            "BC307",
            "Let `is_started` always return a `bool`.",
        ),
        (
            "def start_lock(self) -> int:\n        self.locked = True",
            "BC401",
            "Let `start_lock` always return a context manager.",
        ),
    ],
    ids=["stop", "is_started", "start_lock"],
)
def test_fix_of_body(tmp_path: Path, body: str, clause: str, fix: str) -> None:
    """The fix of a body is about what it returns; the annotation is right."""
    found = report(tmp_path, f"class Mine(Whole):\n    {body}")
    assert finding(found, clause).verdict is Verdict.VIOLATED
    assert finding(found, clause).advice == fix


def test_fix_of_decorator(tmp_path: Path) -> None:
    """A decorator without a type is to be annotated: that of the member alone helps nothing."""
    text = "    @untyped\n    def stop(self) -> None: ...\n"
    (tmp_path / "decorators.py").write_text("def untyped(function): return function\n")
    head = "from decorators import untyped\n"
    found = finding(report(tmp_path, f"{head}class Mine(Whole):\n{text}"), "BC309")
    assert found.verdict is Verdict.UNCHECKED
    assert found.advice.startswith("Annotate `untyped`, such as `(function: Callable[P, R]) ->")


def test_checker_first(tmp_path: Path) -> None:
    """The report of the checker comes first, unless the source shows the value."""
    errors = {line: ["wrong"] for line in lines("BC307", "use")}
    found = report(tmp_path, "class Mine(Whole):\n    is_started: str = made()", errors=errors)
    assert finding(found, "BC307").because == ("mypy: wrong",)


@pytest.mark.parametrize(
    ("bases", "is_open"),
    [
        ("LocalBackend, Other", False),
        ("LocalBackend, Further", True),
        ("Other, LocalBackend", True),
        ("Between", False),
    ],
)
def test_second_base(tmp_path: Path, bases: str, is_open: bool) -> None:
    """A second base that a checker does not resolve hides nothing, unless it is a backend too."""
    (tmp_path / "bases.py").write_text("""\
from backend_contract import BackendBase

class Other:
    def start(self) -> int: ...

class Further(BackendBase, Other): ...
""")
    text = f"""\
from backend_contract import LocalBackend
from bases import Further, Other
class Between(LocalBackend, Other): ...
class Mine({bases}):
    backend_type = "MINE"
"""
    found = wrong(report(tmp_path, text, [probe.SEEN_LINE]))
    assert ("BC307" in found) is is_open
    assert set(found.values()) <= {Verdict.UNCHECKED}
