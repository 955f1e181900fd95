"""The names of a class and of the backends that it inherits from, as the source gives them."""

from __future__ import annotations

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source import signatures
from backend_contract._conformance.source.evaluation.fitness import Opinion
from backend_contract._conformance.source.evaluation.opinions import literal_names
from backend_contract._conformance.source.modules import ClassSource
from backend_contract._conformance.static.abstract import abstract_members

__all__ = ["own_name_opinion"]

_MEMBERS = (
    "backend_type", "is_started", "register_config", "start", "stop", "start_lock",
    "handle_runtime_context",
)  # fmt: skip


def own_name_opinion(source: ClassSource) -> Opinion | None:
    """Return whether a class has another name than the backends that it inherits from.

    ``None`` if the source shows no literal name.
    """
    names = literal_names(source)
    if not names:
        return None
    doubt = None
    for base in source.known_lineage[1:]:
        of_base = literal_names(base)
        if not of_base or not {*names} & {*of_base} or _is_usable(base) is False:
            continue
        reason = f"`{base.node.name}`, which it inherits from, is {of_base[0]!r} too"
        if len({*names, *of_base}) == 1 and _is_usable(base):
            return Opinion(Verdict.VIOLATED, reason, source.node, source.module)
        doubt = Opinion(Verdict.UNCHECKED, f"perhaps {reason}")
    return doubt or Opinion(Verdict.OK)


def _is_usable(cls: ClassSource) -> bool | None:
    """Return whether *cls* is a backend itself; ``None`` if the source does not tell.

    Abstract bases and mixins are not.
    """
    abstract = abstract_members(cls)
    if abstract.certain or signatures.always_raises(cls, "start", "NotImplementedError"):
        return False
    if abstract.is_open:
        return None
    return all(cls.find(member) for member in _MEMBERS)
