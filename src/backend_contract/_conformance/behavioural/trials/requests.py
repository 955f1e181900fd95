"""BC501 to BC505: receiving the contexts of requests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import cast

from backend_contract._conformance.behavioural.calls import describe_exception, is_call_error
from backend_contract._conformance.behavioural.helpers import (
    answers,
    must_stop,
    require_none,
    require_state,
)
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    blocked,
    needs_an_extra,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.run import ROUTE
from backend_contract._conformance.behavioural.trial import Trial, observed_once, tries
from backend_contract._conformance.behavioural.trials.arrivals import (
    Entries,
    Request,
    Sent,
    Storage,
    make_unlike,
    open_requests,
)
from backend_contract._conformance.request_servers import Pairs, pairs
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType

_PLAIN_IDS = tuple(f"kit-plain-{number}" for number in range(8))

_ALIKE_IDS = (
    ("kit/a", "kit_a", "kit-a", "kita", "other/a", "kit/a/", "kit/./a", "../kit/a"),
    ("Kit", "kit", "KIT", "kit\u00e9", "kite\u0301", "\uff4bit", "kit:1", " kit "),
    ("it's", 'a"b', "a\\b", "a\nb", "a\tb", "a;b", "a,b", "a=b"),
    ("..", ".", "m" * 999 + "a", "m" * 999 + "b", "\U0001f642", "?", "kit[0-9]+(", "%s{0}$HOME*"),
)
"""Model ids that a backend may take for others: in each group, as many as there are requests."""


@tries(
    "BC501",
    """\
from backend_contract.testing import http_request
backend = make()
for metadata in ({"x-route-info": "somewhere"}, {}):
    with http_request(metadata) as request:
        assert backend.handle_runtime_context("a", request) is None
        assert backend.handle_runtime_context(model_id="b", runtime_context=request) is None""",
    after=("BC302",),
)
def _try_both_call_styles(trial: Trial) -> None:
    failed: list[str] = []
    kinds = _kinds(trial)
    for kind in kinds:
        with trial.context(kind, trial.subject.metadata) as context:
            failures = _call_both_ways(trial, trial.started(), context, "a model")
        if len(failures) == 1:  # only one of the two ways works
            raise violated(failures[0])
        failed += failures
    if len(failed) == 2 * len(kinds):
        raise unchecked(failed[0])
    for kind in kinds:
        _require_none_every_time(trial, kind)


def _require_none_every_time(trial: Trial, kind: str) -> None:
    """Require ``None`` for known models and unknown ones, with metadata and without."""
    models = ("a model", "a model", "another")
    what = "handle_runtime_context()"
    for backend in (trial.started(), trial.new()):
        for metadata in ((), trial.subject.metadata):
            with trial.context(kind, metadata) as context:
                call = partial(_call_both_ways, trial, backend, context, *models)
                calls = trial.in_thread(call, what)
                if answers(trial, calls, what):  # otherwise BC504 or BC505 reports it
                    calls.result()


def _call_both_ways(
    trial: Trial, backend: Backend, context: RuntimeServerContextType, *models: str
) -> list[str]:
    """Call for each of *models* by position and by keyword; return the failures of the backend."""
    handle = cast("Callable[..., object]", backend.handle_runtime_context)
    failures: list[str] = []
    for model, way in itertools.product(models, ("by position", "by keyword")):
        named = {"model_id": model, "runtime_context": context}
        try:
            with trial.doing("handle_runtime_context()"):
                returned = handle(*named.values()) if way == "by position" else handle(**named)
        except (Exception, SystemExit) as error:  # BC502 to BC506 report it
            failures.append(f"called {way}, it raised {describe_exception(error)}")
            if is_call_error(error):
                raise violated(failures[-1]) from error
        else:
            require_none(returned, "handle_runtime_context()")
    return failures


def _kinds(trial: Trial) -> tuple[str, ...]:
    """Return the kinds of which requests with the author's metadata can be made."""
    servers = trial.run.servers
    if not servers.kinds:
        raise needs_an_extra(
            "not tested: requires a real context; install backend-contract[grpc], "
            "backend-contract[fastapi] or both"
        )
    problems = _problems(trial)
    kinds = tuple(kind for kind in servers.kinds if kind not in problems)
    if not kinds:
        raise unchecked("; ".join(problems.values()))
    return kinds


