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
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import make_finding, mostly_exhaustive

import backend_contract
from backend_contract._conformance.cli import sandbox
from backend_contract._conformance.cli.sandbox import (
    DEATHS,
    RunOptions,
    blame,
    describe_exit,
    try_target,
)
from backend_contract._conformance.cli.sandbox_worker import as_document
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

HEAD = """\
import os, sys
from backend_contract import LocalBackend
class Mine(LocalBackend):
    backend_type = "MINE"
"""


# The command.


def document_of(done: subprocess.CompletedProcess[str]) -> Answer:
    document: Answer = json.loads(done.stdout)
    return document


WRONG_AT_RUN_TIME = """\
    def start(self) -> None:
        super().start()
        return getattr(self, "earlier", 1)
"""


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
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

    def run(
        body: str = "    pass\n",
        *clauses: str,
        config: str | None = None,
        head: str = HEAD,
        **options: Any,
    ) -> Report:
        (tmp_path / "mine.py").write_text(head + body)
        if config is not None:
            options["config"] = tmp_path / "config.yaml"
            options["config"].write_text(config)
        environment = this_environment()
        (target,) = find_targets([f"{tmp_path}/mine.py:Mine"], environment, tmp_path)
        assert isinstance(target, Target)
        return try_target(target, environment, RunOptions(**options), clauses or [*CLAUSES])

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


