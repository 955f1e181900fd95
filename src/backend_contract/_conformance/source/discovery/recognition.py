"""Telling backends, and what looks like one, from other classes by their source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend_contract._conformance.results import MEMBERS
from backend_contract._conformance.source.classes import ClassSource, ancestors_first
from backend_contract._conformance.source.definitions import name_of
from backend_contract._conformance.source.members import base_names, is_abstract
from backend_contract._conformance.source.parsing import unparse

_MOST = 5
_TELLING = frozenset({"register_config", "start_lock", "handle_runtime_context"})
"""Members that few other classes have."""


@dataclass(frozen=True, kw_only=True)
class _Summary:
    """What a class defines or inherits."""

    is_backend: bool
    members: frozenset[str]
    has_unknown_base: bool


class Recognition:
    """Tells backends from other classes; each class is read once."""

    def __init__(self) -> None:
        self._registered: set[tuple[Path, int]] = set()
        self._known: dict[ClassSource, _Summary] = {}

    def register(self, source: ClassSource) -> None:
        """Note that a class is given to a registry."""
        self._registered.add(source.identity)
        self._known.clear()  # it may have been read before, and classes that inherit it too

    def is_backend(self, source: ClassSource) -> bool:
        """Return whether a class declares to be a backend, or inherits one that does."""
        return self._summary(source).is_backend

    def why_it_looks_like_a_backend(self, source: ClassSource) -> str | None:
        """Return how a class that does not declare to be a backend resembles one, if it does."""
        summary = self._summary(source)
        members = summary.members
        if len(members) >= _MOST:
            return f"defines {len(members)} of the {len(MEMBERS)} members of a backend"
        if summary.has_unknown_base and ("backend_type" in members or len(members & _TELLING) > 1):
            names = ", ".join(f"`{name}`" for name in MEMBERS if name in members)
            return f"defines {names}, and the source of {_unknown_base(source)} was not found"
        return None

    def _summary(self, source: ClassSource) -> _Summary:
        if source not in self._known:
            for each in ancestors_first(source, self._known.__contains__):
                self._known[each] = self._summarize(each)
        return self._known[source]

    def _summarize(self, source: ClassSource) -> _Summary:
        bases = [base and self._known.get(base) for base in source.bases]
        known = [base for base in bases if base]
        own = frozenset(MEMBERS).intersection([*source.in_body, *source.on_self])
        return _Summary(
            is_backend=self._is_declared(source) or any(base.is_backend for base in known),
            members=own.union(*(base.members for base in known)),
            has_unknown_base=None in bases or any(base.has_unknown_base for base in known),
        )

    def _is_declared(self, source: ClassSource) -> bool:
        name = f"{source.module.name}.{source.node.name}"
        return (
            name in ("backend_contract.base.BackendBase", "backend_contract.protocol.Backend")
            or source.identity in self._registered
            or any(
                name_of(each, source) == "backend_contract.protocol.conforms"
                for each in source.node.decorator_list
            )
        )


def is_abstract_class(source: ClassSource) -> bool:
    """Return whether a class is a ``Protocol``, or is declared abstract and cannot be made.

    That is one that defines an abstract method, or names ``ABC`` as a base and inherits an abstract
    method that it does not implement.
    """
    bases = base_names(source)
    if "Protocol" in bases or any(map(is_abstract, source.node.body)):
        return True
    return "ABC" in bases and _lacks_an_implementation(source)


def _lacks_an_implementation(source: ClassSource) -> bool:
    implemented: set[str] = set()
    for each in source.known_lineage:
        for name, statement in each.in_body.items():
            if is_abstract(statement) and name not in implemented:
                return True
            implemented.add(name)
    return False


def _unknown_base(source: ClassSource) -> str:
    """Return the base whose source was not found, as it is written."""
    for each in source.known_lineage:
        if None in each.bases:
            written = each.written_bases[each.bases.index(None)]
            return f"its base `{unparse(written)}`"
    return "a base"
