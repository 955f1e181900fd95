"""Making requests of which no two are alike, and finding out what a backend keeps of each."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, cast

from backend_contract._conformance import real_time
from backend_contract._conformance.behavioural.calls import AbandonedError, WorkerCall
from backend_contract._conformance.behavioural.helpers import others_may_be_at_work
from backend_contract._conformance.behavioural.interleaving import Pause
from backend_contract._conformance.behavioural.outcomes import unchecked, violated
from backend_contract._conformance.behavioural.run import ROUTE
from backend_contract._conformance.behavioural.trial import WINDOW, Trial
from backend_contract._conformance.request_servers import Pairs, meeting_at, pairs
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType

AT_ONCE = 8
"""The number of requests that are open at the same time."""

_DEPTH = 3
"""The depth to which what a backend keeps of a request is searched."""

Entries: TypeAlias = list[tuple[object, object]]
"""What a backend keeps: pairs of a model id and something of its request."""


@dataclass(frozen=True)
class Request:
    """An open request."""

    context: RuntimeServerContextType
    meeting_context: RuntimeServerContextType
    """The same context, whose readers meet those of the others."""
    values: frozenset[str]
    """The values of its metadata, as text."""

    def is_in(self, value: object, depth: int = _DEPTH) -> bool:
        """Return whether *value* is the context, a value of its metadata, or contains one."""
        if value is self.context or value is self.meeting_context:
            return True
        if isinstance(value, str | bytes):
            return not self.values.isdisjoint(_texts(value))
        if isinstance(value, Mapping):
            value = list(cast("Mapping[object, object]", value).values())
        if depth and isinstance(value, list | tuple | set | frozenset | deque):
            parts = list(cast("Iterable[object]", value))
            return any(self.is_in(part, depth - 1) for part in parts)
        return False


@dataclass(frozen=True)
class Sent:
    """A request for a model, and the context with which the backend is told of it."""

    model_id: str
    request: Request
    context: RuntimeServerContextType

    def values_in(self, entries: Entries) -> list[object]:
        """Return what is kept for the model."""
        return [value for key, value in entries if key == self.model_id]

    def is_in(self, entries: Entries) -> bool:
        """Return whether something of the request is kept for the model."""
        return any(map(self.request.is_in, self.values_in(entries)))


def _texts(value: str | bytes) -> set[str]:
    if isinstance(value, str):
        return {value}
    return {value.decode("latin-1"), value.decode("utf-8", "surrogateescape")}


def make_unlike(metadata: Pairs, number: int) -> list[tuple[str, str | bytes]]:
    """Return *metadata* with a route, and with *number* at the end of each value."""
    given = pairs(metadata)
    if ROUTE not in [key.lower() for key, _ in given]:
        given = [*given, (ROUTE, "route")]
    return [
        (key, f"{value}{number}" if isinstance(value, str) else value + str(number).encode())
        for key, value in given
    ]


@contextmanager
def open_requests(
    trial: Trial, kinds: Sequence[str], meeting: threading.Barrier | None = None, *, unlike: bool
) -> Generator[Sequence[Request]]:
    """Hold requests of *kinds* open, in turn: with the author's metadata, or each with its own."""
    with ExitStack() as stack:
        requests: list[Request] = []
        for number in range(AT_ONCE):
            metadata = pairs(trial.subject.metadata)
            if unlike:
                metadata = make_unlike(metadata, number)
            context = stack.enter_context(trial.context(kinds[number % len(kinds)], metadata))
            texts = (_texts(value) for _, value in metadata)
            met = context if meeting is None else meeting_at(context, meeting)
            requests.append(Request(context, met, frozenset[str]().union(*texts)))
        yield requests


class Storage:
    """What a backend keeps of requests: by the author's hook, otherwise by an attribute."""

    def __init__(self, trial: Trial, backend: Backend) -> None:
        self._trial, self._backend = trial, backend
        self._attribute: str | None = None
        self._gave_up = False

    def find(self, sent: Sequence[Sent]) -> None:
        """Look for an attribute that holds each of *sent* under its model id, and nothing else."""
        if self.entries() is not None:
            return
        for name, value in list(getattr(self._backend, "__dict__", {}).items()):
            if not isinstance(value, Mapping | list | tuple | set | frozenset | deque):
                continue  # reading an iterator may exhaust it, or never end
            entries: Entries = []
            with suppress(Exception):  # the author's own collection fails: it is not this one
                entries = _as_entries(cast("object", value))
            if entries and all(_has_only(entries, one, sent) for one in sent):
                self._attribute = name
                return

    def tell_in_turn(
        self, sent: Sequence[Sent], look: Callable[[Sent], Entries | None]
    ) -> list[Entries | None]:
        """Tell the backend of *sent* in turn; return what *look* shows, or is found in the end."""
        seen = tell(self._trial, self._backend, sent, look, at_once=False)
        if seen[-1] is None:
            self.find(sent)
            seen = [self.entries()] * len(sent)
        return seen

    def entries(self) -> Entries | None:
        """Return what is kept now, or ``None`` if it cannot be seen."""
        received: object = self._trial.hook("received_contexts", self._backend)
        if received is None and self._attribute is not None:
            received = getattr(self._backend, self._attribute)
        if received is None:
            return None
        try:
            return _as_entries(received)
        except TypeError:
            raise unchecked(
                f"`received_contexts` returned {received!r:.200}; expected pairs of a model id and "
                "its context, or a mapping"
            ) from None

    def wait_for(self, is_there: Callable[[Entries], bool]) -> Entries | None:
        """Return what is kept as soon as *is_there*, or when that does not come."""
        run = self._trial.run
        patience = run.pace.limit_of("") if others_may_be_at_work(run) else 0
        until = real_time.monotonic() + patience
        while True:
            entries = self.entries()
            if entries is None or is_there(entries) or self._gave_up:
                return entries
            if real_time.monotonic() >= until:
                self._gave_up = True  # waiting once is enough
                return entries
            time.sleep(0.01)