@pytest.mark.exhaustive
def test_children(run: Try, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A target may print and read, and start processes, which do not outlive the check."""
    report = run(CAREFUL)
    assert violated(report).keys() == {"BC304", "BC310"}  # it starts them each time, for good
    assert '{"finding": "no"}' in report.printed
    assert capfd.readouterr() == ("", "")
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
    assert of_extra <= {f"BC50{number}" for number in range(1, 9)}


@pytest.mark.exhaustive
def test_blocked(run: Try) -> None:
    """A clause that requires a violated one is blocked; others are decided."""
    report = run("    def stop(self) -> None: ...\n")
    assert list(violated(report)) == ["BC303"]
    assert verdicts(report)["BC306"] == "blocked"
    assert verdicts(report)["BC302"] == "ok"


ENDS = {
    "os._exit(0)": "exited with status 0",
    "os.abort()": "was ended by SIGABRT",
    "ctypes.string_at(0)": "was ended by SIGSEGV",
    "os.killpg(0, 9)": "was ended by SIGKILL",
}


@pytest.mark.parametrize(("end", "how"), mostly_exhaustive(ENDS.items(), 1), ids=ENDS)
def test_start_ends_its_process(run: Try, end: str, how: str) -> None:
    """A start that ends the process violates BC302, which blocks what needs a start."""
    report = run(f"    def start(self) -> None:\n        import ctypes\n        {end}\n", *START)
    assert violated(report) == {"BC302": f"start(): the process {how}"}
    (finding,) = (f for f in report.findings if f.verdict is Verdict.VIOLATED)
    assert (finding.path.name, finding.line) == ("mine.py", 5)
    assert {clause: verdicts(report)[clause] for clause in ("BC303", "BC401")} == {
        "BC303": "blocked",
        "BC401": "ok",
    }


def test_inherited_member_ends_its_process(run: Try) -> None:
    """The finding has the line of the member, which another class of the file defines."""
    head = HEAD.replace("Mine", "Base")
    body = "    def start(self) -> None:\n        os._exit(0)\nclass Mine(Base): pass\n"
    findings = run(body, "BC302", head=head).findings
    (finding,) = (f for f in findings if f.verdict is Verdict.VIOLATED)
    assert (finding.clause.id, finding.path.name, finding.line) == ("BC302", "mine.py", 5)


START = ("BC303", "BC401")


@pytest.mark.exhaustive
def test_second_start_ends_its_process(run: Try) -> None:
    """A start that ends the process violates BC302, also if an earlier start has returned."""
    body = "    def start(self) -> None:\n        if self.is_started:\n            os._exit(3)\n"
    report = run(f"{body}        super().start()\n", "BC302", "BC304", "BC403")
    assert violated(report) == {
        "BC302": "start(), on a started backend: the process exited with status 3"
    }
    assert verdicts(report)["BC304"] == "blocked"


MEMBERS = {
    "__init__(self, config=None)": "BC201",
    "register_config(self, config)": "BC203",
    "stop(self)": "BC303",
    "start_lock(self)": "BC401",
}


@pytest.mark.parametrize(("member", "clause"), mostly_exhaustive(MEMBERS.items(), 1), ids=MEMBERS)
def test_member_ends_its_process(
    run: Try, member: str, clause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clause of the member is violated, after two processes."""
    asked: list[Answer] = []
    ask = sandbox.ask

    def count(request: Answer, environment: Environment) -> Iterator[Answer]:
        asked.append(request)
        return ask(request, environment)

    monkeypatch.setattr(sandbox, "ask", count)
    report = run(f"    def {member}:\n        os._exit(3)\n", "BC203", "BC303", "BC401")
    assert [*violated(report)] == [clause]
    assert len(asked) == 2


# What a target does to its descriptors and children does not matter.

ACCIDENTS = {
    "closes descriptors": "os.closerange(3, 256)",
    "closes all descriptors": "os.closerange(0, 256)",
    "forges answers": """print('{"done": true}\\n{"finding": 3}', flush=True)""",
    "garbles": "os.write(1, bytes(range(256)) * 1000)",
    "leaves the directory": "os.chdir('/'); os.environ.clear()",
    "forks": "os.fork()",
    "replaces streams": "sys.stdout = sys.stderr = None",
    "leaves a thread": "__import__('threading').Thread(target=open, args=(0,)).start()",
}


@pytest.mark.parametrize("accident", mostly_exhaustive(zip(ACCIDENTS.values()), 2), ids=ACCIDENTS)
def test_accident(run: Try, accident: str) -> None:
    """Answers arrive whatever a target does to its descriptors."""
    body = f"    def start(self) -> None:\n        {accident}\n        super().start()\n"
    report = run(body, "BC302", "BC303")
    assert report.error is None
    assert verdicts(report) == {"BC302": "ok", "BC303": "ok"}


DAEMON = """\
    def start(self) -> None:
        super().start()
        ends, holds = os.pipe()
        if os.fork():
            os.read(ends, 1)
            return
        os.setsid()
        if not os.fork():
            with open(os.path.dirname(__file__) + "/children", "a") as file:
                print(os.getpid(), file=file)
            os.write(holds, b"x")
            os.read(os.pipe()[0], 1)
        os._exit(0)
"""


def children_of(tmp_path: Path) -> list[int]:
    return [int(number) for number in (tmp_path / "children").read_text().split()]


def test_daemon(run: Try, tmp_path: Path) -> None:
    """A daemon does not outlive the check, though it is in a session of its own."""
    assert violated(run(DAEMON, "BC303")) == {}
    assert [child for child in children_of(tmp_path) if not has_ended(child)] == []


@pytest.mark.exhaustive
def test_killed_command(tmp_path: Path) -> None:
    """If the command is killed, the process of the target and its daemons end."""
    told = tmp_path / "told"
    os.mkfifo(told)
    (tmp_path / "mine.py").write_text(
        f"{HEAD}{DAEMON}\n    def stop(self) -> None:\n"
        f"        with open({str(told)!r}, 'w') as file:\n"
        "            print(os.getpid(), os.getppid(), file=file)\n"
        "        os.read(os.pipe()[0], 1)\n"
    )
    command = [sys.executable, "-m", "backend_contract", "check", "--run", "mine.py:Mine"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    with told.open() as file:
        processes = [int(number) for number in file.read().split()]
    process.kill()
    process.wait()
    processes += children_of(tmp_path)
    assert [each for each in processes if not has_ended(each)] == []


def test_printed(run: Try) -> None:
    """The end of what a target prints is kept, however it is printed."""
    report = run(
        """\
    def start(self) -> None:
        print("x" * 100_000)
        os.write(2, b"y" * 60_000)
        os.system("echo from a child")
        super().start()
        if self.is_started: os._exit(3)
""",
        "BC302",
    )
    assert [*violated(report)] == ["BC302"]
    assert len(report.printed) <= sandbox.KEPT
    assert report.printed.endswith("yyyfrom a child\n")
    assert "xxx" in report.printed


HOLDS_THE_INTERPRETER = """\
    def start(self) -> None:
        import re
        re.match("(a+)+$", "a" * 60 + "b")
"""


@pytest.mark.exhaustive
def test_hang(run: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that hangs and holds the interpreter is blamed by the parent."""
    monkeypatch.setattr(sandbox, "SILENCE", 0.5)
    report = run(HOLDS_THE_INTERPRETER, "BC303", time_limit=2)
    assert violated(report) == {
        "BC302": "start(): the process did not answer for 2.5 seconds, 0.5 more than --time-limit"
    }
    assert verdicts(report)["BC303"] == "blocked"


def test_time_limit(run: Try) -> None:
    """The time limit is that of the first start, and named as the option."""
    body = "    def start(self) -> None:\n        os.read(os.pipe()[0], 1)\n"
    report = run(body, "BC302", "BC303", time_limit=0.5)
    assert violated(report) == {
        "BC302": "start(): it did not return within 0.5 seconds (--time-limit)"
    }


# Starts that fail for a reason outside of the backend.


REFUSED = """\
    def start(self) -> None:
        raise ConnectionRefusedError("no engine")
"""


def test_could_not_start(run: Try) -> None:
    """If nothing starts, the report has an error that says what to give, and its findings."""
    report = run(REFUSED, "BC303", "BC401")
    assert report.error is not None
    assert "could not start here: start() raised ConnectionRefusedError: no engine (mine.py:6)" in (
        report.error
    )
    assert report.error.endswith("or give --backend-config or --factory")
    assert [verdicts(report)[c] for c in ("BC303", "BC401")] == ["blocked", "ok"]


FACTORIES = """\
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

def make(): return Mine("here")
def other(): return LocalBackend()
def ends(): os._exit(3)
text = "not a function"
"""


def test_factory(run: Try) -> None:
    """A factory creates the backends of a class that cannot be called otherwise."""
    assert "BC201" in violated(run(FACTORIES, "BC201"))
    report = run(FACTORIES, "BC303", factory="mine:make")
    assert (violated(report), verdicts(report)["BC303"]) == ({}, "ok")


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        ("mine:other", "--factory mine:other: it returns a LocalBackend, expected a Mine"),
        ("mine:missing", "--factory mine:missing: it cannot be imported: AttributeError"),
        ("missing:make", "--factory missing:make: it cannot be imported: ModuleNotFoundError"),
        ("mine:text", "--factory mine:text: 'not a function' is not callable"),
        ("mine:ends", "the process exited with status 3"),
    ],
)
def test_wrong_factory(run: Try, factory: str, problem: str) -> None:
    """A factory that cannot be used is an error of the target."""
    error = run(FACTORIES, "BC303", factory=factory).error
    assert error is not None
    assert problem in error


def test_exclusive(run: Try) -> None:
    """The option reaches the kit."""
    body = "    pass\n\ndef exclusive_now():\n    return Mine()\n"
    assert violated(run(body, "BC303", exclusive=True)) == {}


@pytest.mark.parametrize(
    ("first_line", "message"),
    mostly_exhaustive(
        [
            ("raise RuntimeError('not today')", "it cannot be imported: RuntimeError: not today"),
            ("import os; os._exit(7)", "the process exited with status 7 during its import"),
            ("import sys; sys.exit(7)", "the process exited with status 7 during its import"),
            ("import no_such_module", "No module named 'no_such_module'"),
        ],
        2,
    ),
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
    assert "could not start here" in str(run(NEEDS, "BC302").error)
    assert violated(run(NEEDS, "BC302", config="connection:\n  address: here\n")) == {}


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
    assert "RuntimeError: imported" in str(try_target(target, environment, RunOptions()).error)
    missing = environment._replace(python=str(tmp_path / "no-python"))
    with pytest.raises(FileNotFoundError):
        try_target(target, missing, RunOptions())


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
    report = try_target(target, this_environment(), RunOptions(config=Path("c.yaml")))
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
            "factory": None,
            "time_limit": 300.0,
            "exclusive": False,
            "clauses": [*CLAUSES],
            "known": {},
            "deadly": {},
        }
    ]


def test_installed_target(target: Target, processes: Processes) -> None:
    """An installed target has no root, and the configuration is optional."""
    processes.answers = [[{"done": True}]]
    report = try_target(replace(target, root=None), this_environment(), RunOptions())
    assert report == Report(target=target.text)
    (asked,) = processes.requests
    assert (asked["roots"], asked["config"]) == ([], None)


def test_process_ends(target: Target, processes: Processes, project: Path) -> None:
    """The member that was called is to blame; the next process knows, and avoids it."""
    calls = [{"calling": "is_started, on a new backend,"}, {"calling": "start()"}]
    processes.answers = [
        [{"trying": "BC301"}, *answers(found("BC101")), *calls, {"ended": "it died"}],
        [{"trying": "its import"}, *answers(found("BC401")), {"done": True}],
    ]
    report = try_target(target, this_environment(), RunOptions())
    assert [(f.clause.id, f.verdict.value) for f in report.findings] == [
        ("BC101", "ok"),
        ("BC301", "blocked"),
        ("BC302", "violated"),
        ("BC401", "ok"),
    ]
    _, stopped, died, _ = report.findings
    assert stopped.because == ("BC302",)
    assert (died.path, died.line, died.layer) == (project / "mine.py", 6, "B")
    assert died.found == "start(): it died"
    first, second = processes.requests
    assert (first["known"], first["deadly"]) == ({}, {})
    assert [*second["known"]] == ["BC101", "BC302", "BC301"]
    assert second["deadly"] == {"start": "BC302"}


def test_decided_before_the_end(target: Target, processes: Processes) -> None:
    """Findings from before the process ended, during cleanup, are kept."""
    told = [{"trying": "BC401"}, *answers(found("BC401"))]
    ended = [{"calling": "stop()"}, {"ended": "it died"}]
    processes.answers = [[*told, *ended], [{"done": True}]]
    report = try_target(target, this_environment(), RunOptions())
    assert [(f.clause.id, f.verdict.value) for f in report.findings] == [
        ("BC303", "violated"),
        ("BC401", "ok"),
    ]


def test_no_member(target: Target, processes: Processes) -> None:
    """If no member was being called, nothing is violated."""
    making = {"calling": "making a request (grpc)"}
    processes.answers = [[{"trying": "BC502"}, making, {"ended": "it died"}], [{"done": True}]]
    (finding,) = try_target(target, this_environment(), RunOptions()).findings
    assert (finding.clause.id, finding.verdict) == ("BC502", Verdict.UNCHECKED)
    assert finding.because[0].startswith("it died while this was tried, outside of the members")


def test_few_processes(target: Target, processes: Processes) -> None:
    """A member that ends its process again and again is not called any more."""
    start = {"calling": "start()"}
    held = answers(found("BC302"))
    tried = ["BC304", "BC306", "BC308", "BC404"]
    processes.answers = [
        [{"trying": clause}, *held, start, {"ended": "it died"}] for clause in tried[:DEATHS]
    ]
    processes.answers.append([{"done": True}])
    report = try_target(target, this_environment(), RunOptions())
    assert [f.clause.id for f in report.findings if f.verdict is Verdict.VIOLATED] == [
        "BC302",
        *tried[: DEATHS - 1],
    ]
    assert processes.requests[-1]["deadly"] == {"start": "BC302"}
    assert len(processes.requests) == DEATHS + 1


BLAMED = {
    ("BC301", "start()"): "BC302",
    ("BC309", "start()"): "BC302",
    ("BC309", "stop()"): "BC303",
    ("BC305", "stop(), on a new backend,"): "BC305",
    ("BC306", "stop(), on a stopped backend,"): "BC305",
    ("BC302", "creating a backend"): "BC201",
    ("BC202", "register_config()"): "BC203",
    ("BC301", "is_started, on a new backend,"): "BC307",
    ("BC402", "entering the lock in another thread"): "BC401",
    ("BC501", "handle_runtime_context()"): "BC501",
    ("BC506", "handle_runtime_context(), called by several threads at once"): "BC506",
    ("BC306", "handle_runtime_context(), with a context of gRPC,"): "BC502",
    ("BC306", "handle_runtime_context(), with a context of http,"): "BC503",
}


@pytest.mark.parametrize(("tried", "clause"), BLAMED.items(), ids=str)
def test_blame(tried: tuple[str, str], clause: str) -> None:
    """The clause of the member is violated, whatever was tried."""
    assert blame(*tried, holds=[]) == clause


BLAMED_LATER = {
    ("BC304", "start(), on a started backend,"): "BC304",
    ("BC205", "start()"): "BC302",
    ("BC402", "the lock, on entering,"): "BC402",
    ("BC205", "creating a backend"): "BC205",
    ("BC401", "creating a backend"): "BC201",
}


@pytest.mark.parametrize(("tried", "clause"), BLAMED_LATER.items(), ids=str)
def test_blame_later(tried: tuple[str, str], clause: str) -> None:
    """If the clause of the member holds, a tried clause about that member is violated."""
    assert blame(*tried, holds=[*CLAUSES]) == clause


def test_steps(target: Target, processes: Processes) -> None:
    """The steps say which clause is tried, and count the starts."""
    start = {"calling": "start()"}
    processes.answers = [
        [
            *({"trying": "its import"}, {"trying": "BC301"}, start, start),
            *({"calling": "stop()"}, start, {"trying": "BC302"}, {"done": True}),
        ]
    ]
    steps: list[str] = []
    try_target(target, this_environment(), RunOptions(), on_step=steps.append)
    assert steps == [
        *("its import", "BC301", "BC301, start 1", "BC301, start 2", "BC302, start 2"),
    ]


@pytest.mark.parametrize(
    ("before", "during"), [([], "its start"), ([{"trying": "its import"}], "its import")]
)
def test_process_ends_early(
    target: Target, processes: Processes, before: list[Answer], during: str
) -> None:
    """A process that ends before any clause is tried is an error, and is not repeated."""
    processes.answers = [[*before, {"ended": "it died"}]]
    report = try_target(target, this_environment(), RunOptions())
    assert report == Report(target=target.text, error=f"{target.text}: it died during {during}")


def test_later_process_ends_early(target: Target, processes: Processes) -> None:
    """A later process that ends before any clause is tried is an error, too."""
    ended = {"ended": "it died"}
    processes.answers = [[{"trying": "BC302"}, {"calling": "start()"}, ended], [ended]]
    report = try_target(target, this_environment(), RunOptions())
    assert report.error == f"{target.text}: it died during its start"


def test_error(target: Target, processes: Processes) -> None:
    """An error comes beside what was decided and printed."""
    told = answers(found("BC401"))
    processes.answers = [[*told, {"printed": "starting"}, {"error": "no"}]]
    report = try_target(target, this_environment(), RunOptions())
    assert report == Report(
        target=target.text,
        findings=(found("BC401"),),
        error=f"{target.text}: no",
        printed="starting",
    )


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
        program = (TELL + program).replace("{", "{{").replace("}", "}}")
        self.monkeypatch.setattr(sandbox, "PROGRAM", program)
        return sandbox.ask(request or {}, environment or this_environment())

    def all_are_gone(self) -> bool:
        """Return whether each process has ended."""
        assert self.processes
        return all(process.returncode is not None for process in self.processes)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


# What the supervisor and the worker do with the files, in one process.
TELL = """\
import json, os, sys
from pathlib import Path
directory = Path(sys.argv[1])
asked = json.loads((directory / "request.json").read_text())
def write(text):
    with (directory / "answers").open("a") as file:
        file.write(text)
def tell(**answer):
    write(f"\\n{asked['token']}{json.dumps(answer)}\\n")
"""
BLOCK = "import threading; threading.Event().wait()"


def test_ask(started: Started) -> None:
    """Answers are passed on until the process is done; it leads its own session."""
    program = f"""
tell(asked=asked, leads=os.getsid(0) == os.getpid(), read=sys.stdin.read())
tell(note="Größe")
os.write(1, b"printed, ")
os.write(2, b"too")
tell(done=True)
tell(note="more")
{BLOCK}
"""
    given = {"module": "é", "known": {"BC101": [1]}}
    first, *rest = started.ask(program, given)
    assert first["asked"].items() > given.items()
    assert (first["leads"], first["read"]) == (True, "")
    assert rest == [{"note": "Größe"}, {"printed": "printed, too"}, {"done": True}]
    assert started.all_are_gone()


def test_ask_error(started: Started) -> None:
    """An error is the last answer."""
    program = f"tell(error='no'); tell(done=True); {BLOCK}"
    assert [*started.ask(program)] == [{"printed": ""}, {"error": "no"}]
    assert started.all_are_gone()


@pytest.mark.parametrize(
    "text",
    ["", "x", '{"done": true}\n', "\0\n", "[3]\n"],
    ids=["none", "word", "done", "0", "list"],
)
def test_forged_answer(started: Started, text: str) -> None:
    """Only lines with the token of the run are answers."""
    program = f"write({text!r}); tell(note='a'); write({text!r}); tell(done=True)"
    assert [*started.ask(program)] == [{"note": "a"}, {"printed": ""}, {"done": True}]


def test_unfinished_answer(started: Started) -> None:
    """A line that is cut off is not an answer."""
    program = "tell(note='a'); write(asked['token'] + '{\"no')"
    expected = [{"note": "a"}, {"printed": ""}, {"ended": "the process exited with status 0"}]
    assert [*started.ask(program)] == expected


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("sys.exit(3)", "the process exited with status 3"),
        ("pass", "the process exited with status 0"),
        ("os.kill(os.getpid(), 15)", "the process was ended by SIGTERM"),
        ("(directory / 'ended').write_text('-9')", "the process was ended by SIGKILL"),
    ],
    ids=["status", "end", "signal", "of the worker"],
)
def test_ask_ended(started: Started, end: str, how: str) -> None:
    """The last answer of a process that ends early says how it ended."""
    assert [*started.ask(f"tell(note='a')\n{end}")] == [
        {"note": "a"},
        {"printed": ""},
        {"ended": how},
    ]
    assert started.all_are_gone()


def test_ask_silent(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not answer in time is ended."""
    monkeypatch.setattr(sandbox, "SILENCE", 0.5)
    asked = started.ask(BLOCK, {"time_limit": 0.25})
    *_, last = asked
    assert last == {
        "ended": "the process did not answer for 0.75 seconds, 0.5 more than --time-limit"
    }
    assert started.all_are_gone()
    assert started.processes[0].returncode == -signal.SIGTERM


def test_ask_closed(started: Started) -> None:
    """Closing the generator ends the process."""
    asked: Any = started.ask(f"tell(note='a'); {BLOCK}")
    with closing(asked):
        assert next(asked) == {"note": "a"}
    assert started.all_are_gone()


def test_ask_gone(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has ended already cannot be killed, which is not an error."""

    def gone(*_: object) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    assert [*started.ask("tell(done=True)")][-1] == {"done": True}
    assert started.all_are_gone()


def test_long_output(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a long output is kept, while the file is emptied."""
    monkeypatch.setattr(sandbox, "KEPT", 1000)
    program = """
os.write(1, b"a" * 700 + b"b" * 700)
while os.fstat(1).st_size: pass
os.write(1, b"c" * 300)
tell(size=os.fstat(1).st_size, done=True)
"""
    printed, done = started.ask(program)
    assert printed == {"printed": "b" * 700 + "c" * 300}
    assert done["size"] == 300


VARIABLES = "tell(done=True, **os.environ)"
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
    *_, seen = started.ask(VARIABLES, environment=here)
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
    *_, seen = started.ask(VARIABLES)
    assert seen["GRPC_ENABLE_FORK_SUPPORT"] == expected


def test_package_comes_last(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This package is the last entry of the path, for environments that lack it."""
    *imports, _, _ = sandbox.PROGRAM.splitlines()
    tell = TELL.replace("{", "{{").replace("}", "}}")
    program = "\n".join([*imports, tell, "tell(done=sys.path)"])
    monkeypatch.setattr(sandbox, "PROGRAM", program)
    monkeypatch.chdir(tmp_path)
    *_, answer = sandbox.ask({}, this_environment())
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
