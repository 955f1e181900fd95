"""The kit decides every clause once, after those that the clause needs."""

from __future__ import annotations

import abc
import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support import Mine, Structural

from backend_contract import BackendBase, LocalBackend
from backend_contract._conformance import kit as kits
from backend_contract._conformance.behavioural import BEHAVIOURS, Behaviour
from backend_contract._conformance.behavioural.outcomes import blocked, unchecked, violated
from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.behavioural.trial import Trial
from backend_contract._conformance.kit import CHECKED_BY, Kit, check_backend
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

Instead = Callable[..., None]


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Instead:
    """Return a function that replaces the trial of a clause; all others hold."""

    def replace(
        clause: str,
        function: Callable[[Trial], object] = lambda trial: None,
        after: tuple[str, ...] = (),
        half_by: str = "",
    ) -> None:
        def tried(trial: Trial) -> None:
            function(trial)

        behaviour = Behaviour(function=tried, reproduce="", after=after, half_by=half_by)
        monkeypatch.setitem(BEHAVIOURS, clause, behaviour)

    for clause in CLAUSES:
        replace(clause)
    return replace


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Replace the servers, without any framework, and yield the calls that they receive."""
    done: list[str] = []

    class Servers:
        kinds = ()
        problems: ClassVar[dict[str, str]] = {}

        def start(self) -> None:
            done.append("start")

        def start_one(self) -> None:
            self.start()

        def close(self) -> None:
            done.append("close")

    monkeypatch.setattr(kits, "RequestServers", Servers)
    yield done
    assert done.count("start") == 0 or done[-1] == "close"


def ends_with(ended: Exception) -> Callable[[Trial], None]:
    def end(trial: Trial) -> None:
        raise ended

    return end


def tried(make: Any, clause: str, **given: Any) -> Finding:
    with Kit(Subject(make=make, **given)) as kit:
        return kit.finding(CLAUSES[clause])


def line_of(function: Any) -> int:
    return inspect.getsourcelines(function)[1]


# The subject.


def test_name() -> None:
    """The name is that of the class or factory."""

    def make() -> Mine:
        return Mine()

    class Inner(Mine):
        pass

    here = f"{__name__}:"
    where = "test_name.<locals>."
    assert Kit(Subject(make=Mine)).name == "support:Mine"
    assert Kit(Subject(make=Inner)).name == f"{here}{where}Inner"
    assert Kit(Subject(make=make)).name == f"{here}{where}make"
    partial = functools.partial(Mine, None)
    assert Kit(Subject(make=partial)).name == f"functools:{partial!r}"


def test_backend_class() -> None:
    """The class is that of the first backend, which is created once."""
    made: list[Mine] = []

    def make() -> Mine:
        made.append(Mine())
        return made[-1]

    with Kit(Subject(make=make)) as kit:
        assert kit.backend_class() is Mine
        assert kit.backend_class() is Mine
        assert len(made) == 1
    with Kit(Subject(make=Mine)) as kit:
        assert kit.backend_class() is Mine


def test_backend_class_clean_up() -> None:
    """The backend that shows the class is stopped; a failure is noted."""

    class CannotStop(Mine):
        def stop(self) -> None:
            raise OSError("busy")

    def make() -> Mine:
        backend = CannotStop()
        backend.start()
        return backend

    with Kit(Subject(make=make)) as kit:
        kit.backend_class()
        (note,) = kit.notes
    assert note.startswith("stop() raised OSError: busy (")


def test_backend_class_without_base() -> None:
    """A backend that lacks its base state still shows its class."""

    class ForgetsItsBase(Mine):
        def __init__(self) -> None:
            pass

    with Kit(Subject(make=lambda: ForgetsItsBase())) as kit:
        assert kit.backend_class() is ForgetsItsBase
        assert kit.notes == []


def test_no_backend() -> None:
    """If no backend can be created, the report is an error without findings."""

    def refuses() -> Mine:
        raise OSError("no licence")

    with Kit(Subject(make=refuses)) as kit, pytest.raises(CouldNotCheckError) as error:
        kit.finding(CLAUSES["BC101"])
    assert str(error.value).startswith("the factory raised OSError: no licence (test_kit.py:")
    report = check_backend(refuses)
    assert report.error == f"{report.target}: {error.value}"
    assert report.target.endswith("<locals>.refuses")
    assert report.findings == ()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"make": 3}, TypeError, "expected a backend class or a function .*, got 3; give its"),
        ({"config": [1]}, TypeError, r"config: expected a mapping, got \[1\]"),
        ({"config": ""}, TypeError, "config: expected a mapping, got ''"),
        ({"metadata": 3}, TypeError, "metadata: expected a mapping or pairs .*, got 3"),
        ({"time_limit": 0}, ValueError, "time_limit: expected seconds above 0, got 0"),
        ({"time_limit": -0.5}, ValueError, "time_limit: expected seconds above 0, got -0.5"),
        ({"time_limit": float("inf")}, ValueError, "time_limit: expected seconds above 0, got inf"),
        ({"time_limit": float("nan")}, ValueError, "time_limit: expected seconds above 0, got nan"),
    ],
    ids=["no factory", "a list", "text", "no pairs", "no time", "negative", "infinite", "nan"],
)
def test_invalid_options(given: dict[str, Any], error: type[Exception], message: str) -> None:
    """Invalid options are rejected when the kit is created."""
    with pytest.raises(error, match=message):
        Kit(Subject(**{"make": Mine, **given}))


def test_keyword_only_options() -> None:
    """Options are keyword-only."""
    check: Any = check_backend
    with pytest.raises(TypeError, match="positional"):
        check(Mine, {})


@pytest.mark.parametrize("given", [{"config": {}}, {"config": {"a": 1}}, {"time_limit": 1}])
def test_valid_options(given: dict[str, Any]) -> None:
    """Valid options are accepted."""
    assert Kit(Subject(make=Mine, **given)).subject.make is Mine


def test_metadata_iterator() -> None:
    """Metadata given as an iterator is available for every request."""
    for given in (iter([("a", "1"), ("a", "2")]), [("a", "1"), ("a", "2")]):
        with Kit(Subject(make=Mine, metadata=given)) as kit:
            assert (
                list(kit.subject.metadata) == list(kit.subject.metadata) == [("a", "1"), ("a", "2")]
            )
    with Kit(Subject(make=Mine, metadata={"a": "1"})) as kit:
        assert kit.subject.metadata == [("a", "1")]


# Findings.


def test_finding(instead: Instead) -> None:
    """A finding has the observation, the place of the member and its source."""

    class Stops(LocalBackend):
        backend_type = "STOPS"

        def stop(self) -> None:
            super().stop()

    held = tried(Stops, "BC303")
    assert (held.verdict, held.found, held.because) == (Verdict.OK, "", ())
    assert (held.path, held.line) == (Path(__file__), line_of(Stops.stop))
    assert (held.layer, held.checked_by) == ("B", CHECKED_BY)
    instead("BC303", ends_with(violated("seen", "for one", "for another")))
    broken = tried(Stops, "BC303")
    assert broken.verdict is Verdict.VIOLATED
    assert (broken.found, broken.because) == ("seen", ("for one", "for another"))
    assert (broken.path, broken.line) == (Path(__file__), line_of(Stops.stop))
    assert (broken.layer, broken.checked_by) == ("B", CHECKED_BY)


def test_place_of_decorated_member() -> None:
    """The place is the author's line, not that of a library's decorator or generated code."""

    class Locks(Mine):
        @contextlib.contextmanager
        def start_lock(self) -> Iterator[None]:
            yield

        stop = functools.partialmethod(Mine.stop)

    assert tried(Locks, "BC401").path == Path(__file__)
    assert tried(Locks, "BC401").line == line_of(Locks.start_lock)
    finding = tried(Locks, "BC303")
    assert finding.path == Path(__file__)


def test_tried_once(instead: Instead) -> None:
    """A clause is tried once."""
    trials: list[Trial] = []
    instead("BC303", trials.append)
    with Kit(Subject(make=Mine)) as kit:
        assert kit.finding(CLAUSES["BC303"]) is kit.finding(CLAUSES["BC303"])
    assert len(trials) == 1


def test_known_finding(instead: Instead) -> None:
    """A known finding is not tried again."""
    known = tried(Mine, "BC303")
    trials: list[Trial] = []
    instead("BC303", trials.append)
    with Kit(Subject(make=Mine), {"BC303": known}) as kit:
        assert kit.finding(CLAUSES["BC303"]) is known
    assert trials == []


def test_before_trial(instead: Instead) -> None:
    """The callback receives the id before the trial."""
    order: list[str] = []
    instead("BC303", lambda trial: order.append("now"))
    with Kit(Subject(make=Mine), before_trial=order.append) as kit:
        kit.finding(CLAUSES["BC303"])
    assert order[-2:] == ["BC303", "now"]


def test_blocked(instead: Instead) -> None:
    """A clause is blocked by a violated one that it requires, also indirectly."""
    trials: list[Trial] = []
    for clause in ("BC301", "BC302", "BC303", "BC306"):
        instead(clause, trials.append)
    instead("BC309", ends_with(violated("seen")))
    for clause in ("BC302", "BC303", "BC306"):  # the last two indirectly
        finding = tried(Mine, clause)
        assert (finding.verdict, finding.found) == (Verdict.BLOCKED, "")
        assert finding.because == ("BC309",)
    assert {trial.subject.make for trial in trials} == {Mine}
    assert len(trials) == 3  # BC301 does not require BC309


@pytest.mark.parametrize("ended", [unchecked("why"), blocked("BC501")], ids=["unchecked", "other"])
def test_not_blocked(instead: Instead, ended: Exception) -> None:
    """A clause is not blocked by an unchecked or blocked one."""
    instead("BC309", ends_with(unchecked("why")))
    assert tried(Mine, "BC302").verdict is Verdict.OK


class Later(Mine):
    async def start(self) -> None:  # type: ignore[override]  # wrong on purpose
        pass


def test_problem_of_the_class(instead: Instead) -> None:
    """A clause that the class shows to be violated is not tried."""
    trials: list[Trial] = []
    instead("BC309", trials.append)
    finding = tried(Later, "BC309")
    assert (finding.verdict, finding.layer, finding.parts) == (Verdict.VIOLATED, "B", ())
    assert "is async" in finding.found
    assert trials == []


def test_abstract_member() -> None:
    """An abstract member violates its clause and blocks all others: there is no instance."""

    class LacksStop(BackendBase):
        backend_type = "LACKS-STOP"

        def register_config(self, config: Any) -> None:
            super().register_config(config)

        def start(self) -> None:
            self._started = True

    report = check_backend(LacksStop)
    found = {finding.clause.id: finding for finding in report.findings}
    assert found["BC309"].verdict is Verdict.VIOLATED
    assert "`stop` is abstract" in found["BC309"].found
    del found["BC309"]
    assert {(f.verdict, f.because) for f in found.values()} == {(Verdict.BLOCKED, ("BC309",))}


def test_abstract_member_of_the_author() -> None:
    """An abstract member outside the contract violates BC201, which blocks the others."""

    class Open(Mine, abc.ABC):
        @abc.abstractmethod
        def probe(self) -> None: ...

    report = check_backend(Open)
    violations = [f for f in report.findings if f.verdict is Verdict.VIOLATED]
    assert [f.clause.id for f in violations] == ["BC201"]
    assert "probe" in violations[0].found


@pytest.mark.parametrize(
    ("members", "clause"),
    [
        ({"handle_runtime_context": lambda self, model, context: None}, "BC501"),
        ({"start": lambda self, timeout: None}, "BC309"),
        ({"register_config": lambda self: None}, "BC202"),
        ({"start_lock": None}, "BC401"),
        ({"is_started": lambda self: True}, "BC307"),
        ({"backend_type": None}, "BC101"),
        ({"__init__": lambda self: None}, "BC201"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_member_without_frameworks(members: dict[str, Any], clause: str) -> None:
    """A wrong member violates its clause alone, without any framework too."""
    report = check_backend(type("Wrong", (Mine,), {"backend_type": "WRONG", **members}))
    violations = [f.clause.id for f in report.findings if f.verdict is Verdict.VIOLATED]
    assert violations == [clause]


async def later(self: object) -> None:
    pass


def nothing(self: object) -> None:
    pass


def forgets(self: object, config: Any = None) -> None:
    pass


def empties(self: object, config: Any) -> None:
    config.clear()


def replaces(self: Any, config: Any) -> None:
    self.config = config


@pytest.mark.parametrize(
    ("clause", "base", "members", "advice"),
    [
        ("BC103", Mine, {"backend_type": " my ray"}, 'Write `backend_type = "MY RAY"`.'),
        ("BC103", Mine, {"backend_type": ""}, ""),
        ("BC309", Structural, {"start": later}, "Remove `async` from `start`."),
        ("BC309", Structural, {"stop": lambda self, now: None}, ""),
        ("BC302", Mine, {"start": nothing}, "Set `self._started = True` at the end of `start`."),
        (
            *("BC302", Structural, {"start": nothing}),
            "Let `is_started` be `True` from the end of `start` on.",
        ),
        (
            *("BC204", Mine, {"register_config": replaces}),
            "Call `super().register_config(config)`, which merges.",
        ),
        ("BC201", Mine, {"__init__": forgets}, "Call `super().__init__(config)` in `__init__`."),
        (
            *("BC205", Mine, {"register_config": empties}),
            "Call `super().register_config(config)`, which merges into a copy.",
        ),
        ("BC205", Structural, {"register_config": empties}, ""),
        (
            *("BC307", Mine, {"is_started": lambda self: False}),
            "Make it a property: put `@property` above `def is_started`.",
        ),
        (
            *("BC501", Mine, {"handle_runtime_context": lambda self, model_id, context: None}),
            "Rename `context` to `runtime_context`.",
        ),
        (
            *("BC501", Mine, {"handle_runtime_context": lambda self, model, context: None}),
            "Rename `model` to `model_id` and `context` to `runtime_context`.",
        ),
        (
            "BC501",
            Mine,
            {"handle_runtime_context": lambda self, model_id, runtime_context, /: None},
            "Remove the `/`, so that both can be given by keyword.",
        ),
        ("BC501", Mine, {"handle_runtime_context": lambda self, *both: None}, ""),
    ],
)
def test_advice(clause: str, base: type, members: dict[str, Any], advice: str) -> None:
    """The advice is about the mistake; a structural class is not told to call ``super``."""
    finding = tried(type("Wrong", (base,), members), clause)
    assert (finding.verdict, finding.advice) == (Verdict.VIOLATED, advice)


class WithoutStop:
    """Has every member but one."""

    backend_type = "WITHOUT-STOP"
    is_started = False

    def __init__(self, config: Any = None) -> None:
        self.lock = threading.Lock()

    register_config = Structural.register_config
    start = Structural.start
    start_lock = Structural.start_lock
    handle_runtime_context = Structural.handle_runtime_context


def test_missing_member() -> None:
    """A missing member blocks BC201, and is to be defined."""
    with Kit(Subject(make=WithoutStop)) as kit:  # type: ignore[arg-type]  # wrong on purpose
        assert kit.finding(CLAUSES["BC309"]).advice == "Define `stop` in the class."
        constructor = kit.finding(CLAUSES["BC201"])
    assert (constructor.verdict, constructor.because) == (Verdict.BLOCKED, ("BC309",))
    assert tried(Structural, "BC201").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("kinds", "notes"),
    [
        (("grpc",), ["requests were made over gRPC only; install backend-contract[fastapi]"]),
        (("http",), ["requests were made over HTTP only; install backend-contract[grpc]"]),
        (("grpc", "http"), []),
        ((), []),
    ],
)
def test_missing_framework(
    kinds: tuple[str, ...],
    notes: list[str],
    instead: Instead,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If only one framework is installed, a note says that clauses were tried by half."""
    monkeypatch.setattr(vars(kits)["RequestServers"], "kinds", kinds)
    instead("BC501", lambda trial: None)
    with Kit(Subject(make=Mine)) as kit:
        assert kit.finding(CLAUSES["BC501"]).verdict is Verdict.OK
        assert kit.notes == notes


