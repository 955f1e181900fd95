"""BC5xx: receiving the contexts of requests."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import cast

from backend_contract._conformance.behavioural.calls import describe_exception, is_call_error
from backend_contract._conformance.behavioural.helpers import require_none
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    blocked,
    needs_a_suite,
    needs_an_extra,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.run import ROUTE
from backend_contract._conformance.behavioural.trial import WINDOW, Trial, tries
from backend_contract._conformance.request_servers import Pairs, meeting_at, pairs
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
def _try_both_call_styles(trial: Trial) -> None:
    failed: list[str] = []
    for kind in _kinds(trial):
        with trial.context(kind, trial.subject.metadata) as context:
            named = {"model_id": "a model", "runtime_context": context}
            by_position = _failure_of_a_call(trial, "by position", *named.values())
            by_keyword = _failure_of_a_call(trial, "by keyword", **named)
        failures = [*filter(None, (by_position, by_keyword))]
        if len(failures) == 1:  # only one of the two ways works
            raise violated(failures[0])
        failed += failures
    if len(failed) == 2 * len(trial.kinds):
        raise unchecked(failed[0])


def _failure_of_a_call(trial: Trial, how: str, *arguments: object, **named: object) -> str | None:
    handle = cast("Callable[..., object]", trial.started().handle_runtime_context)
    try:
        with trial.doing("handle_runtime_context()"):
            returned = handle(*arguments, **named)
    except (Exception, SystemExit) as error:  # BC502 to BC506 report it
        problem = f"called {how}, it raised {describe_exception(error)}"
        if is_call_error(error):
            raise violated(problem) from error
        return problem
    require_none(returned, "handle_runtime_context()")
    return None


def _kinds(trial: Trial) -> tuple[str, ...]:
    if not trial.kinds:
        raise needs_an_extra(
            "not tested: requires a real context; install backend-contract[grpc], "
            "backend-contract[fastapi] or both"
        )
    return trial.kinds


def _failure(trial: Trial, backend: Backend, kind: str, metadata: Pairs) -> str | None:
    """Return the exception raised for a request for an unknown model, or ``None``."""
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


def _same_for_all_kinds(failures: Mapping[str, str | None]) -> bool:
    """Return whether calls fail in the same way for several kinds of context."""
    return len(failures) > 1 and None not in failures.values() and len({*failures.values()}) == 1


def _try_kind(trial: Trial, kind: str, extra: str) -> None:
    if kind not in trial.kinds:
        raise needs_an_extra(
            f"not tested: requires a real context; install backend-contract[{extra}]"
        )
    failures = _usual_failures(trial)
    if _same_for_all_kinds(failures):
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
def _try_grpc_context(trial: Trial) -> None:
    _try_kind(trial, "grpc", "grpc")


@tries(
    "BC503",
    """\
from backend_contract.testing import http_request
with http_request({"x-route-info": "somewhere"}) as request:
    make().handle_runtime_context("model", request)""",
    after=("BC302",),
)
def _try_http_request(trial: Trial) -> None:
    _try_kind(trial, "http", "fastapi")


@tries(
    "BC504",
    """\
from backend_contract.testing import http_request
with http_request() as request:
    make().handle_runtime_context("never seen before", request)""",
    after=("BC302",),
)
def _try_unknown_model_without_metadata(trial: Trial) -> None:
    _kinds(trial)
    usual = _usual_failures(trial)
    if _same_for_all_kinds(usual):
        raise violated(
            f"handle_runtime_context() raised {usual[trial.kinds[0]]} for an unknown model id, "
            "with every kind of context"
        )
    accepted = [kind for kind, failure in usual.items() if failure is None]
    if not accepted:
        raise blocked(_blocking_clause(usual))
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
def _try_before_start(trial: Trial) -> None:
    _kinds(trial)
    usual = _usual_failures(trial)
    for kind in trial.kinds:
        failure = _failure(trial, trial.new(), kind, trial.subject.metadata)
        if failure is not None and (usual[kind] is None or not trial.can_start):
            raise violated(f"handle_runtime_context() raised {failure} before start()")
    if None not in usual.values():
        raise blocked(_blocking_clause(usual))


def _blocking_clause(usual: Mapping[str, str | None]) -> str:
    if _same_for_all_kinds(usual):
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
# then look into `backend`: each model must be there once, with its own context""",
    after=("BC302",),
)
def _try_concurrent_calls(trial: Trial) -> None:
    _kinds(trial)
    usual = _usual_failures(trial)
    kinds = [kind for kind in trial.kinds if usual[kind] is None]
    if not kinds:
        raise blocked(_blocking_clause(usual))
    backend = trial.started()
    with _open_requests(trial, kinds) as contexts, _frequent_thread_switches():
        can_be_seen = _call_in_rounds(trial, backend, contexts)
    if not can_be_seen and not _stores_nothing(type(backend)):
        raise needs_a_suite("no call failed; define `received_contexts` to check what was stored")


