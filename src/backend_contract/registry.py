"""Finding backends by name, and creating those that a configuration lists."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from backend_contract._compat import TypeAliasType, add_note
from backend_contract._config import as_config
from backend_contract.errors import ClauseType, RegistryError, class_name
from backend_contract.protocol import Backend, BackendFactory, FactoryT

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint  # noqa: F401 - named in the alias below

__all__ = ["BackendRegistry"]

EntryPointType = TypeAliasType("EntryPointType", "EntryPoint")


class BackendRegistry:
    """Backend classes by their ``backend_type``.

    Contains the registered classes, and the installed ones: those that a distribution declares as
    an entry point, named like its ``backend_type``::

        [project.entry-points."backend_contract.backends"]
        CLUSTER = "my_package.backends:Cluster"

    An entry point is loaded when its name is first asked for; one that cannot be loaded, whatever
    it raises except ``KeyboardInterrupt``, affects no other. A registered class takes precedence
    over an installed one of the same name, whichever was asked for first. This package declares
    ``LOCAL`` in this way. No message shows values of a configuration.

    While one installed distribution has a malformed ``entry_points.txt``, ``importlib`` reads none,
    and looking for an installed class raises :class:`RegistryError`, which names the distribution.

    ``in``, ``len`` and iteration are over the known names, sorted, loaded or not.

    A new registry has no registrations and shares none with other registries. Thread-safe.
    """

    GROUP = "backend_contract.backends"
    """The group of the entry points."""

    def __init__(self) -> None:
        self._registered: dict[str, BackendFactory] = {}
        self._loaded: dict[str, BackendFactory] = {}
        self._lock = threading.Lock()
        self._installed: dict[str, list[EntryPointType]] | None = None

    def register(self, cls: FactoryT) -> FactoryT:
        """Register *cls* under its ``backend_type`` and return it; also usable as a decorator.

        Accepts any class that has the members, whatever it inherits. Registering the same class
        again does nothing.

        Raises :class:`RegistryError` if another class has that name, and, with the violated clause,
        if the name violates BC102 or BC103, if *cls* lacks a member, or if a member cannot be
        called as the contract calls it. Raises :class:`TypeError` if *cls* is not a class.

        Only what the class definition shows is checked: nothing is instantiated, no property is
        read and no annotation is evaluated.
        """
        name = usable_name(cls)
        with self._lock:
            present = self._registered.setdefault(name, cls)
        if present is not cls:
            raise RegistryError(
                f"two classes have the backend_type {name!r}: "
                f"{class_name(cast('type', present))} is registered already, "
                f"{class_name(cast('type', cls))} is not; give one of them another backend_type"
            )
        return cls

    def unregister(self, name: str) -> None:
        """Forget the class registered as *name*. An installed one of that name counts again.

        Raises :class:`RegistryError` if no class is registered as *name*.
        """
        with self._lock:
            if self._registered.pop(name, None) is None:
                raise RegistryError(
                    f"no class is registered as {name!r}; registered: "
                    f"{', '.join(sorted(self._registered)) or 'none'}"
                )

    def names(self) -> tuple[str, ...]:
        """Return the known names, sorted: registered and installed ones, loaded or not."""
        return tuple(sorted({*tuple(self._registered), *self._entry_points()}))

    def __contains__(self, name: object) -> bool:
        return name in self._registered or name in self._entry_points()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self.names()) or 'empty'}>"

    def get(self, name: str) -> BackendFactory:
        """Return the class registered or installed as *name*, loading its entry point if needed.

        Raises :class:`RegistryError` if *name* is unknown (the message lists the known names), if
        distributions declare it for different classes, if its entry point cannot be loaded or is
        named differently from its class, and if :meth:`register` would reject what it loads.
        Raises :class:`TypeError` if *name* is not a string.
        """
        found = self._registered.get(name, self._loaded.get(name))
        if found is None:  # a metaclass may make a class false
            found = self._load(name)
        return self._registered.get(name, found)  # registered meanwhile

    def create(self, name: str, config: Mapping[str, Any] | None = None) -> Backend:
        """Return a new, not started backend of class *name*.

        The constructor receives an ``aconfig.Config``: *config* itself if it is one, otherwise a
        copy in which no environment variable overrides anything; an empty one for ``None``.

        Raises :class:`RegistryError` and :class:`TypeError` as :meth:`get` does, and
        :class:`TypeError` if *config* is not a mapping or has non-string keys. An exception of the
        constructor propagates unchanged.
        """
        return self.get(name)(as_config(config))

    def create_all(self, priority: Sequence[Mapping[str, Any]]) -> tuple[Backend, ...]:
        """Create the backends of a list such as Caikit's ``backend_priority``, in its order.

        Each element is a mapping with a ``type``, the name, and optionally a ``config``, a
        mapping::

            - type: CLUSTER
              config: {address: "localhost:8033"}
            - type: LOCAL

        The list is validated before any backend is created; all problems are reported in one
        :class:`RegistryError`, each with its index, and with the violated clause if there is a
        single problem that has one. An exception of a constructor propagates, with a note of the
        index. Nothing is started.

        Raises :class:`TypeError` if *priority* is not a list or another sequence.
        """
        given = cast("object", priority)
        if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
            raise TypeError(
                'expected a list of backends such as [{"type": "LOCAL"}], '
                f"got {class_name(type(priority))}"
            )
        problems = [
            (f"[{index}] {problem}", clause)
            for index, element in enumerate(priority)
            for problem, clause in self._problems(element)
        ]
        if problems:
            raise RegistryError(
                "\n  ".join(["the list of backends is invalid:", *(text for text, _ in problems)]),
                clause=problems[0][1] if len(problems) == 1 else None,
            )
        backends: list[Backend] = []
        for index, element in enumerate(priority):
            try:
                backends.append(self.create(element["type"], element.get("config")))
            except Exception as error:
                add_note(error, f"while creating [{index}] of the backends, {element['type']}")
                raise
        return tuple(backends)

    def _problems(self, element: object) -> Iterator[tuple[str, ClauseType | None]]:
        """Yield the problems of one element of a list of backends, each with its clause."""
        if not isinstance(element, Mapping):
            yield f"expected a mapping with a `type`, got {class_name(type(element))}", None
            return
        entry = cast("Mapping[object, object]", element)
        name = entry.get("type")
        if "type" not in entry:
            yield "`type` is missing", None
        elif not isinstance(name, str):
            yield f"type: expected the name of a backend, got {class_name(type(name))}", None
        else:
            try:
                self.get(name)
            except RegistryError as error:
                yield f"type: {error}", error.clause
        try:
            as_config(entry.get("config"))
        except TypeError as error:
            yield f"config: {error}", None
        for key in entry:
            if key not in ("type", "config"):
                yield f"{key}: unknown key; expected `type` or `config`", None

    def _load(self, name: str) -> BackendFactory:
        """Load the entry point *name*. Does not hold the lock: imports have their own."""
        if not isinstance(cast("object", name), str):
            raise TypeError(f"the name of a backend must be a str, got {class_name(type(name))}")
        candidates = self._entry_points().get(name, [])
        if not candidates:
            raise RegistryError(self._unknown(name))
        if len({entry_point.value for entry_point in candidates}) > 1:
            places = " and ".join(map(_describe_entry_point, candidates))
            raise RegistryError(f"two installed backends are named {name!r}: {places}")
        place = _describe_entry_point(candidates[0])
        try:
            cls = candidates[0].load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a native extension may raise its own kind
            raise RegistryError(
                f"the backend {name!r} cannot be loaded from {place}: {_describe(error)}"
            ) from error
        try:
            own_name = usable_name(cls)
        except (KeyboardInterrupt, RegistryError):
            raise
        except BaseException as error:  # a metaclass may raise anything
            raise RegistryError(
                f"the backend {name!r} is not in {place}: {_describe(error)}"
            ) from error
        if own_name != name:
            raise RegistryError(
                f"{place} is named {name!r}, but {class_name(cls)} has the backend_type "
                f"{own_name!r}; use the same name for both"
            )
        return self._loaded.setdefault(name, cast("BackendFactory", cls))

    def _entry_points(self) -> dict[str, list[EntryPointType]]:
        """Return the installed entry points by name; they are looked up once."""
        if self._installed is None:
            from importlib.metadata import entry_points

            try:
                found = entry_points(group=self.GROUP)
            except Exception as error:  # one malformed file is enough
                raise RegistryError(
                    f"installed entry points cannot be read: {_describe(error)}; install again: "
                    f"{', '.join(_distributions_without_entry_points())}"
                ) from error
            installed: dict[str, list[EntryPointType]] = {}
            for entry_point in found:
                installed.setdefault(entry_point.name, []).append(entry_point)
            self._installed = installed
        return self._installed

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches

        known = self.names()
        nearest = get_close_matches(name.upper(), known, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"no backend is named {name!r}; {hint}known names: {', '.join(known) or 'none'}"


def _distributions_without_entry_points() -> Iterator[str]:
    """Yield the names of the distributions whose ``entry_points.txt`` is malformed."""
    from importlib.metadata import distributions

    for distribution in distributions():
        try:
            _ = distribution.entry_points
        except Exception:
            yield distribution.metadata["Name"]


def usable_name(cls: object) -> str:
    """Return the ``backend_type`` of a class that can be registered.

    Raises :class:`TypeError` if *cls* is not a class, and :class:`RegistryError`, with the first
    violated clause, if a runtime could not use it.
    """
    from backend_contract._structure import find_problems
    from backend_contract.clauses import CLAUSES

    if not isinstance(cls, type):
        raise TypeError(f"expected a class, got an instance of {class_name(type(cls))}")
    name: object = getattr(cls, "backend_type", None)
    if not isinstance(name, str):
        problems = {"BC102": f"`backend_type` is {name!r} on the class, expected a str"}
    elif not name or name != name.strip().upper():
        problems = {
            "BC103": f"`backend_type` is {name!r}, expected upper case, no surrounding whitespace"
        }
    else:
        problems = find_problems(cls)
    if problems:
        clause_id, problem = next(iter(problems.items()))
        clause = CLAUSES[clause_id]
        raise RegistryError(f"{class_name(cls)}: {problem}. {clause.fix}", clause=clause)
    return cast("str", name)


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its `__str__` raises
        return type(error).__name__


def _describe_entry_point(entry_point: EntryPointType) -> str:
    distribution = entry_point.dist
    of = f" of {distribution.name} {distribution.version}" if distribution else ""
    return f"the entry point {entry_point.value!r}{of}"
