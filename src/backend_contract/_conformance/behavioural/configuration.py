"""BC2xx: the configuration of a backend. Keys of the kit's own stand beside those of the sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from backend_contract._conformance.behavioural.calls import describe_exception, is_call_error
from backend_contract._conformance.behavioural.helpers import (
    ignore_failures,
    require_none,
)
from backend_contract._conformance.behavioural.table import tries
from backend_contract._conformance.behavioural.trial import (
    StopTrial,
    Trial,
    configuration,
    lacks_base_state,
    unchecked,
    violated,
)
from backend_contract._conformance.results import Verdict
from backend_contract.base import BackendBase
from backend_contract.protocol import Backend, ConfigType


def _first() -> dict[str, Any]:
    return {
        "backend_contract": {
            "kept": 1,
            "switch": True,
            "replaced": "earlier",
            "list": [1, 2],
            "deeper": {"kept": [{"kept": 1}]},
            "mapping": {"given": 1},
        }
    }


def _second() -> dict[str, Any]:
    return {
        "backend_contract": {
            "switch": False,
            "replaced": "later",
            "list": [3],
            "deeper": {"added": {"nothing": None}},
            "mapping": 0,
        },
        "backend_contract_added": {"list": []},
    }


def _third() -> dict[str, Any]:
    """What reaches into both."""
    return {
        "backend_contract": {"deeper": {"kept": [], "added": {"something": 1}}},
        "backend_contract_added": {"list": [1], "deeper": {}},
    }


_MERGED: dict[str, Any] = {
    "backend_contract": {
        "kept": 1,
        "switch": False,
        "replaced": "later",
        "list": [3],
        "deeper": {"kept": [{"kept": 1}], "added": {"nothing": None}},
        "mapping": 0,
    },
    "backend_contract_added": {"list": []},
}


@tries("BC201", "import aconfig\nmake(); make(None); make(aconfig.Config({}))")
def _it_can_be_made(trial: Trial) -> None:
    cls, sample = trial.subject.cls, trial.subject.config
    if cls is None:
        try:
            trial.new()
        except StopTrial as ended:
            raise violated(_NO_BASE) if ended.verdict is Verdict.BLOCKED else ended from None
        raise unchecked("a factory was given; give the class, or make it the factory")
    name, make = cls.__qualname__, _constructor(cls)
    given = configuration(sample or {})
    made = trial.call(f"{name}(aconfig.Config({dict(given)!r}))", make, given)
    if lacks_base_state(made):
        raise violated(_NO_BASE)
    for arguments in ((), (None,)):
        what = f"{name}({', '.join(map(repr, arguments))})"
        try:
            trial.call(what, make, *arguments)
        except StopTrial as ended:
            # With a sample configuration its author says that an empty one is not valid.
            if sample is None or isinstance(ended.__cause__, TypeError):
                raise


_NO_BASE = "`__init__` does not call `super().__init__(config)`: there is no lock, and no state"


def _constructor(cls: type[Backend]) -> Callable[..., Backend]:
    make: Callable[..., Backend] = cls  # the Protocol knows no constructor
    return make


@tries(
    "BC202",
    "import aconfig\nassert make().register_config(aconfig.Config({})) is None",
)
def _registering_returns_nothing(trial: Trial) -> None:
    register: Callable[[ConfigType], object] = trial.new().register_config
    config = configuration(trial.subject.config or {})
    try:
        with trial.doing("register_config()"):
            returned = register(config)
    except NotImplementedError:
        return
    except (Exception, SystemExit) as error:  # BC203 says so
        if is_call_error(error):
            raise violated(f"register_config() raised {describe_exception(error)}") from error
        raise unchecked(f"register_config() raised {describe_exception(error)}") from error
    require_none(returned, "register_config()")


@tries(
    "BC203",
    """\
import aconfig
backend = make()
config = aconfig.Config({"first": 1}, override_env_vars=False)
raised = []
for _ in range(3):
    try:
        backend.register_config(config)
        raised.append(False)
    except NotImplementedError:
        raised.append(True)
assert len(set(raised)) == 1, raised""",
)
def _registering_again_and_again(trial: Trial) -> None:
    backend, sample = trial.new(), trial.subject.config or {}
    first = _registers(trial, backend, _first())
    if first is _REFUSED:  # it knows its keys: those of the kit are none of them
        backend = trial.new()
        first = _register(trial, backend, sample)
        given: list[Mapping[str, Any]] = [sample, sample, sample]
        if not sample:
            for config in given:
                _register(trial, backend, config)
            raise unchecked(
                "register_config refuses a key that it does not know: give a sample configuration"
            )
    else:
        given = [_first(), _second(), sample, {}, _first()]
    for config in given:
        if _register(trial, backend, config) is not first:
            how = "raised NotImplementedError once, and accepted another call"
            raise violated(f"register_config() {how}")


_ACCEPTED, _NOT_DYNAMIC, _REFUSED = "accepted", "not dynamic", "refused"


def _registers(trial: Trial, backend: Backend, config: Mapping[str, Any]) -> str:
    try:
        return _register(trial, backend, config)
    except StopTrial:
        return _REFUSED


def _register(trial: Trial, backend: Backend, config: Mapping[str, Any]) -> str:
    try:
        trial.call("register_config()", backend.register_config, configuration(config))
    except StopTrial as ended:
        if isinstance(ended.__cause__, NotImplementedError):
            return _NOT_DYNAMIC
        raise
    return _ACCEPTED


@tries(
    "BC204",
    """\
