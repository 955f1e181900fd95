"""BC2xx: the configuration of a backend. The kit adds its own keys to the author's sample."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast

from backend_contract._config import merged
from backend_contract._conformance.behavioural.calls import describe_exception, is_call_error
from backend_contract._conformance.behavioural.helpers import close_coroutine, require_none
from backend_contract._conformance.behavioural.outcomes import (
    StopTrial,
    needs_a_suite,
    not_applicable,
    unchecked,
    violated,
)
from backend_contract._conformance.behavioural.run import configuration
from backend_contract._conformance.behavioural.trial import Trial, lacks_base_state, tries
from backend_contract._conformance.results import MEMBERS, Verdict
from backend_contract.base import BackendBase
from backend_contract.protocol import Backend, ConfigType


def _at_two_levels(settings: Mapping[str, Any]) -> dict[str, Any]:
    top = {f"backend_contract_{key}": value for key, value in settings.items()}
    return {"backend_contract": {**settings}, **top}


_TEXTS = {"raw": " $HOME yes ", "number": "1", "home": "~", "word": "no"}
"""Values that stay as they are, but mean something else to a shell, or as YAML."""


def _first() -> dict[str, Any]:
    return _at_two_levels(
        {
            "kept": 1,
            "switch": True,
            "replaced": "earlier",
            **_TEXTS,
            "none": 1,
            "zero": 1,
            "text": "earlier",
            "emptied": "earlier",
            "list": [1, 2],
            "Case": "earlier",
            "first.dotted": 1,
            "first-dashed": 1,
            "mapping": {"given": 1},
            "untouched": {"kept": 1},
            "deeper": {"kept": [{"kept": 1}], "deeper": {"deepest": {"kept": 1, "replaced": 1}}},
        }
    )


def _second() -> dict[str, Any]:
    return _at_two_levels(
        {
            "switch": False,
            "replaced": "later",
            **{f"later {key}": value for key, value in _TEXTS.items()},
            "none": None,
            "zero": 0,
            "text": "",
            "emptied": {},
            "list": [3],
            "case": "later",
            "later-dashed": 1,
            "CASE": "later still",
            "mapping": 0,
            "untouched": {},
            "deeper": {"added": {"nothing": None}, "deeper": {"deepest": {"replaced": 2}}},
            "added": {"list": [], "replaced": "earlier"},
        }
    )


def _third() -> dict[str, Any]:
    """Return a configuration with keys of both others."""
    return _at_two_levels(
        {
            "untouched.kept": "a key of its own",
            " blank ": 1,
            "_private": 1,
            "deeper": {"kept": [], "added": {"something": 1}},
            "added": {"list": [1], "replaced": "later", "deeper": {}},
        }
    )


def _no_base() -> StopTrial:
    return violated(
        "`__init__` does not call `super().__init__(config)`: the lock and the state are missing",
        advice="Call `super().__init__(config)` in `__init__`.",
    )


@tries(
    "BC201",
    """\
