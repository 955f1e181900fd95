"""BC2xx: the configuration of a backend. The kit adds its own keys to the author's sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from backend_contract._conformance.behavioural.calls import describe_exception, is_call_error
from backend_contract._conformance.behavioural.helpers import ignore_failures, require_none
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    needs_a_suite,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.run import configuration
from backend_contract._conformance.behavioural.trial import Trial, lacks_base_state, tries
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
    """Return a configuration with keys of both others."""
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


_NO_BASE = "`__init__` does not call `super().__init__(config)`: the lock and the state are missing"


@tries("BC201", "import aconfig\nmake(); make(None); make(aconfig.Config({}))")
def _try_constructor(trial: Trial) -> None:
    cls = trial.subject.cls
    if cls is None:
        _try_factory(trial)
    else:
        _try_class(trial, cls)


def _try_factory(trial: Trial) -> None:
    try:
        trial.new()
    except StopTrial as outcome:
        raise violated(_NO_BASE) if outcome.verdict is Verdict.BLOCKED else outcome from None
    raise unchecked("a factory was given; to check the constructor, give the class")


def _try_class(trial: Trial, cls: type[Backend]) -> None:
    create: Callable[..., Backend] = cls  # the constructor is not part of the Protocol
    name, sample = cls.__qualname__, trial.subject.config
    given = configuration(sample or {})
    backend = trial.call(f"{name}(aconfig.Config({dict(given)!r}))", create, given)
    if lacks_base_state(backend):
        raise violated(_NO_BASE)
    for arguments in ((), (None,)):
        what = f"{name}({', '.join(map(repr, arguments))})"
        try:
            trial.call(what, create, *arguments)
        except StopTrial as outcome:
            # A sample configuration means that an empty one need not be valid.
            if sample is None or isinstance(outcome.__cause__, TypeError):
                raise


@tries(
    "BC202",
    "import aconfig\nassert make().register_config(aconfig.Config({})) is None",
)
def _try_register_config(trial: Trial) -> None:
    register: Callable[[ConfigType], object] = trial.new().register_config
    config = configuration(trial.subject.config or {})
    try:
        with trial.doing("register_config()"):
            returned = register(config)
    except NotImplementedError:
        return
    except (Exception, SystemExit) as error:  # BC203 reports it
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
def _try_repeated_registration(trial: Trial) -> None:
    backend, sample = trial.new(), trial.subject.config or {}
    first = _register_unless_rejected(trial, backend, _first())
    given: list[Mapping[str, Any]] = [_first(), _second(), sample, {}, _first()]
    if first is _REJECTED:  # it rejects the kit's keys: register the sample instead
        backend = trial.new()
        first = _register(trial, backend, sample)
        given = [sample, sample, sample]
    for config in given:
        if _register(trial, backend, config) is not first:
            raise violated(
                "register_config() raised NotImplementedError once, and accepted another call"
            )
    if len(given) == 3 and not sample:
        raise unchecked("register_config() rejects unknown keys; give a sample configuration")


_ACCEPTED, _NOT_DYNAMIC, _REJECTED = "accepted", "not dynamic", "rejected"


def _register_unless_rejected(trial: Trial, backend: Backend, config: Mapping[str, Any]) -> str:
    """Register *config*, which the backend may reject."""
    try:
        return _register(trial, backend, config)
    except StopTrial:
        return _REJECTED


def _register(trial: Trial, backend: Backend, config: Mapping[str, Any]) -> str:
    """Register *config*. Any exception but ``NotImplementedError`` violates the clause."""
    try:
        trial.call("register_config()", backend.register_config, configuration(config))
    except StopTrial as outcome:
        if isinstance(outcome.__cause__, NotImplementedError):
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
def _try_merging(trial: Trial) -> None:
    sample = trial.subject.config or {}
    answers: list[str] = []
    backend = _create_with(trial, {**sample, **_first()})
    if backend is None:
        backend = trial.new()
        answers.append(_register_unless_rejected(trial, backend, _first()))
    answers.append(_register_unless_rejected(trial, backend, _second()))
    if _NOT_DYNAMIC in answers:
        raise StopTrial(Verdict.NOT_APPLICABLE, "", "register_config() raises NotImplementedError")
    expected: dict[str, Any] = {**configuration(sample), **_MERGED}
    if _REJECTED in answers:
        backend, expected = _register_sample(trial, sample), configuration(sample)
    merged = _merged_config(trial, backend, expected)
    for key, value in expected.items():
        difference = _difference(merged.get(key, _ABSENT), value, key)
        if difference is not None:
            raise violated(difference)


def _create_with(trial: Trial, config: Mapping[str, Any]) -> Backend | None:
    """Return a backend created with *config*, or ``None`` if it rejects the kit's keys."""
    if trial.subject.cls is None:
        return None
    try:
        return trial.new(configuration(config))
    except StopTrial:
        return None


