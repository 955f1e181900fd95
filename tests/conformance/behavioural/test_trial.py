"""How a clause is tried, whatever the clause: threads, time limits, cleaning up."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aconfig
import pytest

from backend_contract import LocalBackend
from backend_contract._conformance.behavioural import trial as trials
from backend_contract._conformance.behavioural.trial import (
    StopTrial,
    Subject,
    Trial,
    WorkerCall,
    blocked,
    configuration,
    describe_exception,
    lacks_base_state,
    problem_with,
    unchecked,
    violated,
)
from backend_contract._conformance.results import Verdict

# First: where this is wrong, every other test ends pytest with status 0, which looks well.
FORKED = """\
import os
from backend_contract._conformance.behavioural.trial import end_if_forked
end_if_forked(os.getpid())
print("goes on", flush=True)
end_if_forked({another})
print("goes on in another process", flush=True)
"""


@pytest.mark.parametrize("another", [0, 2**31 - 1])
def test_a_process_that_a_backend_forked_ends_and_does_not_fail(another: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORKED.format(another=another)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout == "goes on\n"


class Mine(LocalBackend):
    backend_type = "MINE"


class NoServers:
    """Stands for the servers, of which these tests need nothing but that there are none."""

    kinds = ("grpc",)

    @contextmanager
    def request(self, kind: str, metadata: object) -> Iterator[object]:
        if kind == "http":
            raise OSError("no more sockets")
        yield (kind, metadata)


def a_trial(make: Any = Mine, *, holds: str = "BC302", **given: Any) -> Trial:
    servers: Any = NoServers()
    return Trial(Subject(make=make, **given), servers, [], lambda clause: clause == holds)


def carried_out(clause: Callable[[Trial], Any], **given: Any) -> StopTrial | None:
    return a_trial(**given).carry_out(clause, "BC000")


def parts(ended: StopTrial | None) -> tuple[Verdict, str, tuple[str, ...]]:
    assert ended is not None
    return ended.verdict, ended.found, ended.because


# What is tried.


def test_only_a_class_is_the_class_of_a_subject() -> None:
    assert Subject(make=Mine).cls is Mine
    assert Subject(make=lambda: Mine()).cls is None


def test_what_makes_a_backend_is_given_what_it_takes() -> None:
    sample = {"a": {"b": [1]}}

    def given_to(make: Any, config: Any, *arguments: object) -> tuple[object, ...]:
        given: tuple[object, ...] = Subject(make=make, config).create(*arguments)  # type: ignore[assignment]
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


def test_a_configuration_shares_nothing_and_asks_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("C", "2")
    sample = {"a": {"b": [1]}, "c": 1}
    config = configuration(sample)
    assert config == sample
    config["a"]["b"].append(2)
    assert sample == {"a": {"b": [1]}, "c": 1}


def test_the_ways_a_trial_ends() -> None:
    assert parts(violated("seen", "a", "b")) == (Verdict.VIOLATED, "seen", ("a", "b"))
    assert parts(unchecked("why")) == (Verdict.UNCHECKED, "", ("why",))
    assert parts(blocked("BC201")) == (Verdict.BLOCKED, "", ("BC201",))


# What is said of an exception.


def raised_by(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_an_exception_is_described_with_the_place_it_comes_from() -> None:
    code = "def inner():\n    1 / 0\n\ndef outer():\n    inner()\n"
    names: dict[str, Any] = {}
    exec(compile(code, "/some/file.py", "exec"), names)  # noqa: S102 - its lines are known
    error = raised_by(names["outer"])
    assert describe_exception(error) == "ZeroDivisionError: division by zero (file.py:2)"


def test_an_exception_is_described_on_one_line() -> None:
    assert describe_exception(ValueError("first\n  second")) == "ValueError: first second"
    assert describe_exception(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert describe_exception(ValueError("x" * 1000)) == "ValueError: " + "x" * 288


# Calls in other threads.


def test_a_task_returns_what_its_function_returns_and_raises_what_it_raises() -> None:
    assert WorkerCall(lambda: 3, "three").result() == 3
    with pytest.raises(SystemExit, match="7"):
        WorkerCall(lambda: sys.exit(7), "exits").result()


def test_a_task_is_a_thread_that_keeps_nobody_waiting() -> None:
    let_go = threading.Event()
    task = WorkerCall(let_go.wait, "its name")
    assert (task.thread.name, task.thread.daemon) == ("its name", True)
    assert task.ended_within(0) is False
    let_go.set()
    assert task.ended_within(60) is True
    task.thread.join()


def test_an_abandoned_task_has_ended_for_who_waits_and_may_end_later() -> None:
    let_go = threading.Event()
    task = WorkerCall(let_go.wait, "abandoned")
    task.abandon()
    with pytest.raises(AbandonedError):
        task.result()
    let_go.set()
    task.thread.join()  # pytest fails for what is raised in there
    task.abandon()


def test_to_abandon_what_has_ended_changes_nothing() -> None:
    task = WorkerCall(lambda: 3, "three")
    task.thread.join()
    task.abandon()
    assert task.result() == 3


# Making backends.


def test_a_new_backend_is_another_each_time() -> None:
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
        (later, Verdict.UNCHECKED, "the factory is async, expected a function that returns"),
    ],
    ids=["class", "base", "base by a factory", "raises", "exits", "None", "a class", "async"],
)
def test_where_there_is_no_backend_the_trial_ends(
    make: Any, verdict: Verdict, because: str
) -> None:
    with pytest.raises(StopTrial) as ended:
        a_trial(make).new()
    assert ended.value.verdict is verdict
    assert ended.value.because[0].startswith(because)
    assert len(ended.value.because) == 1


def test_what_was_returned_before_is_not_new_in_any_trial() -> None:
    class EqualToAll(Mine):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # so that none is looked for by it

    servers: Any = NoServers()
    seen: list[Any] = []
    one = EqualToAll()
    for make in (EqualToAll, lambda: EqualToAll(), lambda: one):
        Trial(Subject(make=make), servers, seen, lambda clause: True).new()
    with pytest.raises(StopTrial) as ended:
        Trial(Subject(make=lambda: one), servers, seen, lambda clause: True).new()
    assert parts(ended.value) == (
        Verdict.UNCHECKED,
        "",
        ("the factory returned a backend it had returned before, not a new one",),
    )


def test_a_backend_is_started_where_it_can_be() -> None:
    assert a_trial().started().is_started
    assert not a_trial(holds="BC303").started().is_started


def test_that_a_class_has_forgotten_its_base_is_told_by_what_it_lacks() -> None:
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
    assert [cls for cls in (*lacking, HasBoth, SetsThem, Mine) if lacks_base_state(cls())] == lacking
    assert not lacks_base_state(object())


def test_a_backend_is_no_problem() -> None:
    assert problem_with(Mine()) is None


# Calling them.


def test_a_call_gives_all_it_was_given_and_returns_what_is_returned() -> None:
    trial = a_trial()
    assert trial.call("it", lambda *a, **b: (a, b), 1, 2, c=3) == ((1, 2), {"c": 3})


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no"), BaseException("no")])
def test_a_call_that_raises_breaks_the_clause(error: BaseException) -> None:
    def raises() -> None:
        raise error

    with pytest.raises(StopTrial) as ended:
        a_trial().call("start()", raises)
    name = type(error).__name__
    assert ended.value.verdict is Verdict.VIOLATED
    assert ended.value.found.startswith(f"start() raised {name}: no (test_trial.py:")
    assert ended.value.__cause__ is error


def test_what_ends_a_trial_within_a_call_is_left_as_it_is() -> None:
    for error in (unchecked("why"), AbandonedError()):

        def raises(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            a_trial().call("start()", raises)
        assert raised.value is error


def test_reading_is_started_is_a_call() -> None:
    class Unreadable(Mine):
        @property
        def is_started(self) -> bool:
            raise RuntimeError("not now")

    trial = a_trial()
    assert trial.is_started(Mine(), "here") is False
    with pytest.raises(StopTrial) as ended:
        trial.is_started(Unreadable(), "here")
    assert ended.value.found.startswith("is_started, here, raised RuntimeError: not now (")


def test_a_hook_is_given_its_arguments_and_may_be_missing() -> None:
    given: Any = {"merged_config": lambda *arguments: arguments}
    assert a_trial(**given).hook("merged_config", 1, 2) == (1, 2)
    assert a_trial().hook("merged_config", 1, 2) is None


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no")])
def test_a_hook_that_raises_leaves_the_clause_unchecked(error: BaseException) -> None:
    def raises(backend: object) -> Any:
        raise error

    with pytest.raises(StopTrial) as ended:
        a_trial(merged_config=raises).hook("merged_config", 1)
    name = type(error).__name__
    assert ended.value.verdict is Verdict.UNCHECKED
    assert ended.value.because[0].startswith(f"the hook `merged_config` raised {name}: no (")


def test_a_context_is_that_of_a_request() -> None:
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


def test_what_is_raised_while_a_request_is_held_is_not_said_to_be_of_the_request() -> None:
    with pytest.raises(ZeroDivisionError), a_trial().context("grpc", ()):
        1 / 0  # noqa: B018 - to raise


# Carrying out.


def test_a_clause_holds_where_its_function_returns() -> None:
    seen: list[Trial] = []
    assert carried_out(seen.append) is None
    assert len(seen) == 1


def test_a_clause_ends_as_its_function_says() -> None:
    def clause(trial: Trial) -> None:
        raise blocked("BC201")

    assert parts(carried_out(clause)) == (Verdict.BLOCKED, "", ("BC201",))


@pytest.mark.parametrize("error", [ValueError("no"), BaseException("no")])
def test_what_is_raised_beside_the_calls_breaks_the_clause_too(error: BaseException) -> None:
    def clause(trial: Trial) -> None:
        trial.set_description("the lock, on entering,")
        raise error

    verdict, found, because = parts(carried_out(clause))
    assert (verdict, because) == (Verdict.VIOLATED, ())
    assert found.startswith(f"the lock, on entering: {type(error).__name__}: no (test_trial.py:")


def test_a_clause_is_carried_out_in_a_thread_that_bears_its_name() -> None:
    names: list[str] = []
    carried_out(lambda trial: names.append(threading.current_thread().name))
    assert names == ["backend-contract: BC000"]


LIMIT = 0.05


@pytest.fixture
def it_hangs(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No time passes for the kit before it is set; and then, far more than any limit."""
    it_hangs = threading.Event()

    class Clock:
        monotonic = staticmethod(lambda: 1000.0 if it_hangs.is_set() else 0.0)

    monkeypatch.setattr(trials, "time", Clock)
    return it_hangs


