"""BC1xx: the name of a backend."""

from __future__ import annotations

import inspect
from typing import Any

from backend_contract._conformance.behavioural.outcomes import violated
from backend_contract._conformance.behavioural.trial import Trial, tries
from backend_contract._structure import find_missing
from backend_contract.protocol import Backend


@tries("BC101", "assert isinstance(make().backend_type, str)")
def _try_type(trial: Trial) -> None:
    backend: Any = _new(trial)  # to the Protocol, it is a str already
    name = trial.call("backend_type", lambda: backend.backend_type)
    if not isinstance(name, str):
        raise violated(f"backend_type is {name!r}")


@tries(
    "BC102",
    """\
backend = make()
assert type(backend).backend_type == backend.backend_type
backend.start()
assert type(backend).backend_type == backend.backend_type""",
    after=("BC302",),
)
def _try_reading_on_class(trial: Trial) -> None:
    backend = _new(trial)
    cls: Any = type(backend)  # through the Protocol, nothing can be read on the class
    on_class = trial.call("backend_type, on the class,", lambda: cls.backend_type)
    if not isinstance(on_class, str):
        raise violated(f"backend_type, on the class, is {on_class!r}")
    _require_same(on_class, _name_of(trial, backend), "a new")
    if trial.can_start:
        _require_same(on_class, _name_of(trial, trial.started()), "a started")


def _require_same(on_class: str, on_instance: str, which: str) -> None:
    if on_class != on_instance:
        raise violated(
            f"backend_type is {on_class!r} on the class, {on_instance!r} on {which} instance"
        )


@tries("BC103", "name = make().backend_type\nassert name and name == name.strip().upper(), name")
def _try_upper_case(trial: Trial) -> None:
    name = _name_of(trial, _new(trial))
    upper = name.strip().upper()
    if not upper or name != upper:
        advice = f'Write `backend_type = "{upper}"`.' if upper and upper.isprintable() else ""
        raise violated(f"backend_type is {name!r}", advice=advice)


@tries(
    "BC104",
    """\
import inspect
cls = type(make())
for base in cls.__mro__[1:]:
    if hasattr(base, "start") and not inspect.isabstract(base):
        assert getattr(base, "backend_type", None) != cls.backend_type, base""",
)
def _try_own_name(trial: Trial) -> None:
    backend = _new(trial)
    name = _name_of(trial, backend)
    for base in type(backend).__mro__[1:]:
        if (
            _is_usable(base)
            and trial.call(f"{base.__qualname__}.backend_type", _read, base) == name
        ):
            raise violated(f"backend_type is {name!r}, as in {base.__qualname__}")


def _read(cls: Any) -> object:
    return getattr(cls, "backend_type", None)


def _is_usable(cls: type) -> bool:
    """Return whether *cls* is a backend itself, rather than an abstract base or a mixin."""
    is_protocol = cls.__dict__.get("_is_protocol", False)
    if is_protocol or inspect.isabstract(cls) or find_missing(cls):
        return False
    starts = inspect.getattr_static(cls, "start", None)
    names = getattr(getattr(starts, "__code__", None), "co_names", ())
    return names[:1] != ("NotImplementedError",)  # an abstract base without `abc`


def _new(trial: Trial) -> Backend:
    """Return a backend of which trials have read only the name."""
    return trial.record("named", trial.new)


def _name_of(trial: Trial, backend: Backend) -> str:
    return trial.call("backend_type", lambda: backend.backend_type)