@observed_once
def _problems(trial: Trial) -> Mapping[str, str]:
    """Return why no request can be made with the author's metadata, by kind."""
    found = dict(trial.run.servers.problems)
    for kind in trial.kinds:
        try:
            with trial.context(kind, trial.subject.metadata):
                pass
        except StopTrial as outcome:
            found[kind] = outcome.because[0]
    return found


def _failure(trial: Trial, backend: Backend, kind: str, metadata: Pairs) -> str | None:
    """Return the exception raised for a request for an unknown model, or ``None``."""
    with trial.context(kind, metadata) as context:
        trial.set_description("handle_runtime_context()")
        try:
            backend.handle_runtime_context("never seen before", context)
        except BaseException as error:  # SystemExit is as bad as any other
            return describe_exception(error)
    return None


@observed_once
def _usual_failures(trial: Trial) -> Mapping[str, str | None]:
    """Return how usual requests fail, by kind."""
    usual = trial.subject.metadata
    return {kind: _failure(trial, trial.started(), kind, usual) for kind in _kinds(trial)}


def accepted_kinds(trial: Trial) -> Sequence[str]:
    """Return the kinds of context that the backend accepts; if there are none, it is blocked."""
    usual = _usual_failures(trial)
    if None not in usual.values():
        of_kind = "BC502" if "grpc" in usual else "BC503"
        raise blocked("BC504" if _same_for_all_kinds(usual) else of_kind)
    return [kind for kind, failure in usual.items() if failure is None]


def accepts_unlike(trial: Trial, backend: Backend, kinds: Sequence[str]) -> bool:
    """Return whether the backend accepts values that the author has not declared.

    A value may have to be a number, say, or name a configured server.
    """
    unlike = make_unlike(trial.subject.metadata, 0)
    return not any(_failure(trial, backend, kind, unlike) for kind in kinds)


def _same_for_all_kinds(failures: Mapping[str, str | None]) -> bool:
    """Return whether calls fail in the same way for several kinds of context."""
    return len(failures) > 1 and None not in failures.values() and len({*failures.values()}) == 1


def _try_kind(trial: Trial, kind: str, extra: str) -> None:
    if kind not in trial.run.servers.kinds:
        raise needs_an_extra(
            f"not tested: requires a real context; install backend-contract[{extra}]"
        )
    if problem := _problems(trial).get(kind):
        raise unchecked(problem)
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
from backend_contract.testing import grpc_context, http_request
backend = make()
ids = ["it's", "a/b", "../a", "A", "\\u00e9", "\\uff41", "m" * 1000, "*", "(", "a\\nb"]
with http_request() as request:
    for model_id in ids:
        backend.handle_runtime_context(model_id, request)
seen = repr(vars(backend))  # or where it keeps them
kept = [model_id for model_id in ids if repr(model_id) in seen]
assert kept in ([], ids), f"of the ids, only {kept} are kept as they are"
for values in (("somewhere", "somewhere"), ("\\u00e9somewhere",), ("",)):
    with http_request([("x-route-info", value) for value in values]) as request:
        backend.handle_runtime_context("a", request)
with http_request([("x-kit", "once"), ("x-kit", "again")]) as request:
    backend.handle_runtime_context("a", request)
with grpc_context() as context:
    backend.handle_runtime_context("a", context)
