"""BC506 and BC507: requests that arrive at the same time, or while a backend starts."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from backend_contract._conformance.behavioural.interleaving import Pause
from backend_contract._conformance.behavioural.outcomes import StopTrial, needs_a_suite, violated
from backend_contract._conformance.behavioural.trial import WINDOW, Trial, tries
from backend_contract._conformance.behavioural.trials.arrivals import (
    AT_ONCE,
    Entries,
    Request,
    Sent,
    Storage,
    open_requests,
    require_own,
    tell,
)
from backend_contract._conformance.behavioural.trials.held_start import held_if_possible
from backend_contract._conformance.behavioural.trials.requests import (
    accepted_kinds,
    accepts_unlike,
    waits_for_the_lock,
    waits_while_started,
)
from backend_contract._conformance.request_servers import meeting_at
from backend_contract.base import BackendBase
from backend_contract.protocol import Backend

_ROUNDS = 25

_MOST_PAUSES = 12
"""The number of lines before which a call is stopped, at most."""


@tries(
    "BC506",
    """\
import contextvars, re, sys, threading
from backend_contract.testing import grpc_context, http_request
kinds, keys = [grpc_context, http_request], ["x-route-info", "tenant"]  # that your backend reads
backend, errors = make(), []
def tell(model, request, trace=None):
    sys.settrace(trace)
    try:
        backend.handle_runtime_context(model, request)
    except Exception as error:
        errors.append(error)
    finally:
        sys.settrace(None)
def tell_two(number):
    lines = 0
    def trace(_, event, __):  # the second request arrives before that line of the first
        nonlocal lines
        lines += event == "line"
        if event == "line" and lines == number:
            other.start()
            other.join(0.1)
        return trace
    values = {model: f"{model}-{number}" for model in "ab"}
    first, second = ([(key, values[model]) for key in keys] for model in "ab")
    with kinds[0](first) as request, kinds[-1](second) as later:
        other = threading.Thread(target=tell, args=("b", later))
        tell("a", request, trace)
        if lines < number:
            return False
        other.join()
    assert not errors, errors
    seen = repr(vars(backend))  # or where it keeps them
    kept = dict(re.findall(r"'(\\w)'[,:] '(\\w-\\d+)'", seen))
    assert kept in ({}, values), f"{kept} are kept"
    return True
number = 1
while tell_two(number):
    number += 1
def is_stale():
    for metadata in ({"x-route-info": "of another request"}, {}):
        with http_request(metadata) as request:
            backend.handle_runtime_context("e", request)
    return "of another request" in repr([*contextvars.copy_context().values()])
assert not contextvars.Context().run(is_stale), "a request without metadata keeps a variable\"""",
    after=("BC302",),
)
def _try_concurrent_calls(trial: Trial) -> None:
    kinds = accepted_kinds(trial)
    backend = trial.started()
    unlike = accepts_unlike(trial, backend, kinds)
    ids = trial.subject.model_ids
    # All callers meet when they read the metadata. If the backend admits one at a time, the first
    # round shows that, and the others do not wait.
    meeting = threading.Barrier(min(AT_ONCE, len({*(ids or range(AT_ONCE))})), timeout=WINDOW)
    with (
        open_requests(trial, kinds, meeting, unlike=unlike) as requests,
        _frequent_thread_switches(),
    ):
        if not all(_accepts_copy(trial, backend, request) for request in requests[: len(kinds)]):
            requests = [replace(each, meeting_context=each.context) for each in requests]
        calls = _Calls(trial, backend, requests)
        calls.make(kinds[0])
    calls.require_evidence()


def _accepts_copy(trial: Trial, backend: Backend, request: Request) -> bool:
    """Return whether *backend* accepts a context of a subclass: it may look for the very class."""
    copied = meeting_at(request.context, threading.Barrier(1))
    try:
        trial.call("handle_runtime_context()", backend.handle_runtime_context, "a copy", copied)
    except StopTrial:
        return False
    return True


