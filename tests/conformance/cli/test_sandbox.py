"""``check --run``: targets that are imported and tried in a separate process."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import make_finding

import backend_contract
from backend_contract._conformance.cli import sandbox
from backend_contract._conformance.cli.sandbox import describe_exit, try_target
from backend_contract._conformance.cli.sandbox_worker import as_document, as_finding
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import (
    Environment,
    environment_of,
    this_environment,
)
from backend_contract._conformance.source.targets import Target
from backend_contract.clauses import CLAUSES

if TYPE_CHECKING:
    from conftest import Command

Answer = dict[str, Any]
Try = Callable[..., Report]

HEAD = "import os, sys\nfrom backend_contract import LocalBackend\n\nclass Mine(LocalBackend):\n"


# The command.


def document_of(done: subprocess.CompletedProcess[str]) -> Answer:
    document: Answer = json.loads(done.stdout)
    return document


WRONG_AT_RUN_TIME = """\
    def start(self) -> None:
        super().start()
        return open  # type: ignore[return-value]
"""


def test_only_seen_by_running(tmp_path: Path, command: Command) -> None:
    """Running a class finds a violation that no checker can see; both sources are reported."""
    (tmp_path / "mine.py").write_text(HEAD + WRONG_AT_RUN_TIME)
    assert command("check", "mine.py:Mine").returncode == 0
    done = command("check", "mine.py:Mine", "--run", "--output-format", "json")
    assert done.returncode == 1
    (report,) = document_of(done)["reports"]
    (wrong,) = (f for f in report["findings"] if f["verdict"] == "violated")
    assert wrong["clause"] == "BC309"
    verdicts = {part["layer"]: part["verdict"] for part in wrong["parts"]}
    assert verdicts == {"S": "ok", "B": "violated"}


def test_import_on_request(tmp_path: Path, command: Command) -> None:
    """A target is imported only with ``--run``, and its output is not part of the report."""
    (tmp_path / "mine.py").write_text(
        f"open('imported', 'w').close()\n{HEAD}    def stop(self) -> None:\n        print('{{')\n"
    )
    command("check", "mine.py:Mine")
    assert not (tmp_path / "imported").exists()
    done = command("check", "mine.py:Mine", "--run", "--output-format", "json")
    assert (tmp_path / "imported").exists()
    assert done.returncode == 1
    (report,) = document_of(done)["reports"]
    found = {f["clause"]: f["found"] for f in report["findings"] if f["verdict"] == "violated"}
    assert found == {"BC303": "is_started is True after stop() returned"}


FIXED_AND_LINGERING = """\
    def register_config(self, config) -> None:
        raise NotImplementedError

    def start(self) -> None:
        import threading
        wait = threading.Event().wait
        threading.Thread(target=wait, name="a lingerer", daemon=False).start()
        super().start()
"""


def test_notes(tmp_path: Path, command: Command) -> None:
    """A report shows clauses that do not apply, and threads that could not be stopped."""
    (tmp_path / "mine.py").write_text(HEAD + FIXED_AND_LINGERING)
    full = command("check", "mine.py:Mine", "--run")
    assert full.returncode == 0
    shown = " ".join(full.stdout.split())
    assert "BC204 not applicable" in shown
    assert "raises NotImplementedError" in shown
    assert re.search(r"note: still running: .*'a lingerer'", shown)
    assert "layer B, by the conformance kit" in shown


# Targets that are tried in a real process.


@pytest.fixture
def run(tmp_path: Path) -> Try:
    """Try a class with the given body."""

    def run(body: str = "    pass\n", *, config: str | None = None, head: str = HEAD) -> Report:
        (tmp_path / "mine.py").write_text(head + body)
        file = None
        if config is not None:
            file = tmp_path / "config.yaml"
            file.write_text(config)
        environment = this_environment()
        (target,) = find_targets([f"{tmp_path}/mine.py:Mine"], environment, tmp_path)
        assert isinstance(target, Target)
        return try_target(target, environment, file)

    return run


def verdicts(report: Report) -> dict[str, str]:
    return {finding.clause.id: finding.verdict.value for finding in report.findings}


def violated(report: Report) -> dict[str, str]:
    """Return the observed behaviour per violated clause."""
    assert report.error is None
    return {f.clause.id: f.found for f in report.findings if f.verdict is Verdict.VIOLATED}


def has_ended(process: int) -> bool:
    """Wait for the end of a killed process."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 30)[0])
    finally:
        os.close(handle)


