"""The clauses BC5xx, each tried alone, with contexts that no server has created.

``test_mutants.py`` tries them with contexts of real requests.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from backend_contract import BackendBase, LocalBackend
from backend_contract._conformance import kit as kits
from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.behavioural.trials import arrivals, concurrency, retention
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Verdict
from backend_contract.clauses import CLAUSES

OK, VIOLATED, UNCHECKED = Verdict.OK, Verdict.VIOLATED, Verdict.UNCHECKED
NEEDS_A_SUITE, NEEDS_AN_EXTRA = Verdict.NEEDS_A_SUITE, Verdict.NEEDS_AN_EXTRA
BLOCKED = Verdict.BLOCKED
GRPC, HTTP = "grpc", "http"


class Context:
    """A context of either kind, which gives its metadata to both kinds of readers."""

    def __init__(self, kind: str, metadata: Any) -> None:
        self.kind = kind
        self.pairs = list(metadata)
        self.metadata = dict(self.pairs)

    def invocation_metadata(self) -> Any:
        return self.metadata

    @property
    def headers(self) -> Any:
        return self.metadata


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the servers; both kinds are available unless a test says otherwise."""

    class Servers:
        kinds: tuple[str, ...] = (GRPC, HTTP)
        problems: ClassVar[dict[str, str]] = {}

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
    """Return the verdict, and what was found or the reasons."""
    with Kit(Subject(make=make, **given)) as kit:
        finding = kit.finding(CLAUSES[clause])
        return finding.verdict, finding.found or "; ".join(finding.because)


def told(tell: Callable[..., Any]) -> type[LocalBackend]:
    """Return a backend that calls *tell* with itself, the context and the model id."""

    def handle_runtime_context(self: Any, model_id: str, runtime_context: Any) -> Any:
        return tell(self, runtime_context, model_id)

    members = {"backend_type": "TOLD", "handle_runtime_context": handle_runtime_context}
    return type("Told", (LocalBackend,), members)


def fail_if(condition: Callable[[Any, Any], bool], *errors: Exception) -> type[LocalBackend]:
    """Return a backend that raises if *condition* holds of itself and the context."""

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
"""Fails for every context, with a different message for each kind."""

QUIET = told(lambda *arguments: None)
EVERY = ["BC501", "BC502", "BC503", "BC504", "BC505", "BC506"]


@pytest.mark.parametrize("clause", EVERY)
def test_no_framework(clause: str, servers: Any) -> None:
    """Without a framework, each clause needs an extra, which it names."""
    servers.kinds = ()
    verdict, because = said(clause, QUIET)
    assert verdict is NEEDS_AN_EXTRA
    extra = "grpc" if clause == "BC502" else "fastapi"
    assert f"backend-contract[{extra}]" in because


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_one_framework(kind: str, servers: Any) -> None:
    """With one framework, only the clause of the other kind needs an extra."""
    servers.kinds = (kind,)
    missing, extra = ("BC503", "fastapi") if kind == GRPC else ("BC502", "grpc")
    for clause in EVERY[:5]:
        verdict = (OK, "")
        if clause == missing:
            why = f"not tested: requires a real context; install backend-contract[{extra}]"
            verdict = (NEEDS_AN_EXTRA, why)
        assert said(clause, QUIET) == verdict


# BC501


def test_always_raises() -> None:
    """A method that always raises leaves BC501 unchecked."""
    verdict, because = said("BC501", ALWAYS)
    assert verdict is UNCHECKED
    assert because.startswith("called by position, it raised ValueError: no (test_requests")
    for make in (OVER_GRPC, OVER_HTTP, QUIET):
        assert said("BC501", make) == (OK, "")


@pytest.mark.parametrize("by_keyword", [True, False])
@pytest.mark.parametrize("otherwise", ["accepted", "refused"])
@pytest.mark.parametrize("only", [(GRPC,), (HTTP,), (GRPC, HTTP)], ids=" ".join)
def test_one_call_style(by_keyword: bool, only: tuple[str, ...], otherwise: str) -> None:
    """A method that works only by position or only by keyword violates BC501."""

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
    """Shows another signature on the class than on an instance, as some decorators do."""

    def __init__(self, of: type) -> None:
        self.of = of

    def __get__(self, instance: Any, owner: type) -> Any:
        def handle_runtime_context(self: Any, model_id: str, runtime_context: Any) -> None:
            raise AssertionError("never called")

        if instance is None:
            return handle_runtime_context
        return vars(self.of)["handle_runtime_context"].__get__(instance)


