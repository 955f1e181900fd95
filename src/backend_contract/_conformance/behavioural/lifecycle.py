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
from backend_contract._conformance.behavioural.outcomes import unchecked, violated
from backend_contract._conformance.behavioural.trial import Trial, tries
from backend_contract.protocol import Backend


@tries(
    "BC301",
    """\
first = make()
assert first.is_started is False
first.start()
assert make().is_started is False""",
)
def _try_new_backend(trial: Trial) -> None:
    first = trial.new()
    _require_not_started(trial, first, "on a new backend")
    ignore_failures(trial, first, "start")
    _require_not_started(trial, trial.new(), "on a new backend, after another was started")


def _require_not_started(trial: Trial, backend: Backend, when: str) -> None:
    if trial.is_started(backend, when) is not False:
        hint = "" if trial.subject.cls else "; the factory must not start it"
        raise violated(f"is_started is {backend.is_started!r} {when}{hint}")


@tries("BC302", "backend = make()\nbackend.start()\nassert backend.is_started is True")
def _try_start(trial: Trial) -> None:
    backend = trial.new()
    must_start(trial, backend, "start()")


@tries(
    "BC303",
    "backend = make()\nbackend.start()\nbackend.stop()\nassert backend.is_started is False",
)
def _try_stop(trial: Trial) -> None:
    backend = trial.started()
    # In another thread than start(): a server may stop a backend that a request has started.
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
def _try_second_start(trial: Trial) -> None:
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
def _try_stop_without_start(trial: Trial) -> None:
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
def _try_restart(trial: Trial) -> None:
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
def _try_reading_is_started(trial: Trial) -> None:
    watched, unwatched = trial.new(), trial.new()
    _read(trial, watched, "on a new backend")
    for backend in (watched, unwatched):
        ignore_failures(trial, backend, "start")
    after, without = (_read(trial, b, "after start()") for b in (watched, unwatched))
    if after is not without:
        raise violated(
            f"after start(), is_started is {after!r} if it was read before, otherwise {without!r}"
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
# replace `connect` by the part of `start` that can fail
backend = make()
backend.connect = lambda: 1 / 0
try:
    backend.start()
except ZeroDivisionError:
    pass
assert backend.is_started is False""",
)
def _try_failing_start(trial: Trial) -> None:
    backend = trial.new()
    calls: list[bool] = []  # whether each was to fail
    failing = True

    def work() -> None:
        calls.append(failing)
        if failing:
            raise InjectedError("raised by the conformance kit to make start() fail")

    inject_work(trial, backend, work)
    trial.set_description("start(), made to fail,")
    raised = ""
    try:
        backend.start()
    except (Exception, SystemExit) as error:
        raised = describe_exception(error)
    if not calls:
        reason = f"start() raised {raised} before" if raised else "start() returned without"
        raise unchecked(f"{reason} calling the function given to `during_start`")
    if not raised:
        started = trial.is_started(backend, "after start()")
        raise violated(f"start() suppressed a failure and returned; is_started is {started!r}")
    if trial.is_started(backend, "after a failed start()") is not False:
        raise violated(f"is_started is {backend.is_started!r} after start() raised {raised}")
    failing = False
    must_start(trial, backend, "start(), after a failed start(),")


@tries("BC309", "backend = make()\nassert backend.start() is None\nassert backend.stop() is None")
def _try_return_values(trial: Trial) -> None:
    backend = trial.new()
    for name in ("start", "stop"):
        call: Callable[[], object] = getattr(backend, name)
        what = f"{name}()"
        try:
            with trial.doing(what):
                returned = call()
        except BaseException as error:  # BC302 or BC305 reports it
            if is_call_error(error):
                raise violated(f"{what} raised {describe_exception(error)}") from error
            raise unchecked(f"{what} raised {describe_exception(error)}") from error
        require_none(returned, what)