CAREFUL = """\
    def start(self) -> None:
        import subprocess
        print('{"finding": "no"}', flush=True)
        assert sys.stdin.read() == ""
        spawned = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
        forked = os.fork()
        if not forked:
            while True:
                os.read(os.pipe()[0], 1)
        with open(os.path.dirname(__file__) + "/children", "a") as file:
            print(spawned, forked, file=file)
        super().start()
"""


def test_children(run: Try, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A target may print and read, and start processes, which do not outlive the check."""
    assert violated(run(CAREFUL)) == {}
    captured = capfd.readouterr()
    assert '{"finding": "no"}' in captured.err
    assert captured.out == ""
    children = [int(number) for number in (tmp_path / "children").read_text().split()]
    assert len(children) >= 2
    assert [child for child in children if not has_ended(child)] == []


def test_good_backend(run: Try) -> None:
    """A good backend violates nothing; clauses that need a hook or a framework say so."""
    report = run()
    undecided = {clause: verdict for clause, verdict in verdicts(report).items() if verdict != "ok"}
    of_suite = {clause for clause, verdict in undecided.items() if verdict == "needs a suite"}
    assert of_suite == {"BC308", "BC405"}
    of_extra = undecided.keys() - of_suite
    assert {undecided[clause] for clause in of_extra} <= {"needs an extra"}
    installed = all(map(importlib.util.find_spec, ("grpc", "fastapi")))
    assert ({"BC502", "BC503"} <= of_extra) is not installed
    assert of_extra <= {f"BC50{number}" for number in range(1, 7)}


def test_blocked(run: Try) -> None:
    """A clause that requires a violated one is blocked; others are decided."""
    report = run("    def stop(self) -> None: ...\n")
    assert list(violated(report)) == ["BC303"]
    assert verdicts(report)["BC306"] == "blocked"
    assert verdicts(report)["BC302"] == "ok"


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(3)", "exited with status 3"),
        ("os.abort()", "was ended by SIGABRT"),
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    ],
)
def test_ends_its_process(run: Try, end: str, how: str) -> None:
    """A backend that ends its process violates the clause being tried; the others are tried too."""
    report = run(
        f"""\
    def start(self) -> None:
        if self.is_started:
            {end}
        super().start()
"""
    )
    assert violated(report) == {"BC304": f"the process {how} while this was tried"}
    assert verdicts(report)["BC403"] == "ok"


@pytest.mark.parametrize(
    ("first_line", "message"),
    [
        ("raise RuntimeError('not today')", "it cannot be imported: RuntimeError: not today"),
        ("import sys; sys.exit(7)", "the process exited with status 7 during its import"),
        ("import os; os._exit(7)", "the process exited with status 7 during its import"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_import_fails(run: Try, first_line: str, message: str) -> None:
    """A module that cannot be imported is an error of its target."""
    error = run(head=f"{first_line}\n{HEAD}").error
    assert error is not None
    assert "mine.py:Mine: " in error
    assert message in error


NEEDS = """\
    def start(self) -> None:
        self.address = self.config["connection"]["address"]
        super().start()
"""


def test_configuration(run: Try) -> None:
    """A backend is tried with the configuration it needs."""
    assert "BC302" in violated(run(NEEDS))
    assert violated(run(NEEDS, config="connection:\n  address: here\n")) == {}


def test_bad_configuration(run: Try) -> None:
    """A configuration that cannot be used is an error of the target."""
    error = run(NEEDS, config="- a list\n").error
    assert error is not None
    assert "config.yaml" in error
    assert "expected a mapping" in error


def test_other_environment(tmp_path: Path) -> None:
    """The interpreter of the environment imports the target."""
    (tmp_path / "mine.py").write_text(f"raise RuntimeError('imported')\n{HEAD}    pass\n")
    environment = environment_of(sys.executable)
    (target,) = find_targets([f"{tmp_path}/mine.py:Mine"], environment, tmp_path)
    assert isinstance(target, Target)
    assert "RuntimeError: imported" in str(try_target(target, environment, None).error)
    missing = environment._replace(python=str(tmp_path / "no-python"))
    with pytest.raises(FileNotFoundError):
        try_target(target, missing, None)


# Reports that are made of the answers.


@pytest.fixture
def target(project: Path) -> Target:
    (found,) = find_targets([f"{project}/mine.py:Bad"], this_environment(), project)
    assert isinstance(found, Target)
    return found


class Processes:
    """Processes that give the listed answers, one list each."""

    def __init__(self) -> None:
        self.requests: list[Answer] = []
        self.answers: list[list[Answer]] = []

    def ask(self, request: Answer, environment: Environment) -> Iterator[Answer]:
        assert environment == this_environment()
        self.requests.append(json.loads(json.dumps(request)))
        yield from self.answers.pop(0)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    processes = Processes()
    monkeypatch.setattr(sandbox, "ask", processes.ask)
    return processes


def found(clause: str, verdict: Verdict = Verdict.OK) -> Finding:
    return make_finding(clause, verdict, layer="B", path=Path("/a.py"))


def answers(*findings: Finding) -> list[Answer]:
    return [{"finding": json.loads(json.dumps(as_document(each)))} for each in findings]


def test_report(
    target: Target, processes: Processes, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Findings are in the order of the clauses; the request describes the target."""
    monkeypatch.chdir(project)
    told = answers(found("BC401"), found("BC303", Verdict.VIOLATED), found("BC101"))
    processes.answers = [[{"trying": "BC303"}, *told, {"note": "a"}, {"note": "b"}, {"done": True}]]
    report = try_target(target, this_environment(), Path("c.yaml"))
    assert report == Report(
        target=target.text,
        findings=(found("BC101"), found("BC303", Verdict.VIOLATED), found("BC401")),
        notes=("a", "b"),
    )
    assert processes.requests == [
        {
            "module": "mine",
            "qualname": "Bad",
            "roots": [str(project)],
            "config": str(project / "c.yaml"),
            "clauses": [*CLAUSES],
            "known": {},
        }
    ]


def test_installed_target(target: Target, processes: Processes) -> None:
    """An installed target has no root, and the configuration is optional."""
    processes.answers = [[{"done": True}]]
    report = try_target(replace(target, root=None), this_environment(), None)
    assert report == Report(target=target.text)
    (asked,) = processes.requests
    assert (asked["roots"], asked["config"]) == ([], None)


def test_process_ends(target: Target, processes: Processes, project: Path) -> None:
    """The clause being tried when a process ends is violated; the next process knows that."""
    processes.answers = [
        [{"trying": "BC302"}, *answers(found("BC302")), {"trying": "BC303"}, {"ended": "it died"}],
        [{"trying": "BC401"}, {"ended": "it died again"}],
        [{"trying": "its import"}, *answers(found("BC101")), {"done": True}],
    ]
    report = try_target(target, this_environment(), None)
    assert [(f.clause.id, f.verdict.value) for f in report.findings] == [
        ("BC101", "ok"),
        ("BC302", "ok"),
        ("BC303", "violated"),
        ("BC401", "violated"),
    ]
    died, again = report.findings[2:]
    assert (died.path, died.line, died.layer) == (project / "mine.py", 5, "B")
    assert died.found.startswith("it died while")
    assert again.found.startswith("it died again while")
    first, second, third = (asked["known"] for asked in processes.requests)
    assert first == {}
    assert {clause: as_finding(document) for clause, document in second.items()} == {
        "BC302": found("BC302"),
        "BC303": died,
    }
    assert [*third] == ["BC302", "BC303", "BC401"]


@pytest.mark.parametrize(
    ("before", "during"), [([], "its start"), ([{"trying": "its import"}], "its import")]
)
def test_process_ends_early(
    target: Target, processes: Processes, before: list[Answer], during: str
) -> None:
    """A process that ends before any clause is tried is an error, and is not repeated."""
    processes.answers = [[*before, {"ended": "it died"}]]
    report = try_target(target, this_environment(), None)
    assert report == Report(target=target.text, error=f"{target.text}: it died during {during}")


def test_later_process_ends_early(target: Target, processes: Processes) -> None:
    """A later process that ends before any clause is tried is an error, too."""
    ended = {"ended": "it died"}
    processes.answers = [[{"trying": "BC302"}, ended], [ended]]
    report = try_target(target, this_environment(), None)
    assert report.error == f"{target.text}: it died during its start"


def test_error(target: Target, processes: Processes) -> None:
    """An error replaces all findings."""
    processes.answers = [[*answers(found("BC302")), {"error": "no"}, {"done": True}]]
    report = try_target(target, this_environment(), None)
    assert report == Report(target=target.text, error=f"{target.text}: no")


# Questions to a process, which runs a program of the test.


class Started:
    """Records the processes that are started, and chooses their program."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.processes: list[subprocess.Popen[str]] = []
        started, popen = self.processes, subprocess.Popen

        def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
            started.append(popen(*arguments, **options))
            return started[-1]

        monkeypatch.setattr(subprocess, "Popen", start)

    def ask(
        self, program: str, request: Answer | None = None, environment: Environment | None = None
    ) -> Iterator[Answer]:
        program = program.replace("{", "{{").replace("}", "}}")
        self.monkeypatch.setattr(sandbox, "PROGRAM", f"import json, os, sys\n{program}")
        return sandbox.ask(request or {}, environment or this_environment())

    def all_are_gone(self) -> bool:
        """Return whether each process has ended, and its pipes are closed."""
        assert self.processes
        pipes = [pipe for p in self.processes for pipe in (p.stdin, p.stdout)]
        assert all(pipe is not None and pipe.closed for pipe in pipes)
        return all(process.returncode is not None for process in self.processes)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


BLOCK = "import threading; threading.Event().wait()"


def test_ask(started: Started) -> None:
    """Answers are passed on until the process is done; it leads its own session."""
    program = f"""\
asked = json.load(sys.stdin)
print(json.dumps({{"asked": asked, "leads": os.getsid(0) == os.getpid()}}), flush=True)
print('{{"note": "Größe"}}', flush=True)
print('{{"done": true}}', flush=True)
print('{{"note": "more"}}', flush=True)
sys.stdout.close()
{BLOCK}
"""
    asked = {"module": "é", "known": {"BC101": [1]}}
    assert [*started.ask(program, asked)] == [
        {"asked": asked, "leads": True},
        {"note": "Größe"},
        {"done": True},
    ]
    assert started.all_are_gone()


def test_ask_error(started: Started) -> None:
    """An error is the last answer."""
    program = """print('{"error": "no"}\\n{"done": true}', flush=True); sys.stdin.read()"""
    assert [*started.ask(program)] == [{"error": "no"}]
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
def test_ask_ended(started: Started, end: str, how: str) -> None:
    """The last answer of a process that ends early says how it ended."""
    program = f"""print('{{"note": "a"}}', flush=True)\n{end}"""
    assert [*started.ask(program)] == [{"note": "a"}, {"ended": how}]
    assert started.all_are_gone()


def test_ask_ended_before_request(started: Started) -> None:
    """A process may end before it has read the request."""
    asked = {"long": "x" * 1_000_000}  # more than a pipe holds
    expected = [{"ended": "the process exited with status 4"}]
    assert [*started.ask("os._exit(4)", asked)] == expected
    assert started.all_are_gone()


def test_ask_child_keeps_pipe(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a process is reported even if a child keeps its output open."""
    monkeypatch.setattr(sandbox, "DRAIN_TIME", 0.01)
    program = f"""
if os.fork():
    print('{{"note": "a"}}', flush=True)
    os._exit(5)
{BLOCK}
"""
    assert [*started.ask(program)][-1] == {"ended": "the process exited with status 5"}
    assert started.all_are_gone()


def test_ask_silent(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not answer in time is killed."""
    monkeypatch.setattr(sandbox, "SILENCE", 0.01)
    expected = [{"ended": "the process did not answer for 0.01 seconds"}]
    assert [*started.ask(BLOCK)] == expected
    assert started.all_are_gone()
    assert started.processes[0].returncode == -signal.SIGKILL


def test_ask_closed(started: Started) -> None:
    """Closing the generator kills the process; the threads are daemons."""
    before = {*threading.enumerate()}
    asked: Any = started.ask(f"""print('{{"note": "a"}}', flush=True); {BLOCK}""")
    with closing(asked):
        assert next(asked) == {"note": "a"}
        own = {*threading.enumerate()} - before
        assert own
        assert all(thread.daemon for thread in own)
    assert started.all_are_gone()


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_ask_gone(error: type[OSError], started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process group that has ended already cannot be killed, which is not an error."""

    def gone(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "killpg", gone)
    assert [*started.ask("""print('{"done": true}')""")] == [{"done": True}]
    assert started.all_are_gone()


def test_ask_no_groups(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a platform without process groups, the process alone is killed."""
    monkeypatch.delattr(os, "killpg")
    assert [*started.ask(f"""print('{{"done": true}}', flush=True); {BLOCK}""")] == [{"done": True}]
    assert started.all_are_gone()
    assert started.processes[0].returncode == -signal.SIGKILL


VARIABLES = """print(json.dumps({"done": True, **os.environ}), flush=True)"""
HIDDEN = ("PYTHONPATH", "PYTHONHOME")


@pytest.mark.parametrize("path", [None, "/theirs"], ids=["unset", "set"])
@pytest.mark.parametrize("is_this", [True, False], ids=["this", "another"])
def test_python_path(
    started: Started, monkeypatch: pytest.MonkeyPatch, is_this: bool, path: str | None
) -> None:
    """Variables with the path of this interpreter do not reach another one."""
    for name in HIDDEN:
        monkeypatch.delenv(name, raising=False)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
        if not is_this:  # this interpreter would not start with it
            monkeypatch.setenv("PYTHONHOME", path)
    here = this_environment()
    monkeypatch.setattr(Environment, "is_this", is_this)
    (seen,) = started.ask(VARIABLES, environment=here)
    present = {name: seen[name] for name in HIDDEN if name in seen}
    assert present == ({"PYTHONPATH": path} if path and is_this else {})


@pytest.mark.parametrize(("own", "expected"), [(None, "0"), ("1", "1")], ids=["unset", "set"])
def test_grpc_forks(
    started: Started, monkeypatch: pytest.MonkeyPatch, own: str | None, expected: str
) -> None:
    """The fork handlers of grpcio are off, unless the user has set the variable."""
    monkeypatch.delenv("GRPC_ENABLE_FORK_SUPPORT", raising=False)
    if own is not None:
        monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", own)
    (seen,) = started.ask(VARIABLES)
    assert seen["GRPC_ENABLE_FORK_SUPPORT"] == expected


def test_package_comes_last(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This package is the last entry of the path, for environments that lack it."""
    *imports, _, _ = sandbox.PROGRAM.splitlines()
    shown = "import json; print(json.dumps(dict(done=sys.path)))"
    monkeypatch.setattr(sandbox, "PROGRAM", "\n".join([*imports, shown]))
    monkeypatch.chdir(tmp_path)
    (answer,) = sandbox.ask({}, this_environment())
    assert answer["done"][-1] == str(Path(backend_contract.__file__).parents[1])
    assert "" not in answer["done"]


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (-9, "the process was ended by SIGKILL"),
        (-1, "the process was ended by SIGHUP"),
        (0, "the process exited with status 0"),
        (1, "the process exited with status 1"),
    ],
)
def test_describe_exit(status: int, how: str) -> None:
    """A negative status is the number of a signal."""
    assert describe_exit(status) == how