class _Calls:
    """Calls for different models: in turn, which shows what the backend keeps, and at once."""

    def __init__(self, trial: Trial, backend: Backend, requests: Sequence[Request]) -> None:
        self._trial, self._backend, self._requests = trial, backend, requests
        self._storage = Storage(trial, backend)
        self._ids = trial.subject.model_ids
        self._can_be_seen = False
        """Whether the hook, or an attribute, shows what the backend keeps."""
        self._kept = 0
        """How many of the requests made in turn it kept until all had been made."""

    def make(self, kind: str) -> None:
        """Make calls in all orders; *kind* is that of a request without metadata."""
        self._make_in_turn()
        self._make_at_once()
        if self._kept > 1:
            self._make_interleaved()
        if self._kept:
            self._require_later(0, 1)
            self._require_later(1, 0)
            self._require_variable_set(kind)

    def require_evidence(self) -> None:
        """Require that what the backend keeps of the calls could be seen."""
        member = getattr(type(self._backend), "handle_runtime_context", None)
        if not self._can_be_seen and member is not BackendBase.handle_runtime_context:
            raise needs_a_suite(
                "no call failed; define `received_contexts` to check what was stored"
            )
        if self._can_be_seen and not self._kept:
            if self._ids:
                raise violated(f"{self._ids[0]!r} was received 0 times")
            raise needs_a_suite(
                "no call failed, but `received_contexts` shows none of the requests; if the "
                "backend keeps those of some models only, give their ids as `model_ids`"
            )

    def _make_in_turn(self) -> None:
        """Make one call per model, one after the other."""
        sent = self._sent(0)
        seen = self._storage.tell_in_turn(sent, self._look_for)
        self._can_be_seen = seen[-1] is not None
        for one, entries in zip(sent, seen, strict=True):
            self._kept += require_own(entries or [], one, self._requests)
            self._require_once(entries or [], one)
        self._keeps_all = self._kept == len(sent)

    def _make_at_once(self) -> None:
        """Make calls in rounds, each with one call per model."""
        sent: list[Sent] = []
        for round_ in range(1, _ROUNDS + 1):
            sent = self._sent(round_)
            self._make(sent)
        at_the_end = self._storage.entries()
        for one in sent:
            require_own(at_the_end or [], one, self._requests)

    def _make_interleaved(self) -> None:
        """Make two calls at a time, of which the first one is stopped before each line in turn."""
        for number in range(2, _MOST_PAUSES + 1):
            pause = Pause(number, self._trial.event())
            sent = [replace(one, context=one.request.context) for one in self._sent(-number)[:2]]
            self._make(sent, pause)
            if not pause.is_past:
                return

    def _require_later(self, first: int, second: int) -> None:
        """Require that of two requests for one model, the later one counts."""
        model_id = self._ids[0] if self._ids else f"again-{first}"
        requests = self._requests[first], self._requests[second]
        sent = [Sent(model_id, request, request.context) for request in requests]
        later = sent[1]

        def look(one: Sent) -> Entries | None:
            if one is later and self._keeps_all:
                return self._storage.wait_for(one.is_in)
            return self._storage.entries()

        entries = tell(self._trial, self._backend, sent, look, at_once=False)[1] or []
        if not later.is_in(entries) and sent[0].is_in(entries):
            raise violated(
                f"after two requests for {model_id!r}, one after the other, it is stored with "
                f"{later.values_in(entries)[-1]!r}, which belongs to the first"
            )

    def _require_variable_set(self, kind: str) -> None:
        """Require that a request does not see what the one before it in its thread had set."""
        if self._ids:
            return
        one, other = self._requests[:2]
        first, second = Sent("with a value", one, one.context), "without one"
        seen: dict[str, Entries] = {}

        def tell_all() -> None:
            what = "handle_runtime_context(), again in one thread,"
            handle = self._backend.handle_runtime_context
            with self._trial.context(kind, ()) as bare:
                told = {"with another": other.context, first.model_id: one.context, second: bare}
                for model_id, context in told.items():
                    self._trial.call(what, handle, model_id, context)
                    seen[model_id] = self._storage.entries() or []

        with suppress(StopTrial):  # BC504 reports it
            in_one_context = partial(contextvars.Context().run, tell_all)
            self._trial.in_thread(in_one_context, "calls in one thread").result()
        require_own(seen.get(first.model_id, []), first, self._requests)
        keys = [key for key, _ in seen.get(second, [])]
        elsewhere = [key for key, _ in self._storage.entries() or []]
        if first.model_id in keys and second not in keys and first.model_id not in elsewhere:
            raise violated(
                "after a request without metadata, the thread that served it still has what the "
                "request before it had set"
            )

    def _sent(self, round_: int) -> list[Sent]:
        """Return one request per model; which one a model gets changes with each round."""
        count = len(self._requests)
        ids = [f"{round_}-model-{number}" for number in range(count)]
        if self._ids:
            ids = list(dict.fromkeys(self._ids))[:count]
        requests = [self._requests[(number + round_) % count] for number in range(len(ids))]
        return [
            Sent(model_id, request, request.meeting_context if round_ else request.context)
            for model_id, request in zip(ids, requests, strict=True)
        ]

    def _make(self, sent: Sequence[Sent], pause: Pause | None = None) -> None:
        look = self._look_for
        seen = tell(self._trial, self._backend, sent, look, at_once=not pause, pause=pause)
        for one, entries in zip(sent, seen, strict=True):
            if entries is not None:
                self._require_arrival(entries, one, sent)

    def _look_for(self, one: Sent) -> Entries | None:
        # Ids that are given are used again: an entry may be of an earlier request.
        return self._storage.wait_for(
            one.is_in if self._ids else lambda entries: bool(one.values_in(entries))
        )

    def _require_arrival(self, entries: Entries, one: Sent, sent: Sequence[Sent]) -> None:
        if not require_own(entries, one, self._requests) and self._keeps_all:
            raise violated(f"{len(sent)} concurrent calls: {one.model_id!r} was received 0 times")
        self._require_once(entries, one, f"{len(sent)} concurrent calls: ")

    def _require_once(self, entries: Entries, one: Sent, when: str = "") -> None:
        times = len(one.values_in(entries))
        if times > 1 and not self._ids:  # those were used before
            raise violated(f"{when}{one.model_id!r} was received {times} times")


