"""What the clauses of BC5xx say, each asked alone, of requests that no server has made.

With contexts of real requests they are tried in `tests/integration/frameworks/kit`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backend_contract import BackendBase, LocalBackend
from backend_contract._conformance import kit as kits
from backend_contract._conformance.behavioural import requests
from backend_contract._conformance.behavioural.trial import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Verdict
from backend_contract.clauses import CLAUSES

OK, VIOLATED, UNCHECKED = Verdict.OK, Verdict.VIOLATED, Verdict.UNCHECKED
BLOCKED = Verdict.BLOCKED
GRPC, HTTP = "grpc", "http"


class Context:
    """Of either kind: whoever asks for the metadata is given all of it."""

    def __init__(self, kind: str, metadata: Any) -> None:
        self.kind = kind
        self.metadata = dict(metadata)

    def invocation_metadata(self) -> Any:
        return self.metadata

    @property
    def headers(self) -> Any:
        return self.metadata


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What stands for the servers; both frameworks are there, unless a test says otherwise."""

    class Servers:
        kinds: tuple[str, ...] = (GRPC, HTTP)

        def start(self) -> None:
            pass

        def close(self) -> None:
            pass

        @contextmanager
        def request(self, kind: str, metadata: Any) -> Iterator[Context]:
            yield Context(kind, metadata)

    monkeypatch.setattr(kits, "RequestServers", Servers)
    return Servers


def said(clause: str, make: Any, **given: Any) -> tuple[Verdict, str]:
    """The verdict, with what was found or else why there is none."""
    with Kit(Subject(make=make, **given)) as kit:
        found = kit.finding(CLAUSES[clause])
        finding = next((part for part in found.parts if part.layer == "B"), found)
        return finding.verdict, finding.found or "; ".join(finding.because)


def told(tell: Callable[..., Any]) -> type[LocalBackend]:
    """A backend that does this when it is told of a request; of `self`, the context, the model."""

    def handle_runtime_context(self: Any, model_id: str, runtime_context: Any) -> Any:
        return tell(self, runtime_context, model_id)

    members = {"backend_type": "TOLD", "handle_runtime_context": handle_runtime_context}
    return type("Told", (LocalBackend,), members)


def fail_if(condition: Callable[[Any, Any], bool], *errors: Exception) -> type[LocalBackend]:
    """One that raises where it holds of the backend and the context."""

    def tell(self: Any, context: Any, model_id: str) -> None:
        if condition(self, context):
            raise (errors or (ValueError("no"),))[0]

    return told(tell)


ALWAYS = fail_if(lambda backend, context: True)
OVER_GRPC = fail_if(lambda backend, context: context.kind == GRPC)
OVER_HTTP = fail_if(lambda backend, context: context.kind == HTTP)


def names_the_kind(self: Any, context: Any, model_id: str) -> None:
    raise ValueError(context.kind)


EITHER = told(names_the_kind)
"""Fails whatever the context, and not for the same reason."""

QUIET = told(lambda *arguments: None)
EVERY = ["BC501", "BC502", "BC503", "BC504", "BC505", "BC506"]


@pytest.mark.parametrize("clause", EVERY)
def test_without_a_framework_nothing_can_be_said(clause: str, servers: Any) -> None:
    servers.kinds = ()
    verdict, because = said(clause, QUIET)
    assert verdict is UNCHECKED
    extra = "grpc" if clause == "BC502" else "fastapi"
    assert f"install backend-contract[{extra}]" in because or "[grpc], " in because


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_with_one_framework_the_other_kind_is_unchecked(kind: str, servers: Any) -> None:
    servers.kinds = (kind,)
    missing, extra = ("BC503", "fastapi") if kind == GRPC else ("BC502", "grpc")
    for clause in EVERY[:5]:
        verdict = (OK, "")
        if clause == missing:
            verdict = (UNCHECKED, f"it takes a real context: install backend-contract[{extra}]")
        assert said(clause, QUIET) == verdict


# BC501


