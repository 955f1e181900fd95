"""Each clause of layer S, on classes that keep it and on classes that break it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.targets import Target, find_targets
from backend_contract._conformance.static import check
from backend_contract._conformance.static.checkers import Diagnostic, Mypy
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract.clauses import CLAUSES, in_layer
from backend_contract.errors import CouldNotCheckError

SAMPLES = Path(__file__).parent / "samples.py"
KNOWN = {
    match[1]: "" if match[2] == "ok" else match[2]
    for match in re.finditer(r"^class (\w+).*:  # (.+)$", SAMPLES.read_text(), re.MULTILINE)
}
"""What is known of each class of the samples; see there."""

PRELUDE = SAMPLES.read_text().partition("class Nameless")[0]
"""Imports, and a class that breaks nothing, for a file of one test."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, cache_home: Path) -> dict[str, Report]:
    """The reports on all samples and on the examples of all clauses, from one run of mypy."""
    directory = tmp_path_factory.mktemp("examples")
    texts = {name: f"{SAMPLES}:{name}" for name in KNOWN}
    for clause in CLAUSES.values():
        for kind, example in (("bad", clause.bad), ("good", clause.good)):
            path = directory / f"{clause.id}_{kind}.py"
            path.write_text(example)
            texts[path.stem] = f"{path}:Mine"
    targets = [target for target in find_targets([*texts.values()]) if isinstance(target, Target)]
    return dict(zip(texts, check(targets, Mypy(), cache_home), strict=True))


def shorthand(report: Report) -> str:
    """The clauses that do not hold, written as in the samples."""
    assert report.error is None
    letters = {Verdict.VIOLATED: "", Verdict.UNCHECKED: "u", Verdict.BLOCKED: "b"}
    return " ".join(
        finding.clause.id + letters[finding.verdict]
        for finding in report.findings
        if finding.verdict is not Verdict.OK
    )


@pytest.mark.parametrize("name", KNOWN)
def test_a_class_breaks_what_it_breaks_and_nothing_else(
    name: str, reports: dict[str, Report]
) -> None:
    assert shorthand(reports[name]) == KNOWN[name]


def test_every_class_of_the_samples_says_what_is_known_of_it() -> None:
    assert len(KNOWN) == SAMPLES.read_text().count("\nclass ") > 100


@pytest.mark.parametrize("clause", [clause.id for clause in in_layer("S")])
def test_every_clause_is_kept_broken_and_left_open_by_some(clause: str) -> None:
    said = [known.split() for known in KNOWN.values()]
    assert any([clause] == words for words in said) or clause == "BC101"  # which blocks BC102
    assert any(clause in words for words in said)
    assert any(f"{clause}u" in words for words in said)
    assert any(not words for words in said)


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_bad_example_breaks_its_clause_and_no_other(
    clause: str, reports: dict[str, Report]
) -> None:
    expected = clause if "S" in CLAUSES[clause].layers else ""
    if clause == "BC101":
        expected = "BC101 BC102b"
    assert shorthand(reports[f"{clause}_bad"]) == expected


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_good_example_is_not_violated_by_anything(
    clause: str, reports: dict[str, Report]
) -> None:
    assert shorthand(reports[f"{clause}_good"]) == ""


def finding(report: Report, clause: str) -> Finding:
    return next(each for each in report.findings if each.clause.id == clause)


def check_text(directory: Path, text: str, cache: Path | None, name: str = "mine") -> Report:
    path = directory / f"{name}.py"
    path.write_text(textwrap.dedent(text))
    (target,) = find_targets([f"{path}:X"])
    assert isinstance(target, Target), target
    (report,) = check([target], Mypy(), cache)
    return report


def test_a_violation_says_where_what_and_why(tmp_path: Path, cache_home: Path) -> None:
    text = f"{PRELUDE}\nclass X(Whole):\n    async def stop(self) -> None: ...\n"
    violation = finding(check_text(tmp_path, text, cache_home), "BC309")
    assert violation.path == tmp_path / "mine.py"
    assert violation.line == len(text.splitlines())
    assert violation.found == "async def stop(self) -> None"
    assert len(violation.because) == 1
    assert violation.because[0].startswith("mypy: ")


def test_a_missing_member_is_reported_at_the_class(tmp_path: Path, cache_home: Path) -> None:
    report = check_text(tmp_path, "\n\nclass X:\n    pass\n", cache_home)
    violation = finding(report, "BC309")
    assert (violation.path, violation.line) == (tmp_path / "mine.py", 3)
    assert violation.found == "no `start`; no `stop`"


def test_an_unchecked_clause_says_why(tmp_path: Path, cache_home: Path) -> None:
    text = f"""{PRELUDE}
class X(Whole):
    def register_config(self, config): ...
    def start(self) -> None: ...
    def handle_runtime_context(self, model_id: str, runtime_context: Unheard) -> None: ...
"""
    report = check_text(tmp_path, text, cache_home)
    assert finding(report, "BC202").because == (
        "`register_config` has no return annotation",
        "parameter `config` of `register_config` has no annotation",
    )
    (reason,) = finding(report, "BC501").because
    assert reason.startswith("parameter 2 of `handle_runtime_context` is `Any` to mypy")
    assert '"nowhere"' in reason


def test_an_abstract_member_is_called_that_and_not_by_the_names_of_the_probe(
    tmp_path: Path, cache_home: Path
) -> None:
    report = check_text(
        tmp_path, "from backend_contract import BackendBase\nclass X(BackendBase): ...", cache_home
    )
    assert finding(report, "BC309").because == (
        "`start` is abstract, and the class does not define it",
        "`stop` is abstract, and the class does not define it",
    )