def test_factory_of_other_constructor() -> None:
    """A factory may call the class in any way, so the constructor is unchecked."""

    class NeedsWorkers(Mine):
        backend_type = "WORKERS"

        def __init__(self, config: Any, workers: int) -> None:
            super().__init__(config)

    assert tried(NeedsWorkers, "BC201").verdict is Verdict.VIOLATED
    report = check_backend(lambda: NeedsWorkers(None, 3))
    assert [f for f in report.findings if f.verdict is Verdict.VIOLATED] == []
    found = {finding.clause.id: finding.verdict for finding in report.findings}
    assert found["BC201"] is Verdict.UNCHECKED
    assert found["BC302"] is Verdict.OK


def test_report_sizes() -> None:
    """Printing a report, or its findings, shows no more than a person reads."""
    for cls in (Mine, Later, object):
        report = check_backend(cls)  # type: ignore[arg-type]  # any class
        assert len(report.findings) == len(CLAUSES)
        for text in (str(report), repr(report), str(report.findings), repr(report.findings)):
            assert len(text) < 6000


def test_async_request_without_frameworks() -> None:
    """An async handle_runtime_context violates BC501, without any framework too."""

    class Later(Mine):
        backend_type = "LATER"

        async def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:  # type: ignore[override]  # wrong on purpose
            pass

    report = check_backend(Later)
    violations = [f.clause.id for f in report.findings if f.verdict is Verdict.VIOLATED]
    assert violations == ["BC501"]


