"""BC3xx: starting and stopping a backend."""

from __future__ import annotations

from collections.abc import Callable

from backend_contract._conformance.behavioural.calls import describe_exception, is_call_error
from backend_contract._conformance.behavioural.helpers import (
    InjectedError,
    ignore_failures,
    inject_work,
    must_start,
    must_stop,
    require_none,
)
from backend_contract._conformance.behavioural.table import tries
from backend_contract._conformance.behavioural.trial import (
    Trial,
    unchecked,
    violated,
)
from backend_contract.protocol import Backend


@tries(
    "BC301",
    """\
first = make()
assert first.is_started is False
first.start()
assert make().is_started is False""",
)
def _a_new_one_is_not_started(trial: Trial) -> None:
    first = trial.new()
    _must_be_new(trial, first, "on a new backend")
    ignore_failures(trial, first, "start")
    _must_be_new(trial, trial.new(), "on a new backend, after another was started")


def _must_be_new(trial: Trial, backend: Backend, when: str) -> None:
    if trial.is_started(backend, when) is not False:
        who = "" if trial.subject.cls else "; a factory must not start it either"
        raise violated(f"is_started is {backend.is_started!r} {when}{who}")


@tries("BC302", "backend = make()\nbackend.start()\nassert backend.is_started is True")
def _start_starts(trial: Trial) -> None:
    backend = trial.new()
    must_start(trial, backend, "start()")


@tries(
    "BC303",
    "backend = make()\nbackend.start()\nbackend.stop()\nassert backend.is_started is False",
)
def _stop_stops(trial: Trial) -> None:
    backend = trial.started()
    # From another thread than the one that started it, as a server stops what a request started.
    trial.in_thread(lambda: must_stop(trial, backend, "stop()"), "another thread").result()


@tries(
    "BC304",
    """\
backend = make()
backend.start()
backend.start()
assert backend.is_started is True
backend.stop()
assert backend.is_started is False""",
    after=("BC303",),
)
def _a_second_start_does_no_harm(trial: Trial) -> None:
    backend = trial.started()
    must_start(trial, backend, "start(), on a started backend,")
    if trial.holds("BC303"):
        must_stop(trial, backend, "stop(), after start() was called twice,")


@tries(
    "BC305",
    """\
backend = make()
backend.stop()
assert backend.is_started is False
backend.start()
assert backend.is_started is True
backend.stop()
backend.stop()
assert backend.is_started is False""",
    after=("BC302", "BC303", "BC306"),
)
def _stop_without_start_does_no_harm(trial: Trial) -> None:
    backend = trial.new()
    must_stop(trial, backend, "stop(), on a new backend,")
    if not trial.can_start:
        return
    must_start(trial, backend, "start(), after stop() on a new backend,")
    if not trial.holds("BC303"):
        return
    must_stop(trial, backend, "stop()")
    must_stop(trial, backend, "stop(), on a stopped backend,")
    if trial.holds("BC306"):
        must_start(trial, backend, "start(), after stop() on a stopped backend,")


@tries(
    "BC306",
    """\
backend = make()
for _ in range(3):
    backend.start()
    assert backend.is_started is True
    backend.stop()
    assert backend.is_started is False""",
)
def _it_starts_again(trial: Trial) -> None:
    backend = trial.started()
    for time in ("second", "third"):
        must_stop(trial, backend, "stop()")
        must_start(trial, backend, f"start(), for the {time} time,")


@tries(
    "BC307",
    """\
watched, unwatched = make(), make()
for backend in (watched, unwatched):
    if backend is watched:
        assert all(type(backend.is_started) is bool for _ in range(3))
    backend.start()
assert type(unwatched.is_started) is bool
assert watched.is_started == unwatched.is_started""",
)
def _reading_is_started_changes_nothing(trial: Trial) -> None:
    watched, unwatched = trial.new(), trial.new()
    _read(trial, watched, "on a new backend")
    for backend in (watched, unwatched):
        ignore_failures(trial, backend, "start")
    after, without = (_read(trial, b, "after start()") for b in (watched, unwatched))
    if after is not without:
        raise violated(
            f"after start(), is_started is {after!r} where it was read before, else {without!r}"
        )


def _read(trial: Trial, backend: Backend, when: str) -> bool:
    values = [trial.is_started(backend, when) for _ in range(3)]
    for value in values:
        if type(value) is not bool:
            raise violated(f"is_started is {value!r} {when}")
    if len(set(values)) != 1:
        raise violated(f"is_started, read three times {when}, is {values}")
    return values[0]


@tries(
    "BC308",
    """\
# with `connect` standing for what `start` does that can fail
backend = make()
backend.connect = lambda: 1 / 0
try:
    backend.start()
except ZeroDivisionError:
    pass
assert backend.is_started is False""",
)
def _a_failed_start_can_be_repeated(trial: Trial) -> None:
    backend = trial.new()
    calls: list[bool] = []  # whether each was to fail
    failing = True

    def work() -> None:
        calls.append(failing)
        if failing:
            raise InjectedError("made by the conformance kit, to see what a failed start leaves")

    inject_work(trial, backend, work)
    trial.set_description("start() was to fail")
    raised = ""
    try:
        backend.start()
    except (Exception, SystemExit) as error:
        raised = describe_exception(error)
    if not calls:
        raise unchecked(
            f"start() raised {raised} before it called what `during_start` was given"
            if raised
            else "start() did not call what `during_start` was given"
        )
    if not raised:
        started = trial.is_started(backend, "after start()")
        raise violated(f"start() swallowed a failure, and returned; is_started is {started!r}")
    if trial.is_started(backend, "after a failed start()") is not False:
        raise violated(f"is_started is {backend.is_started!r} after start() raised {raised}")
    failing = False
    must_start(trial, backend, "start(), after one that raised,")


@tries("BC309", "backend = make()\nassert backend.start() is None\nassert backend.stop() is None")
def _start_and_stop_return_nothing(trial: Trial) -> None:
    backend = trial.new()
    for name in ("start", "stop"):
        call: Callable[[], object] = getattr(backend, name)
        what = f"{name}()"
        try:
            with trial.doing(what):
                returned = call()
        except BaseException as error:  # BC302 or BC305 says so
            if is_call_error(error):
                raise violated(f"{what} raised {describe_exception(error)}") from error
            raise unchecked(f"{what} raised {describe_exception(error)}") from error
        require_none(returned, what)