def test_call_does_not_bind() -> None:
    """A call that does not bind violates BC501."""

    class FitsNot(LocalBackend):
        backend_type = "FITS-NOT"

        def handle_runtime_context(self) -> None:  # type: ignore[override]  # wrong on purpose
            pass

    verdict, found = said(
        "BC501", type("Hidden", (FitsNot,), {"handle_runtime_context": Hides(FitsNot)})
    )
    assert verdict is VIOLATED
    assert found.startswith("called by position, it raised TypeError: ")


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_always_raises_one_framework(kind: str, servers: Any) -> None:
    """With one framework, a method that always raises leaves BC501 unchecked too."""
    servers.kinds = (kind,)
    assert said("BC501", ALWAYS)[0] is UNCHECKED


def test_returns_value() -> None:
    """A return value violates BC501."""
    found = "handle_runtime_context() returned 3"
    assert said("BC501", told(lambda *arguments: 3)) == (VIOLATED, found)


# BC502 to BC505


def test_rejected_kind() -> None:
    """A rejected kind of context violates the clause of that kind alone."""
    found = "handle_runtime_context() raised ValueError: "
    for make, wrong, right in ((OVER_GRPC, "BC502", "BC503"), (OVER_HTTP, "BC503", "BC502")):
        verdict, text = said(wrong, make)
        assert verdict is VIOLATED
        assert text.startswith(f"{found}no (test_requests.py:")
        assert said(right, make) == (OK, "")
        assert said("BC504", make) == said("BC505", make) == (OK, "")


def test_rejects_both_kinds() -> None:
    """Failing in the same way for both kinds violates BC504 and blocks the others."""
    for clause in ("BC502", "BC503", "BC505", "BC506"):
        assert said(clause, ALWAYS) == (BLOCKED, "BC504")
    verdict, found = said("BC504", ALWAYS)
    assert verdict is VIOLATED
    assert found.startswith("handle_runtime_context() raised ValueError: no (")
    assert found.endswith(" for an unknown model id, with every kind of context")


def test_rejects_each_kind() -> None:
    """Failing in different ways violates the clause of each kind."""
    for clause, kind in (("BC502", GRPC), ("BC503", HTTP)):
        verdict, found = said(clause, EITHER)
        assert verdict is VIOLATED
        assert found.startswith(f"handle_runtime_context() raised ValueError: {kind} (")
    for clause in ("BC504", "BC506"):
        assert said(clause, EITHER) == (BLOCKED, "BC502")


@pytest.mark.parametrize(("kind", "clause"), [(GRPC, "BC502"), (HTTP, "BC503")])
def test_rejects_only_kind(kind: str, clause: str, servers: Any) -> None:
    """With one framework, a failure violates the clause of its kind."""
    servers.kinds = (kind,)
    assert said(clause, ALWAYS)[0] is VIOLATED
    assert said("BC504", ALWAYS) == said("BC506", ALWAYS) == (BLOCKED, clause)
    assert said("BC505", ALWAYS) == (BLOCKED, clause)


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_needs_metadata(kind: str) -> None:
    """Rejecting a context without metadata violates BC504."""
    needs_metadata = fail_if(lambda backend, context: context.kind == kind and not context.metadata)
    verdict, found = said("BC504", needs_metadata)
    assert verdict is VIOLATED
    assert found.startswith("handle_runtime_context() raised ValueError: no (")
    assert found.endswith(f" for a context without metadata ({kind})")
    assert said("BC502", needs_metadata) == said("BC503", needs_metadata) == (OK, "")


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_needs_start(kind: str) -> None:
    """Failing before start() violates BC505."""
    late = fail_if(lambda backend, context: context.kind == kind and not backend.is_started)
    verdict, found = said("BC505", late)
    assert verdict is VIOLATED
    what = "call 1 of handle_runtime_context(), before start(),"
    assert found.startswith(f"{what} raised ValueError: no (")
    assert said("BC504", late) == (OK, "")


