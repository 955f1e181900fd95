"""BC1xx: the name of a backend."""

from __future__ import annotations

from typing import Any

from backend_contract._conformance.behavioural.outcomes import violated
from backend_contract._conformance.behavioural.trial import Trial, tries
from backend_contract.protocol import Backend


@tries("BC101", "assert isinstance(make().backend_type, str)")
def _try_type(trial: Trial) -> None:
    backend: Any = trial.new()  # to the Protocol, it is a str already
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
    backend = trial.new()
    cls: Any = type(backend)  # through the Protocol, nothing can be read on the class
    on_class = trial.call("backend_type, on the class,", lambda: cls.backend_type)
    if not isinstance(on_class, str):
        raise violated(f"backend_type, on the class, is {on_class!r}")
    _require_same(on_class, _name_of(trial, backend), "a new")
    if trial.can_start:
        trial.call("start()", backend.start)
        _require_same(on_class, _name_of(trial, backend), "a started")


def _require_same(on_class: str, on_instance: str, which: str) -> None:
    if on_class != on_instance:
        raise violated(
            f"backend_type is {on_class!r} on the class, {on_instance!r} on {which} instance"
        )


@tries("BC103", "name = make().backend_type\nassert name.strip() and name == name.upper()")
def _try_upper_case(trial: Trial) -> None:
    name = _name_of(trial, trial.new())
    if not name.strip() or name != name.upper():
        upper = name.strip().upper()
        advice = f'Write `backend_type = "{upper}"`.' if upper and upper.isprintable() else ""
        raise violated(f"backend_type is {name!r}", advice=advice)


def _name_of(trial: Trial, backend: Backend) -> str:
    return trial.call("backend_type", lambda: backend.backend_type)