def test_what_is_raised_however_it_is_called_is_for_other_clauses() -> None:
    verdict, because = said("BC501", ALWAYS)
    assert verdict is UNCHECKED
    assert because.startswith("called by position, it raised ValueError: no (test_requests")
    for make in (OVER_GRPC, OVER_HTTP, QUIET):
        assert said("BC501", make) == (OK, "")


@pytest.mark.parametrize("by_keyword", [True, False])
@pytest.mark.parametrize("otherwise", ["accepted", "refused"])
@pytest.mark.parametrize("only", [(GRPC,), (HTTP,), (GRPC, HTTP)], ids=" ".join)
def test_to_be_called_in_one_of_two_ways_is_not_enough(
    by_keyword: bool, only: tuple[str, ...], otherwise: str
) -> None:
    class OneWay(LocalBackend):
        backend_type = "ONE-WAY"

        def handle_runtime_context(self, *model_id: Any, **named: Any) -> None:
            context = named["runtime_context"] if named else model_id[1]
            one_way = bool(named) is by_keyword
            if one_way if context.kind in only else otherwise == "refused":
                raise ValueError("no")

    hidden = type("Hidden", (OneWay,), {"handle_runtime_context": Hides(OneWay)})
    verdict, found = said("BC501", hidden)
    assert verdict is VIOLATED
    how = "keyword" if by_keyword else "position"
    assert found.startswith(f"called by {how}, it raised ValueError: no (")


class Hides:
    """Gives the class another signature than the instance has, as some decorators do."""

    def __init__(self, of: type) -> None:
        self.of = of

    def __get__(self, instance: Any, owner: type) -> Any:
        def handle_runtime_context(self: Any, model_id: str, runtime_context: Any) -> None:
            raise AssertionError("it is never called")

        if instance is None:
            return handle_runtime_context
        return vars(self.of)["handle_runtime_context"].__get__(instance)


def test_a_call_that_does_not_fit_breaks_the_clause_at_once() -> None:
    class FitsNot(LocalBackend):
        backend_type = "FITS-NOT"

        def handle_runtime_context(self) -> None:  # type: ignore[override]  # as is to be seen
            pass

    verdict, found = said(
        "BC501", type("Hidden", (FitsNot,), {"handle_runtime_context": Hides(FitsNot)})
    )
    assert verdict is VIOLATED
    assert found.startswith("called by position, it raised TypeError: ")


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_both_ways_in_one_kind_are_all_ways_there_are(kind: str, servers: Any) -> None:
    servers.kinds = (kind,)
    assert said("BC501", ALWAYS)[0] is UNCHECKED


def test_what_is_returned_is_shown() -> None:
    found = "handle_runtime_context() returned 3"
    assert said("BC501", told(lambda *arguments: 3)) == (VIOLATED, found)


# BC502 to BC505


def test_which_kind_of_context_is_not_accepted_is_told() -> None:
    found = "handle_runtime_context() raised ValueError: "
    for make, wrong, right in ((OVER_GRPC, "BC502", "BC503"), (OVER_HTTP, "BC503", "BC502")):
        verdict, text = said(wrong, make)
        assert verdict is VIOLATED
        assert text.startswith(f"{found}no (test_requests.py:")
        assert said(right, make) == (OK, "")
        assert said("BC504", make) == said("BC505", make) == (OK, "")


def test_what_fails_whatever_the_context_is_not_for_its_kind() -> None:
    for clause in ("BC502", "BC503", "BC505", "BC506"):
        assert said(clause, ALWAYS) == (BLOCKED, "BC504")
    verdict, found = said("BC504", ALWAYS)
    assert verdict is VIOLATED
    assert found.startswith("handle_runtime_context() raised ValueError: no (")
    assert found.endswith(" for a model id it has never seen, whatever the context")


def test_what_fails_for_another_reason_in_each_kind_is_for_its_kind() -> None:
    for clause, kind in (("BC502", GRPC), ("BC503", HTTP)):
        verdict, found = said(clause, EITHER)
        assert verdict is VIOLATED
        assert found.startswith(f"handle_runtime_context() raised ValueError: {kind} (")
    for clause in ("BC504", "BC506"):
        assert said(clause, EITHER) == (BLOCKED, "BC502")