import aconfig
for backend in (make(), make(None), make(aconfig.Config({}))):
    backend.backend_type, backend.is_started, backend.register_config, backend.start
    backend.stop, backend.start_lock, backend.handle_runtime_context""",
)
def _try_constructor(trial: Trial) -> None:
    if trial.subject.cls is not None:
        _try_class(trial, trial.subject.cls)
        return
    try:
        backend = trial.new()
    except StopTrial as outcome:
        raise _no_base() if outcome.verdict is Verdict.BLOCKED else outcome from None
    _require_complete(trial, backend, type(backend).__qualname__)
    raise unchecked("a factory was given; to check the constructor, give the class")


def _try_class(trial: Trial, cls: type[Backend]) -> None:
    create: Callable[..., Backend] = cls  # the constructor is not part of the Protocol
    name, sample = cls.__qualname__, trial.subject.config
    given = configuration(sample or {})
    described = f"aconfig.Config({dict(given)!r})"
    for arguments, shown in (((given,), described), ((), ""), ((None,), "None")):
        what = f"{name}({shown})"
        try:
            backend = trial.call(what, create, *arguments)
        except StopTrial as outcome:
            # A sample configuration means that an empty one need not be valid.
            may_raise = sample is not None and shown != described
            if not may_raise or (outcome.__cause__ and is_call_error(outcome.__cause__)):
                raise
        else:
            _require_complete(trial, backend, what)


def _require_complete(trial: Trial, backend: Backend, what: str) -> None:
    """Require that each member of a new *backend* can be read, whatever its value."""
    if lacks_base_state(backend):
        raise _no_base()
    for member in MEMBERS:
        with trial.doing(f"{what}.{member}"):
            missing = _why_missing(backend, member)
        if missing is not None:
            raise violated(f"{what}.{member} raised {describe_exception(missing)}") from missing


def _why_missing(backend: Backend, member: str) -> AttributeError | None:
    with suppress(Exception):  # other clauses are about the value
        try:
            getattr(backend, member)
        except AttributeError as error:
            return error
    return None


@tries(
    "BC202",
    """\
import aconfig
backend = make()
for keys in ({}, {"first": 1}, {"first": {"second": 2}}, {"first": {"second": 2}}, {}):
    try:
        assert backend.register_config(aconfig.Config(keys)) is None, keys
    except (NotImplementedError, ValueError, KeyError):
        pass""",
)
def _try_register_config(trial: Trial) -> None:
    register: Callable[[ConfigType], object] = trial.new().register_config
    sample = trial.subject.sample
    rejections: list[Exception | SystemExit] = []
    for number, content in enumerate((sample, _first(), {}, _second(), _second(), sample), start=1):
        what = "register_config()" if number == 1 else f"call {number} of register_config()"
        try:
            with trial.doing(what):
                returned = register(configuration(content))
        except NotImplementedError:  # BC203 reports it if other calls are accepted
            continue
        except (Exception, SystemExit) as error:  # BC203 reports this too
            if is_call_error(error):
                raise violated(f"{what} raised {describe_exception(error)}") from error
            rejections.append(error)
            continue
        require_none(returned, what)
    if len(rejections) == 6:
        because = f"register_config() raised {describe_exception(rejections[0])}"
        raise unchecked(because) from rejections[0]


@tries(
    "BC203",
    """\
import aconfig
backend = make()
config = aconfig.Config({"first": 1}, override_env_vars=False)
raised = []
for _ in range(20):
    try:
        backend.register_config(config)
        raised.append(False)
    except NotImplementedError:
        raised.append(True)
assert len(set(raised)) == 1, raised""",
)
def _try_repeated_registration(trial: Trial) -> None:
    backend, sample = trial.new(), trial.subject.sample
    given: list[Mapping[str, Any]] = [_first(), _second(), sample, {}, _first()]
    try:
        is_dynamic = _register(trial, backend, configuration(_first()))
    except StopTrial:  # it rejects the kit's keys
        backend, given = trial.new(), [sample]
        is_dynamic = _register(trial, backend, configuration(sample))
    for config in given * 3:
        _look_at_configuration(backend)
        if _register(trial, backend, configuration(config)) is not is_dynamic:
            raise violated(
                "register_config() raised NotImplementedError once, and accepted another call"
            )
    if given == [{}]:
        raise _rejects_unknown_keys()


def _rejects_unknown_keys() -> StopTrial:
    return unchecked("register_config() rejects unknown keys; give a sample configuration")


def _look_at_configuration(backend: Backend) -> None:
    """Read what is configured, which must not settle it."""
    with suppress(Exception):
        getattr(backend, "config", None)


def _accepts(trial: Trial, backend: Backend, config: ConfigType) -> bool:
    """Register *config*; return whether the backend accepts it.

    Ends the trial as not applicable if the backend has no dynamic configuration.
    """
    try:
        is_dynamic = _register(trial, backend, config)
    except StopTrial:
        return False
    if not is_dynamic:
        raise not_applicable("register_config() raises NotImplementedError")
    return True


def _register(trial: Trial, backend: Backend, config: ConfigType) -> bool:
    """Register *config*; return whether that does not raise ``NotImplementedError``.

    Any other exception violates the clause.
    """
    try:
        trial.call("register_config()", backend.register_config, config)
    except StopTrial as outcome:
        if isinstance(outcome.__cause__, NotImplementedError):
            return False
        raise
    return True


@tries(
    "BC204",
    """\