import aconfig
backend = make()
backend.register_config(aconfig.Config({"a": {"kept": 1, "list": [1, 2]}}))
backend.register_config(aconfig.Config({"a": {"added": 2, "list": [3]}}))
assert backend.config["a"] == {"kept": 1, "added": 2, "list": [3]}, backend.config""",
)
def _registrations_merge(trial: Trial) -> None:
    with_constructor = trial.subject.cls is not None
    sample = trial.subject.config or {}
    try:
        backend = (
            trial.new(configuration({**sample, **_first()})) if with_constructor else trial.new()
        )
    except StopTrial:  # BC201 has held: the constructor knows its keys
        with_constructor, backend = False, trial.new()
    answers = [] if with_constructor else [_registers(trial, backend, _first())]
    answers.append(_registers(trial, backend, _second()))
    if _NOT_DYNAMIC in answers:
        raise StopTrial(Verdict.NOT_APPLICABLE, "", "register_config raises NotImplementedError")
    if _REFUSED in answers:
        raise unchecked("register_config refuses a key that it does not know, so none can be added")
    seen = trial.hook("merged_config", backend)
    if seen is None:
        seen = getattr(backend, "config", None)
        is_its_own = isinstance(seen, Mapping) and any(key in seen for key in _MERGED)
        if BackendBase not in type(backend).__mro__ and not is_its_own:
            raise unchecked("what was merged cannot be seen: give the hook `merged_config`")
    if not isinstance(seen, Mapping):
        raise violated(f"the merged configuration is {seen!r}")
    merged = cast("Mapping[str, Any]", seen)
    for key, value in {**configuration(sample), **_MERGED}.items():
        difference = _difference(merged.get(key, _ABSENT), value, key)
        if difference is not None:
            raise violated(difference)


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _difference(found: Any, expected: Any, place: str) -> str | None:
    """Where ``found`` is not what is expected; keys that a backend adds are its own affair."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        mappings = cast("tuple[Mapping[str, Any], Mapping[str, Any]]", (found, expected))
        parts = (
            _difference(mappings[0].get(key, _ABSENT), value, f"{place}.{key}")
            for key, value in mappings[1].items()
        )
        return next((part for part in parts if part is not None), None)
    # True equals 1, and is not what was given.
    if found == expected and isinstance(found, bool) is isinstance(expected, bool):
        return None
    return f"{place} is {found!r} in the merged configuration, expected {expected!r}"


@tries(
    "BC205",
    """\
import aconfig, copy
given = [aconfig.Config({"a": {"b": [n], str(n): n}}, override_env_vars=False) for n in (1, 2, 3)]
before = copy.deepcopy(given)
try:
    backend = make(given[0])
except TypeError:
    backend = make()
for config in given[1:] * 2:
    try:
        backend.register_config(config)
    except NotImplementedError:
        pass
backend.start(); backend.stop()
assert given == before, given""",
)
def _what_is_given_stays_as_it_is(trial: Trial) -> None:
    sample = trial.subject.config or {}
    given: list[tuple[str, ConfigType, ConfigType]] = []

    def keep(what: str, content: Mapping[str, Any]) -> ConfigType:
        config = configuration(content)
        given.append((what, config, configuration(content)))
        return config

    backends = [trial.new()]
    if trial.subject.cls is not None:
        try:
            made = trial.new(keep("the constructor", {**sample, **_first()}))
        except StopTrial:  # a constructor that knows its keys takes the sample alone
            made = trial.new(keep("the constructor", sample))
        backends.append(made)
    for backend in backends:
        for number, content in enumerate((_first(), _second(), sample, _third()), start=1):
            config = keep(f"register_config, at call {number},", {**sample, **content})
            ignore_failures(trial, backend, "register_config", config)
        for member in ("start", "stop"):
            ignore_failures(trial, backend, member)
    for what, now, before in given:
        if now != before:
            raise violated(
                f"what {what} was given is now {dict(now)!r}", f"it was {dict(before)!r}"
            )
    if trial.subject.cls is None:
        raise unchecked("the constructor's half needs the class; a factory was given")