@contextmanager
def _frequent_thread_switches() -> Generator[None]:
    """Switch threads far more often than usual, which makes races more likely."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


@tries(
    "BC507",
    """\
import threading
from backend_contract.testing import http_request
backend, reached, go_on = make(), threading.Event(), threading.Event()
def answers(request):
    arguments = "model", request
    told = threading.Thread(target=backend.handle_runtime_context, args=arguments, daemon=True)
    told.start()
    told.join(5)
    return not told.is_alive()
with http_request() as request:
    for change in (lambda: None, backend.start, backend.stop):
        change()
        with backend.start_lock():
            assert answers(request), "handle_runtime_context() waits for the lock"
    # replace `connect` by a part of the work of `start`
    backend.connect = lambda: (reached.set(), go_on.wait())
    threading.Thread(target=backend.start, daemon=True).start()
    reached.wait(5)
    assert answers(request), "handle_runtime_context() waits for start()"
    go_on.set()""",
    after=("BC302", "BC405"),
)
def _try_not_waiting(trial: Trial) -> None:
    kinds = accepted_kinds(trial)
    if trial.can_start and waits_while_started(trial, kinds):
        raise violated("on a started backend, handle_runtime_context() waited for the lock")
    if any(waits_for_the_lock(trial, trial.stopped(), kind) for kind in kinds):
        raise violated("handle_runtime_context() waited while another thread held the lock")
    for start in held_if_possible(trial):
        if not start.took_context:
            raise violated(
                f"handle_runtime_context() waited while another thread was in {start.what}"
            )
