"""The process that imports a target, and the one that asks it: each without the other."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from backend_contract._conformance.STRUCTURAL import inspect_class

import backend_contract
from backend_contract import LocalBackend
from backend_contract._conformance import kit
from backend_contract._conformance.cli import sandbox as runtime
from backend_contract._conformance.cli import sandbox_worker as child
from backend_contract._conformance.cli.sandbox_worker import as_document, as_finding
from backend_contract._conformance.results import Finding, Verdict
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target, find_targets
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

PACKAGE = str(Path(backend_contract.__file__).parents[1])

Answer = dict[str, Any]


def finding(clause: str, verdict: Verdict = Verdict.OK, layer: str = "B") -> Finding:
    because = ("BC101",) if verdict is Verdict.BLOCKED else ()
    return Finding(CLAUSES[clause], verdict, Path("/a.py"), 7, "found", because, layer, "us")


# What goes from one to the other.


def test_a_finding_is_the_same_after_its_way_as_json() -> None:
    sent = finding("BC303", Verdict.BLOCKED)._replace(because=("BC101", "why"))
    assert as_document(sent) == {
        "clause": "BC303",
        "verdict": "blocked",
        "path": "/a.py",
        "line": 7,
        "found": "found",
        "because": ("BC101", "why"),
        "layer": "B",
        "by": "us",
    }
    assert as_finding(json.loads(json.dumps(as_document(sent)))) == sent


# The process that imports a target: what it answers.


def answers_to(request: Answer) -> list[Answer]:
    told: list[Answer] = []
    child._answer(request, lambda **document: told.append(document))
    return told


def request(**given: object) -> Answer:
    usual = {"module": "backend_contract.local", "qualname": "LocalBackend", "root": None}
    return {**usual, "run": False, "config": None, "known": {}, **given}


def test_without_aconfig_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CouldNotCheckError) as raised:
        answers_to(request(module="no_such_module"))
    assert str(raised.value) == (
        "a backend is given an aconfig.Config, and aconfig is not installed; install it with: "
        f"{sys.executable} -m pip install alchemy-config"
    )


def test_what_is_only_inspected_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "Kit", lambda *_: pytest.fail("it is tried"))
    first, *found = answers_to(request())
    assert first == {"trying": "its import"}
    assert found == [{"finding": as_document(f)} for f in inspect_class(LocalBackend)]


class Kit:
    """Stands for the kit: every clause is ok, in both layers where one is in both."""

    made: list[Kit]

    def __init__(self, subject: Any, known: Any, trying: Callable[[str], None]) -> None:
        self.subject, self.known, self.trying = subject, known, trying
        self.notes = ["not yet"]
        self.made.append(self)

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, *_: object) -> None:
        self.notes = ["lingers", "warns", "lingers"]  # what is known only then

    def finding(self, clause: Any) -> Finding:
        self.trying(clause.id)
        parts = (finding(clause.id, layer="R"), finding(clause.id))
        return finding(clause.id)._replace(parts=parts if "R" in clause.layers else ())


@pytest.fixture
def kits(monkeypatch: pytest.MonkeyPatch) -> list[Kit]:
    monkeypatch.setattr(kit, "Kit", Kit)
    Kit.made = []
    return Kit.made


def test_each_clause_that_is_not_known_is_tried_and_told_at_once(
    kits: list[Kit], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\n")
    known = finding("BC303", Verdict.VIOLATED)
    first, *rest = answers_to(
        request(
            run=True,
            config=str(tmp_path / "config.yaml"),
            known={"BC303": json.loads(json.dumps(as_document(known)))},
        )
    )
    assert first == {"trying": "its import"}
    due: list[Answer] = []
    for clause in CLAUSES.values():
        if clause.id != "BC303":
            due.append({"trying": clause.id})
            layers = "RB" if "R" in clause.layers else "B"
            due += [{"finding": as_document(finding(clause.id, layer=n))} for n in layers]
    assert rest == [*due, {"note": "lingers"}, {"note": "warns"}]
    (used,) = kits
    assert used.known == {"BC303": known}
    assert used.subject.make is LocalBackend
    assert used.subject.config == {"a": 1}


def test_a_nested_class_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nested_target.py").write_text("class A:\n    class B:\n        class C: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = child._import("nested_target", "A.B.C")
    assert found.__qualname__ == "A.B.C"
    monkeypatch.delitem(sys.modules, "nested_target")


@pytest.mark.parametrize(
    ("qualname", "says"),
    [
        ("__name__", "at run time it is 'backend_contract.local', expected a class"),
        ("Mine", "it cannot be imported: AttributeError: module 'backend_contract.local' has no"),
        ("LocalBackend.no", "it cannot be imported: AttributeError: type object 'LocalBackend'"),
    ],
    ids=["no class", "nothing", "nothing in a class"],
)
def test_a_target_that_is_not_there_is_said_to_be_missing(qualname: str, says: str) -> None:
    with pytest.raises(CouldNotCheckError) as raised:
        child._import("backend_contract.local", qualname)
    assert str(raised.value).startswith(says)


def test_without_a_file_there_is_no_configuration() -> None:
    assert child._configuration(None) is None


@pytest.mark.parametrize(
    ("text", "config"), [("{}", {}), ("a: {1: 2}\nb: é", {"a": {1: 2}, "b": "é"})]
)
def test_a_configuration_is_what_its_file_holds(
    tmp_path: Path, text: str, config: dict[str, object]
) -> None:
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    assert child._configuration(str(tmp_path / "c.yaml")) == config


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory"),
        (b"{", "no YAML: while parsing a flow node expected the node content"),
        (b"a: \xff", "no YAML: 'utf-8' codec can't decode byte 0xff"),
        (b"", "expected a mapping with keys that are text, got None"),
        (b"- a\n", "expected a mapping with keys that are text, got ['a']"),
        (b"a: 1\n1: one\n", "expected a mapping with keys that are text, got {'a': 1, 1: 'one'}"),
        (b"x" * 99, "expected a mapping with keys that are text, got '" + "x" * 79),
    ],
    ids=["no file", "no YAML", "no text", "nothing", "list", "number", "long"],
)
def test_what_is_no_configuration_is_refused_with_the_reason(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "c.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CouldNotCheckError) as raised:
        child._configuration(str(file))
    said = str(raised.value)
    assert said.startswith(f"--config {file}: {says}")
    assert "\n" not in said
    if content is not None and content.startswith(b"x"):
        assert said.endswith(says)


# The same process as a whole. It is as alone as the one that `check` starts.


def answered(request: Answer, cwd: Path, **variables: str) -> tuple[int, list[Answer], str]:
    """How it ended, what it answered, and what came out beside that."""
    done = subprocess.run(
        [sys.executable, "-c", runtime._PROGRAM.format(package=PACKAGE)],
        input=json.dumps(request).encode(),
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, [json.loads(n) for n in done.stdout.splitlines()], done.stderr.decode()


TALKS = """\
import os, sys, threading
print("printed", flush=True)
os.write(1, b"written\\n")
class Mine: ...
threading.Thread(target=threading.Event().wait, daemon=False).start()  # keeps no process
"""


def test_answers_are_kept_from_what_a_target_prints(tmp_path: Path) -> None:
    for name in ("root", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "talks.py").write_text(TALKS if name == "root" else "Mine = 1")
    (tmp_path / "json.py").write_text("raise SystemExit('nothing is imported from here')")
    status, answers, beside = answered(
        request(module="talks", qualname="Mine", root=str(tmp_path / "root")),
        tmp_path,
        PYTHONPATH=str(tmp_path / "elsewhere"),
    )
    assert "printed" in beside
    assert "written" in beside
    assert status == 0
    assert answers[0] == {"trying": "its import"}
    assert {name for answer in answers[1:-1] for name in answer} == {"finding"}
    assert answers[-1] == {"done": True}


def test_an_answer_is_told_before_what_follows_it_is_tried(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("import os; os._exit(7)")
    asked = request(module="ends", qualname="Mine", root=str(tmp_path))
    assert answered(asked, tmp_path)[:2] == (7, [{"trying": "its import"}])


def test_why_a_target_cannot_be_looked_at_is_answered(tmp_path: Path) -> None:
    status, answers, _ = answered(request(qualname="__name__"), tmp_path)
    assert status == 0
    error = "at run time it is 'backend_contract.local', expected a class"
    assert answers == [{"trying": "its import"}, {"error": error}, {"done": True}]


# The process that asks: what it makes of the answers.


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "mine.py").write_text("\n\nclass Mine: ...\n")
    (found,) = find_targets([f"{tmp_path}/mine.py:Mine"])
    assert isinstance(found, Target)
    return found


class Processes:
    """Stands for the processes that are asked: each answers with the next of the lists."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[Answer] = []
        self.answers: list[list[Answer]] = []
        monkeypatch.setattr(runtime, "_answers", self._answers)

    def _answers(self, request: Answer, environment: Environment) -> Iterator[Answer]:
        assert environment == this_environment()
        self.requests.append(json.loads(json.dumps(request)))
        yield from self.answers.pop(0)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    return Processes(monkeypatch)