def test_a_hang_is_shown_where_it_is_and_let_go(it_hangs: threading.Event) -> None:
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
    assert found == "start(), under the lock: it did not return within 0.05 seconds"
    (stack,) = because
    first, second, *_ = stack.splitlines()
    assert first == "thread 'backend-contract: BC000':"
    assert "test_trial.py" in second
    assert "wait_in_a_test" in stack
    assert not stack.endswith("\n")
    assert events[0].is_set()


def test_a_thread_that_was_there_before_is_not_shown(it_hangs: threading.Event) -> None:
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


def test_a_thread_of_the_trial_is_shown_too(it_hangs: threading.Event) -> None:
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
    # From this file on: nothing of the kit is shown.
    assert all("test_trial.py" in line[1] for line in lines)


def test_a_thread_that_has_ended_has_no_stack() -> None:
    thread = threading.Thread(target=lambda: None)
    assert format_stack(thread) == ""
    thread.start()
    thread.join()
    assert format_stack(thread) == ""


def test_a_hang_of_which_another_clause_speaks_leaves_this_one_unchecked(
    it_hangs: threading.Event,
) -> None:
    events: list[threading.Event] = []

    def clause(trial: Trial) -> None:
        events.append(trial.event())
        with trial.doing("start()"):
            it_hangs.set()
            events[0].wait()

    assert parts(carried_out(clause, time_limit=LIMIT)) == (
        Verdict.UNCHECKED,
        "",
        ("start(): it did not return within 0.05 seconds",),
    )
    assert events[0].is_set()


