"""BC508: what a backend keeps of requests that are over."""

from __future__ import annotations

import contextvars
import gc
import itertools
import threading
import time
import types
import weakref
from collections.abc import Sequence
from contextlib import suppress

from backend_contract._conformance import real_time
from backend_contract._conformance.behavioural.helpers import others_may_be_at_work
from backend_contract._conformance.behavioural.outcomes import unchecked, violated
from backend_contract._conformance.behavioural.trial import Trial, tries
from backend_contract._conformance.behavioural.trials.arrivals import make_unlike
from backend_contract._conformance.behavioural.trials.requests import (
    accepted_kinds,
    accepts_unlike,
)
from backend_contract._conformance.request_servers import Pairs
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType

_REQUESTS = 3
"""The number of requests for one model."""

_MOST_OBJECTS = 100_000
_SHARED = (type, types.ModuleType, types.FunctionType, types.FrameType, threading.Thread)
"""What leads to objects that are not the backend's."""

Reference = weakref.ref[RuntimeServerContextType]


@tries(
    "BC508",
    """\
import gc, weakref
from backend_contract.testing import http_request
backend, contexts = make(), []
for metadata in [{"x-route-info": route} for route in "abc"], [{}] * 3:
    for each in metadata:
        with http_request(each) as request:
            backend.handle_runtime_context("model", request)
            contexts.append(weakref.ref(request))
            del request
    gc.collect()
    assert contexts[-2]() is None, "the context of an earlier request is kept\"""",
    after=("BC302",),
)
def _try_letting_go(trial: Trial) -> None:
    kinds = accepted_kinds(trial)
    backends, usual = (trial.started(), trial.new()), trial.subject.metadata
    unlike = accepts_unlike(trial, backends[0], kinds)
    for backend, kind, given in itertools.product(backends, kinds, (usual, ())):
        sent = [make_unlike(given, n) if unlike and given else given for n in range(_REQUESTS)]
        told = [_make_request(trial, backend, kind, metadata) for metadata in sent]
        unused = _make_request(trial, None, kind, given)
        if _are_gone(trial, backend, told[:-1]):
            continue
        if not _are_gone(trial, None, [unused]):
            raise unchecked(f"the server keeps the contexts of requests that are over ({kind})")
        kept = sum(reference() is not None for reference in told)
        raise violated(
            f"{kept} contexts of {_REQUESTS} requests for one model are kept after the requests "
            f"are over ({kind})"
        )


def _make_request(trial: Trial, backend: Backend | None, kind: str, metadata: Pairs) -> Reference:
    """Make a request, tell *backend* of it, and return a reference to its context."""
    with trial.context(kind, metadata) as context:
        reference, box = weakref.ref(context), [context]
        del context

        def call() -> None:
            # In a thread and a context that are over when the request is.
            with suppress(Exception):  # other clauses report it
                if backend is not None:
                    contextvars.Context().run(
                        backend.handle_runtime_context, "one model", box.pop()
                    )

        with trial.doing("handle_runtime_context()"):
            told = trial.in_thread(call, "a request that is soon over")
            told.result()
            told.thread.join()
        box.clear()
    return reference


def _are_gone(trial: Trial, backend: Backend | None, references: Sequence[Reference]) -> bool:
    """Return whether all referents are let go within half the limit of a call.

    There is no need to wait if *backend* holds one, and nothing runs that could let it go.
    """
    until = real_time.monotonic() + trial.run.pace.limit_of("") / 2
    trial.set_description("requests that are over")
    while any(reference() is not None for reference in references):
        gc.collect()
        contexts = [*filter(None, (reference() for reference in references))]
        if not others_may_be_at_work(trial.run) and _reaches(backend, contexts):
            return False
        if real_time.monotonic() > until:
            return not contexts  # collecting may take long
        del contexts
        time.sleep(0.01)
    return True


def _reaches(backend: Backend | None, contexts: Sequence[object]) -> bool:
    """Return whether *backend* holds one of *contexts*, in an attribute or deeper."""
    wanted = set(map(id, contexts))
    found: set[int] = set()
    unseen: list[object] = [] if backend is None else [getattr(backend, "__dict__", {})]
    while unseen and len(found) < _MOST_OBJECTS:
        item = unseen.pop()
        if id(item) in wanted:
            return True
        if id(item) not in found and not isinstance(item, _SHARED):
            found.add(id(item))
            unseen += gc.get_referents(item)
    return False