def found(*findings: Finding) -> list[Answer]:
    return [{"finding": json.loads(json.dumps(as_document(f)))} for f in findings]


def test_findings_come_in_the_order_of_the_clauses_one_a_clause(
    target: Target, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    both = [finding("BC303", layer="R"), finding("BC303", Verdict.VIOLATED)]
    told = found(finding("BC401"), *both, finding("BC101"))
    processes.answers = [[{"trying": "BC303"}, *told, {"note": "a"}, {"note": "b"}, {"done": True}]]
    report = runtime.check(target, this_environment(), True, Path("c.yaml"))
    assert report.target == target.text
    assert report.error is None
    assert [f.clause.id for f in report.findings] == ["BC101", "BC303", "BC401"]
    assert report.findings[1].verdict is Verdict.VIOLATED
    assert [*report.findings[1].parts] == both
    assert report.notes == ("a", "b")
    assert processes.requests == [
        {
            "module": "mine",
            "qualname": "Mine",
            "root": str(tmp_path),
            "run": True,
            "config": str(tmp_path / "c.yaml"),
            "known": {},
        }
    ]


def test_an_installed_target_has_no_root_and_need_not_have_a_configuration(
    target: Target, processes: Processes
) -> None:
    processes.answers = [[{"done": True}]]
    report = runtime.check(target._replace(root=None), this_environment(), False, None)
    assert (report.findings, report.notes, report.error) == ((), (), None)
    (asked,) = processes.requests
    assert (asked["root"], asked["config"], asked["run"]) == (None, None, False)


def test_what_ends_its_process_is_found_violated_and_the_rest_is_tried(
    target: Target, processes: Processes, tmp_path: Path
) -> None:
    inspected, fine = finding("BC303", layer="R"), finding("BC302")
    processes.answers = [
        [{"trying": "BC302"}, *found(fine, inspected), {"trying": "BC303"}, {"ended": "it died"}],
        [{"trying": "BC401"}, {"ended": "it died again"}],
        [{"trying": "its import"}, *found(finding("BC101")), {"done": True}],
    ]
    report = runtime.check(target, this_environment(), True, None)
    died = Finding(
        CLAUSES["BC303"],
        Verdict.VIOLATED,
        tmp_path / "mine.py",
        3,
        "it died while this was tried",
        (),
        "B",
        "behaviour of its instances",
    )
    again = died._replace(clause=CLAUSES["BC401"], found="it died again while this was tried")
    assert report.findings == (finding("BC101"), fine, died, again)
    first, second, third = (asked["known"] for asked in processes.requests)
    assert first == {}
    assert {clause: as_finding(document) for clause, document in second.items()} == {
        "BC302": fine,
        "BC303": died,
    }
    assert [*third] == ["BC302", "BC303", "BC401"]


@pytest.mark.parametrize(
    ("before", "during"), [([], "its start"), ([{"trying": "its import"}], "its import")]
)
def test_what_ends_before_a_clause_is_tried_is_not_tried_again(
    target: Target, processes: Processes, before: list[Answer], during: str
) -> None:
    processes.answers = [[*before, {"ended": "it died"}]]
    report = runtime.check(target, this_environment(), True, None)
    assert report.error == f"{target.text}: it died during {during}"
    assert (report.target, report.findings) == (target.text, ())


def test_where_a_later_process_ends_is_not_taken_from_the_one_before(
    target: Target, processes: Processes
) -> None:
    ended = {"ended": "it died"}
    processes.answers = [[{"trying": "BC302"}, ended], [ended]]
    report = runtime.check(target, this_environment(), True, None)
    assert report.error == f"{target.text}: it died during its start"


def test_an_error_is_that_of_the_target(target: Target, processes: Processes) -> None:
    processes.answers = [[*found(finding("BC302")), {"error": "no"}, {"done": True}]]
    report = runtime.check(target, this_environment(), True, None)
    assert report.error == f"{target.text}: no"
    assert (report.target, report.findings) == (target.text, ())


# How it asks. The programs that answer are of this test's own.


class Started:
    """The processes that were started, and what is to be told of how."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.processes: list[subprocess.Popen[str]] = []
        started, popen = self.processes, subprocess.Popen

        def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
            started.append(popen(*arguments, **options))
            return started[-1]

        monkeypatch.setattr(subprocess, "Popen", start)

    def answers(
        self, program: str, request: Answer | None = None, environment: Environment | None = None
    ) -> Iterator[Answer]:
        program = program.replace("{", "{{").replace("}", "}}")
        self.monkeypatch.setattr(runtime, "_PROGRAM", f"import json, os, sys\n{program}")
        return runtime._answers(request or {}, environment or this_environment())

    def all_are_gone(self) -> bool:
        """Each has ended, and its pipes are closed."""
        assert self.processes
        pipes = [pipe for p in self.processes for pipe in (p.stdin, p.stdout)]
        assert all(pipe is not None and pipe.closed for pipe in pipes)
        return all(process.returncode is not None for process in self.processes)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


def test_answers_are_handed_on_until_it_is_done(started: Started) -> None:
    program = """\
asked = json.load(sys.stdin)
print(json.dumps({"asked": asked, "leads": os.getsid(0) == os.getpid()}), flush=True)
print('{"note": "Größe"}', flush=True)
print('{"done": true}', flush=True)
print('{"note": "more"}', flush=True)
sys.stdout.close()
import threading
threading.Event().wait()
"""
    asked = {"module": "é", "known": {"BC101": [1]}}
    assert [*started.answers(program, asked)] == [
        {"asked": asked, "leads": True},
        {"note": "Größe"},
        {"done": True},
    ]
    assert started.all_are_gone()


def test_nothing_follows_an_error(started: Started) -> None:
    program = """print('{"error": "no"}\\n{"done": true}', flush=True); sys.stdin.read()"""
    assert [*started.answers(program)] == [{"error": "no"}]
    assert started.all_are_gone()


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("sys.exit(3)", "the process exited with status 3"),
        ("pass", "the process exited with status 0"),
        ("os.kill(os.getpid(), 15)", "the process was ended by SIGTERM"),
    ],
    ids=["status", "end", "signal"],
)
def test_how_it_ended_is_the_last_answer(started: Started, end: str, how: str) -> None:
    program = f"""print('{{"note": "a"}}', flush=True)\n{end}"""
    assert [*started.answers(program)] == [{"note": "a"}, {"ended": how}]
    assert started.all_are_gone()


def test_a_process_that_ends_before_it_is_asked_is_told_by_how(started: Started) -> None:
    asked = {"long": "x" * 1_000_000}  # more than any pipe holds
    due = [{"ended": "the process exited with status 4"}]
    assert [*started.answers("os._exit(4)", asked)] == due
    assert started.all_are_gone()


def test_a_process_that_does_not_answer_is_ended(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "SILENCE", 0.01)
    due = [{"ended": "the process did not answer for 0.01 seconds"}]
    assert [*started.answers("import threading; threading.Event().wait()")] == due
    assert started.all_are_gone()
    assert started.processes[0].returncode == -signal.SIGKILL


def test_whoever_stops_asking_ends_the_process(started: Started) -> None:
    program = """print('{"note": "a"}', flush=True); import threading; threading.Event().wait()"""
    before = {*threading.enumerate()}
    answers = started.answers(program)
    assert next(answers) == {"note": "a"}
    own = {*threading.enumerate()} - before
    assert len(own) == 2
    assert all(thread.daemon for thread in own)  # neither keeps this process from its end
    answers.close()  # type: ignore[attr-defined]  # a generator, which its type does not say
    assert started.all_are_gone()


VARIABLES = """print(json.dumps({"done": True, **os.environ}), flush=True)"""
HIDDEN = ("PYTHONPATH", "PYTHONHOME")


@pytest.mark.parametrize("path", [None, "/theirs"], ids=["unset", "set"])
@pytest.mark.parametrize("is_this", [True, False], ids=["this", "another"])
def test_no_path_of_this_interpreter_reaches_another(
    started: Started, monkeypatch: pytest.MonkeyPatch, is_this: bool, path: str | None
) -> None:
    for name in HIDDEN:
        monkeypatch.delenv(name, raising=False)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
        if not is_this:  # where this interpreter runs, it would not start
            monkeypatch.setenv("PYTHONHOME", path)
    here = this_environment()
    monkeypatch.setattr(Environment, "is_this", is_this)
    ((seen),) = started.answers(VARIABLES, environment=here)
    present = {name: seen[name] for name in HIDDEN if name in seen}
    assert present == ({"PYTHONPATH": path} if path and is_this else {})


@pytest.mark.parametrize(("own", "due"), [(None, "0"), ("1", "1")], ids=["unset", "set"])
def test_grpc_is_told_not_to_handle_forks_unless_the_user_has(
    started: Started, monkeypatch: pytest.MonkeyPatch, own: str | None, due: str
) -> None:
    monkeypatch.delenv("GRPC_ENABLE_FORK_SUPPORT", raising=False)
    if own is not None:
        monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", own)
    ((seen),) = started.answers(VARIABLES)
    assert seen["GRPC_ENABLE_FORK_SUPPORT"] == due


def test_this_package_is_what_another_environment_may_lack(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = started.answers("")
    program = "import json; print(json.dumps(dict(done={package!r})))"
    monkeypatch.setattr(runtime, "_PROGRAM", program)
    assert [*answers] == [{"done": PACKAGE}]


def test_the_package_is_looked_for_last(tmp_path: Path) -> None:
    lines = runtime._PROGRAM.format(package="/last").splitlines()
    shown = [*lines[:-2], "print(*sys.path, sep='\\n')"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(shown)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    entries = done.stdout.splitlines()
    assert entries[-1] == "/last"
    assert "" not in entries


def test_there_are_no_more_lines_once_the_reader_has_had_its_time() -> None:
    done: list[object] = []
    process: Any = SimpleNamespace(wait=lambda: done.append("ended"))
    reader: Any = SimpleNamespace(join=lambda seconds: done.append(0 < seconds < 10))
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    runtime._wait(process, reader, lines)
    assert done == ["ended", True]
    assert lines.get_nowait() is None
    assert lines.empty()


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (-9, "the process was ended by SIGKILL"),
        (-1, "the process was ended by SIGHUP"),
        (0, "the process exited with status 0"),
        (1, "the process exited with status 1"),
    ],
)
def test_how_a_process_ended_is_said(status: int, how: str) -> None:
    assert runtime.describe_exit(status) == how


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_a_process_that_is_gone_is_not_missed(
    error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "killpg", gone)
    process = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, text=True)
    runtime._end_all(process)
    assert process.returncode == 0


def test_where_there_are_no_groups_the_process_alone_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "killpg")
    program = "import threading; threading.Event().wait()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, text=True)
    runtime._end_all(process)
    assert process.returncode == -signal.SIGKILL