def test_decided_before(
    instead: Instead,
) -> None:
    """A trial may ask for clauses that are decided before it."""
    order: list[str] = []
    instead("BC401", lambda trial: order.append("BC401"))
    instead("BC402", ends_with(violated("seen")))

    def ask(trial: Trial) -> None:
        order.append("BC303")
        order.extend(clause for clause in ("BC401", "BC402") if trial.holds(clause))

    instead("BC303", ask, ("BC401",))
    assert tried(Mine, "BC303").verdict is Verdict.OK
    assert order == ["BC401", "BC303", "BC401"]


def test_servers(instead: Instead, servers: list[str]) -> None:
    """Servers are started only for clauses that need requests."""
    with Kit(Subject(make=Mine)) as kit:
        kit.finding(CLAUSES["BC401"])
        assert servers == []
        kit.finding(CLAUSES["BC501"])
        assert servers == ["start"]
    assert servers == ["start", "close"]


# Closing.


def test_clean_up_note(
    instead: Instead,
) -> None:
    """A failure in clean-up is noted once."""

    class CannotStop(Mine):
        def stop(self) -> None:
            raise OSError("busy")

    def start(trial: Trial) -> None:
        trial.new().start()

    def start_and_break_it(trial: Trial) -> None:
        start(trial)
        raise violated("seen")

    instead("BC401", start)
    instead("BC402", start_and_break_it)
    report = check_backend(CannotStop)
    assert report.notes[0].startswith("stop() raised OSError: busy (")