def _register_sample(trial: Trial, sample: Mapping[str, Any]) -> Backend:
    """Return a backend that was given the author's *sample* in two parts."""
    if not sample:
        raise unchecked("register_config() rejects unknown keys; give a sample configuration")
    keys = list(sample)
    half = (len(keys) + 1) // 2
    parts = [{key: sample[key] for key in some} for some in (keys[:half], keys[half:]) if some]
    backend = _create_with(trial, parts[0]) or trial.new()
    for part in parts:
        if _register_unless_rejected(trial, backend, part) is _REJECTED:
            raise unchecked("register_config() rejects a part of the sample configuration")
    return backend


def _merged_config(
    trial: Trial, backend: Backend, expected: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return what the hook shows, or else the backend's ``config``, if it is the merged one."""
    merged = trial.hook("merged_config", backend)
    if merged is None:
        merged = getattr(backend, "config", None)
        has_keys = isinstance(merged, Mapping) and any(key in merged for key in expected)
        if BackendBase not in type(backend).__mro__ and not has_keys:
            raise needs_a_suite("the merged configuration cannot be seen; define `merged_config`")
    if not isinstance(merged, Mapping):
        raise violated(f"the merged configuration is {merged!r}")
    return cast("Mapping[str, Any]", merged)


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _difference(found: Any, expected: Any, path: str) -> str | None:
    """Return the first difference at or below *path*, ignoring keys that the backend added."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        mappings = cast("tuple[Mapping[str, Any], Mapping[str, Any]]", (found, expected))
        differences = (
            _difference(mappings[0].get(key, _ABSENT), value, f"{path}.{key}")
            for key, value in mappings[1].items()
        )
        return next((each for each in differences if each is not None), None)
    # True equals 1, but is another value.
    if found == expected and isinstance(found, bool) is isinstance(expected, bool):
        return None
    return f"{path} is {found!r} in the merged configuration, expected {expected!r}"


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
def _try_configurations_stay_unchanged(trial: Trial) -> None:
    sample = trial.subject.config or {}
    given: list[tuple[str, ConfigType, ConfigType]] = []

    def keep(receiver: str, content: Mapping[str, Any]) -> ConfigType:
        """Return *content* as a configuration, and keep a copy to compare it with."""
        config = configuration(content)
        given.append((receiver, config, configuration(content)))
        return config

    backends = [trial.new()]
    if trial.subject.cls is not None:
        try:
            backend = trial.new(keep("the constructor", {**sample, **_first()}))
        except StopTrial:  # it rejects the kit's keys
            backend = trial.new(keep("the constructor", sample))
        backends.append(backend)
    for backend in backends:
        for number, content in enumerate((_first(), _second(), sample, _third()), start=1):
            config = keep(f"call {number} of register_config()", {**sample, **content})
            ignore_failures(trial, backend, "register_config", config)
        for member in ("start", "stop"):
            ignore_failures(trial, backend, member)
    for receiver, now, before in given:
        if now != before:
            raise violated(
                f"the configuration given to {receiver} is now {dict(now)!r}",
                f"it was {dict(before)!r}",
            )
    if trial.subject.cls is None:
        raise unchecked("a factory was given; to check the constructor, give the class")
