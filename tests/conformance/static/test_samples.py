"""Every clause of layer S on classes with known verdicts, all in one run of mypy."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conformance.static.support import KNOWN, SAMPLES, WHOLE, finding, shorthand, targets_of
from support import shared_directory

from backend_contract._conformance.results import Report, Verdict
from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checking import check
from backend_contract.clauses import CLAUSES, in_layer

if TYPE_CHECKING:
    from conftest import WarmCache

WRITTEN = f"""\
{WHOLE}
class Asynchronous(Whole):

    async def stop(self) -> None: ...


class Nothing:
    pass


class Unannotated(Whole):
    def register_config(self, config): ...
    def start(self) -> None: ...
    def handle_runtime_context(self, model_id: str, runtime_context: Unheard) -> None: ...


class Abstract(BackendBase): ...
"""
"""The classes whose findings are compared in detail."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One root for the samples, the examples of all clauses and the classes above."""
    with shared_directory(tmp_path_factory, "samples") as directory:
        shutil.copy(SAMPLES, directory)
        for clause in CLAUSES.values():
            (directory / f"{clause.id}_good.py").write_text(clause.good)
            (directory / f"{clause.id}_bad.py").write_text(clause.bad)
        (directory / "written.py").write_text(WRITTEN)
    return directory


@pytest.fixture(scope="module")
def reports(
    directory: Path, tmp_path_factory: pytest.TempPathFactory, warm_cache: WarmCache
) -> dict[str, Report]:
    """The reports by the name of the sample or of the class, or by example, such as `BC101_bad`."""
    targets = {name: f"samples.py:{name}" for name in KNOWN}
    targets |= {f"{c}_{kind}": f"{c}_{kind}.py:Mine" for c in CLAUSES for kind in ("good", "bad")}
    for name in ("Asynchronous", "Nothing", "Unannotated", "Abstract"):
        targets[name] = f"written.py:{name}"
    with shared_directory(tmp_path_factory, "reports") as shared:
        file = shared / "reports.pickle"
        if not file.exists():
            found = targets_of(f"{directory}/{text}" for text in targets.values())
            made = check(found, Mypy(), warm_cache([directory]))
            file.write_bytes(pickle.dumps(dict(zip(targets, made, strict=True))))
        known: dict[str, Report] = pickle.loads(file.read_bytes())  # noqa: S301 - written here
    return known


def test_samples(reports: dict[str, Report]) -> None:
    """A sample breaks the clauses that its comment names, and no other."""
    assert {name: shorthand(reports[name]) for name in KNOWN} == KNOWN


def test_all_samples_are_known() -> None:
    """Every sample says which clauses it breaks."""
    assert len(KNOWN) == SAMPLES.read_text().count("\nclass ") > 100


@pytest.mark.parametrize("clause", [clause.id for clause in in_layer("S")])
def test_samples_cover_clause(clause: str) -> None:
    """Every clause is kept, broken alone, and unchecked in some sample."""
    known = [text.split() for text in KNOWN.values()]
    assert any([clause] == words for words in known) or clause == "BC101"  # which blocks others
    assert any(clause in words for words in known)
    assert any(f"{clause}u" in words for words in known) or clause == "BC103"  # see kinds/values.py
    assert any(not words for words in known)


def test_bad_examples(reports: dict[str, Report]) -> None:
    """A bad example breaks its own clause alone; nothing in layer S, if that cannot decide it."""
    expected = {clause: clause if "S" in CLAUSES[clause].layers else "" for clause in CLAUSES}
    expected["BC101"] = "BC101 BC102b"
    assert {clause: shorthand(reports[f"{clause}_bad"]) for clause in CLAUSES} == expected


def test_good_examples(reports: dict[str, Report]) -> None:
    """A good example keeps every clause."""
    assert {c: shorthand(reports[f"{c}_good"]) for c in CLAUSES} == dict.fromkeys(CLAUSES, "")


def line_of(class_name: str) -> int:
    lines = WRITTEN.splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.startswith(f"class {class_name}"))


def test_violation(directory: Path, reports: dict[str, Report]) -> None:
    """A violation has the location of the member, its text and the error of the checker."""
    violation = finding(reports["Asynchronous"], "BC309")
    assert violation.path == directory / "written.py"
    assert violation.line == line_of("Asynchronous") + 2
    assert violation.found == "async def stop(self) -> None"
    (reason,) = violation.because
    assert reason.startswith("mypy: ")


def test_missing_member(directory: Path, reports: dict[str, Report]) -> None:
    """A missing member is located at the class."""
    violation = finding(reports["Nothing"], "BC309")
    assert (violation.path, violation.line) == (directory / "written.py", line_of("Nothing"))
    assert violation.found == "no `start`; no `stop`"


def test_unchecked(reports: dict[str, Report]) -> None:
    """An unchecked clause names the missing annotations or the unresolved import."""
    assert finding(reports["Unannotated"], "BC202").because == (
        "`register_config` has no return annotation",
        "parameter `config` of `register_config` has no annotation",
    )
    (reason,) = finding(reports["Unannotated"], "BC501").because
    assert reason.startswith("mypy cannot resolve parameter 2 of `handle_runtime_context`")
    assert '"nowhere"' in reason


def test_abstract(reports: dict[str, Report]) -> None:
    """An abstract member is called abstract, without the names of the probe."""
    assert finding(reports["Abstract"], "BC309").because == (
        "`start` is abstract, and the class does not define it",
        "`stop` is abstract, and the class does not define it",
    )


def test_blocked(reports: dict[str, Report]) -> None:
    """A blocked clause names the violated one."""
    blocked = finding(reports["BC101_bad"], "BC102")
    assert (blocked.verdict, blocked.because) == (Verdict.BLOCKED, ("BC101",))