with grpc_context([("x-request-bin", b"\\xff")]) as context:
    backend.handle_runtime_context("a", context)""",
    after=("BC302",),
)
def _try_every_request(trial: Trial) -> None:
    usual = _usual_failures(trial)
    if _same_for_all_kinds(usual):
        raise violated(
            f"handle_runtime_context() raised {next(iter(usual.values()))} for an unknown model "
            "id, with every kind of context"
        )
    kinds, backend = accepted_kinds(trial), trial.started()
    for kind in kinds:
        _require_metadata_accepted(trial, backend, kind)
    unlike = accepts_unlike(trial, backend, kinds)
    with open_requests(trial, kinds, unlike=unlike) as requests:
        _require_model_ids_accepted(trial, backend, requests)


def _require_metadata_accepted(trial: Trial, backend: Backend, kind: str) -> None:
    """Require that nothing a client can send makes a call fail."""
    usual = pairs(trial.subject.metadata)
    unusual: dict[str, Pairs] = {
        "without metadata": (),
        "with repeated keys": [*usual, *usual, ("x-kit", "once"), ("x-kit", "again")],
        "with an empty value": [*usual, ("x-kit", "")],
        "with bytes": [*usual, ("x-kit-bin", b"\xff\x00" if kind == "grpc" else b"\xff\xfe")],
    }
    if kind == "http":
        unusual["with a Latin-1 header"] = [*usual, ("x-kit", "caf\u00e9")]
    for what, metadata in unusual.items():
        if failure := _failure(trial, backend, kind, metadata):
            raise violated(
                f"handle_runtime_context() raised {failure} for a context {what} ({kind})"
            )
    _require_values_accepted(trial, backend, kind)


def _require_values_accepted(trial: Trial, backend: Backend, kind: str) -> None:
    """Require that the usual keys may have unusual values, if they may have other values."""
    for what, usual, unusual in _unusual_values(pairs(trial.subject.metadata), kind):
        if _failure(trial, backend, kind, usual):
            continue  # the value has to be of some form
        if failure := _failure(trial, backend, kind, unusual):
            raise violated(f"handle_runtime_context() raised {failure} for {what} ({kind})")


def _unusual_values(
    given: Sequence[tuple[str, str | bytes]], kind: str
) -> Generator[tuple[str, Pairs, Pairs]]:
    """Yield a description, and metadata with another usual value and with an unusual one."""
    for key, value in (dict(given) or {ROUTE: b""}).items():
        if key.lower().endswith("-bin"):
            continue
        others = [pair for pair in given if pair[0] != key]
        if kind == "http":
            text = value if isinstance(value, str) else "somewhere"
            usual, unusual = (key, f"e{text}"), (key, f"\u00e9{text}")
            yield f"a Latin-1 value of {key}", [*others, usual], [*others, unusual]
        yield f"an empty value of {key}", [*others, (key, "x")], [*others, (key, "")]


def _require_model_ids_accepted(
    trial: Trial, backend: Backend, requests: Sequence[Request]
) -> None:
    """Require that every model id is accepted and, if it can be seen, not taken for another.

    Only a backend that keeps the requests for all models with plain ids has to keep others.
    """
    tell_of = partial(_tell_of, Storage(trial, backend), requests)
    keeps_plain = not any(tell_of(_PLAIN_IDS))
    for alike in _ALIKE_IDS:
        lost, confused = tell_of(alike)
        if not keeps_plain:
            continue  # only failures show
        if confused:
            raise violated(f"requests for {confused} were kept as if for one model")
        if lost:
            others = ", ".join(f"{other!r:.20}" for other in alike if other not in lost)
            raise violated(
                f"a request for the model {lost[0]!r:.40} was not kept beside those for {others}"
            )


def _tell_of(
    storage: Storage, requests: Sequence[Request], ids: Sequence[str]
) -> tuple[list[str], str]:
    """Make a request for each of *ids*; return those that are seen to be lost, and two confused."""
    sent = [
        Sent(model_id, request, request.context)
        for model_id, request in zip(ids, requests, strict=True)
    ]
    known = [key for key, _ in storage.entries() or ()]

    def look(one: Sent) -> Entries | None:
        return storage.wait_for(lambda entries: _is_kept(entries, one, known))

    seen = storage.tell_in_turn(sent, look)
    lost = [
        one.model_id
        for one, entries in zip(sent, seen, strict=True)
        if entries is not None and not _is_kept(entries, one, known)
    ]
    return lost, _find_confused(seen[-1] or [], sent, known)


def _is_kept(entries: Entries, one: Sent, known: Sequence[object]) -> bool:
    """Return whether an entry keeps *one*; a backend may write the id in another way."""
    return any(
        one.request.is_in(value) and (key == one.model_id or key not in known)
        for key, value in entries
    )


def _find_confused(entries: Entries, sent: Sequence[Sent], known: Sequence[object]) -> str:
    """Return two ids of *sent* whose values are under one key, if there are any."""
    for key in [key for key, _ in entries if key not in known]:
        values = [value for other, value in entries if other == key]
        owners = [one.model_id for one in sent if any(map(one.request.is_in, values))]
        if len(owners) > 1:
            return f"{owners[0]!r:.40} and {owners[1]!r:.40}"
    return ""


@tries(
    "BC505",
    """\
