"""Model ids that a backend may take for others, or for something else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from backend_contract._conformance.behavioural.outcomes import violated
from backend_contract._conformance.behavioural.trial import Trial
from backend_contract._conformance.behavioural.trials.arrivals import (
    Entries,
    Request,
    Sent,
    Storage,
)
from backend_contract.protocol import Backend

_PLAIN = tuple(f"kit-plain-{number}" for number in range(8))

_ALIKE = (
    ("kit/a", "kit_a", "kit-a", "kita", "other/a", "kit/a/", "kit/./a", "../kit/a"),
    ("Kit", "kit", "KIT", "kit\u00e9", "kite\u0301", "\uff4bit", "kit:1", " kit "),
    ("it's", 'a"b', "a\\b", "a\nb", "a\tb", "a;b", "a,b", "a=b"),
    ("..", ".", "m" * 999 + "a", "m" * 999 + "b", "\U0001f642", "?", "kit[0-9]+(", "%s{0}$HOME*"),
)
"""In each group, as many as there are requests."""


def require_model_ids_accepted(trial: Trial, backend: Backend, requests: Sequence[Request]) -> None:
    """Require that every model id is accepted and, if it can be seen, not taken for another.

    Only a backend that keeps the requests for all models with plain ids has to keep others.
    """
    tell_of = partial(_tell_of, Storage(trial, backend), requests)
    keeps_plain = not any(tell_of(_PLAIN))
    for alike in _ALIKE:
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
    """Make a request for each of *ids*; return those that are seen to be lost, or confused."""
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
    """Return whether *one* is in an entry of its own; a backend may write the id in its own way."""
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