import aconfig, os
def config(**keys):
    top = {"a": {"_b": len(keys), **keys}, "a_kept": 1, "_a-\\ufb01": len(keys)}
    return aconfig.Config(top, override_env_vars=False)
os.environ["A_KEPT"] = "from the environment"
first = config(kept={"deeper": {"kept": 1}}, none=1, zero=1, text="1", empty=1, on=True, list=[1])
later = config(kept={"deeper": {"later": 1}}, none=None, zero=0, text="", empty={}, on=False,
               list=[2], home="$HOME", **{"kept.deeper": 2, "LIST": 3})
try:
    backend = make(first)
except TypeError:
    backend = make()
    backend.register_config(first)
backend.register_config(later)
backend.register_config(config(kept={"last": 1, "deeper": {}}))
expected = {**later["a"], "_b": 1, "kept": {"deeper": {"kept": 1, "later": 1}, "last": 1}}
assert backend.config["a"] == expected, backend.config
assert backend.config["a_kept"] == 1, backend.config
assert backend.config["_a-\\ufb01"] == 1, backend.config""",
)
def _try_merging(trial: Trial) -> None:
    sample = trial.subject.sample
    variable = "BACKEND_CONTRACT_KEPT"  # aconfig would replace `backend_contract_kept` by it
    before = os.environ.get(variable)
    os.environ[variable] = "from the environment"
    try:
        backend, given = _register_own_keys(trial, sample) or _register_sample(trial, sample)
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before
    expected = functools.reduce(merged, given, configuration({}))
    # In another thread, as a server's.
    seen = trial.in_thread(
        lambda: _merged_config(trial, backend, given), "reading the configuration"
    ).result()
    for key, value in expected.items():
        difference = _difference(seen.get(key, _ABSENT), value, key)
        if difference is not None:
            raise violated(difference)


Configurations: TypeAlias = Sequence[Mapping[str, Any]]


def _register_own_keys(
    trial: Trial, sample: Mapping[str, Any]
) -> tuple[Backend, Configurations] | None:
    """Return a backend with the kit's keys, and what it was given; ``None`` if it rejects them."""
    repeated = [{"_kit-\ufb01le": value} for value in (1, 2, 1)]
    given: list[Mapping[str, Any]] = [{**sample, **_first()}, _second(), _third(), *repeated]
    backend = _create_with(trial, given[0])
    if backend is None:
        backend = trial.new()
        given = [sample, _first(), *given[1:]]
    for config in given[1:]:
        _look_at_configuration(backend)
        if not _accepts(trial, backend, configuration(config)):
            return None
    return backend, given


def _create_with(trial: Trial, config: Mapping[str, Any]) -> Backend | None:
    """Return a backend created with *config*, or ``None`` if it rejects the kit's keys."""
    if trial.subject.cls is None:
        return None
    try:
        return trial.new(configuration(config))
    except StopTrial:
        return None


def _register_sample(trial: Trial, sample: Mapping[str, Any]) -> tuple[Backend, Configurations]:
    """Return a backend that was given the author's *sample* in two parts, and the parts."""
    if not sample:
        raise _rejects_unknown_keys()
    parts = [part for part in _split(sample) if part]
    backend = _create_with(trial, parts[0]) or trial.new()
    if not all(_accepts(trial, backend, configuration(part)) for part in parts):
        raise unchecked("register_config() rejects a part of the sample configuration")
    return backend, parts