@contextmanager
def _open_requests(
    trial: Trial, kinds: Sequence[str]
) -> Generator[Sequence[RuntimeServerContextType]]:
    """Yield one context per caller, of *kinds* in turn, each with its own route."""
    usual = [pair for pair in pairs(trial.subject.metadata) if pair[0].lower() != ROUTE]
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                trial.context(
                    kinds[number % len(kinds)], [*usual, (ROUTE, _route(_model_id(0, number)))]
                )
            )
            for number in range(_CALLERS)
        ]


def _call_in_rounds(
    trial: Trial, backend: Backend, contexts: Sequence[RuntimeServerContextType]
) -> bool:
    """Make concurrent calls, round by round; return whether the hook shows what was stored."""
    can_be_seen = False
    meeting = threading.Barrier(_CALLERS, timeout=WINDOW)
    for round_ in range(_ROUNDS):
        # All callers meet when they read the metadata. If the backend admits one at a time, the
        # first round shows that, and the others do not wait.
        if not meeting.broken:
            meeting = threading.Barrier(_CALLERS, timeout=WINDOW)
        sent = [
            (
                _model_id(round_, number),
                context if meeting.broken else meeting_at(context, meeting),
            )
            for number, context in enumerate(contexts)
        ]
        _call_together(trial, backend, sent)
        received = trial.hook("received_contexts", backend)
        if received is not None:
            can_be_seen = True
            _require_each_once(received, sent)
    return can_be_seen


def _call_together(
    trial: Trial, backend: Backend, sent: Sequence[tuple[str, RuntimeServerContextType]]
) -> None:
    description = "handle_runtime_context(), called by several threads at once,"
    ready = threading.Barrier(len(sent))

    def call(model_id: str, context: RuntimeServerContextType) -> None:
        ready.wait()
        trial.call(description, backend.handle_runtime_context, model_id, context)

    calls = [trial.in_thread(partial(call, *pair), f"the request for {pair[0]}") for pair in sent]
    for each in calls:
        each.result()
        trial.set_description(description)  # while the others make progress, none of them hangs


def _require_each_once(
    received: Mapping[str, object] | Iterable[tuple[str, object]],
    sent: Sequence[tuple[str, RuntimeServerContextType]],
) -> None:
    """Require that each pair was received exactly once, as its context or as its route."""
    if isinstance(received, Mapping):
        received = cast("Mapping[str, object]", received).items()
    stored = list(received)
    for model_id, context in sent:
        values = [value for name, value in stored if name == model_id]
        if len(values) != 1:
            raise violated(
                f"{_CALLERS} concurrent calls: {model_id!r} was received {len(values)} times"
            )
        if not _belongs_to(values[0], model_id, context):
            raise _wrong_value(values[0], model_id, sent)


def _belongs_to(value: object, model_id: str, context: RuntimeServerContextType) -> bool:
    return value is context or value == _route(model_id)


def _wrong_value(
    value: object, model_id: str, sent: Sequence[tuple[str, RuntimeServerContextType]]
) -> StopTrial:
    if any(_belongs_to(value, *other) for other in sent):
        return violated(f"{model_id!r} was stored with {value!r}, which belongs to another request")
    return unchecked(
        f"`received_contexts` gives {value!r} for {model_id!r}; expected its context, or the "
        f"{ROUTE} in it"
    )


def _model_id(round_: int, number: int) -> str:
    return f"{round_}-model-{number}"


def _route(model_id: str) -> str:
    """Return the route of a request for *model_id*: the same in every round."""
    return f"route-{model_id.rpartition('-')[2]}"


def _stores_nothing(cls: type) -> bool:
    return getattr(cls, "handle_runtime_context", None) is BackendBase.handle_runtime_context


@contextmanager
def _frequent_thread_switches() -> Generator[None]:
    """Switch threads far more often than usual, which makes races more likely."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