@pytest.mark.parametrize(("kind", "clause"), [(GRPC, "BC502"), (HTTP, "BC503")])
def test_of_one_kind_alone_nothing_is_said_of_all(kind: str, clause: str, servers: Any) -> None:
    servers.kinds = (kind,)
    assert said(clause, ALWAYS)[0] is VIOLATED
    assert said("BC504", ALWAYS) == said("BC506", ALWAYS) == (BLOCKED, clause)
    assert said("BC505", ALWAYS) == (BLOCKED, clause)


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_a_context_without_metadata_is_accepted_too(kind: str) -> None:
    needs_metadata = fail_if(lambda backend, context: context.kind == kind and not context.metadata)
    verdict, found = said("BC504", needs_metadata)
    assert verdict is VIOLATED
    assert found.startswith("handle_runtime_context() raised ValueError: no (")
    assert found.endswith(f" for a context without metadata ({kind})")
    assert said("BC502", needs_metadata) == said("BC503", needs_metadata) == (OK, "")


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_it_is_told_before_it_is_started(kind: str) -> None:
    late = fail_if(lambda backend, context: context.kind == kind and not backend.is_started)
    verdict, found = said("BC505", late)
    assert verdict is VIOLATED
    assert found.startswith("handle_runtime_context() raised ValueError: no (")
    assert found.endswith(" before start()")
    assert said("BC504", late) == (OK, "")


def test_of_what_cannot_start_it_is_told_before_it_is_started() -> None:
    class CannotStart(LocalBackend):
        backend_type = "CANNOT-START"

        def start(self) -> None:
            raise OSError("no server")

        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            raise ValueError("no")

    verdict, found = said("BC505", CannotStart)
    assert verdict is VIOLATED
    assert found.endswith(" before start()")


def test_a_usual_client_sends_what_the_author_says() -> None:
    needs = fail_if(lambda backend, context: context.metadata not in ({"tenant": "a"}, {}))
    for clause in EVERY[:5]:
        assert said(clause, needs, metadata={"tenant": "a"}) == (OK, "")
    usual = fail_if(lambda backend, context: not {"x-route-info"}.issuperset(context.metadata))
    for clause in EVERY[:5]:
        assert said(clause, usual) == (OK, "")


# BC506


class Keeps(LocalBackend):
    backend_type = "KEEPS"

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.kept: list[tuple[str, Any]] = []

    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        self.kept.append((model_id, runtime_context))


def by_route(backend: Any) -> Any:
    return [(model_id, context.headers["x-route-info"]) for model_id, context in backend.kept]


@pytest.mark.parametrize(
    "received",
    [
        lambda backend: backend.kept,
        lambda backend: dict(backend.kept),
        lambda backend: iter(backend.kept),
        by_route,
        lambda backend: dict(by_route(backend)),
        lambda backend: [("".join([*model_id]), what) for model_id, what in backend.kept],
    ],
    ids=["contexts", "a mapping", "an iterator", "routes", "a mapping of routes", "copied names"],
)
def test_what_arrived_may_be_shown_in_any_form(received: Any) -> None:
    assert said("BC506", Keeps, received_contexts=received) == (OK, "")


@pytest.mark.parametrize(
    ("received", "verdict", "text"),
    [
        (lambda kept: [], VIOLATED, "of 8 calls at once, that for '0-model-0' arrived 0 times"),
        (lambda kept: kept * 2, VIOLATED, "of 8 calls at once, that for '0-model-0' arrived 2 tim"),
        (
            lambda kept: [(kept[0][0], "?"), *kept[1:]],
            UNCHECKED,
            "`received_contexts` gives '?'",
        ),
        (
            lambda kept: [(name, dict(kept)["0-model-7"]) for name, _ in kept],
            VIOLATED,
            "'0-model-0' was told of <",
        ),
        (
            lambda kept: [(name, "route-7") for name, _ in kept],
            VIOLATED,
            "'0-model-0' was told of 'route-7', which belongs to another request",
        ),
        (
            lambda kept: [*kept[:-1], (kept[-1][0], kept[0][1])],
            VIOLATED,
            "'0-model-7' was told of <",
        ),
    ],
    ids=["none", "twice", "something else", "another's", "another's route", "the last alone"],
)
def test_what_did_not_arrive_as_it_was_sent_is_told(
    received: Any, verdict: Verdict, text: str
) -> None:
    found = said("BC506", Keeps, received_contexts=lambda backend: received(sorted(backend.kept)))
    assert found[0] is verdict
    assert found[1].startswith(text)