def _split(sample: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two parts of *sample*: half of its keys each, or of those below its only key."""
    keys = list(sample)
    inner = sample[keys[0]]
    if len(keys) == 1 and isinstance(inner, Mapping) and inner:
        first, second = _split(cast("Mapping[str, Any]", inner))
        return {keys[0]: first}, {keys[0]: second} if second else {}
    half = (len(keys) + 1) // 2
    return {key: sample[key] for key in keys[:half]}, {key: sample[key] for key in keys[half:]}


def _merged_config(trial: Trial, backend: Backend, given: Configurations) -> Mapping[str, Any]:
    """Return what the hook shows, or else the backend's ``config``, if it is the merged one."""
    found: object = trial.hook("merged_config", backend)
    if found is None:
        found = getattr(backend, "config", None)
        is_base = BackendBase in type(backend).__mro__ and hasattr(backend, "config")
        if not is_base and not _shows(found, given):
            raise needs_a_suite("the merged configuration cannot be seen; define `merged_config`")
    if not isinstance(found, Mapping):
        raise violated(f"the merged configuration is {found!r}")
    return cast("Mapping[str, Any]", found)


def _shows(found: object, given: Configurations) -> bool:
    """Return whether *found* has keys that were registered after the first configuration."""
    first, *later = map(_paths, given)
    return bool((set[str]().union(*later) - first or first) & _paths(found))


def _paths(value: object, above: str = "") -> set[str]:
    """Return the paths of the keys at every depth, if *value* is a mapping."""
    if not isinstance(value, Mapping):
        return set()
    mapping = cast("Mapping[str, object]", value)
    deeper = (_paths(item, f"{above}/{key}") for key, item in mapping.items())
    return {f"{above}/{key}" for key in mapping}.union(*deeper)


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
    if _is_same(_thawed(cast("object", found)), _thawed(cast("object", expected))):
        return None
    return f"{path} is {found!r} in the merged configuration, expected {expected!r}"


def _thawed(value: object) -> object:
    """Return a list for a tuple, which a frozen configuration has in its place."""
    return [*cast("tuple[object, ...]", value)] if isinstance(value, tuple) else value


def _is_same(found: object, expected: object) -> bool:
    """Return whether two values are equal, as far as values of their kind can be compared."""
    # True equals 1, but is another value.
    if found == expected and isinstance(found, bool) is isinstance(expected, bool):
        return True
    return type(found) is type(expected) and copy.deepcopy(expected) != expected


_CONSTRUCTOR = "the constructor"


@tries(
    "BC205",
    """\
import aconfig, copy
given = [
    aconfig.Config({key: {"list": [n], str(n): n} for key in keys}, override_env_vars=False)
    for n, keys in enumerate(("a", "ab", "ab"))
]
before = copy.deepcopy([dict(config) for config in given])
for arguments in ((given[0],), (None,), ()):
    try:
        backend = make(*arguments)
    except TypeError:
        continue
    for config in ({}, *given):
        backend.start(); backend.stop()
        try:
            backend.register_config(config)
        except NotImplementedError:
            pass
        backend.start(); backend.stop()
    assert given == before, given""",
    after=("BC304",),  # which leaves nothing started; BC306, before it, may see a violation
)
def _try_configurations_stay_unchanged(trial: Trial) -> None:
    sample = trial.subject.sample
    given: list[tuple[str, ConfigType, object]] = []

    def keep(receiver: str, content: Mapping[str, Any]) -> ConfigType:
        """Return *content* as a configuration, and keep a copy to compare it with."""
        config = configuration(content)
        given.append((receiver, config, _snapshot(config)))
        return config

    backends, content = [trial.new()], {**sample, **_first()}
    if trial.subject.cls is not None:
        try:
            backends.append(trial.new(keep(_CONSTRUCTOR, content)))
        except StopTrial:  # it rejects the kit's keys
            content = dict(sample)
            backends.append(trial.new(keep(_CONSTRUCTOR, content)))
    for backend in backends:
        for number, keys in enumerate((_first(), _second(), sample, _third()), start=1):
            config = keep(f"call {number} of register_config()", {**sample, **keys})
            with trial.doing("register_config()"), suppress(BaseException):  # others report it
                close_coroutine(backend.register_config(config))
    if trial.can_start:
        # Without a registration, after which a backend may have a copy. BC306 starts one with.
        to_start = trial.new(keep(_CONSTRUCTOR, content)) if backends[1:] else backends[0]
        with trial.doing("start()", "start"), suppress(StopTrial):  # other clauses report it
            trial.start(to_start)
            trial.stop(to_start)
    for receiver, config, before in given:
        _require_unchanged(receiver, _snapshot(config), before, backends[0])
    if trial.subject.cls is None:
        raise unchecked("a factory was given; to check the constructor, give the class")


def _require_unchanged(receiver: str, now: object, before: object, backend: Backend) -> None:
    if now == before:
        return
    path, new, old = _first_change(now, before)
    advice = "Call `super().register_config(config)`, which merges into a copy."
    raise violated(
        f"the configuration given to {receiver} was changed: {path} is now {new!r}",
        f"{path} was {old!r}",
        advice=advice if isinstance(backend, BackendBase) and receiver != _CONSTRUCTOR else "",
    )


def _first_change(now: object, before: object, path: str = "") -> tuple[str, object, object]:
    """Return the path and both values of the first key that differs in two snapshots."""
    if not all(isinstance(each, Mapping) for each in (now, before)):
        return path, now, before
    new, old = cast("tuple[Mapping[str, object], Mapping[str, object]]", (now, before))
    pairs = {key: (new.get(key, _ABSENT), old.get(key, _ABSENT)) for key in {**old, **new}}
    # In lists, as in mappings, what is identical is equal.
    key = next(key for key, (value, earlier) in pairs.items() if [value] != [earlier])
    return _first_change(*pairs[key], f"{path}.{key}" if path else key)


def _snapshot(value: object) -> object:
    """Copy mappings and lists, but not the other values: their copies may not be equal to them."""
    if isinstance(value, Mapping):
        return {k: _snapshot(v) for k, v in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list):
        return [_snapshot(each) for each in cast("list[object]", value)]
    return value


@tries(
    "BC206",
    """\
import aconfig
backend = make()
config = aconfig.Config({"a": {"b": {"list": [1]}}}, override_env_vars=False)
backend.register_config(config)
config["a"]["b"]["list"].append("changed later")
config["changed later"] = config["a"]["changed later"] = config["a"]["b"]["changed later"] = 1
backend.register_config(aconfig.Config({}))
assert "changed later" not in str(backend.config), backend.config""",
)
def _try_changes_of_the_caller(trial: Trial) -> None:
    backend, sample = trial.new(), trial.subject.sample
    given, later = configuration({**sample, **_first()}), configuration(_second())
    shown: Configurations = [sample, _first()]
    if not _accepts(trial, backend, given):
        if not sample:
            raise _rejects_unknown_keys()
        backend, shown = trial.new(), [sample]
        given, later = configuration(sample), configuration(sample)
        _register(trial, backend, given)
    _change(given)
    for _ in ("now", "after another registration"):
        if _CHANGE in repr(_snapshot(_merged_config(trial, backend, shown))):
            raise violated("the caller changed the mapping, and the merged configuration changed")
        _accepts(trial, backend, later)


_CHANGE = "backend_contract_changed_by_the_caller"


def _change(value: object) -> None:
    """Add something to every mapping and list in *value*."""
    if isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        for each in mapping.values():
            _change(each)
        mapping[_CHANGE] = True
    elif isinstance(value, list):
        elements = cast("list[object]", value)
        for each in elements:
            _change(each)
        elements.append(_CHANGE)
