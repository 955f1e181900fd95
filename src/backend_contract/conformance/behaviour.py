"""Layer B: one function a clause, which tries it on backends it makes.

A function returns where the clause holds, and ends the trial otherwise. Nothing is decided by how
long something takes: threads meet at events, and a window in which something must not happen is
held open by the kit.
"""

from __future__ import annotations

import inspect
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

from backend_contract.base import BackendBase
from backend_contract.conformance.contexts import Pairs, meeting_at, pairs
from backend_contract.conformance.trial import (
    ROUTE,
    WINDOW,
    Ended,
    Trial,
    blocked,
    configuration,
    described,
    unchecked,
    violated,
)
from backend_contract.conformance.verdicts import Verdict
from backend_contract.protocol import Backend, ConfigType
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = ["BEHAVIOURS", "Behaviour"]


class Behaviour(NamedTuple):
    """How a clause is tried, and how somebody sees it broken without the kit."""

    clause: str
    function: Callable[[Trial], None]
    reproduce: str
    """Python that raises, or does not end, where ``make()`` gives backends that break the clause."""
    after: tuple[str, ...]
    """Clauses that are decided first, whatever is decided."""


BEHAVIOURS: dict[str, Behaviour] = {}
"""Every clause of layer B, by its id."""


def _tries(
    clause: str, reproduce: str, after: tuple[str, ...] = ()
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    def add(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
        BEHAVIOURS[clause] = Behaviour(clause, function, reproduce, after)
        return function

    return add


# The name of the backend.


@_tries("BC101", "assert isinstance(make().backend_type, str)")
def _the_name_is_text(trial: Trial) -> None:
    name = _name(trial, trial.new())
    if not isinstance(name, str):
        raise violated(f"backend_type is {name!r}")


@_tries(
    "BC102",
    """\
backend = make()
assert type(backend).backend_type == backend.backend_type
backend.start()
assert type(backend).backend_type == backend.backend_type""",
    after=("BC302",),
)
def _the_name_is_the_classs(trial: Trial) -> None:
    backend = trial.new()
    cls = type(backend)
    on_class = trial.call("backend_type, on the class,", lambda: cls.backend_type)
    if not isinstance(on_class, str):
        raise violated(f"backend_type, on the class, is {on_class!r}")
    for when in ("new", "started"):
        if when == "started":
            if not trial.can_start:
                return
            trial.call("start()", backend.start)
        on_instance = _name(trial, backend)
        if on_class != on_instance:
            raise violated(
                f"backend_type is {on_class!r} on the class, {on_instance!r} on a {when} instance"
            )


@_tries("BC103", "name = make().backend_type\nassert name.strip() and name == name.upper()")
def _the_name_is_upper_case(trial: Trial) -> None:
    name = _name(trial, trial.new())
    if not name.strip() or name != name.upper():
        raise violated(f"backend_type is {name!r}")


def _name(trial: Trial, backend: Backend) -> str:
    return trial.call("backend_type", lambda: backend.backend_type)


# Its configuration. Keys of the kit's own stand beside those of the sample.


def _first() -> dict[str, Any]:
    return {
        "backend_contract": {
            "kept": 1,
            "switch": True,
            "replaced": "earlier",
            "list": [1, 2],
            "deeper": {"kept": [{"kept": 1}]},
            "mapping": {"given": 1},
        }
    }


def _second() -> dict[str, Any]:
    return {
        "backend_contract": {
            "switch": False,
            "replaced": "later",
            "list": [3],
            "deeper": {"added": {"nothing": None}},
            "mapping": 0,
        },
        "backend_contract_added": {"list": []},
    }


_MERGED = {
    "backend_contract": {
        "kept": 1,
        "switch": False,
        "replaced": "later",
        "list": [3],
        "deeper": {"kept": [{"kept": 1}], "added": {"nothing": None}},
        "mapping": 0,
    },
    "backend_contract_added": {"list": []},
}


@_tries("BC201", "import aconfig\nmake(); make(None); make(aconfig.Config({}))")
def _it_can_be_made(trial: Trial) -> None:
    cls, sample = trial.subject.cls, trial.subject.config
    if cls is None:
        raise unchecked("a factory was given; give the class, or make it the factory")
    name, make = cls.__qualname__, _constructor(cls)
    given = configuration(sample or {})
    trial.call(f"{name}(aconfig.Config({dict(given)!r}))", make, given)
    for arguments in ((), (None,)):
        what = f"{name}({', '.join(map(repr, arguments))})"
        try:
            trial.call(what, make, *arguments)
        except Ended as ended:
            # With a sample configuration its author says that an empty one is not valid.
            if sample is None or isinstance(ended.__cause__, TypeError):
                raise


def _constructor(cls: type[Backend]) -> Callable[..., Backend]:
    make: Callable[..., Backend] = cls  # the Protocol knows no constructor
    return make


@_tries(
    "BC202",
    "import aconfig\nassert make().register_config(aconfig.Config({})) is None",
)
def _registering_returns_nothing(trial: Trial) -> None:
    try:
        register: Callable[[ConfigType], object] = trial.new().register_config
        returned = register(configuration(trial.subject.config or {}))
    except NotImplementedError:
        return
    except Exception as error:  # BC203 says so
        raise unchecked(f"register_config() raised {type(error).__qualname__}") from error
    _require_nothing(returned, "register_config()")


def _require_nothing(returned: object, what: str) -> None:
    if returned is not None:
        raise violated(f"{what} returned {returned!r}")


@_tries(
    "BC203",
    """\
import aconfig
backend = make()
config = aconfig.Config({"first": 1}, override_env_vars=False)
raised = []
for _ in range(3):
    try:
        backend.register_config(config)
        raised.append(False)
    except NotImplementedError:
        raised.append(True)
assert len(set(raised)) == 1, raised""",
)
def _registering_again_and_again(trial: Trial) -> None:
    backend, sample = trial.new(), trial.subject.config or {}
    first = _registers(trial, backend, _first())
    if first is _REFUSED:  # it knows its keys: those of the kit are none of them
        backend = trial.new()
        first = _registers(trial, backend, sample)
        if first is _REFUSED:
            _register(trial, backend, sample)  # which says what it raises
        given: list[Mapping[str, Any]] = [sample, sample, sample]
        if not sample:
            for config in given:
                _register(trial, backend, config)
            raise unchecked(
                "register_config refuses a key that it does not know: give a sample configuration"
            )
    else:
        given = [_first(), _second(), sample, {}, _first()]
    for config in given:
        if _register(trial, backend, config) is not first:
            how = "raised NotImplementedError once, and accepted another call"
            raise violated(f"register_config() {how}")


_ACCEPTED, _NOT_DYNAMIC, _REFUSED = "accepted", "not dynamic", "refused"


def _registers(trial: Trial, backend: Backend, config: Mapping[str, Any]) -> str:
    try:
        return _register(trial, backend, config)
    except Ended:
        return _REFUSED


def _register(trial: Trial, backend: Backend, config: Mapping[str, Any]) -> str:
    try:
        trial.call("register_config()", backend.register_config, configuration(config))
    except Ended as ended:
        if isinstance(ended.__cause__, NotImplementedError):
            return _NOT_DYNAMIC
        raise
    return _ACCEPTED


@_tries(
    "BC204",
    """\
import aconfig
backend = make()
backend.register_config(aconfig.Config({"a": {"kept": 1, "list": [1, 2]}}))
backend.register_config(aconfig.Config({"a": {"added": 2, "list": [3]}}))
assert backend.config.a == {"kept": 1, "added": 2, "list": [3]}, backend.config""",
)
def _registrations_merge(trial: Trial) -> None:
    with_constructor = trial.subject.cls is not None
    sample = trial.subject.config or {}
    try:
        backend = (
            trial.new(configuration({**sample, **_first()})) if with_constructor else trial.new()
        )
    except Ended:  # BC201 has held: the constructor knows its keys
        with_constructor, backend = False, trial.new()
    answers = [] if with_constructor else [_registers(trial, backend, _first())]
    answers.append(_registers(trial, backend, _second()))
    if _NOT_DYNAMIC in answers:
        raise Ended(Verdict.NOT_APPLICABLE, "", "register_config raises NotImplementedError")
    if _REFUSED in answers:
        raise unchecked("register_config refuses a key that it does not know, so none can be added")
    seen = trial.hook("merged_config", backend)
    if seen is None:
        seen = getattr(backend, "config", None)
        is_its_own = isinstance(seen, Mapping) and not seen.keys().isdisjoint(_MERGED)
        if not isinstance(backend, BackendBase) and not is_its_own:
            raise unchecked("what was merged cannot be seen: give the hook `merged_config`")
    if not isinstance(seen, Mapping):
        raise violated(f"the merged configuration is {seen!r}")
    for key, value in {**configuration(sample), **_MERGED}.items():
        difference = _difference(seen.get(key, _ABSENT), value, key)
        if difference is not None:
            raise violated(difference)


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _difference(found: object, expected: object, place: str) -> str | None:
    """Where ``found`` is not what is expected; keys that a backend adds are its own affair."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        parts = (
            _difference(found.get(key, _ABSENT), value, f"{place}.{key}")
            for key, value in expected.items()
        )
        return next((part for part in parts if part is not None), None)
    if type(found) is type(expected) and found == expected:
        return None
    if found == expected and not isinstance(expected, bool | int):
        return None
    return f"{place} is {found!r} in the merged configuration, expected {expected!r}"


@_tries(
    "BC205",
    """\
import aconfig, copy
given = [aconfig.Config({"a": {"b": [n], str(n): n}}, override_env_vars=False) for n in (1, 2, 3)]
before = copy.deepcopy(given)
try:
    backend = make(given[0])
except TypeError:
    backend = make()
for config in given[1:] * 2:
    try:
        backend.register_config(config)
    except NotImplementedError:
        pass
backend.start(); backend.stop()
assert given == before, given""",
)
def _what_is_given_stays_as_it_is(trial: Trial) -> None:
    sample = trial.subject.config or {}
    given: list[tuple[str, ConfigType, ConfigType]] = []

    def keep(what: str, content: Mapping[str, Any]) -> ConfigType:
        config = configuration(content)
        given.append((what, config, configuration(content)))
        return config

    backend = trial.new()
    if trial.subject.cls is not None:
        for content in ({**sample, **_first()}, sample):
            with suppress(Ended):  # a constructor that knows its keys takes the sample alone
                backend = trial.new(keep("the constructor", content))
                break
    for number, content in enumerate((_first(), _second(), sample, _first()), start=1):
        config = keep(f"register_config, at call {number},", {**sample, **content})
        _ignoring_failures(backend.register_config, config)
    _ignoring_failures(backend.start)
    _ignoring_failures(backend.stop)
    for what, now, before in given:
        if now != before:
            raise violated(
                f"what {what} was given is now {dict(now)!r}", f"it was {dict(before)!r}"
            )
    if trial.subject.cls is None:
        raise unchecked("the constructor's half needs the class; a factory was given")


def _ignoring_failures(member: Callable[..., object], *arguments: object) -> None:
    """Call what other clauses speak of: of what it raises, and of what it returns."""
    with suppress(Exception):
        returned = member(*arguments)
        if inspect.iscoroutine(returned):
            returned.close()  # it would be warned of, as it is never awaited


# Its life.


@_tries("BC301", "assert make().is_started is False")
def _a_new_one_is_not_started(trial: Trial) -> None:
    backend = trial.new()
    if trial.is_started(backend, "on a new backend") is not False:
        who = "" if trial.subject.cls else "; a factory must not start it either"
        raise violated(f"is_started is {backend.is_started!r} on a new backend{who}")


@_tries("BC302", "backend = make()\nbackend.start()\nassert backend.is_started is True")
def _start_starts(trial: Trial) -> None:
    backend = trial.new()
    _start(trial, backend, "start()")


def _start(trial: Trial, backend: Backend, what: str) -> None:
    trial.call(what, backend.start)
    if trial.is_started(backend, f"after {what}") is not True:
        raise violated(f"is_started is {backend.is_started!r} after {what} returned")


def _stop(trial: Trial, backend: Backend, what: str) -> None:
    trial.call(what, backend.stop)
    if trial.is_started(backend, f"after {what}") is not False:
        raise violated(f"is_started is {backend.is_started!r} after {what} returned")


@_tries(
    "BC303",
    "backend = make()\nbackend.start()\nbackend.stop()\nassert backend.is_started is False",
)
def _stop_stops(trial: Trial) -> None:
    _stop(trial, trial.started(), "stop()")


@_tries(
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
    _start(trial, backend, "start(), on a started backend,")
    if trial.holds("BC303"):
        _stop(trial, backend, "stop(), after start() was called twice,")


@_tries(
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
    _stop(trial, backend, "stop(), on a new backend,")
    if not trial.can_start:
        return
    _start(trial, backend, "start(), after stop() on a new backend,")
    if not trial.holds("BC303"):
        return
    _stop(trial, backend, "stop()")
    _stop(trial, backend, "stop(), on a stopped backend,")
    if trial.holds("BC306"):
        _start(trial, backend, "start(), after stop() on a stopped backend,")


@_tries(
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
        _stop(trial, backend, "stop()")
        _start(trial, backend, f"start(), for the {time} time,")


@_tries(
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
        _ignoring_failures(backend.start)
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


@_tries(
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
            raise FaultError("made by the conformance kit, to see what a failed start leaves")

    _plug_in(trial, backend, work)
    try:
        backend.start()
    except Exception as error:
        raised = described(error)
    else:
        if not calls:
            raise unchecked("start() did not call what `during_start` was given")
        started = trial.is_started(backend, "after start()")
        raise violated(f"start() swallowed a failure, and returned; is_started is {started!r}")
    if trial.is_started(backend, "after a failed start()") is not False:
        raise violated(f"is_started is {backend.is_started!r} after start() raised {raised}")
    failing = False
    _start(trial, backend, "start(), after one that raised,")


class FaultError(ConnectionError):
    """What a start that is to fail fails with: a server, say, that cannot be reached."""


def _plug_in(trial: Trial, backend: Backend, work: Callable[[], None]) -> None:
    if trial.subject.during_start is None:
        raise unchecked("it takes a start() that fails, or is held: give the hook `during_start`")
    trial.hook("during_start", backend, work)


@_tries("BC309", "backend = make()\nassert backend.start() is None\nassert backend.stop() is None")
def _start_and_stop_return_nothing(trial: Trial) -> None:
    backend = trial.new()
    for name in ("start", "stop"):
        call: Callable[[], object] = getattr(backend, name)
        what = f"{name}()"
        try:
            returned = call()
        except Exception as error:  # BC302 or BC305 says so
            raise unchecked(f"{what} raised {described(error)}") from error
        _require_nothing(returned, what)


# Its lock.


@_tries(
    "BC401",
    """\
backend = make()
for _ in range(2):
    with backend.start_lock():
        pass""",
)
def _the_lock_is_a_context_manager(trial: Trial) -> None:
    backend = trial.new()
    for _ in range(2):  # in two threads: to the same one, a lock that is not freed may be open
        trial.in_thread(lambda: _enter_and_leave(trial, backend), "a thread at the lock").result()


def _enter_and_leave(trial: Trial, backend: Backend) -> None:
    lock = trial.call("start_lock()", backend.start_lock)
    if not (hasattr(type(lock), "__enter__") and hasattr(type(lock), "__exit__")):
        raise violated(f"start_lock() returned {lock!r}")
    trial.call("the lock, on entering,", lock.__enter__)
    trial.call("the lock, on leaving,", lock.__exit__, None, None, None)


@_tries(
    "BC402",
    """\
import threading
backend, entered = make(), threading.Event()
def enter():
    with backend.start_lock():
        entered.set()
other = threading.Thread(target=enter, daemon=True)
with backend.start_lock():
    other.start()
    assert not entered.wait(0.2), "two threads are inside"
assert entered.wait(5)""",
)
def _nobody_else_enters(trial: Trial) -> None:
    backend = trial.new()
    for whose in ("of another call", "of an earlier call"):
        early = backend.start_lock() if whose == "of an earlier call" else None
        arrived = threading.Event()

        def enter(early: Any = early, arrived: threading.Event = arrived) -> None:
            lock = early or backend.start_lock()
            arrived.set()
            with lock:
                pass

        with backend.start_lock():
            other = trial.in_thread(enter, "a thread that wants to enter")
            arrived.wait()
            if other.ended_within(WINDOW):
                other.result()
                raise violated(f"a second thread was inside as well, by the manager {whose}")
        other.result()


@_tries(
    "BC403",
    """\
import threading
backend, entered = make(), threading.Event()
try:
    with backend.start_lock():
        raise RuntimeError
except RuntimeError:
    pass
def enter():
    with backend.start_lock():
        entered.set()
threading.Thread(target=enter, daemon=True).start()
assert entered.wait(5), "the lock is still held\"""",
)
def _the_lock_is_free_after_an_error(trial: Trial) -> None:
    backend = trial.new()
    with suppress(FaultError), backend.start_lock():
        raise FaultError("made by the conformance kit, in the body of the lock")
    trial.says("another thread waited for the lock, after the body raised")
    trial.in_thread(lambda: _enter_and_leave(trial, backend), "a thread after that").result()


@_tries(
    "BC404",
    """\
import threading
backend = make()
def work():
    with backend.start_lock():
        backend.start()
        assert backend.is_started
        backend.stop()
thread = threading.Thread(target=work, daemon=True)
thread.start()
thread.join(5)
assert not thread.is_alive(), "start() or stop() waits for the lock that its caller holds\"""",
)
def _members_work_under_the_lock(trial: Trial) -> None:
    backend = trial.new()
    with backend.start_lock():
        trial.is_started(backend, "under the lock")
        _start(trial, backend, "start(), under the lock,")
        _stop(trial, backend, "stop(), under the lock,")


@_tries(
    "BC405",
    """\
# with `connect` standing for what `start` does before it is done
backend = make()
backend.connect = lambda: seen.append(backend.is_started)
seen = []
backend.start()
assert seen == [False], seen""",
    after=("BC401",),
)
def _nobody_sees_it_started_too_early(trial: Trial) -> None:
    if trial.holds("BC401"):
        _is_started_before_the_lock_is_had(trial)
    backend = trial.new()
    working, go_on = threading.Event(), threading.Event()

    def work() -> None:
        working.set()
        go_on.wait()

    _plug_in(trial, backend, work)
    start = trial.in_thread(lambda: trial.call("start()", backend.start), "start()")
    trial.says("start() was held open, and never came to what `during_start` was given")
    while not working.is_set():
        if start.ended_within(0.01):
            start.result()
            raise unchecked("start() did not call what `during_start` was given")
    read = trial.in_thread(lambda: backend.is_started, "is_started, while start() works")
    # A backend may let the reader wait until the work is done.
    too_early = read.ended_within(WINDOW) and read.result() is True
    go_on.set()
    if too_early:
        raise violated("is_started was True in another thread while start() was still at work")
    start.result()
    read.result()


def _is_started_before_the_lock_is_had(trial: Trial) -> None:
    """A start() that takes the lock can be held there, without any hook."""
    backend = trial.new()
    with backend.start_lock():
        start = trial.in_thread(backend.start, "start(), while another thread has the lock")
        if not start.ended_within(WINDOW):
            read = trial.in_thread(lambda: backend.is_started, "is_started, while start() waits")
            if read.ended_within(WINDOW) and read.result() is True:
                raise violated("is_started was True while start() was still waiting for the lock")
    with suppress(Exception):  # BC302 speaks of it
        start.result()


# What it is told of requests.


@_tries(
    "BC501",
    """\
from backend_contract.testing import http_request
backend = make()
with http_request() as request:
    assert backend.handle_runtime_context("a", request) is None
    assert backend.handle_runtime_context(model_id="b", runtime_context=request) is None""",
    after=("BC302",),
)
def _it_takes_both_by_position_and_by_name(trial: Trial) -> None:
    for kind in _kinds(trial):
        backend = trial.started()
        handle: Callable[..., object] = backend.handle_runtime_context
        with trial.context(kind, trial.subject.metadata) as context:
            for how, call in {
                "by position": lambda: handle("a model", context),
                "by keyword": lambda: handle(model_id="a model", runtime_context=context),
            }.items():
                try:
                    returned = call()
                except Exception as error:  # BC502 to BC506 speak of it
                    raise unchecked(f"called {how}, it raised {described(error)}") from error
                _require_nothing(returned, "handle_runtime_context()")


def _kinds(trial: Trial) -> tuple[str, ...]:
    if not trial.kinds:
        raise unchecked(
            "no context can be had: install backend-contract[grpc], backend-contract[fastapi] or both"
        )
    return trial.kinds


def _failure(trial: Trial, backend: Backend, kind: str, metadata: Pairs) -> str | None:
    """What is raised when ``backend`` is told of a request for a model it has never seen."""
    with trial.context(kind, metadata) as context:
        try:
            backend.handle_runtime_context(f"model-{uuid.uuid4().hex}", context)
        except BaseException as error:  # SystemExit is as bad as any other
            return described(error)
    return None


def _usual_failures(trial: Trial) -> dict[str, str | None]:
    return {
        kind: _failure(trial, trial.started(), kind, trial.subject.metadata) for kind in trial.kinds
    }


def _whatever_the_context(failures: Mapping[str, str | None]) -> bool:
    """Whether it cannot be for the kind of context that calls fail."""
    return len(failures) > 1 and None not in failures.values() and len({*failures.values()}) == 1


def _accepts(trial: Trial, kind: str, extra: str) -> None:
    if kind not in trial.kinds:
        raise unchecked(f"it takes a real context: install backend-contract[{extra}]")
    failures = _usual_failures(trial)
    if _whatever_the_context(failures):
        raise blocked("BC504")
    if failures[kind] is not None:
        raise violated(f"handle_runtime_context() raised {failures[kind]}")


@_tries(
    "BC502",
    """\
from backend_contract.testing import grpc_context
with grpc_context({"x-route-info": "somewhere"}) as context:
    make().handle_runtime_context("model", context)""",
    after=("BC302",),
)
def _it_accepts_grpc(trial: Trial) -> None:
    _accepts(trial, "grpc", "grpc")


@_tries(
    "BC503",
    """\
from backend_contract.testing import http_request
with http_request({"x-route-info": "somewhere"}) as request:
    make().handle_runtime_context("model", request)""",
    after=("BC302",),
)
def _it_accepts_http(trial: Trial) -> None:
    _accepts(trial, "http", "fastapi")


@_tries(
    "BC504",
    """\
from backend_contract.testing import http_request
with http_request() as request:
    make().handle_runtime_context("never seen before", request)""",
    after=("BC302",),
)
def _it_accepts_what_says_nothing(trial: Trial) -> None:
    _kinds(trial)
    usual = _usual_failures(trial)
    if _whatever_the_context(usual):
        raise violated(
            f"handle_runtime_context() raised {usual[trial.kinds[0]]} for a model id it has never "
            "seen, whatever the context"
        )
    accepted = [kind for kind, failure in usual.items() if failure is None]
    if not accepted:
        raise blocked("BC502" if usual.get("grpc") else "BC503")
    for kind in accepted:
        failure = _failure(trial, trial.started(), kind, ())
        if failure is not None:
            raise violated(
                f"handle_runtime_context() raised {failure} for a context without metadata ({kind})"
            )


@_tries(
    "BC505",
    """\
from backend_contract.testing import http_request
backend = make()
with http_request({"x-route-info": "somewhere"}) as request:
    backend.handle_runtime_context("model", request)""",
    after=("BC302",),
)
def _it_is_told_before_start(trial: Trial) -> None:
    _kinds(trial)
    usual = _usual_failures(trial)
    for kind in trial.kinds:
        failure = _failure(trial, trial.new(), kind, trial.subject.metadata)
        if failure is not None and (usual[kind] is None or not trial.can_start):
            raise violated(f"handle_runtime_context() raised {failure} before start()")
    if None not in usual.values():
        raise blocked(_blocking(usual))


def _blocking(usual: Mapping[str, str | None]) -> str:
    if _whatever_the_context(usual):
        return "BC504"
    return "BC502" if usual.get("grpc") else "BC503"


_CALLERS = 8
_ROUNDS = 25


@_tries(
    "BC506",
    """\
import threading
from concurrent.futures import ThreadPoolExecutor
from backend_contract.testing import http_request
backend, together = make(), threading.Barrier(8)
def tell(number):
    together.wait()
    backend.handle_runtime_context(f"model-{number}", request)
with http_request({"x-route-info": "somewhere"}) as request, ThreadPoolExecutor(8) as pool:
    list(pool.map(tell, range(8)))
# and then, in `backend`, what has arrived: every model once""",
    after=("BC302",),
)
def _calls_at_once_all_arrive(trial: Trial) -> None:
    _kinds(trial)
    usual = _usual_failures(trial)
    kinds = [kind for kind in trial.kinds if usual[kind] is None]
    if not kinds:
        raise blocked(_blocking(usual))
    with ExitStack() as stack:
        contexts = []
        for number in range(_CALLERS):
            metadata = [pair for pair in pairs(trial.subject.metadata) if pair[0].lower() != ROUTE]
            metadata.append((ROUTE, f"route-{number}"))
            request = trial.context(kinds[number % len(kinds)], metadata)
            contexts.append(stack.enter_context(request))
        stack.enter_context(_switching_often())
        for round_ in range(_ROUNDS):
            backend = trial.started()
            # In the first round, all are at the same place when they read their metadata.
            meeting = threading.Barrier(_CALLERS, timeout=WINDOW) if round_ == 0 else None
            told = [
                (f"model-{number}", meeting_at(context, meeting) if meeting else context)
                for number, context in enumerate(contexts)
            ]
            _tell_at_once(trial, backend, told)
            seen = trial.hook("received_contexts", backend)
            if seen is None:
                continue
            problem = _not_once(seen, told)
            if problem is not None:
                raise violated(problem)
    if seen is None and not _is_told_nothing(backend):
        raise unchecked("all calls return; what arrived is to be seen by `received_contexts`")


def _tell_at_once(
    trial: Trial, backend: Backend, told: Sequence[tuple[str, RuntimeServerContextType]]
) -> None:
    ready = threading.Barrier(len(told))

    def tell(model_id: str, context: RuntimeServerContextType) -> None:
        ready.wait()
        trial.call(
            "handle_runtime_context(), called by several threads at once,",
            backend.handle_runtime_context,
            model_id,
            context,
        )

    tasks = [
        trial.in_thread(lambda pair=pair: tell(*pair), f"the request for {pair[0]}")
        for pair in told
    ]
    for task in tasks:
        task.result()


def _not_once(
    seen: Mapping[str, object] | Iterable[tuple[str, object]],
    told: Sequence[tuple[str, RuntimeServerContextType]],
) -> str | None:
    """Which pair did not arrive just once, if any; a context may stand for itself or its route."""
    arrived = list(seen.items() if isinstance(seen, Mapping) else seen)
    for model_id, context in told:
        whats = [what for name, what in arrived if name == model_id]
        if len(whats) != 1:
            return f"of {_CALLERS} calls at once, that for {model_id!r} arrived {len(whats)} times"
        if whats[0] is not context and whats[0] != model_id.replace("model", "route"):
            return f"{model_id!r} was told of {whats[0]!r}, which belongs to another request"
    return None


def _is_told_nothing(backend: Backend) -> bool:
    return type(backend).handle_runtime_context is BackendBase.handle_runtime_context


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads take turns far more often than usual: what can be torn apart then is."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
