"""Trying a clause, whichever it is: threads, time limits, clean-up."""

from __future__ import annotations

import gc
import subprocess
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import aconfig
import pytest
from support import Mine

from backend_contract._conformance.behavioural import calls
from backend_contract._conformance.behavioural import trial as trials
from backend_contract._conformance.behavioural.calls import (
    AbandonedError,
    WorkerCall,
    current_frames,
    describe_exception,
    format_stack,
)
from backend_contract._conformance.behavioural.helpers import others_may_be_at_work
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    blocked,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.run import Run, Subject, configuration
from backend_contract._conformance.behavioural.trial import Trial, lacks_base_state
from backend_contract._conformance.results import Verdict

# First: if this is wrong, any other test may end pytest with status 0.
FORKED = """\
import os
from backend_contract._conformance.behavioural.calls import end_if_forked
end_if_forked(os.getpid())
print("goes on", flush=True)
end_if_forked({another})
print("goes on in another process", flush=True)
"""


@pytest.mark.parametrize("another", [0, 2**31 - 1])
def test_forked_process(another: int) -> None:
    """A process that the backend forked ends quietly, whatever its id."""
    run = subprocess.run(
        [sys.executable, "-c", FORKED.format(another=another)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout == "goes on\n"


class NoServers:
    """Replaces the servers: a gRPC request works, an HTTP request fails."""

    kinds = ("grpc",)
    problems = ()

    @contextmanager
    def request(self, kind: str, metadata: object) -> Iterator[object]:
        if kind == "http":
            raise OSError("no more sockets")
        yield (kind, metadata)


def a_run(make: Any = Mine, *, holds: str = "BC302", **given: Any) -> Run:
    servers: Any = NoServers()
    return Run(
        subject=Subject(make=make, **given), servers=servers, holds=lambda clause: clause in holds
    )


def a_trial(make: Any = Mine, *, holds: str = "BC302", **given: Any) -> Trial:
    return Trial(a_run(make, holds=holds, **given))


def carried_out(clause: Callable[[Trial], Any], **given: Any) -> StopTrial | None:
    return a_trial(**given).carry_out(clause, "BC000")


def parts(ended: StopTrial | None) -> tuple[Verdict, str, tuple[str, ...]]:
    assert ended is not None
    return ended.verdict, ended.found, ended.because


# The subject.


def test_subject_class() -> None:
    """Only a class, not a factory, is the class of a subject."""
    assert Subject(make=Mine).cls is Mine
    assert Subject(make=lambda: Mine()).cls is None


def test_subject_create() -> None:
    """A class receives the sample or the given arguments, a factory nothing."""
    sample = {"a": {"b": [1]}}

    def given_to(make: Any, config: Any, *arguments: object) -> tuple[object, ...]:
        given: tuple[object, ...] = Subject(make=make, config=config).create(*arguments)  # type: ignore[assignment]
        return given

    class Remembers(tuple):  # type: ignore[type-arg]  # of whatever it is given
        __slots__ = ()

        def __new__(cls, *arguments: object) -> Any:
            return arguments

    (config,) = given_to(Remembers, sample)
    assert type(config) is aconfig.Config
    assert config == sample
    assert given_to(Remembers, {}) == (aconfig.Config({}),)
    assert given_to(Remembers, None) == ()
    assert given_to(Remembers, sample, None) == (None,)
    assert given_to(lambda *arguments: arguments, sample) == ()


def test_configuration_is_a_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A configuration shares no part with the sample and ignores environment variables."""
    monkeypatch.setenv("C", "2")
    sample = {"a": {"b": [1]}, "c": 1}
    config = configuration(sample)
    assert config == sample
    config["a"]["b"].append(2)
    assert sample == {"a": {"b": [1]}, "c": 1}


def test_outcomes() -> None:
    """The outcomes carry verdict, observation and reasons."""
    assert parts(violated("seen", "a", "b")) == (Verdict.VIOLATED, "seen", ("a", "b"))
    assert parts(unchecked("why")) == (Verdict.UNCHECKED, "", ("why",))
    assert parts(blocked("BC201")) == (Verdict.BLOCKED, "", ("BC201",))


# Descriptions of exceptions.


def raised_by(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_describe_exception_place() -> None:
    """The description of an exception names file and line of its origin."""
    code = "def inner():\n    1 / 0\n\ndef outer():\n    inner()\n"
    names: dict[str, Any] = {}
    exec(compile(code, "/some/file.py", "exec"), names)  # noqa: S102 - its lines are known
    error = raised_by(names["outer"])
    assert describe_exception(error) == "ZeroDivisionError: division by zero (file.py:2)"


def test_describe_exception_one_line() -> None:
    """The description of an exception is one line of limited length."""
    assert describe_exception(ValueError("first\n  second")) == "ValueError: first second"
    assert describe_exception(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert describe_exception(ValueError("x" * 1000)) == "ValueError: " + "x" * 288


# Calls in other threads.


def test_call_result() -> None:
    """The result of a call is that of its function, exceptions included."""
    assert WorkerCall(lambda: 3, "three").result() == 3
    with pytest.raises(SystemExit, match="7"):
        WorkerCall(lambda: sys.exit(7), "exits").result()


def test_call_thread() -> None:
    """A call runs in a named daemon thread."""
    let_go = threading.Event()
    task = WorkerCall(let_go.wait, "its name")
    assert (task.thread.name, task.thread.daemon) == ("its name", True)
    assert task.ended_within(0) is False
    let_go.set()
    assert task.ended_within(60) is True
    task.thread.join()


def test_abandon_running_call() -> None:
    """Abandoning a call releases those who wait for it; the call may end later."""
    let_go = threading.Event()
    task = WorkerCall(let_go.wait, "abandoned")
    task.abandon()
    with pytest.raises(AbandonedError):
        task.result()
    let_go.set()
    task.thread.join()  # pytest fails if it raises
    task.abandon()


def test_abandon_ended_call() -> None:
    """Abandoning a call that has ended does nothing."""
    task = WorkerCall(lambda: 3, "three")
    task.thread.join()
    task.abandon()
    assert task.result() == 3


# Creating backends.


def test_new() -> None:
    """Each new backend is another instance, created with the given arguments."""
    trial = a_trial()
    first, second = trial.new(), trial.new()
    assert type(first) is type(second) is Mine
    assert first is not second
    assert trial.new({"a": 1}).config == {"a": 1}  # type: ignore[attr-defined]


class CannotBeMade(Mine):
    def __init__(self, config: object = None) -> None:
        raise OSError("no licence")


class ForgetsItsBase(Mine):
    def __init__(self, config: object = None) -> None:
        pass


def refuses() -> Any:
    raise OSError("no licence")


def leaves() -> Any:
    sys.exit("no licence")


async def later() -> Mine:
    return Mine()


@pytest.mark.parametrize(
    ("make", "verdict", "because"),
    [
        (CannotBeMade, Verdict.BLOCKED, "BC201"),
        (ForgetsItsBase, Verdict.BLOCKED, "BC201"),
        (lambda: ForgetsItsBase(), Verdict.BLOCKED, "BC201"),
        (refuses, Verdict.UNCHECKED, "the factory raised OSError: no licence (test_trial.py:"),
        (leaves, Verdict.UNCHECKED, "the factory raised SystemExit: no licence (test_trial.py:"),
        (lambda: None, Verdict.UNCHECKED, "the factory returned None"),
        (lambda: Mine, Verdict.UNCHECKED, "the factory returned the class Mine, expected an inst"),
        (later, Verdict.UNCHECKED, "the factory is async; expected a function that returns"),
    ],
    ids=["class", "base", "base by a factory", "raises", "exits", "None", "a class", "async"],
)
def test_new_fails(make: Any, verdict: Verdict, because: str) -> None:
    """A trial ends if no backend can be created: blocked for a class, unchecked for a factory."""
    with pytest.raises(StopTrial) as ended:
        a_trial(make).new()
    assert ended.value.verdict is verdict
    assert ended.value.because[0].startswith(because)
    assert len(ended.value.because) == 1


def test_new_same_instance() -> None:
    """A factory that returns the same instance again leaves the clause unchecked."""

    class EqualToAll(Mine):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # instances are compared by identity

    made: list[EqualToAll] = [EqualToAll(), EqualToAll()]
    run = a_run(lambda: made.pop() if len(made) > 1 else made[0])
    Trial(run).new()
    Trial(run).new()
    with pytest.raises(StopTrial) as ended:
        Trial(run).new()
    assert ended.value.verdict is Verdict.UNCHECKED
    assert "the factory returned the same backend twice" in ended.value.because[0]


def test_started() -> None:
    """A backend is started if BC302 holds."""
    assert a_trial().started().is_started
    assert not a_trial(holds="BC303").started().is_started


def test_lacks_base_state() -> None:
    """A missing call of the base constructor shows in the state that the class needs."""

    class HasItsOwnState(ForgetsItsBase):
        is_started = False

    class HasItsOwnLock(ForgetsItsBase):
        def start_lock(self) -> Any:
            return threading.RLock()

    class HasBoth(HasItsOwnState, HasItsOwnLock):
        pass

    class SetsThem(ForgetsItsBase):
        def __init__(self, config: object = None) -> None:
            self._started = False
            self._start_lock = threading.RLock()

    lacking = [ForgetsItsBase, HasItsOwnState, HasItsOwnLock]
    assert [
        cls for cls in (*lacking, HasBoth, SetsThem, Mine) if lacks_base_state(cls())
    ] == lacking
    assert not lacks_base_state(object())


# Calling members.


def test_call() -> None:
    """A call passes its arguments and returns the result."""
    trial = a_trial()
    assert trial.call("it", lambda *given: given, 1, 2) == (1, 2)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no"), BaseException("no")])
def test_call_raises(error: BaseException) -> None:
    """A call that raises anything violates the clause."""

    def raises() -> None:
        raise error

    with pytest.raises(StopTrial) as ended:
        a_trial().call("start()", raises)
    name = type(error).__name__
    assert ended.value.verdict is Verdict.VIOLATED
    assert ended.value.found.startswith(f"start() raised {name}: no (test_trial.py:")
    assert ended.value.__cause__ is error


def test_call_ends_trial() -> None:
    """An outcome raised within a call propagates unchanged."""
    for error in (unchecked("why"), AbandonedError()):

        def raises(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            a_trial().call("start()", raises)
        assert raised.value is error


def test_read_is_started() -> None:
    """Reading `is_started` is a call like any other."""

    class Unreadable(Mine):
        @property
        def is_started(self) -> bool:
            raise RuntimeError("not now")

    trial = a_trial()
    assert trial.is_started(Mine(), "here") is False
    with pytest.raises(StopTrial) as ended:
        trial.is_started(Unreadable(), "here")
    assert ended.value.found.startswith("is_started, here, raised RuntimeError: not now (")


def test_hook() -> None:
    """A hook receives the arguments; a missing one returns None."""
    given: Any = {"merged_config": lambda *arguments: arguments}
    assert a_trial(**given).hook("merged_config", 1, 2) == (1, 2)
    assert a_trial().hook("merged_config", 1, 2) is None


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no")])
def test_hook_raises(error: BaseException) -> None:
    """A hook that raises leaves the clause unchecked."""

    def raises(backend: object) -> Any:
        raise error

    with pytest.raises(StopTrial) as ended:
        a_trial(merged_config=raises).hook("merged_config", 1)
    name = type(error).__name__
    assert ended.value.verdict is Verdict.UNCHECKED
    assert ended.value.because[0].startswith(f"the hook `merged_config` raised {name}: no (")


def test_context() -> None:
    """A context comes from a request; without one, the clause is unchecked."""
    trial = a_trial()
    assert trial.kinds == ("grpc",)
    with trial.context("grpc", [("a", "b")]) as context:
        pair: Any = context
        assert pair == ("grpc", [("a", "b")])
    with pytest.raises(StopTrial) as ended, trial.context("http", ()):
        raise AssertionError("there is none")
    because = "no request could be made (http): OSError: no more sockets (test_trial.py:"
    assert ended.value.verdict is Verdict.UNCHECKED
    assert ended.value.because[0].startswith(because)


def test_context_body_raises() -> None:
    """An exception of the body is not attributed to the request."""
    with pytest.raises(ZeroDivisionError), a_trial().context("grpc", ()):
        1 / 0  # noqa: B018 - to raise


# Carrying out a trial.


def test_holds() -> None:
    """A clause holds if its function returns."""
    seen: list[Trial] = []
    assert carried_out(seen.append) is None
    assert len(seen) == 1


def test_time_of_another_clause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial of another clause takes nothing of the time of a call."""
    now, looked = [0.0], threading.Semaphore(0)

    class Clock:
        @staticmethod
        def monotonic() -> float:
            looked.release()
            return now[0]

    def holds(clause: str) -> bool:
        now[0] += 1000
        while looked.acquire(blocking=False):
            pass
        for _ in range(5):  # whether the time is over
            looked.acquire()
        return True

    monkeypatch.setattr(trials, "real_time", Clock)
    trial = a_trial(time_limit=10.0)
    trial.run.holds = holds
    assert trial.carry_out(lambda trial: trial.holds("BC401"), "a clause") is None


def test_ends_with_outcome() -> None:
    """An outcome that the function raises is the result."""

    def clause(trial: Trial) -> None:
        raise blocked("BC201")

    assert parts(carried_out(clause)) == (Verdict.BLOCKED, "", ("BC201",))


@pytest.mark.parametrize("error", [ValueError("no"), BaseException("no")])
def test_raises_outside_call(error: BaseException) -> None:
    """An exception outside of a call violates the clause too."""

    def clause(trial: Trial) -> None:
        trial.set_description("the lock, on entering,")
        raise error

    verdict, found, because = parts(carried_out(clause))
    assert (verdict, because) == (Verdict.VIOLATED, ())
    assert found.startswith(f"the lock, on entering: {type(error).__name__}: no (test_trial.py:")


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the kit waits for a trial propagates, and violates nothing."""

    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkerCall, "ended_within", interrupt)
    with pytest.raises(KeyboardInterrupt):
        carried_out(lambda trial: None)


def test_thread_name() -> None:
    """A clause is tried in a thread named after it."""
    names: list[str] = []
    carried_out(lambda trial: names.append(threading.current_thread().name))
    assert names == ["backend-contract: BC000"]


LIMIT = 0.05


@pytest.fixture
def it_hangs(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return an event: for the kit, no time passes before it is set, and then too much."""
    it_hangs = threading.Event()

    class Clock:
        monotonic = staticmethod(lambda: 1000.0 if it_hangs.is_set() else 0.0)

    monkeypatch.setattr(trials, "real_time", Clock)
    return it_hangs


def test_hang(it_hangs: threading.Event) -> None:
    """A hang is reported with its stack, and what waits for the kit is released."""
    events: list[threading.Event] = []
    ours = threading.Event()

    def wait_in_a_test() -> None:
        it_hangs.set()
        ours.wait()

    def clause(trial: Trial) -> None:
        events.append(trial.event())
        trial.in_thread(events[0].wait, "waits for the kit")
        trial.call("start(), under the lock,", wait_in_a_test)

    verdict, found, because = parts(carried_out(clause, time_limit=LIMIT))
    ours.set()
    assert verdict is Verdict.VIOLATED
    assert found == "start(), under the lock: it did not return within 0.05 seconds (time_limit)"
    (stack,) = because
    first, second, *_ = stack.splitlines()
    assert first == "thread 'backend-contract: BC000':"
    assert "test_trial.py" in second
    assert "wait_in_a_test" in stack
    assert not stack.endswith("\n")
    assert events[0].is_set()


def test_hang_other_threads(it_hangs: threading.Event) -> None:
    """The stack of a thread that is older than the trial is not reported."""
    ours = threading.Event()

    def waits_here() -> None:
        it_hangs.set()
        ours.wait()

    task = WorkerCall(lambda: ours.wait(), "of another trial")
    clause = carried_out(lambda trial: trial.call("start()", waits_here), time_limit=LIMIT)
    ours.set()
    task.result()
    (stack,) = parts(clause)[2]
    assert "waits_here" in stack


def test_hang_in_two_threads(it_hangs: threading.Event) -> None:
    """The stacks of all threads of the trial are reported."""
    ours, there = threading.Event(), threading.Event()

    def waits_here() -> None:
        there.set()
        ours.wait()

    def clause(trial: Trial) -> None:
        trial.set_description("start()")
        task = trial.in_thread(waits_here, "the other")
        there.wait()
        it_hangs.set()
        task.result()

    _, _, because = parts(carried_out(clause, time_limit=LIMIT))
    ours.set()
    lines = sorted(text.splitlines()[:2] for text in because)
    assert [line[0] for line in lines] == [
        "thread 'backend-contract: BC000':",
        "thread 'backend-contract: the other':",
    ]
    # Each stack begins in this file, without frames of the kit.
    assert all("test_trial.py" in line[1] for line in lines)


def test_stack_of_ended_thread() -> None:
    """A thread that is not running has no stack."""
    thread = threading.Thread(target=lambda: None)
    assert format_stack(thread) == ""
    thread.start()
    thread.join()
    assert format_stack(thread) == ""


@pytest.mark.parametrize("collects", [True, False])
def test_no_garbage_is_collected_while_the_frames_are_read(
    monkeypatch: pytest.MonkeyPatch, collects: bool
) -> None:
    seen: list[bool] = []
    read = sys._current_frames  # pyright: ignore[reportPrivateUsage]

    def read_and_note() -> dict[int, FrameType]:
        seen.append(gc.isenabled())
        return read()

    monkeypatch.setattr(sys, "_current_frames", read_and_note)
    (gc.enable if collects else gc.disable)()
    try:
        assert threading.get_ident() in current_frames()
        assert gc.isenabled() is collects
    finally:
        gc.enable()
    assert seen == [False]


def test_looking_at_threads_keeps_nothing_of_them() -> None:
    """Objects of a thread are freed when it ends, even if no garbage is collected."""
    references: list[weakref.ref[set[int]]] = []
    run, inside, go_on = a_run(), threading.Event(), threading.Event()

    def work() -> None:
        held = set[int]()
        references.append(weakref.ref(held))
        inside.set()
        go_on.wait()

    gc.disable()
    try:
        thread = threading.Thread(target=work)
        thread.start()
        inside.wait()
        assert others_may_be_at_work(run)
        go_on.set()
        thread.join()
        assert references[0]() is None
    finally:
        gc.enable()


def test_hang_unchecked(
    it_hangs: threading.Event,
) -> None:
    """A hang that another clause reports leaves this one unchecked."""
    events: list[threading.Event] = []

    def clause(trial: Trial) -> None:
        events.append(trial.event())
        with trial.doing("start()"):
            it_hangs.set()
            events[0].wait()

    assert parts(carried_out(clause, time_limit=LIMIT)) == (
        Verdict.UNCHECKED,
        "",
        ("start(): it did not return within 0.05 seconds (time_limit)",),
    )
    assert events[0].is_set()


def test_hang_afterwards(
    it_hangs: threading.Event,
) -> None:
    """After such a call, the next hang violates the clause again."""

    def clause(trial: Trial) -> None:
        event = trial.event()
        with trial.doing("start()"):
            pass
        trial.set_description("stop()")
        it_hangs.set()
        event.wait()

    verdict, found, _ = parts(carried_out(clause, time_limit=LIMIT))
    assert verdict is Verdict.VIOLATED
    assert found == "stop(): it did not return within 0.05 seconds (time_limit)"


@pytest.mark.parametrize("of_class", [True, False])
def test_hanging_constructor(of_class: bool, it_hangs: threading.Event) -> None:
    """A constructor that hangs blocks the clause, a factory that hangs leaves it unchecked."""
    ours = threading.Event()

    class Hangs(Mine):
        def __init__(self, config: object = None) -> None:
            it_hangs.set()
            ours.wait()

    make: Any = Hangs if of_class else lambda: Hangs()
    ended = carried_out(lambda trial: trial.new(), make=make, time_limit=LIMIT)
    ours.set()
    if of_class:
        assert parts(ended) == (Verdict.BLOCKED, "", ("BC201",))
    else:
        why = "creating a backend: it did not return within 0.05 seconds (time_limit)"
        assert parts(ended) == (Verdict.UNCHECKED, "", (why,))


def test_release_waiting_call(it_hangs: threading.Event) -> None:
    """A trial that ends releases those who wait for its calls."""
    ours = threading.Event()
    threads: list[threading.Thread] = []

    def clause(trial: Trial) -> None:
        threads.append(threading.current_thread())
        trial.set_description("start()")
        task = trial.in_thread(ours.wait, "the other")
        it_hangs.set()
        task.result()

    carried_out(clause, time_limit=LIMIT)
    threads[0].join(60)
    assert not threads[0].is_alive()
    ours.set()


def test_release_events() -> None:
    """A trial sets its events however it ends."""
    events: list[threading.Event] = []

    def clause(trial: Trial, ended: StopTrial | None = None) -> None:
        events.append(trial.event())
        if ended is not None:
            raise ended

    carried_out(clause)
    carried_out(lambda trial: clause(trial, violated("seen")))
    assert all(event.is_set() for event in events)
    assert len(events) == 2


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [([1.0, 10.5, 19.0], None), ([1.0, 11.5], Verdict.VIOLATED)],
    ids=["each in time", "the second late"],
)
def test_limit_per_call(
    ends: list[float], verdict: Verdict | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit, of ten seconds, applies to each call; *ends* is when they end."""
    now, left = [0.0], [*ends]
    at_work, go_on = threading.Semaphore(0), threading.Semaphore(0)

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    def clause(trial: Trial) -> None:
        for _ in ends:
            trial.call("start()", tick)

    def tick() -> None:
        at_work.release()
        go_on.acquire()

    def ended_within(task: WorkerCall[Any], seconds: float) -> bool:
        """Let the time pass until then, or until a call ends."""
        if now[0] == 0:
            at_work.acquire()
        if now[0] + seconds < left[0]:
            now[0] += seconds
            return False
        now[0] = left.pop(0)
        go_on.release()
        (at_work.acquire if left else task.thread.join)()
        return not left

    monkeypatch.setattr(trials, "real_time", Clock)
    monkeypatch.setattr(WorkerCall, "ended_within", ended_within)
    outcome = carried_out(clause)
    go_on.release()
    assert (outcome and outcome.verdict) is verdict


# Clean-up.


class Counted(Mine):
    stops = 0

    def stop(self) -> None:
        type(self).stops += 1
        super().stop()


def test_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clean-up stops the backends that are started."""
    monkeypatch.setattr(Counted, "stops", 0)
    trial = a_trial(Counted)
    trial.new()
    started = [trial.started(), trial.started()]
    assert trial.clean_up() == []
    assert Counted.stops == 2
    assert not any(backend.is_started for backend in started)


def test_clean_up_problems(it_hangs: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clean-up reports each backend that cannot be stopped, within one time limit for all."""
    ours = threading.Event()

    class Various(Mine):
        def stop(self) -> None:
            if self.config["how"] == "hangs":
                ours.wait()
            elif self.config["how"] == "raises":
                raise KeyError("gone")
            super().stop()

    def ended_within(task: WorkerCall[Any], seconds: float) -> bool:
        allowed.append(seconds)
        if len(allowed) == 2:
            it_hangs.set()
            return False
        task.thread.join()
        return True

    allowed: list[float] = []
    monkeypatch.setattr(WorkerCall, "ended_within", ended_within)
    trial = a_trial(Various, time_limit=7)
    backends = [trial.new({"how": how}) for how in ("stops", "hangs", "raises", "stops")]
    for backend in backends:
        backend.start()
    problems = trial.clean_up()
    ours.set()
    assert problems[0] == "stop() did not return in clean-up"
    assert problems[1].startswith("stop() raised KeyError: 'gone' (test_trial.py:")
    assert problems[1].endswith(" in clean-up")
    assert len(problems) == 2
    assert [backend.is_started for backend in (backends[0], backends[-1])] == [False, False]
    # Together they have the limit of one call; later ones still get a moment.
    assert allowed == [7, 7, 0.1, 0.1]


def test_clean_up_that_may_not_stop() -> None:
    """Clean-up stops nothing if that is known to end the process."""

    def before_call(what: str) -> None:
        if what == "stop(), in clean-up,":
            raise blocked("BC303")

    run = a_run()
    trial = Trial(run)
    backend = trial.started()
    run.before_call = before_call
    assert trial.clean_up() == []
    assert backend.is_started


# Places of exceptions: lines that the author can change.


def described(*files: str) -> str:
    """Return the description of an exception that went through functions in *files*."""
    names: dict[str, Any] = {"call": eval("lambda: 1 / 0")}  # noqa: S307 - is in no file
    for file in reversed(files):
        exec(compile("def f(call):\n    call()\n", file, "exec"), names)  # noqa: S102 - known code
        names["call"] = partial(names["f"], names["call"])
    error = raised_by(names["call"])
    assert error.__traceback__ is not None
    return describe_exception(error.with_traceback(error.__traceback__.tb_next))  # not of this file


LIBRARY = sysconfig.get_path("stdlib")
INSTALLED = sysconfig.get_path("purelib")


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (["/my/engine.py", f"{LIBRARY}/socket.py"], "engine.py:2"),
        (["/my/engine.py", "/my/client.py", f"{INSTALLED}/grpc/x.py"], "client.py:2"),
        (["/my/engine.py", "<frozen importlib>", "<string>"], "engine.py:2"),
        (["/my/engine.py", trials.__file__], "engine.py:2"),
        ([f"{INSTALLED}/ray/a.py", f"{INSTALLED}/ray/b.py", f"{INSTALLED}/grpc/x.py"], "b.py:2"),
    ],
    ids=["standard library", "installed", "generated", "the kit", "an installed target"],
)
def test_place_is_of_the_author(files: list[str], place: str) -> None:
    """The place is the innermost line of the author's project."""
    assert described(*files).endswith(f"({place})")


def test_no_place() -> None:
    """An exception that never went through the author's code has no place."""
    error = raised_by(partial(int, "x"))
    error.__traceback__ = None
    assert describe_exception(error).endswith("'x'")


def test_describe_cause() -> None:
    """The first cause is described, with its place; a suppressed one is not."""
    failure = RuntimeError("no engine")
    failure.__cause__ = raised_by(partial(int, "x"))
    failure.__cause__.__context__ = None  # what a test of Ctrl-C may have left behind
    assert calls.describe_cause(failure).startswith("ValueError: invalid literal")
    assert calls.describe_cause(ValueError("no")) == ""
    hidden = ValueError("shown")
    hidden.__context__, hidden.__suppress_context__ = KeyError("hidden"), True
    assert calls.describe_cause(hidden) == ""
    circle = ValueError("circle")
    circle.__cause__ = KeyError("in it")
    circle.__cause__.__cause__ = circle
    assert calls.describe_cause(circle) == "KeyError: 'in it'"


def test_first_start_hangs(it_hangs: threading.Event) -> None:
    """A first start that hangs violates BC302, and no later trial waits for one."""
    ours = threading.Event()

    class Hangs(Mine):
        def start(self) -> None:
            it_hangs.set()
            ours.wait()

    def clause(trial: Trial) -> None:
        backend = trial.new()
        with trial.doing("start()", "start"):
            trial.start(backend)

    run = a_run(Hangs, time_limit=LIMIT)
    outcome = Trial(run).carry_out(clause, "BC307")
    assert parts(outcome)[0] is Verdict.UNCHECKED
    assert parts(run.observed["BC302"])[:2] == (
        Verdict.VIOLATED,
        "start(): it did not return within 0.05 seconds (time_limit)",
    )
    assert parts(Trial(run).carry_out(clause, "BC309")) == (Verdict.BLOCKED, "", ("BC302",))
    ours.set()