def _as_entries(received: object) -> Entries:
    """Return pairs. Raises :class:`TypeError` if *received* holds anything else."""
    if isinstance(received, Mapping):
        return list(cast("Mapping[object, object]", received).items())
    if isinstance(received, str | bytes):
        raise TypeError
    entries: list[tuple[object, object]] = []
    for entry in list(cast("Iterable[object]", received)):
        if not isinstance(entry, tuple | list):
            raise TypeError
        pair = list(cast("Iterable[object]", entry))
        if len(pair) != 2:
            raise TypeError
        entries.append((pair[0], pair[1]))
    return entries


def _has_only(entries: Entries, one: Sent, sent: Sequence[Sent]) -> bool:
    values = one.values_in(entries)
    others = [other for other in sent if other is not one]
    return (
        len(values) == 1
        and one.request.is_in(values[0])
        and not any(other.request.is_in(values[0]) for other in others)
    )


def require_own(entries: Entries, one: Sent, requests: Sequence[Request]) -> bool:
    """Require that what is kept for a model is of its request, not of another of *requests*.

    Return whether anything is.
    """
    values = one.values_in(entries)
    if not values or one.is_in(entries):
        return bool(values)
    for other in requests:
        if any(map(other.is_in, values)):
            raise violated(
                f"{one.model_id!r:.80} was stored with {values[-1]!r}, which belongs to another "
                "request"
            )
    raise unchecked(
        f"`received_contexts` gives {values[-1]!r} for {one.model_id!r:.80}; expected its context, "
        "or a value of its metadata"
    )


def tell(
    trial: Trial,
    backend: Backend,
    sent: Sequence[Sent],
    look: Callable[[Sent], Entries | None],
    *,
    at_once: bool,
    pause: Pause | None = None,
) -> list[Entries | None]:
    """Call ``handle_runtime_context`` for each of *sent*, and return what *look* then shows.

    Each call has a thread and a ``contextvars`` context, in which *look* is called too, after all
    calls have returned. A *pause* stops the first one while the second makes progress.
    """
    ready = threading.Barrier(len(sent) if at_once else 1)
    all_told, looking = threading.Barrier(len(sent)), threading.Lock()

    def request(one: Sent, told: threading.Event) -> Entries | None:
        context = contextvars.Context()
        ready.wait()
        try:
            call = partial(_call, trial, backend, one, context, at_once)
            pause.run(call) if pause and one is sent[0] else call()
            told.set()
            all_told.wait()
        except BaseException:
            all_told.abort()
            raise
        with looking:
            return context.run(look, one)

    calls: list[WorkerCall[Entries | None]] = []
    try:
        for one in sent:
            told = pause.reached if pause and not calls else trial.event()
            calls.append(
                trial.in_thread(
                    partial(request, one, told), f"the request for {one.model_id!r:.80}"
                )
            )
            if pause and one is not sent[0]:
                told.wait(WINDOW / 4)
                pause.go_on.set()
            elif not at_once:
                calls[-1].reaches(told)
        return _results(calls)
    finally:
        all_told.abort()


def _call(
    trial: Trial, backend: Backend, one: Sent, context: contextvars.Context, at_once: bool
) -> None:
    how = "called by several threads at once" if at_once else f"for the model {one.model_id!r:.80}"
    what = f"handle_runtime_context(), {how},"
    trial.call(what, context.run, backend.handle_runtime_context, one.model_id, one.context)
    trial.set_description(what)  # while the others make progress, none of them hangs


def _results(calls: Sequence[WorkerCall[Entries | None]]) -> list[Entries | None]:
    results: list[Entries | None] = []
    for call in calls:
        try:
            results.append(call.result())
        except threading.BrokenBarrierError:  # another call has failed
            continue
    if len(results) < len(calls):
        raise AbandonedError
    return results