def test_report(instead: Instead, servers: list[str]) -> None:
    """A report has one finding per clause, and the kit is closed."""
    with Kit(Subject(make=Mine)) as kit:
        report = kit.report()
        assert servers[-1] == "close"
    assert report.target == "support:Mine"
    assert [finding.clause for finding in report.findings] == list(CLAUSES.values())
    assert {finding.verdict for finding in report.findings} == {Verdict.OK}
    assert (report.error, report.notes) == (None, ())


def test_half_of_a_clause(instead: Instead) -> None:
    """A clause that is ok is noted if the hook for half of it is missing; a violated one is not."""

    def is_broken(trial: Trial) -> None:
        raise violated("seen")

    instead("BC302", half_by="during_start")
    instead("BC304", half_by="during_start")
    instead("BC310", is_broken, half_by="during_start")
    instead("BC312", half_by="received_contexts")
    note = "only half of BC302, BC304 was tried, without the hook `during_start`"
    assert check_backend(Mine, received_contexts=lambda backend: []).notes == (note,)
    other = "only half of BC312 was tried, without the hook `received_contexts`"
    assert check_backend(Mine).notes == (note, other)


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kits, "_GRACE", 0)


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.usefixtures("no_grace")
def test_thread_left(daemon: bool) -> None:
    """A thread that is left running is noted once."""
    go_on = threading.Event()
    before = threading.Thread(target=go_on.wait, name="was there before")
    before.start()
    kit = Kit(Subject(make=Mine))
    left = threading.Thread(target=go_on.wait, name="left", daemon=daemon)
    left.start()
    kit.close()
    kit.close()
    go_on.set()
    for thread in (before, left):
        thread.join()
    kind = "daemon" if daemon else "non-daemon"
    assert kit.notes == [f"still running: the {kind} thread 'left'"]