from backend_contract.testing import http_request
for metadata in ({}, {"x-route-info": "somewhere"}):
    backend = make()
    with http_request(metadata) as request:
        for number in range(20):
            backend.handle_runtime_context(f"model {number}", request)
        assert backend.is_started is False
        backend.start()
        for number in range(20):
            backend.handle_runtime_context(f"new model {number}", request)
        assert backend.is_started is True
        backend.stop()
        backend.handle_runtime_context("model", request)
        assert backend.is_started is False""",
    after=("BC302", "BC303", "BC506", "BC508"),  # which use a started backend: this one stops it
)
def _try_before_start(trial: Trial) -> None:
    usual = _usual_failures(trial)
    for kind in usual:
        if usual[kind] is None or not trial.can_start:
            backend = _not_started(trial)
            _require_accepted(trial, backend, kind, "before start()")
    kinds = accepted_kinds(trial)
    if not trial.can_start:
        return
    backend = trial.started()
    for kind in kinds:
        _require_accepted(trial, backend, kind, "after start()", started=True)
    if trial.holds("BC403"):
        waits_while_started(trial, kinds, backend)  # which BC507 judges
    if trial.holds("BC303"):
        with trial.doing("stop()"):
            must_stop(trial, backend, "stop(), after requests,")
        for kind in kinds:
            _require_accepted(trial, backend, kind, "after stop()")


@observed_once
def waits_while_started(trial: Trial, kinds: Sequence[str], started: Backend | None = None) -> bool:
    """Do what :func:`waits_for_the_lock` does, with a started backend."""
    backend = trial.started() if started is None else started  # which may be false
    return any(waits_for_the_lock(trial, backend, kind) for kind in kinds)


def waits_for_the_lock(trial: Trial, backend: Backend, kind: str) -> bool:
    """Return whether ``handle_runtime_context`` waits while another thread holds the lock."""
    what = "handle_runtime_context(), while another holds the lock,"
    with trial.context(kind, trial.subject.metadata) as context:

        def tell(*model_ids: str) -> None:
            for model_id in model_ids:
                backend.handle_runtime_context(model_id, context)

        known = f"known {id(context)}"
        told = trial.in_thread(partial(tell, known), "handle_runtime_context()")
        with trial.doing(what), suppress(Exception, SystemExit):  # other clauses report it
            told.result()
        with backend.start_lock():
            told = trial.in_thread(
                partial(tell, known, f"at the lock {id(context)}"),
                "handle_runtime_context(), while the lock is held",
            )
            return not answers(trial, told, what)


def _not_started(trial: Trial) -> Backend:
    """Return a new backend, unless it seems to be started since another one is."""
    backend = trial.new()
    if trial.is_started(backend, "on a new backend") is not False and not trial.holds("BC312"):
        raise blocked("BC312")
    return backend


def _require_accepted(
    trial: Trial, backend: Backend, kind: str, when: str, *, started: bool = False
) -> None:
    """Require that calls do not fail, however many, and that they start and stop nothing."""
    called = "after handle_runtime_context() was called "
    with trial.context(kind, trial.subject.metadata) as context:
        for number in range(20):
            what = f"call {number + 1} of handle_runtime_context(), {when},"
            trial.call(what, backend.handle_runtime_context, f"{number} {when}", context)
            require_state(trial, backend, called + when, started=started)
    _failure(trial, backend, kind, ())  # which BC504 reports
    require_state(trial, backend, f"{called}without metadata {when}", started=started)