def test_needs_start_but_cannot() -> None:
    """BC505 is decided even if the backend cannot start."""

    class CannotStart(LocalBackend):
        backend_type = "CANNOT-START"

        def start(self) -> None:
            raise OSError("no server")

        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            raise ValueError("no")

    verdict, found = said("BC505", CannotStart)
    assert verdict is VIOLATED
    assert found.startswith("call 1 of handle_runtime_context(), before start(), raised ")


def test_usual_metadata() -> None:
    """The usual requests carry the author's metadata."""
    for key, given in (("tenant", {"metadata": {"tenant": "a"}}), ("x-route-info", {})):

        def lacks(backend: Any, context: Any, key: str = key) -> bool:
            return bool(context.metadata) and key not in context.metadata

        for clause in EVERY[:5]:
            assert said(clause, fail_if(lacks), **given) == (OK, "")


# BC506


class Keeps(LocalBackend):
    backend_type = "KEEPS"

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.kept: list[tuple[str, Any]] = []

    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        self.kept.append((model_id, runtime_context))


def by_route(backend: Any) -> Any:
    return [(model_id, c.headers["x-route-info"]) for model_id, c in backend.kept if c.metadata]


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
def test_received_forms(received: Any) -> None:
    """The hook may return contexts or routes, as a mapping, pairs or an iterator."""
    assert said("BC506", Keeps, received_contexts=received) == (OK, "")


@pytest.mark.parametrize(
    ("received", "verdict", "text"),
    [
        (lambda kept: [], NEEDS_A_SUITE, "no call failed, but `received_contexts` shows none of"),
        (lambda kept: 3, UNCHECKED, "`received_contexts` returned 3; expected pairs of a model"),
        (lambda kept: kept[:8], VIOLATED, "8 concurrent calls: '1-model-0' was received 0 times"),
        (lambda kept: kept * 2, VIOLATED, "'0-model-0' was received 2 times"),
        (
            lambda kept: [(name, "?") for name, _ in kept],
            UNCHECKED,
            "`received_contexts` gives '?'",
        ),
        (
            lambda kept: [(name, dict(kept).get("0-model-7")) for name, _ in kept],
            VIOLATED,
            "'0-model-0' was stored with <",
        ),
        (
            lambda kept: [(name, "somewhere7") for name, _ in kept],
            VIOLATED,
            "'0-model-0' was stored with 'somewhere7', which belongs to another request",
        ),
        (
            lambda kept: [*kept[:-1], *((name, kept[0][1]) for name, _ in kept[-1:])],
            VIOLATED,
            "'0-model-7' was stored with <",
        ),
    ],
    ids=[
        "none",
        "no pairs",
        "the first alone",
        "twice",
        "something else",
        "another's",
        "another's route",
        "the last alone",
    ],
)
def test_received_wrong(received: Any, verdict: Verdict, text: str) -> None:
    """BC506 names the request that was stored wrongly."""

    def kept(backend: Any) -> Any:
        models = [pair for pair in backend.kept if pair[0][0] != "-" and "-model-" in pair[0]]
        return received(sorted(models, key=lambda pair: pair[0]))

    found = said("BC506", Keeps, received_contexts=kept)
    assert found[0] is verdict
    assert found[1].startswith(text)


