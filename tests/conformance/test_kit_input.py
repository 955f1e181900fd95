"""Unusual input of an author: the result is clear, and nothing is left running."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conformance.behavioural.mutants import HOOKS, Inheriting, Structural
from support import WAIT, mostly_exhaustive

from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract.clauses import CLAUSES
from backend_contract.testing import check_backend


def ends(thread: threading.Thread) -> bool:
    thread.join(WAIT)
    return not thread.is_alive()


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """Each test ends without new threads, child processes or listening sockets."""
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    left = [t for t in threading.enumerate() if t not in threads and not ends(t)]
    assert left == []
    assert multiprocessing.active_children() == []
    assert open_sockets() - sockets == set()


def open_sockets() -> set[str]:
    """Return the listening sockets of this process; gRPC keeps others open."""
    listening = {
        line.split()[9]
        for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    links = {link for link in (read_link(fd) for fd in Path("/proc/self/fd").iterdir()) if link}
    return {inode for inode in listening if f"socket:[{inode}]" in links}


def read_link(path: Path) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115 - a socket is not a path
    except OSError:
        return None


def verdicts(report: Report) -> dict[str, Verdict]:
    assert report.error is None
    return {finding.clause.id: finding.verdict for finding in report.findings}


def violated(report: Report) -> dict[str, Finding]:
    assert report.error is None
    return {f.clause.id: f for f in report.findings if f.verdict is Verdict.VIOLATED}


# Factories.


@pytest.mark.parametrize("given", [None, "module:Class", 3, Structural()])
def test_not_callable(given: Any) -> None:
    """A factory must be callable."""
    with pytest.raises(TypeError, match="expected a backend class or a function that returns"):
        check_backend(given)


def raising() -> Any:
    raise FileNotFoundError("no backend.yaml")


def leaving() -> Any:
    sys.exit("no backend.yaml")


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        (raising, "the factory raised FileNotFoundError: no backend.yaml (test_kit_input.py:"),
        (leaving, "the factory raised SystemExit: no backend.yaml (test_kit_input.py:"),
        (lambda: None, "the factory returned None, expected a backend; is a `return` missing?"),
        (lambda: Structural, "the factory returned the class Structural, expected an instance"),
    ],
    ids=["raises", "exits", "None", "a class"],
)
def test_factory_without_backend(factory: Any, problem: str) -> None:
    """A factory that creates no backend is an error with the reason."""
    report = check_backend(factory)
    assert report.findings == ()
    assert report.error is not None
    assert problem in report.error
    assert report.error.startswith(f"{__name__}:")


def test_factory_hangs() -> None:
    """A factory that hangs is an error."""
    go_on = threading.Event()

    def make() -> Structural:
        go_on.wait()
        return Structural()

    report = check_backend(make, time_limit=1)
    assert report.error is not None
    assert "creating a backend: it did not return within 1 seconds" in report.error
    go_on.set()


def test_factory_same_instance() -> None:
    """A factory that returns the same instance leaves clauses unchecked."""
    only = Structural()
    report = check_backend(lambda: only, **HOOKS)
    assert violated(report) == {}
    undecided = [f for f in report.findings if f.verdict is Verdict.UNCHECKED]
    assert "BC302" in {f.clause.id for f in undecided}
    assert any("the same backend twice" in f.because[0] for f in undecided)


def test_factory_raises_later() -> None:
    """A factory that raises later leaves clauses unchecked."""
    made: list[object] = []

    def few() -> Structural:
        if len(made) == 3:
            raise OSError("no more")
        made.append(None)
        return Structural()

    report = check_backend(few, **HOOKS)
    assert violated(report) == {}
    assert any("the factory raised OSError: no more" in f.because for f in report.findings) or any(
        "no more" in "".join(f.because) for f in report.findings
    )


def test_factory_starts() -> None:
    """A factory that starts the backend violates BC301."""

    def started() -> Structural:
        backend = Structural()
        backend.start()
        return backend

    report = check_backend(started, **HOOKS)
    assert violated(report)["BC301"].found == (
        "is_started is True on a new backend; the factory must not start it"
    )
    assert list(violated(report)) == ["BC301"]


# Hooks.


@pytest.mark.parametrize(
    ("hook", "clauses", "error"),
    mostly_exhaustive(
        [
            ("merged_config", ["BC204", "BC206", "BC312"], AttributeError("nothing there")),
            ("during_start", ["BC304", "BC308", "BC405"], SystemExit("nothing there")),
            ("during_start", ["BC304", "BC308", "BC405"], AttributeError("nothing there")),
            ("received_contexts", ["BC312", "BC504", "BC506"], AttributeError("nothing there")),
        ],
        2,
    ),
)
def test_hooks_raise(hook: str, clauses: list[str], error: BaseException) -> None:
    """A hook that raises leaves its clauses unchecked."""

    def broken(*arguments: object) -> Any:
        raise error

    report = check_backend(Structural, **{**HOOKS, hook: broken})
    undecided = {f.clause.id: f for f in report.findings if f.verdict is not Verdict.OK}
    assert list(undecided) == clauses
    for finding in undecided.values():
        assert finding.verdict is Verdict.UNCHECKED
        assert (
            f"the hook `{hook}` raised {type(error).__name__}: nothing there" in finding.because[0]
        )


def test_hook_does_nothing() -> None:
    """A hook that injects nothing leaves its clauses unchecked."""
    report = check_backend(Structural, **HOOKS | {"during_start": lambda backend, call: None})
    undecided = {f.clause.id: f.because for f in report.findings if f.verdict is not Verdict.OK}
    why = ("start() returned without calling the function given to `during_start`",)
    assert undecided == {"BC308": why, "BC405": why}


# Backends.


class AnswersEverything:
    def __init__(self, *arguments: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return AnswersEverything()

    def __call__(self, *arguments: object, **named: object) -> Any:
        return AnswersEverything()


def test_answers_everything() -> None:
    """A backend that has every attribute keeps next to no clause; every clause has a verdict."""
    report = check_backend(AnswersEverything, time_limit=WAIT)
    assert list(verdicts(report)) == list(CLAUSES)
    assert set(violated(report)) >= {"BC101", "BC202", "BC307", "BC309", "BC401", "BC501"}
    kept = [clause for clause, verdict in verdicts(report).items() if verdict is Verdict.OK]
    assert kept == ["BC201", "BC205", "BC312"]


class FailsInCleanUp(Structural):
    """Cannot be stopped in clean-up."""

    backend_type = "UNSTOPPABLE"

    def stop(self) -> None:
        if any("clean-up" in threading.current_thread().name for _ in [0]):
            raise TimeoutError("the server does not answer")
        super().stop()


def test_stop_raises_in_clean_up() -> None:
    """A stop() that raises in clean-up is noted and violates nothing."""
    report = check_backend(FailsInCleanUp, **HOOKS)
    assert violated(report) == {}
    (note,) = report.notes
    assert note.startswith("stop() raised TimeoutError: the server does not answer (test_kit_input")
    assert note.endswith("in clean-up")


class Exits(Structural):
    backend_type = "EXITS"

    def start(self) -> None:
        sys.exit(3)


def test_exits() -> None:
    """SystemExit in start() violates BC302 and does not end the run: every clause is decided."""
    report = check_backend(Exits, **HOOKS)
    assert list(verdicts(report)) == list(CLAUSES)
    assert violated(report)["BC302"].found.startswith("start() raised SystemExit: 3")
    assert list(violated(report)) == ["BC302"]
    assert verdicts(report)["BC505"] is Verdict.OK


class ExitsWhenTold(Structural):
    backend_type = "TOLD"

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None:
        raise SystemExit(3)


@pytest.mark.exhaustive
def test_exits_in_request() -> None:
    """SystemExit in handle_runtime_context violates BC504."""
    report = check_backend(ExitsWhenTold, **HOOKS)
    assert list(violated(report)) == ["BC504"]
    assert "SystemExit: 3" in violated(report)["BC504"].found


class InstallsAHandler(Structural):
    backend_type = "HANDLER"

    def start(self) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        super().start()


def test_signal_handler() -> None:
    """A backend that installs a signal handler cannot start in a thread."""
    before = signal.getsignal(signal.SIGUSR1)
    report = check_backend(InstallsAHandler, **HOOKS)
    assert list(verdicts(report)) == list(CLAUSES)
    assert list(violated(report)) == ["BC302"]
    assert "signal only works in main thread" in violated(report)["BC302"].found
    signal.signal(signal.SIGUSR1, before)  # in the main thread, it was installed


class FailsHalfStarted(Inheriting):
    """Its start() sets the flag and then raises, in every thread."""

    backend_type = "HALF"

    made: ClassVar[list[FailsHalfStarted]] = []

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.made.append(self)

    def start(self) -> None:
        super().start()
        raise ConnectionError("no engine")


@pytest.mark.exhaustive
def test_fails_half_started() -> None:
    """If no start succeeds, every backend that seems started is stopped."""
    report = check_backend(FailsHalfStarted)
    assert "could not start here" in (report.error or "")
    assert FailsHalfStarted.made
    assert not any(backend.is_started for backend in FailsHalfStarted.made)


class Prints(Structural):
    backend_type = "PRINTS"

    def start(self) -> None:
        print("starting")
        super().start()


def test_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """A backend may print."""
    assert violated(check_backend(Prints, **HOOKS)) == {}
    assert set(capsys.readouterr().out.split()) == {"starting"}


class LeavesThreads(Inheriting):
    """Starts a thread that is never joined and keeps the interpreter alive."""

    backend_type = "THREADS"

    go_on = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self.go_on.wait, name="poller", daemon=False).start()
        super().start()


def test_leaves_thread() -> None:
    """A thread that a backend leaves running at each start violates BC310, and is noted."""
    try:
        with Kit(Subject(make=LeavesThreads, **HOOKS)) as kit:
            verdicts = [kit.finding(CLAUSES[clause]).verdict for clause in ("BC303", "BC310")]
    finally:
        LeavesThreads.go_on.set()
    assert verdicts == [Verdict.OK, Verdict.VIOLATED]
    assert set(kit.notes) == {"still running: the non-daemon thread 'poller'"}


class Deadlocks(Structural):
    """Its stop() waits until the test lets it go on."""

    backend_type = "DEADLOCKS"

    go_on = threading.Event()

    def stop(self) -> None:
        self.go_on.wait()
        super().stop()


@pytest.mark.exhaustive
def test_deadlock() -> None:
    """A hang is reported with the stack of the backend."""
    with Kit(Subject(make=Deadlocks, time_limit=1, **HOOKS)) as kit:
        finding = kit.finding(CLAUSES["BC303"])
        Deadlocks.go_on.set()
        kit.subject = replace(kit.subject, time_limit=60)  # enough for BC506 on any machine
        assert kit.finding(CLAUSES["BC506"]).verdict is Verdict.OK
    assert finding.verdict is Verdict.VIOLATED
    assert finding.found == "stop(): it did not return within 1 seconds (time_limit)"
    (stack,) = finding.because
    assert "in stop" in stack
    assert "self.go_on.wait()" in stack


EXITS = """\
import os, sys
sys.path.insert(0, {here!r})
from backend_contract.testing import check_backend
from conformance.behavioural.mutants import HOOKS, Structural
check_backend(Structural, **HOOKS)
print("done", flush=True)
"""


@pytest.mark.exhaustive
def test_interpreter_exits() -> None:
    """The interpreter exits after a run."""
    code = EXITS.format(here=str(Path(__file__).parents[1]))
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert (run.stdout, run.stderr) == ("done\n", "")


@pytest.mark.exhaustive
def test_slow_start() -> None:
    """A slow start is not a hang."""

    class Slow(Inheriting):
        backend_type = "SLOW"

        def connect(self) -> None:
            threading.Event().wait(1)  # all calls of a clause together exceed the limit

    report = check_backend(Slow, time_limit=3)
    assert [f.clause.id for f in report.findings if f.verdict is Verdict.VIOLATED] == []


def test_constructor_hangs() -> None:
    """A constructor that hangs violates BC201 alone."""
    let_go = threading.Event()

    class Hangs(Inheriting):
        def __init__(self, config: object = None) -> None:
            let_go.wait()

    report = check_backend(Hangs, time_limit=0.2)
    let_go.set()
    assert [f.clause.id for f in report.findings if f.verdict is Verdict.VIOLATED] == ["BC201"]


@pytest.mark.exhaustive
def test_unknown_received_value() -> None:
    """A value that the kit does not know leaves BC506 unchecked."""
    report = check_backend(
        Inheriting,
        received_contexts=lambda backend: [(model, "of my own") for model, _ in backend.routes],
    )
    (finding,) = (f for f in report.findings if f.clause.id == "BC506")
    assert finding.verdict is Verdict.UNCHECKED
    assert "expected its context, or a value of its metadata" in finding.because[0]


def test_start_base_exception() -> None:
    """A BaseException of start() violates BC302 alone."""

    class Panics(Inheriting):
        backend_type = "PANICS"

        def start(self) -> None:
            raise BaseException("as extensions in other languages do")

    report = check_backend(Panics)
    assert [f.clause.id for f in report.findings if f.verdict is Verdict.VIOLATED] == ["BC302"]


@pytest.mark.exhaustive
def test_unhashable_class() -> None:
    """A class that cannot be hashed can be checked."""

    class Meta(type(Inheriting)):  # type: ignore[misc]  # a dynamic base
        __hash__ = None  # type: ignore[assignment]  # as if only __eq__ were defined

    class Unhashable(Inheriting, metaclass=Meta):
        backend_type = "UNHASHABLE"

    report = check_backend(Unhashable)
    assert report.error is None
    assert [f.clause.id for f in report.findings if f.verdict is Verdict.VIOLATED] == []


@pytest.mark.parametrize(
    ("given", "error"),
    [({"config": [1]}, TypeError), ({"time_limit": 0}, ValueError)],
)
def test_invalid_arguments(given: dict[str, Any], error: type[Exception]) -> None:
    """Invalid arguments raise at once."""
    with pytest.raises(error, match=next(iter(given))):
        check_backend(Inheriting, **given)


def test_async_factory() -> None:
    """An async factory is an error."""

    async def make() -> Inheriting:
        return Inheriting()

    check: Any = check_backend  # to a type checker, it is not a factory at all
    error = check(make).error
    assert "the factory is async" in error