def test_after_a_call_that_might_have_hung_the_next_hang_breaks_the_clause(
    it_hangs: threading.Event,
) -> None:
    def clause(trial: Trial) -> None:
        event = trial.event()
        with trial.doing("start()"):
            pass
        trial.set_description("stop()")
        it_hangs.set()
        event.wait()

    verdict, found, _ = parts(carried_out(clause, time_limit=LIMIT))
    assert verdict is Verdict.VIOLATED
    assert found == "stop(): it did not return within 0.05 seconds"


@pytest.mark.parametrize("of_class", [True, False])
def test_a_backend_that_takes_for_ever_to_make(of_class: bool, it_hangs: threading.Event) -> None:
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
        why = "making a backend: it did not return within 0.05 seconds"
        assert parts(ended) == (Verdict.UNCHECKED, "", (why,))


def test_what_waits_for_a_task_of_the_trial_is_let_go(it_hangs: threading.Event) -> None:
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


def test_what_waits_for_an_event_is_let_go_however_the_trial_ends() -> None:
    events: list[threading.Event] = []

    def clause(trial: Trial, ended: StopTrial | None = None) -> None:
        events.append(trial.event())
        if ended is not None:
            raise ended

    carried_out(clause)
    carried_out(lambda trial: clause(trial, violated("seen")))
    assert all(event.is_set() for event in events)
    assert len(events) == 2


def test_every_call_may_take_as_long_as_the_limit_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of the test's own: with a limit of 10, the calls end after 1, 10.5 and 19."""
    now = [0.0]
    ends = [1.0, 10.5, 19.0]
    asked: list[float] = []

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    def clause(trial: Trial) -> None:
        for _ in range(3):
            trial.call("start()", tick)

    at_work, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def tick() -> None:
        at_work.release()
        go_on.acquire()

    def ended_within(task: WorkerCall[Any], seconds: float) -> bool:
        """The time passes; in it, one call ends and the next begins."""
        if not asked:
            at_work.acquire()
        asked.append(seconds)
        start, now[0] = now[0], ends.pop(0)
        go_on.release()
        if not ends:
            task.thread.join()
            return True
        at_work.acquire()
        now[0] = start + seconds
        return False

    monkeypatch.setattr(trials, "time", Clock)
    monkeypatch.setattr(WorkerCall, "ended_within", ended_within)
    assert carried_out(clause) is None
    assert asked == [10, 1, 9.5]


# Cleaning up.


class Counted(Mine):
    stops = 0

    def stop(self) -> None:
        type(self).stops += 1
        super().stop()


def test_what_is_started_is_stopped_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "stops", 0)
    trial = a_trial(Counted)
    trial.new()
    started = [trial.started(), trial.started()]
    assert trial.clean_up() == []
    assert Counted.stops == 2
    assert not any(backend.is_started for backend in started)


def test_what_cannot_be_stopped_in_the_end_is_said(
    it_hangs: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    # All together have the limit of one call, and who comes later a moment.
    assert allowed == [7, 7, 0.1, 0.1]
