"""Finding backends by name, and making those that a configuration asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from backend_contract._config import as_config
from backend_contract._exceptions import add_note
from backend_contract._names import backend_type_of, class_name
from backend_contract._typing import TypeAliasType
from backend_contract.errors import RegistryError
from backend_contract.protocol import Backend, ConfigType

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint  # noqa: F401 - named in the alias below

__all__ = ["BackendRegistry"]

EntryPointType = TypeAliasType("EntryPointType", "EntryPoint")
BackendClass = TypeVar("BackendClass", bound=type[Backend])


class BackendRegistry:
    """Classes of backends by their ``backend_type``.

    Knows what was registered, and the installed backends: those that a distribution declares as an
    entry point, named like its ``backend_type``::

        [project.entry-points."backend_contract.backends"]
        CLUSTER = "my_package.backends:Cluster"

    An entry point is loaded when its name is asked for, not before; one that cannot be loaded
    affects no other. What was registered wins over an entry point of that name. This package
    declares ``LOCAL`` in this way.

    A registry is empty of registrations when it is made, shares none with others, and may be used
    from any thread.
    """

    GROUP = "backend_contract.backends"
    """The group of the entry points."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Backend]] = {}
        self._lock = threading.Lock()
        self._found: dict[str, list[EntryPointType]] | None = None

    def register(self, cls: BackendClass) -> BackendClass:
        """Let ``cls`` be found by its ``backend_type``; returns it, so it serves as a decorator.

        Any class that is a :class:`Backend` will do, whatever it inherits. Registering it again
        changes nothing.

        Raises :class:`RegistryError` where another class has that name, and where the name breaks
        BC102 (it reads on the class) or BC103 (it is upper case), with that clause; and
        :class:`TypeError` for what is no class.
        """
        self._add(backend_type_of(cls), cls)
        return cls

    def names(self) -> tuple[str, ...]:
        """The names that are known, sorted: registered ones and installed ones, loaded or not."""
        return tuple(sorted({*tuple(self._classes), *self._entry_points()}))

    def get(self, name: str) -> type[Backend]:
        """The class of that name; loads the entry point if that is where it comes from.

        Raises :class:`RegistryError` where nothing has that name, and says what has; and where an
        entry point of that name cannot be loaded, or two distributions have one.
        """
        found = self._classes.get(name)
        return self._load(name) if found is None else found

    def create(self, name: str, config: Mapping[str, Any] | None = None) -> Backend:
        """A new backend of that name.

        It is given an ``aconfig.Config``: ``config`` itself if it is one, else a copy of it, in
        which no environment variable replaces anything; an empty one for ``None``.

        Raises :class:`RegistryError` as :meth:`get` does, :class:`TypeError` where ``config`` is no
        mapping, and what the constructor raises.
        """
        return _construct(self.get(name), as_config(config))

    def configure(self, priority: Sequence[Mapping[str, Any]]) -> tuple[Backend, ...]:
        """The backends of a list such as Caikit's ``backend_priority``, new, in its order.

        Each element is a mapping with a ``type``, the name, and may have a ``config``, a mapping::

            - type: CLUSTER
              config: {address: "localhost:8033"}
            - type: LOCAL

        The whole list is looked at before anything is made; whatever is wrong with it is one
        :class:`RegistryError` that says all of it, each with its index. What a constructor raises
        arrives as it is, with a note of the index. Nothing is started.

        Raises :class:`TypeError` where ``priority`` is no list.
        """
        given = cast("object", priority)
        if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
            raise TypeError(
                'a list of backends such as [{"type": "LOCAL"}] was expected, '
                f"got {class_name(type(priority))}"
            )
        mistakes = [
            f"[{index}] {mistake}"
            for index, element in enumerate(priority)
            for mistake in self._mistakes(element)
        ]
        if mistakes:
            raise RegistryError("\n  ".join(["the list of backends cannot be used:", *mistakes]))
        backends: list[Backend] = []
        for index, element in enumerate(priority):
            try:
                backends.append(self.create(element["type"], element.get("config")))
            except Exception as error:
                add_note(error, f"while making [{index}] of the backends, {element['type']}")
                raise
        return tuple(backends)

    def _mistakes(self, element: object) -> Iterator[str]:
        """What is wrong with an element of a list of backends."""
        if not isinstance(element, Mapping):
            yield f"a mapping with a `type` was expected, got {element!r}"
            return
        entry = cast("Mapping[object, object]", element)
        name = entry.get("type")
        if "type" not in entry:
            yield "`type` is missing"
        elif not isinstance(name, str):
            yield f"type: the name of a backend was expected, got {name!r}"
        else:
            try:
                self.get(name)
            except RegistryError as error:
                yield f"type: {error}"
        try:
            as_config(entry.get("config"))
        except TypeError as error:
            yield f"config: {error}"
        for key in entry:
            if key not in ("type", "config"):
                yield f"{key}: unknown key; `type` and `config` are known"

    def _add(self, name: str, cls: type[Backend]) -> None:
        with self._lock:
            present = self._classes.setdefault(name, cls)
        if present is not cls:
            raise RegistryError(
                f"two classes have the backend_type {name!r}: {class_name(present)} is registered, "
                f"{class_name(cls)} is another. Give one of them another backend_type"
            )

    def _load(self, name: str) -> type[Backend]:
        """The class of an entry point. The lock is not held meanwhile: imports have their own."""
        if not isinstance(cast("object", name), str):
            raise TypeError(f"the name of a backend is a str, got {class_name(type(name))}")
        candidates = self._entry_points().get(name, [])
        if not candidates:
            raise RegistryError(self._unknown(name))
        if len({entry_point.value for entry_point in candidates}) > 1:
            places = " and ".join(map(_place, candidates))
            raise RegistryError(f"two installed backends are named {name!r}: {places}")
        place = _place(candidates[0])
        try:
            cls = candidates[0].load()
        except Exception as error:
            raise RegistryError(
                f"the backend {name!r} cannot be loaded from {place}: "
                f"{type(error).__name__}: {error}"
            ) from error
        try:
            named = backend_type_of(cls)
        except TypeError as error:
            raise RegistryError(f"the backend {name!r} is not in {place}: {error}") from error
        if named != name:
            raise RegistryError(
                f"{place} is named {name!r}, and {class_name(cls)} has the backend_type {named!r}; "
                "the two have to be the same"
            )
        self._add(name, cls)
        return cast("type[Backend]", cls)

    def _entry_points(self) -> dict[str, list[EntryPointType]]:
        """What is installed, by name; looked for once."""
        if self._found is None:
            from importlib.metadata import entry_points

            found: dict[str, list[EntryPointType]] = {}
            for entry_point in entry_points(group=self.GROUP):
                found.setdefault(entry_point.name, []).append(entry_point)
            self._found = found
        return self._found

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches

        known = self.names()
        nearest = get_close_matches(name.upper(), known, n=1)
        meant = f"; did you mean {nearest[0]!r}?" if nearest else "."
        return f"no backend is named {name!r}{meant} Known are: {', '.join(known) or 'none'}"


def _construct(cls: type[Backend], config: ConfigType) -> Backend:
    constructor: Callable[[ConfigType], Backend] = cast("Any", cls)  # not part of the Protocol
    return constructor(config)  # clause BC201


def _place(entry_point: EntryPointType) -> str:
    distribution = entry_point.dist
    of = f" of {distribution.name} {distribution.version}" if distribution else ""
    return f"the entry point {entry_point.value!r}{of}"