def test_what_arrived_cannot_be_seen_without_a_hook_unless_nothing_is_kept() -> None:
    class KeepsNothing(LocalBackend):
        backend_type = "KEEPS-NOTHING"
        handle_runtime_context = BackendBase.handle_runtime_context

    why = "all calls return; what arrived is to be seen by `received_contexts`"
    assert said("BC506", Keeps) == (UNCHECKED, why)
    assert said("BC506", Keeps, received_contexts=lambda backend: None) == (UNCHECKED, why)
    assert said("BC506", KeepsNothing) == (OK, "")


def test_each_request_has_a_route_of_its_own_beside_what_a_usual_client_sends() -> None:
    backends: list[Keeps] = []

    def make() -> Keeps:
        backends.append(Keeps())
        return backends[-1]

    usual = [("X-Route-Info", "somewhere"), ("tenant", "a"), ("zone", "b")]
    assert said("BC506", make, metadata=usual, received_contexts=by_route) == (OK, "")
    kept = backends[-1].kept
    assert len(kept) == requests._CALLERS * requests._ROUNDS
    for model_id, context in kept:
        number = model_id.rpartition("-")[2]
        route = {"x-route-info": f"route-{number}"}
        assert context.metadata == {"tenant": "a", "zone": "b"} | route
        assert context.kind == (GRPC, HTTP)[int(number) % 2]


def test_only_a_kind_that_is_accepted_is_used() -> None:
    class KeepsGrpc(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            if runtime_context.kind == HTTP:
                raise ValueError("no")
            super().handle_runtime_context(model_id, runtime_context)

    assert said("BC506", KeepsGrpc, received_contexts=by_route) == (OK, "")


def test_who_is_at_the_same_place_at_the_same_time_is_held_there_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requests, "WINDOW", 60)  # in which all of them come, on any machine
    together: list[int] = []

    class Counts(Keeps):
        """Reads what a request says with nothing around it, so that all can meet."""

        inside = 0

        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            with self.start_lock():
                self.inside += 1
            runtime_context.invocation_metadata()
            together.append(self.inside)
            super().handle_runtime_context(model_id, runtime_context)
            with self.start_lock():
                self.inside -= 1

    assert said("BC506", Counts, received_contexts=lambda backend: backend.kept) == (OK, "")
    assert max(together) == requests._CALLERS


def test_who_lets_in_one_at_a_time_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    meetings: list[Any] = []

    class Broken(threading.Barrier):
        """Whoever comes finds that not all of them come, and nobody waits for that."""

        def __init__(self, parties: int, timeout: float | None = None) -> None:
            super().__init__(parties, timeout=timeout)
            if timeout is not None:
                meetings.append(self)

        def wait(self, timeout: float | None = None) -> int:
            if self in meetings:
                self.abort()
            return super().wait(timeout)

    class OneByOne(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            runtime_context.invocation_metadata()
            super().handle_runtime_context(model_id, runtime_context)

    monkeypatch.setattr(threading, "Barrier", Broken)
    assert said("BC506", OneByOne, received_contexts=by_route) == (OK, "")
    assert len(meetings) == 2  # one before the first round, and one for it


def test_threads_take_turns_as_usual_afterwards() -> None:
    before = sys.getswitchinterval()
    intervals: list[float] = []
    make = told(lambda *arguments: intervals.append(sys.getswitchinterval()))
    assert said("BC506", make)[0] is UNCHECKED
    assert min(intervals) < before
    assert sys.getswitchinterval() == before
