"""The conformance kit: every clause of layers R and B, tried on what an author gives.

Both front ends, pytest's and :func:`check_backend`, ask the same :class:`Kit`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from backend_contract.clauses import CLAUSES, Clause
from backend_contract.conformance.behaviour import BEHAVIOURS
from backend_contract.conformance.contexts import ContextServers, Pairs, pairs
from backend_contract.conformance.structural import inspect_class, place
from backend_contract.conformance.trial import (
    TIME_LIMIT,
    USUAL_METADATA,
    Ended,
    Received,
    Subject,
    Trial,
)
from backend_contract.conformance.verdicts import (
    CouldNotCheckError,
    Finding,
    Report,
    Verdict,
    combine,
)
from backend_contract.protocol import Backend

__all__ = ["DECIDED_BY", "Kit", "check_backend"]

DECIDED_BY = "behaviour of its instances"

_GRACE = 1.0
"""Seconds that all threads together have to end, after all has been stopped."""


def check_backend(
    backend: Callable[[], Backend],
    *,
    config: Mapping[str, Any] | None = None,
    metadata: Pairs = USUAL_METADATA,
    time_limit: float = TIME_LIMIT,
    merged_config: Callable[[Any], Mapping[str, Any] | None] | None = None,
    during_start: Callable[[Any, Callable[[], None]], object] | None = None,
    received_contexts: Callable[[Any], Received | None] | None = None,
) -> Report:
    """Try every clause of layers R and B on ``backend``, and report a finding a clause.

    ``backend`` is a backend class, or a factory that returns a new backend, not started, at each
    call. BC201 and the constructor's half of BC205 need the class. ``config`` is a configuration
    that is valid for the class, where an empty one is not; ``metadata`` is what a usual client
    sends. Each call of a member may take ``time_limit`` seconds.

    Three hooks show what no member of a backend shows; without them, the clauses that need them are
    unchecked where the members do not suffice:

    - ``merged_config(backend)`` returns the configuration as it was merged (BC204);
    - ``during_start(backend, call)`` arranges that ``backend.start()`` calls ``call()`` in the
      middle of its work, where it may raise or take long (BC308, BC405);
    - ``received_contexts(backend)`` returns what arrived, as pairs of a model id and its context,
      or the ``x-route-info`` in it (BC506).

    Raises :class:`TypeError` where ``backend`` can be neither, ``config`` is no mapping, or
    ``metadata`` no pairs, and :class:`ValueError` where ``time_limit`` is not above 0. Whatever a
    backend raises is in the report; where none could be made at all, its ``error`` says why. Every
    backend made is stopped, every server and thread ended that can be; what could not is in the
    ``notes`` of the report.
    """
    subject = Subject(
        backend, config, metadata, time_limit, merged_config, during_start, received_contexts
    )
    with Kit(subject) as kit:
        return kit.report()


class Kit:
    """What is known of one subject: a clause is tried when it is first asked for, and once.

    To be asked by one thread at a time.
    """

    def __init__(
        self,
        subject: Subject,
        known: Mapping[str, Finding] | None = None,
        before_trial: Callable[[str], None] = lambda clause: None,
    ) -> None:
        """``known`` are findings of an earlier run; ``before_trial`` is told what is tried next."""
        if not callable(subject.make):
            raise TypeError(
                f"expected a backend class, or a function that returns a backend, got "
                f"{subject.make!r}: give its class, or a lambda that makes it"
            )
        given = cast("object", subject.config)
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"config: expected a mapping, got {given!r}")
        if not subject.time_limit > 0:
            raise ValueError(f"time_limit: expected seconds above 0, got {subject.time_limit!r}")
        try:
            metadata = pairs(subject.metadata)  # which may be an iterator: many requests carry it
        except TypeError:
            raise TypeError(
                f"metadata: expected a mapping, or pairs of a key and a value, got "
                f"{subject.metadata!r}"
            ) from None
        self.subject: Subject = subject._replace(metadata=metadata)
        self.notes: list[str] = []
        self._servers = ContextServers()
        self._threads = set(threading.enumerate())
        self._findings = dict(known or {})
        self._before_trial = before_trial
        self._seen: list[Backend] = []
        self._class: type | None = None

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """What is tried, as a reader knows it."""
        make: Any = self.subject.make
        return f"{make.__module__}:{getattr(make, '__qualname__', repr(make))}"

    def tried_class(self) -> type:
        """The class of the backends. Raises :class:`CouldNotCheckError` where none can be made."""
        if self._class is None:
            self._class = self.subject.cls or type(self._first_backend())
        return self._class

    def _first_backend(self) -> Backend:
        trial = self._trial()
        ended = trial.carry_out(Trial.new, "the factory")
        if ended is not None and not self._seen:  # of one that cannot be used, BC201 speaks
            raise CouldNotCheckError("; ".join(filter(None, (ended.found, *ended.because))))
        self.notes += trial.clean_up()
        return self._seen[0]

    def finding(self, clause: Clause) -> Finding:
        """What layers R and B say of ``clause``, which is in one of them at least.

        Raises :class:`CouldNotCheckError` where no backend can be made at all.
        """
        if clause.id not in self._findings:
            self._findings[clause.id] = self._decide(clause)
        return self._findings[clause.id]

    def report(self) -> Report:
        """A finding for every clause."""
        try:
            findings = tuple(self.finding(clause) for clause in CLAUSES.values())
        except CouldNotCheckError as error:
            return Report(self.name, error=f"{self.name}: {error}")
        self.close()
        return Report(self.name, findings, notes=tuple(dict.fromkeys(self.notes)))

    def close(self) -> None:
        """End the servers, and note what goes on in spite of all."""
        self._servers.close()
        until = time.monotonic() + _GRACE
        for thread in set(threading.enumerate()) - self._threads:
            if thread is not threading.current_thread():
                thread.join(max(until - time.monotonic(), 0))
                if thread.is_alive():
                    kind = "a daemon" if thread.daemon else "no daemon"
                    self.notes.append(f"still running: thread {thread.name!r}, which is {kind}")
        self._threads = set(threading.enumerate())

    def _trial(self) -> Trial:
        return Trial(self.subject, self._servers, self._seen, self._holds)

    def _holds(self, clause: str) -> bool:
        return self.finding(CLAUSES[clause]).verdict is Verdict.OK

    def _decide(self, clause: Clause) -> Finding:
        cls = self.tried_class()
        for required in clause.requires:
            held = self.finding(CLAUSES[required])
            if held.verdict is Verdict.VIOLATED:
                return self._finding(clause, Ended(Verdict.BLOCKED, "", required))
            if held.verdict is Verdict.BLOCKED:  # what is to be mended is what blocks that one
                return self._finding(clause, Ended(Verdict.BLOCKED, "", *held.because))
        inspected = [finding for finding in inspect_class(cls) if finding.clause is clause]
        if inspected and inspected[0].verdict is Verdict.VIOLATED:
            return inspected[0]
        return combine([*inspected, self._finding(clause, self._try(clause))])

    def _try(self, clause: Clause) -> Ended | None:
        behaviour = BEHAVIOURS[clause.id]
        for other in behaviour.after:
            self.finding(CLAUSES[other])
        if "handle_runtime_context" in clause.members:
            self._servers.start()  # which may take longer than the limit of a trial
        self._before_trial(clause.id)
        trial = self._trial()
        try:
            return trial.carry_out(behaviour.function, clause.id)
        finally:
            self.notes += trial.clean_up()

    def _finding(self, clause: Clause, ended: Ended | None) -> Finding:
        path, line = place(self.tried_class(), clause.members[0])
        if ended is None:
            return Finding(clause, Verdict.OK, path, line, layer="B", by=DECIDED_BY)
        return Finding(
            clause, ended.verdict, path, line, ended.found, ended.because, "B", DECIDED_BY
        )
