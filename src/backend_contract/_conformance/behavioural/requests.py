"""BC5xx: what a backend is told of requests."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import cast

from backend_contract._conformance.behavioural.calls import describe_exception, is_call_error
from backend_contract._conformance.behavioural.helpers import require_none
from backend_contract._conformance.behavioural.request_servers import Pairs, meeting_at, pairs
from backend_contract._conformance.behavioural.table import tries
from backend_contract._conformance.behavioural.trial import (
    ROUTE,
    WINDOW,
    Trial,
    blocked,
    unchecked,
    violated,
)
from backend_contract.base import BackendBase
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType


@tries(
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
    failed: list[str] = []
    for kind in _kinds(trial):
        with trial.context(kind, trial.subject.metadata) as context:
            named = {"model_id": "a model", "runtime_context": context}
            by_position = _failure_of_a_call(trial, "by position", *named.values())
            by_keyword = _failure_of_a_call(trial, "by keyword", **named)
        failures = [*filter(None, (by_position, by_keyword))]
        if len(failures) == 1:  # one way does, the other does not
            raise violated(failures[0])
        failed += failures
    if len(failed) == 2 * len(trial.kinds):
        raise unchecked(failed[0])


def _failure_of_a_call(trial: Trial, how: str, *arguments: object, **named: object) -> str | None:
    handle = cast("Callable[..., object]", trial.started().handle_runtime_context)
    try:
        with trial.doing("handle_runtime_context()"):
            returned = handle(*arguments, **named)
    except (Exception, SystemExit) as error:  # BC502 to BC506 speak of it
        problem = f"called {how}, it raised {describe_exception(error)}"
        if is_call_error(error):
            raise violated(problem) from error
        return problem
    require_none(returned, "handle_runtime_context()")
    return None


def _kinds(trial: Trial) -> tuple[str, ...]:
    if not trial.kinds:
        raise unchecked(
            "no context can be had: install backend-contract[grpc], backend-contract[fastapi], or "
            "both"
        )
    return trial.kinds


def _failure(trial: Trial, backend: Backend, kind: str, metadata: Pairs) -> str | None:
    """What is raised when ``backend`` is told of a request for a model it has never seen."""
    with trial.context(kind, metadata) as context:
        trial.set_description("handle_runtime_context()")
        try:
            backend.handle_runtime_context("never seen before", context)
        except BaseException as error:  # SystemExit is as bad as any other
            return describe_exception(error)
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


@tries(
    "BC502",
    """\
from backend_contract.testing import grpc_context
with grpc_context({"x-route-info": "somewhere"}) as context:
    make().handle_runtime_context("model", context)""",
    after=("BC302",),
)
def _it_accepts_grpc(trial: Trial) -> None:
    _accepts(trial, "grpc", "grpc")


@tries(
    "BC503",
    """\
from backend_contract.testing import http_request
with http_request({"x-route-info": "somewhere"}) as request:
    make().handle_runtime_context("model", request)""",
    after=("BC302",),
)
def _it_accepts_http(trial: Trial) -> None:
    _accepts(trial, "http", "fastapi")


@tries(
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
        raise blocked(_blocking(usual))
    for kind in accepted:
        failure = _failure(trial, trial.started(), kind, ())
        if failure is not None:
            raise violated(
                f"handle_runtime_context() raised {failure} for a context without metadata ({kind})"
            )


@tries(
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


@tries(
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
    is_seen = False
    with ExitStack() as stack:
        contexts: list[RuntimeServerContextType] = []
        for number in range(_CALLERS):
            metadata = [pair for pair in pairs(trial.subject.metadata) if pair[0].lower() != ROUTE]
            metadata.append((ROUTE, _route(f"0-model-{number}")))
            request = trial.context(kinds[number % len(kinds)], metadata)
            contexts.append(stack.enter_context(request))
        stack.enter_context(_switching_often())
        backend = trial.started()
        meeting = threading.Barrier(_CALLERS, timeout=WINDOW)
        for round_ in range(_ROUNDS):
            # All are at the same place when they read their metadata, unless they are let in one by
            # one: that is seen in the first round, and then they are not waited for again.
            if not meeting.broken:
                meeting = threading.Barrier(_CALLERS, timeout=WINDOW)
            told = [
                (
                    f"{round_}-model-{number}",
                    context if meeting.broken else meeting_at(context, meeting),
                )
                for number, context in enumerate(contexts)
            ]
            _tell_at_once(trial, backend, told)
            seen = trial.hook("received_contexts", backend)
            if seen is not None:
                is_seen = True
                _require_each_once(seen, told)
    if not is_seen and not _is_told_nothing(type(backend)):
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

    tasks = [trial.in_thread(partial(tell, *pair), f"the request for {pair[0]}") for pair in told]
    for task in tasks:
        task.result()


def _require_each_once(
    seen: Mapping[str, object] | Iterable[tuple[str, object]],
    told: Sequence[tuple[str, RuntimeServerContextType]],
) -> None:
    """That every pair arrived just once; a context may stand for itself, or its route for it."""
    if isinstance(seen, Mapping):
        seen = cast("Mapping[str, object]", seen).items()
    arrived = list(seen)
    for model_id, context in told:
        whats = [what for name, what in arrived if name == model_id]
        if len(whats) != 1:
            raise violated(
                f"of {_CALLERS} calls at once, that for {model_id!r} arrived {len(whats)} times"
            )
        (what,) = whats
        if what is context or what == _route(model_id):
            continue
        if any(what is other or what == _route(name) for name, other in told):
            raise violated(f"{model_id!r} was told of {what!r}, which belongs to another request")
        raise unchecked(
            f"`received_contexts` gives {what!r} for {model_id!r}, neither the context nor the "
            f"{ROUTE} that it was told of"
        )


def _route(model_id: str) -> str:
    """Where the request for a model wants to go: the same in every round."""
    return f"route-{model_id.rpartition('-')[2]}"


def _is_told_nothing(cls: type) -> bool:
    return getattr(cls, "handle_runtime_context", None) is BackendBase.handle_runtime_context


@contextmanager
def _switching_often() -> Generator[None]:
    """Let threads take turns far more often than usual: what can be torn apart then is."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