def test_received_unseen() -> None:
    """Without the hook, BC506 needs a suite, unless an attribute shows what is stored."""

    class KeepsNothing(LocalBackend):
        backend_type = "KEEPS-NOTHING"
        handle_runtime_context = BackendBase.handle_runtime_context

    class Hides(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            self.kept = [*self.kept, lambda: (model_id, runtime_context)]  # type: ignore[list-item]  # another kind

    why = "no call failed; define `received_contexts` to check what was stored"
    assert said("BC506", Hides) == (NEEDS_A_SUITE, why)
    assert said("BC506", Hides, received_contexts=lambda backend: None) == (NEEDS_A_SUITE, why)
    assert said("BC506", Keeps) == said("BC506", KeepsNothing) == (OK, "")


class KeepsOne(LocalBackend):
    """Mixes up requests, and keeps those for one model."""

    backend_type = "KEEPS-ONE"
    kept: Any = None
    first: Any = None

    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        if model_id == "known":
            self.first = self.first or (model_id, runtime_context)
            self.kept = (model_id, runtime_context)


def test_model_ids() -> None:
    """A backend that keeps some models is judged by requests for those."""

    def kept(backend: Any) -> Any:
        return [backend.kept] if backend.kept else []

    def first(backend: Any) -> Any:
        return [backend.first] if backend.first else []

    verdict, because = said("BC506", KeepsOne, received_contexts=kept)
    assert verdict is NEEDS_A_SUITE
    assert because.endswith("give their ids as `model_ids`")
    known = {"model_ids": ["known"]}
    assert said("BC506", KeepsOne, received_contexts=kept, **known) == (OK, "")
    verdict, found = said("BC506", KeepsOne, received_contexts=first, **known)
    assert verdict is VIOLATED
    assert found.startswith("'known' was stored with <")
    found = "'unknown' was received 0 times"
    given: Any = {"received_contexts": kept, "model_ids": ["unknown"]}
    assert said("BC506", KeepsOne, **given) == (VIOLATED, found)


@pytest.mark.parametrize("later", [True, False])
def test_later_counts(later: bool) -> None:
    """If a model gets two requests, the later one counts."""

    class KeepsRoutes(LocalBackend):
        backend_type = "KEEPS-ROUTES"

        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.routes: dict[str, str] = {}

        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            if later or model_id not in self.routes:
                self.routes[model_id] = runtime_context.metadata.get("x-route-info")

    found = (
        "after two requests for 'again-0', one after the other, it is stored with 'somewhere0', "
        "which belongs to the first"
    )
    assert said("BC506", KeepsRoutes) == ((OK, "") if later else (VIOLATED, found))


def test_values_per_request() -> None:
    """Each request carries the author's metadata, with values of its own."""
    backends: list[Keeps] = []

    def make() -> Keeps:
        backends.append(Keeps())
        return backends[-1]

    usual = [("tenant", "a"), ("zone-bin", b"b")]
    assert said("BC506", make, metadata=usual, received_contexts=by_route) == (OK, "")
    kept = [pair for pair in backends[-1].kept if pair[0][0] != "-" and "-model-" in pair[0]]
    assert len(kept) == arrivals.AT_ONCE * (concurrency._ROUNDS + 1)
    for model_id, context in kept:
        round_, _, number = model_id.split("-")
        of = (int(number) + int(round_)) % arrivals.AT_ONCE
        values = {"tenant": f"a{of}", "zone-bin": b"b%d" % of, "x-route-info": f"route{of}"}
        assert context.metadata == values
        assert context.kind == (GRPC, HTTP)[of % 2]


def test_values_of_a_form() -> None:
    """If a backend accepts no other value than the author's, requests carry that."""

    class KeepsNumbers(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            if runtime_context.metadata not in ({}, {"x-route-info": "7"}):
                raise ValueError("no")
            super().handle_runtime_context(model_id, runtime_context)

    metadata = {"x-route-info": "7"}
    for received in (by_route, lambda backend: backend.kept):
        given: Any = {"metadata": metadata, "received_contexts": received}
        assert said("BC506", KeepsNumbers, **given) == (OK, "")


def test_accepted_kind_only() -> None:
    """Concurrent calls use only the kinds that the backend accepts."""

    class KeepsGrpc(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            if runtime_context.kind == HTTP:
                raise ValueError("no")
            super().handle_runtime_context(model_id, runtime_context)

    assert said("BC506", KeepsGrpc, received_contexts=by_route) == (OK, "")


def test_callers_meet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Concurrent callers meet when they read metadata."""
    monkeypatch.setattr(concurrency, "WINDOW", 60)  # long enough on any machine
    together: list[int] = []

    class Counts(Keeps):
        """Reads metadata without holding a lock, so that all callers can meet."""

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
    assert max(together) == arrivals.AT_ONCE


def test_callers_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that admits one caller at a time is waited for in one round only."""
    meetings: list[Any] = []

    class Broken(threading.Barrier):
        """A barrier at which not all parties arrive; it breaks without waiting."""

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
    assert len(meetings) == 1  # in the first round


def test_switch_interval() -> None:
    """The switch interval of threads is restored."""
    before = sys.getswitchinterval()
    intervals: list[float] = []
    make = told(lambda *arguments: intervals.append(sys.getswitchinterval()))
    assert said("BC506", make)[0] is NEEDS_A_SUITE
    assert min(intervals) < before
    assert sys.getswitchinterval() == before


# BC501 to BC505, BC507 and BC508: wider cases


@pytest.mark.parametrize("kind", [GRPC, HTTP])
def test_kind_cannot_be_had(kind: str, servers: Any) -> None:
    """A kind that cannot be had leaves its own clause unchecked, and no other."""
    servers.problems = {kind: "RuntimeError: sockets are blocked"}
    for clause in EVERY:
        own = clause == ("BC502" if kind == GRPC else "BC503")
        expected = (UNCHECKED, "RuntimeError: sockets are blocked") if own else (OK, "")
        assert said(clause, QUIET, received_contexts=None)[:1] != (VIOLATED,)
        if clause != "BC506":  # which needs a suite
            assert said(clause, QUIET) == expected
    servers.problems = {GRPC: "blocked", HTTP: "mocked"}
    assert said("BC504", QUIET) == (UNCHECKED, "blocked; mocked")


def test_returns_value_at_times() -> None:
    """A value that is returned for a known model, or before start(), violates BC501."""

    def known(self: Any, context: Any, model_id: str) -> Any:
        seen = vars(self).setdefault("seen", set())
        if model_id in seen:
            return "known"
        seen.add(model_id)
        return None

    assert said("BC501", told(known)) == (VIOLATED, "handle_runtime_context() returned 'known'")
    early = told(lambda self, context, model_id: None if self.is_started else 0)
    assert said("BC501", early) == (VIOLATED, "handle_runtime_context() returned 0")
    bare = told(lambda self, context, model_id: None if context.metadata else 0)
    assert said("BC501", bare) == (VIOLATED, "handle_runtime_context() returned 0")


@pytest.mark.parametrize(
    ("rejects", "what"),
    [
        (lambda context: len(context.pairs) > len(context.metadata), "with repeated keys"),
        (lambda context: "" in context.metadata.values(), "with an empty value"),
        (lambda context: any(type(v) is bytes for v in context.metadata.values()), "with bytes"),
        (lambda context: "caf\u00e9" in context.metadata.values(), "with a Latin-1 header"),
    ],
    ids=["repeated keys", "an empty value", "bytes", "Latin-1"],
)
def test_unusual_metadata(rejects: Callable[[Any], bool], what: str) -> None:
    """BC504 names the metadata that was rejected."""
    verdict, found = said("BC504", fail_if(lambda backend, context: rejects(context)))
    assert verdict is VIOLATED
    assert found.startswith("handle_runtime_context() raised ValueError: no (")
    kind = HTTP if "Latin" in what else GRPC
    assert found.endswith(f" for a context {what} ({kind})")


def test_unusual_routes() -> None:
    """A header may have a Latin-1 value or an empty one, unless its values are of some form."""

    def encode(backend: Any, context: Any, model_id: str) -> None:
        context.metadata.get("x-route-info", "").encode("ascii")

    def parse(backend: Any, context: Any, model_id: str) -> None:
        int(context.metadata.get("x-route-info", "0"))

    def look(backend: Any, context: Any, model_id: str) -> None:
        assert context.metadata.get("x-route-info", "somewhere")[0]

    verdict, found = said("BC504", told(encode))
    assert verdict is VIOLATED
    assert found.endswith(f" for a Latin-1 value of x-route-info ({HTTP})")
    verdict, found = said("BC504", told(look))
    assert verdict is VIOLATED
    assert found.endswith(f" for an empty value of x-route-info ({GRPC})")
    assert said("BC504", told(parse), metadata={"x-route-info": "7"}) == (OK, "")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (str.lower, "requests for 'Kit' and 'kit' were kept as if for one model"),
        (lambda m: m[:99], "requests for '" + "m" * 38 + "… and"),
        (lambda m: m.encode("ascii", "ignore").decode(), "requests for 'kit' and 'kit\u00e9' were"),
        (lambda m: m.split(":")[0], "requests for 'kit' and 'kit:1' were kept as if for one model"),
        (lambda m: m, ""),
        (lambda m: ascii(m), ""),
        (lambda m: hash(m), ""),
    ],
    ids=["folded", "cut", "ASCII only", "split", "unchanged", "escaped", "hashed"],
)
@pytest.mark.parametrize("log", [True, False])
def test_changed_model_ids(change: Callable[[str], Any], found: str, log: bool) -> None:
    """BC504 names ids that become one; a backend may write each in its own way."""

    class Changes(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            super().handle_runtime_context(change(model_id), runtime_context)

    def received(backend: Any) -> Any:
        return backend.kept if log else dict(backend.kept)

    verdict, text = said("BC504", Changes, received_contexts=received)
    assert verdict is (VIOLATED if found else OK)
    if log and found:
        assert text.startswith(found.split("\u2026")[0])


def test_drops_model_ids() -> None:
    """BC504 names an id that is not kept beside others."""

    class DropsDots(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            if not model_id.startswith(".."):
                super().handle_runtime_context(model_id, runtime_context)

    verdict, found = said("BC504", DropsDots)
    assert verdict is VIOLATED
    assert found.startswith("a request for the model '../kit/a' was not kept beside those for ")


@pytest.mark.parametrize("model_id", ["kit/a", "Kit", "..", "\U0001f642", "kit[0-9]+(", "m" * 1000])
def test_rejects_model_id(model_id: str) -> None:
    """BC504 names an id that is rejected."""

    def reject(backend: Any, context: Any, asked: str) -> None:
        if asked == model_id or (len(asked) == len(model_id) == 1000):
            raise ValueError("no")

    verdict, found = said("BC504", told(reject))
    assert verdict is VIOLATED
    assert "raised ValueError: no (" in found


@pytest.mark.parametrize("rejected", ["a\nb", "not asked"])
def test_rejects_model_id_and_keeps_the_last(rejected: str) -> None:
    """An id that is rejected counts, even if the backend keeps only its last request."""

    class KeepsLast(Keeps):
        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            if model_id == rejected:
                raise ValueError("no")
            self.kept[:] = [(model_id, runtime_context)]

    verdict, found = said("BC504", KeepsLast, received_contexts=lambda backend: backend.kept)
    assert verdict is (VIOLATED if rejected == "a\nb" else OK), found


def test_starts_or_stops() -> None:
    """A call that starts or stops the backend, or fails after stop(), violates BC505."""
    found = "is_started is {} after handle_runtime_context() was called {}"
    starts = told(lambda self, context, model_id: self.start())
    assert said("BC505", starts) == (VIOLATED, found.format(True, "before start()"))
    stops = told(lambda self, context, model_id: self.stop())
    assert said("BC505", stops) == (VIOLATED, found.format(False, "after start()"))

    class Closed(LocalBackend):
        backend_type = "CLOSED"
        closed = False

        def stop(self) -> None:
            self.closed = self.is_started
            super().stop()

        def start(self) -> None:
            self.closed = False
            super().start()

        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            if self.closed:
                raise ValueError("no")

    verdict, text = said("BC505", Closed)
    assert verdict is VIOLATED
    assert text.startswith("call 1 of handle_runtime_context(), after stop(), raised ")


def test_waits_for_lock() -> None:
    """A call that waits for the start lock violates BC507."""

    def wait(self: Any, context: Any, model_id: str) -> None:
        with self.start_lock():
            pass

    found = "on a started backend, handle_runtime_context() waited for the lock"
    assert said("BC507", told(wait), time_limit=1.0) == (VIOLATED, found)
    assert said("BC507", QUIET) == (OK, "")


def test_keeps_contexts() -> None:
    """Contexts that are kept violate BC508, but for the last one of each model."""

    class KeepsLast(LocalBackend):
        backend_type = "KEEPS-LAST"

        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.kept: dict[str, Any] = {}

        def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
            self.kept[model_id] = runtime_context

    found = f"3 contexts of 3 requests for one model are kept after the requests are over ({GRPC})"
    assert said("BC508", Keeps) == (VIOLATED, found)
    assert said("BC508", KeepsLast) == said("BC508", QUIET) == (OK, "")


def test_retention_with_a_slow_collection(monkeypatch: pytest.MonkeyPatch, servers: Any) -> None:
    """A context that is let go by the last collection in time is gone."""
    now, collect = [0.0], gc.collect

    class InACycle(Context):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.itself = self

    @contextmanager
    def request(self: object, kind: str, metadata: Any) -> Iterator[Context]:
        yield InACycle(kind, metadata)

    def collect_slowly() -> None:
        collect()
        now[0] += 100

    monkeypatch.setattr(servers, "request", request)
    monkeypatch.setattr(gc, "collect", collect_slowly)
    monkeypatch.setattr(retention, "real_time", SimpleNamespace(monotonic=lambda: now[0]))
    assert said("BC508", QUIET) == (OK, "")