def test_a_blocked_clause_names_the_one_it_waits_for(reports: dict[str, Report]) -> None:
    blocked = finding(reports["BC101_bad"], "BC102")
    assert (blocked.verdict, blocked.because) == (Verdict.BLOCKED, ("BC101",))


WEAK_SETTINGS = (
    "[mypy]\nignore_missing_imports = True\nignore_errors = True\nfollow_imports = skip\n"
)


@pytest.mark.parametrize("name", ["mypy.ini", "setup.cfg", ".mypy.ini"])
def test_the_users_settings_do_not_weaken_the_check(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYPY_CACHE_DIR", str(tmp_path / "their cache"))
    monkeypatch.setenv("MYPYPATH", str(tmp_path / "their stubs"))
    (tmp_path / name).write_text(WEAK_SETTINGS)
    text = f"# mypy: ignore-errors\n{PRELUDE}\nclass X(Whole):\n    def start(self) -> int: ...\n"
    assert shorthand(check_text(tmp_path, text, cache_home)) == "BC309"
    assert not (tmp_path / "their cache").exists()


def test_stubs_of_the_users_that_hide_everything_are_not_taken_for_green(
    tmp_path: Path, cache_home: Path
) -> None:
    (tmp_path / "grpc.pyi").write_text("from typing import Any\nServicerContext: Any\n")
    report = check_text(tmp_path, f"{PRELUDE}\nclass X(Whole): ...\n", cache_home)
    assert report.error is not None
    assert "cannot be relied on here: BC501 is ok in a backend of our own" in report.error


def test_two_files_of_one_name_are_not_mixed_up(tmp_path: Path, cache_home: Path) -> None:
    texts = {
        "one": "class X(Whole): ...",
        "two": "class X(Whole):\n    def start(self) -> int: ...\n",
    }
    for directory, text in texts.items():
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "mine.py").write_text(f"{PRELUDE}\n{text}\n")
    targets = find_targets([f"{tmp_path / directory}/mine.py:X" for directory in texts])
    found = [target for target in targets if isinstance(target, Target)]
    assert [shorthand(report) for report in check(found, Mypy(), cache_home)] == ["", "BC309"]


class Counting(Mypy):
    """mypy, and how many times it was run."""

    runs = 0

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        self.runs += 1
        return super().check(request)


def test_targets_below_one_root_share_a_run(tmp_path: Path, cache_home: Path) -> None:
    for directory in ("one", "two", "three"):
        (tmp_path / directory).mkdir()
    (tmp_path / "one/a.py").write_text(f"{PRELUDE}\nclass Empty: ...\n")
    (tmp_path / "two/b.py").write_text(PRELUDE)
    (tmp_path / "three/a.py").write_text(PRELUDE)
    texts = ["one/a.py:Whole", "one/a.py:Empty", "two/b.py:Whole", "three/a.py:Whole"]
    targets = find_targets([str(tmp_path / text) for text in texts])
    counting = Counting()
    reports = check([t for t in targets if isinstance(t, Target)], counting, cache_home)
    assert [shorthand(report) for report in reports] == ["", KNOWN["Empty"], "", ""]
    assert counting.runs == 3


def test_a_target_that_stops_the_checker_does_not_cost_the_others_their_result(
    tmp_path: Path, cache_home: Path
) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "bad.py").write_text("import broken\nclass X: ...\n")
    (tmp_path / "good.py").write_text(f"{PRELUDE}\nclass X(Whole): ...\n")
    targets = find_targets([f"{tmp_path}/{name}.py:X" for name in ("good", "bad", "good")])
    good, bad, again = check([t for t in targets if isinstance(t, Target)], Mypy(), cache_home)
    assert shorthand(good) == shorthand(again) == ""
    assert bad.error is not None
    assert f"{tmp_path}/broken.py:1: " in bad.error


class Silent(Mypy):
    """A checker that reports nothing: what a wrong preset, or a wrong version, comes to."""

    name = "silent"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        return []


class Noisy(Mypy):
    """A checker that reports every line."""

    name = "noisy"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        directory = request.directory
        return [
            Diagnostic(directory / f, n, "no", False) for f in request.files for n in range(1, 300)
        ]


class Crashing(Mypy):
    """A checker that never comes to its end."""

    name = "crashing"

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        raise CouldNotCheckError("crashing could not run: Segmentation fault")


@pytest.mark.parametrize(
    ("checker", "message"),
    [
        (Silent(), "silent .* cannot be relied on here: BC101 is ok in a backend of our own"),
        (Noisy(), "noisy .* cannot be relied on here: BC101 is ok in a backend of our own"),
        (Crashing(), "Segmentation fault"),
    ],
    ids=["silent", "noisy", "crashing"],
)
def test_a_checker_that_does_not_see_what_is_known_is_no_green(
    tmp_path: Path, checker: Mypy, message: str
) -> None:
    (tmp_path / "mine.py").write_text(PRELUDE)
    targets = find_targets([f"{tmp_path}/mine.py:Whole", f"{tmp_path}/mine.py:Whole"])
    found = [target for target in targets if isinstance(target, Target)]
    with pytest.raises(CouldNotCheckError, match=message):
        check(found, checker, None)
    (report,) = check(found[:1], checker, None)
    assert report.error is not None
    assert not report.findings
