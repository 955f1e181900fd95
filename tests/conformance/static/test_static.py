"""Runs of a fake checker: its requests, and the reports that follow from its answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conformance.static.support import USED, FakeChecker, reported_in, targets_of

from backend_contract._conformance.results import Report, Verdict
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static import probe
from backend_contract._conformance.static.checkers import Diagnostic
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.checking import check
from backend_contract._conformance.static.probe import (
    CANARIES,
    CANARY_MODULE,
    CANARY_PROBES,
    digest,
    known_verdicts,
)
from backend_contract.errors import CouldNotCheckError


def targets_in(directory: Path, *texts: str) -> list[Target]:
    """Write an empty class per target, and return the targets."""
    for text in texts:
        file, _, name = text.rpartition(":")
        path = directory / file
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as opened:
            opened.write(f"class {name}: ...\n")
    return targets_of(f"{directory}/{text}" for text in texts)


def verdicts(report: Report) -> set[Verdict]:
    assert report.error is None
    assert {finding.checked_by for finding in report.findings} == {"fake 7.1"}
    return {finding.verdict for finding in report.findings}


def test_one_run_per_root(tmp_path: Path) -> None:
    """Targets below one root share a run; reports keep the order of the targets."""
    texts = ["one/a.py:BreaksAll", "two/b.py:Fine", "one/a.py:UntypedAll", "one/c.py:FineToo"]
    targets = targets_in(tmp_path, *texts)
    fake = FakeChecker()
    reports = check(targets, fake, None)
    assert [report.target for report in reports] == [target.text for target in targets]
    broken, fine, untyped, fine_too = map(verdicts, reports)
    assert broken == {Verdict.VIOLATED, Verdict.BLOCKED}
    assert untyped == {Verdict.UNCHECKED}
    assert fine == fine_too == {Verdict.OK}
    roots = [[*request.roots[:-1]] for request in fake.requests]
    assert roots == [[tmp_path / "one"], [tmp_path / "two"]]
    assert [len(request.files) - len(CANARY_PROBES) for request in fake.requests] == [3, 1]


def test_directory(tmp_path: Path) -> None:
    """A run has a temporary directory, which is removed."""
    fake = FakeChecker()
    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), fake, None)
    assert verdicts(report) == {Verdict.OK}
    (request,) = fake.requests
    assert request.roots == [tmp_path, request.directory / "stubs"]
    assert request.cache == request.directory / "cache"
    assert request.environment == this_environment()
    assert not request.directory.exists()
    assert fake.texts[0][f"{CANARY_MODULE}.py"] == CANARIES


def test_nested_too_deeply(tmp_path: Path) -> None:
    """If a class is nested too deeply, its report has an error, and the others are not affected."""
    (tmp_path / "deep.py").write_text(
        "from backend_contract import LocalBackend\n\nclass Deep(LocalBackend):\n"
        "    def start(self) -> None:\n        if a: ...\n"
        + "        elif a: ...\n"
        * (sys.getrecursionlimit() // 2)
    )
    targets = [*targets_of([f"{tmp_path}/deep.py:Deep"]), *targets_in(tmp_path, "mine.py:Fine")]
    deep, fine = check(targets, FakeChecker(), None)
    assert verdicts(fine) == {Verdict.OK}
    assert deep.error == (
        f"{targets[0].text}: its source is nested too deeply to be read; divide its longest chain "
        "of `elif`"
    )


def test_installed_class(tmp_path: Path) -> None:
    """An installed class has no root."""
    fake = FakeChecker()
    targets = find_targets(["backend_contract:LocalBackend"], here=tmp_path)
    check([target for target in targets if isinstance(target, Target)], fake, None)
    (request,) = fake.requests
    assert request.roots == [request.directory / "stubs"]


def test_cache(tmp_path: Path) -> None:
    """The cache depends on the environment and the root."""
    fake, kept = FakeChecker(), tmp_path / "kept"
    targets = targets_in(tmp_path, "one/a.py:Fine", "two/b.py:Fine")
    other = Environment("/other/python", (3, 12), this_environment().path)
    check(targets, fake, kept)
    check(targets, fake, kept)
    check(targets, fake, kept, other)
    one, two, *again = (request.cache for request in fake.requests)
    assert one == kept / digest(sys.executable, str(tmp_path / "one"))
    assert again[:2] == [one, two]
    assert again[2] == kept / digest("/other/python", str(tmp_path / "one"))
    assert len({one, *again[1:]}) == 4
    assert fake.requests[-1].environment == other


def test_errors_elsewhere(tmp_path: Path) -> None:
    """Errors outside of the probes do not count."""

    class Elsewhere(FakeChecker):
        def check(self, request: CheckRequest) -> list[Diagnostic]:
            more = [
                Diagnostic(directory / file, line, "no", False)
                for directory in (request.directory / "stubs", request.directory.parent, tmp_path)
                for file in request.files
                for line in USED
            ]
            return [*more, *super().check(request)]

    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), Elsewhere(), None)
    assert verdicts(report) == {Verdict.OK}


@pytest.mark.parametrize("bad", [[0], [4], [1, 2], [0, 1, 2, 3, 4]])
def test_stopping_targets(tmp_path: Path, bad: list[int]) -> None:
    """A target that stops the checker does not cost the others their results."""

    class Stopped(FakeChecker):
        def check(self, request: CheckRequest) -> list[Diagnostic]:
            found = super().check(request)
            stops = [text for text in self.texts[-1].values() if "import Stops" in text]
            if stops:
                raise CouldNotCheckError("cannot go on")
            return found

    texts = [f"mine.py:{'Stops' if n in bad else 'Fine'}{n}" for n in range(5)]
    targets = targets_in(tmp_path, *texts)
    reports = check(targets, Stopped(), None)
    for number, report in enumerate(reports):
        if number in bad:
            assert report == Report(target=report.target, error=f"{report.target}: cannot go on")
        else:
            assert verdicts(report) == {Verdict.OK}
        assert report.target == targets[number].text


def test_failing_checker(tmp_path: Path) -> None:
    """A checker that fails without targets too is not started again for each target."""

    class Dead(FakeChecker):
        def check(self, request: CheckRequest) -> list[Diagnostic]:
            super().check(request)
            raise CouldNotCheckError("dead")

    dead = Dead()
    targets = targets_in(tmp_path, *(f"mine.py:Fine{n}" for n in range(8)))
    with pytest.raises(CouldNotCheckError, match=r"^dead$"):
        check(targets, dead, None)
    assert [len(request.files) - len(CANARY_PROBES) for request in dead.requests] == [8, 0]


def wrong_on(canary: str, change: Callable[[set[int]], set[int]]) -> FakeChecker:
    """Return a checker that is wrong on one canary."""
    return FakeChecker(
        lambda name: change(reported_in(name)) if name == canary else reported_in(name)
    )


def marks(clause: str, kind: str) -> set[int]:
    return {mark.line for mark in probe.MARKS if (mark.clause, mark.kind) == (clause, kind)}


@pytest.mark.parametrize("canary", CANARY_PROBES)
@pytest.mark.parametrize("clause", [clause.id for clause in probe.PROBED])
def test_wrong_verdict(tmp_path: Path, canary: str, clause: str) -> None:
    """A wrong verdict on a single clause of a canary discards the results."""
    known = known_verdicts(canary, clause)

    def change(lines: set[int]) -> set[int]:
        typed = marks(clause, "typed")
        if Verdict.OK in known:
            return lines - typed
        return (lines | typed) - marks(clause, "use")

    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), wrong_on(canary, change), None)
    due = " or ".join(verdict.value for verdict in known)
    came_out = "unchecked" if Verdict.OK in known else "ok"
    assert report.findings == ()
    assert report.error is not None
    assert report.error.startswith(
        f"{report.target}: fake 7.1 failed a built-in self-test "
        f"({canary}/{clause}: expected {due}, got {came_out})"
    )
    assert report.error.endswith("it reported: nothing")


def test_message_of_wrong_checker(tmp_path: Path) -> None:
    """The error quotes the report of the wrong checker."""
    targets = targets_in(tmp_path, "mine.py:Fine")
    used = wrong_on("Good", lambda lines: lines | marks("BC309", "use"))
    assert str(check(targets, used, None)[0].error).endswith(
        "(Good/BC309: expected ok, got violated); its results were discarded; it reported: no"
    )
    blind = wrong_on("Good", lambda lines: {probe.IMPORT_LINE})
    blind.message = "no such module"
    assert str(check(targets, blind, None)[0].error).endswith("; it reported: no such module")


@pytest.mark.parametrize("canary", CANARY_PROBES)
def test_blind_to_bases(tmp_path: Path, canary: str) -> None:
    """A checker that does not tell a base class that is `Any` from others is not trusted."""
    wrong = wrong_on(canary, lambda lines: lines ^ {probe.SEEN_LINE})
    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), wrong, None)
    assert f"self-test ({canary}: it does not tell a base class" in str(report.error)


@pytest.mark.parametrize("lines", [set[int](), {*range(1, 300)}], ids=["silent", "noisy"])
def test_useless_checker(tmp_path: Path, lines: set[int]) -> None:
    """A checker that reports nothing, or every line, makes no target pass."""
    targets = targets_in(tmp_path, "mine.py:Fine", "mine.py:FineToo")
    with pytest.raises(CouldNotCheckError, match="failed a built-in self-test"):
        check(targets, FakeChecker(lambda name: lines), None)
    (report,) = check(targets[:1], FakeChecker(lambda name: lines), None)
    assert report.error is not None
    assert not report.findings