def test_thread_that_is_just_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that another one has not started yet cannot be joined, and does not run."""
    enumerate_threads = threading.enumerate
    starting = threading.Thread(name="starting")
    monkeypatch.setattr(threading, "enumerate", lambda: [*enumerate_threads(), starting])
    kit = Kit(Subject(make=Mine))
    monkeypatch.setattr(kit, "_threads", {*enumerate_threads()})
    kit.close()
    assert kit.notes == []


def test_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """All threads together get one grace period."""
    now = [100.0]
    given: list[float | None] = []

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        given.append(timeout)
        now[0] += 0.75
        go_on.set()
        wait(thread)

    wait = threading.Thread.join
    go_on = threading.Event()
    monkeypatch.setattr(kits, "real_time", Clock)
    monkeypatch.setattr(kits, "_GRACE", 1.0)
    kit = Kit(Subject(make=Mine))
    threads = [threading.Thread(target=go_on.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    monkeypatch.setattr(threading.Thread, "join", join)
    kit.close()
    assert given == [1.0, 0.25, 0]
    assert kit.notes == []


@pytest.mark.usefixtures("no_grace")
def test_closing_thread() -> None:
    """The thread that closes a kit is not noted."""
    kit = Kit(Subject(make=Mine))
    thread = threading.Thread(target=kit.close)
    thread.start()
    thread.join()
    assert kit.notes == []
