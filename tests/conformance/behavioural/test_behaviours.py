"""The clauses BC1xx to BC4xx, each tried alone, without a server: verdicts and messages.

``test_mutants.py`` proves with whole backends that each clause is violated by its mutants alone.
"""

from __future__ import annotations

import abc
import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import aconfig
import pytest

from backend_contract import BackendBase, LocalBackend
from backend_contract._conformance.behavioural.outcomes import unchecked
from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES

OK, VIOLATED, UNCHECKED = Verdict.OK, Verdict.VIOLATED, Verdict.UNCHECKED
NEEDS_A_SUITE = Verdict.NEEDS_A_SUITE


class Mine(LocalBackend):
    """A sound backend whose start() does some work."""

    backend_type = "MINE"

    def connect(self) -> None:
        pass

    def start(self) -> None:
        self.connect()
        self._started = True


def tried(clause: str, make: Any, **given: Any) -> Finding:
    with Kit(Subject(make=make, **given)) as kit:
        return kit.finding(CLAUSES[clause])


def said(clause: str, make: Any, **given: Any) -> tuple[Verdict, str]:
    """Return the verdict, and what was found or the reasons."""
    finding = tried(clause, make, **given)
    return finding.verdict, finding.found or "; ".join(finding.because)


# BC1xx


def test_name_differs() -> None:
    """The name must be that of the class, before and after a start."""

    class Differs(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.backend_type = "ANOTHER"  # type: ignore[misc]  # as an author without types

    class Changes(Mine):
        def start(self) -> None:
            super().start()
            self.backend_type = "SOME-OTHER"  # type: ignore[misc]  # as an author without types

    found = "backend_type is 'MINE' on the class, {!r} on a {} instance"
    assert said("BC102", Differs) == (VIOLATED, found.format("ANOTHER", "new"))
    assert said("BC102", Changes) == (VIOLATED, found.format("SOME-OTHER", "started"))
    assert said("BC102", Mine) == (OK, "")


def test_name_on_instance_only() -> None:
    """A name that only instances have violates BC102."""

    class OfInstances:
        def __get__(self, instance: object, owner: type) -> object:
            return 7 if instance is None else "MINE"

    cls = type("Mine", (Mine,), {"backend_type": OfInstances()})
    assert said("BC102", cls) == (VIOLATED, "backend_type, on the class, is 7")


def test_name_compared_by_value() -> None:
    """Names are compared by value, not by identity."""
    assert said("BC102", named("mine", str.upper)) == (OK, "")


def named(name: str, by: Callable[[str], str] = str) -> type[Mine]:
    """Return a backend whose name is computed when it is read."""

    class Computed:
        def __get__(self, instance: object, owner: type) -> str:
            return by(name)

    return type("Named", (Mine,), {"backend_type": Computed()})


@pytest.mark.parametrize(
    "name",
    ["Mine", "mine", "", "  ", " MINE", "MINE\n", "\N{MICRO SIGN}SERVICE"],
    ids=lambda name: ascii(name),
)
def test_name_not_upper_case(name: str) -> None:
    """A name that is empty, has surrounding whitespace or is not upper case violates BC103."""
    assert said("BC103", named(name)) == (VIOLATED, f"backend_type is {name!r}")
    assert said("BC103", named(f"M{name}M", str.upper)) == (OK, "")


def test_own_name() -> None:
    """A name that a base has too violates BC104, unless the base is abstract or a mixin."""

    class Same(Mine):
        backend_type = "MINE"

    class Own(Mine):
        backend_type = "OWN"

    class OfAMixin(type("Mixin", (), {"backend_type": "MIXED"}), Mine):  # type: ignore[misc]  # made here
        pass

    class Abstract(Mine):
        backend_type = "ABSTRACT"

        @abc.abstractmethod
        def connect(self) -> None: ...

    class Concrete(Abstract):
        def connect(self) -> None: ...

    class Informal(Mine):
        backend_type = "INFORMAL"

        def start(self) -> None:
            raise NotImplementedError(f"{type(self).__name__} has no start")

    class Formal(Informal):
        def start(self) -> None:
            self._started = True

    class Bare(BackendBase):
        backend_type = "BARE"
        register_config = Mine.register_config
        start = Mine.start
        stop = Mine.stop
        connect = Mine.connect

    found = f"backend_type is 'MINE', as in {Mine.__qualname__}"
    assert said("BC104", Same) == said("BC104", type("Kept", (Mine,), {})) == (VIOLATED, found)
    for cls in (Mine, Own, OfAMixin, Concrete, Formal, Bare):
        assert said("BC104", cls) == (OK, "")
    assert said("BC104", type("Kept", (Formal,), {}))[0] is VIOLATED


# BC201


class Strict(Mine):
    """Requires one key, and rejects all others."""

    def __init__(self, config: Any = None) -> None:
        self.check(config or {})
        super().__init__(config)

    def check(self, config: Mapping[str, Any]) -> None:
        if set(config) != {"address"}:
            raise ValueError("address is missing, or something is not known")

    def register_config(self, config: aconfig.Config) -> None:
        self.check(config)
        super().register_config(config)


SAMPLE = {"address": "here"}


class ForgetsItsBase(Mine):
    def __init__(self, config: Any = None) -> None:
        pass


def test_constructor_calls() -> None:
    """The constructor is called with a configuration, with nothing and with None."""
    given: list[Any] = []

    class Remembers(Mine):
        def __init__(self, *config: Any) -> None:
            given.append(config)
            super().__init__(*config)

    assert said("BC201", Remembers, config={"a": 1}) == (OK, "")
    assert given == [(aconfig.Config({"a": 1}),), (), (None,)]
    assert type(given[0][0]) is aconfig.Config


def test_factory_bc201() -> None:
    """A factory leaves BC201 unchecked."""
    why = "a factory was given; to check the constructor, give the class"
    assert said("BC201", lambda: Mine()) == (UNCHECKED, why)


def test_forgotten_base() -> None:
    """A missing call of the base constructor violates BC201 for a class and for a factory."""
    forgotten = "`__init__` does not call `super().__init__(config)`: the lock and"
    for make in (ForgetsItsBase, lambda: ForgetsItsBase()):
        verdict, found = said("BC201", make)
        assert verdict is VIOLATED
        assert found.startswith(forgotten)
        assert said("BC205", make) == said("BC401", make) == (Verdict.BLOCKED, "BC201")


def test_factory_fails_later() -> None:
    """A factory that fails later leaves BC201 unchecked."""
    made: list[Mine] = []

    def make_one() -> Mine:
        if made:
            raise OSError("no more")
        made.append(Mine())
        return made[0]

    verdict, because = said("BC201", make_one)
    assert verdict is UNCHECKED
    assert because.startswith("the factory raised OSError: no more (test_behaviours.py:")


def test_sample_configuration() -> None:
    """With a sample configuration, an empty one may be rejected."""

    class NeedsAnArgument(Mine):
        def __init__(self, config: Any) -> None:
            super().__init__(config)

    assert said("BC201", Strict, config=SAMPLE) == (OK, "")
    verdict, found = said("BC201", Strict)
    assert verdict is VIOLATED
    assert found.startswith(f"{Strict.__qualname__}(aconfig.Config({{}})) raised ValueError: ")
    verdict, found = said("BC201", NeedsAnArgument, config=SAMPLE)
    assert verdict is VIOLATED


def test_constructor_type_error() -> None:
    """With a sample configuration, only a TypeError of the call itself violates BC201."""

    class TakesNoNone(Mine):
        def __init__(self, *config: Any) -> None:
            if config == (None,):
                raise TypeError("no configuration")
            super().__init__(*config)

    verdict, found = said("BC201", TakesNoNone)
    assert verdict is VIOLATED
    assert found.startswith(f"{TakesNoNone.__qualname__}(None) raised TypeError: no configuration")
    assert said("BC201", TakesNoNone, config=SAMPLE) == (OK, "")


def test_incomplete() -> None:
    """A member that cannot be read violates BC201, and blocks the clauses that read it."""

    class Incomplete(Structural):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            if config is None:
                del self.is_started

    name = Incomplete.__qualname__
    verdict, found = said("BC201", Incomplete)
    assert verdict is VIOLATED
    assert found.startswith(f"{name}().is_started raised AttributeError: 'Incomplete' object has ")
    assert said("BC307", Incomplete) == (Verdict.BLOCKED, "BC201")
    assert said("BC201", lambda: Incomplete())[0] is VIOLATED
    assert said("BC307", lambda: Incomplete()) == (Verdict.BLOCKED, "BC201")
    assert said("BC201", Incomplete, config=SAMPLE)[0] is VIOLATED


def test_raising_member() -> None:
    """A member that raises anything but an AttributeError is there; its own clause is violated."""

    class Unreadable(Mine):
        @property
        def is_started(self) -> bool:
            raise OSError("no connection")

    assert said("BC201", Unreadable) == (OK, "")
    assert said("BC307", Unreadable)[0] is VIOLATED


# BC202, BC203


def registering(function: Any) -> type[Mine]:
    """Return a backend with this ``register_config``."""
    return type("Registering", (Mine,), {"register_config": function})


def raises(error: BaseException) -> Any:
    def register_config(self: Mine, config: Mapping[str, Any]) -> None:
        raise error

    return register_config


def test_not_dynamic() -> None:
    """Raising NotImplementedError every time keeps BC202 and BC203."""
    static = registering(raises(NotImplementedError()))
    assert said("BC202", static) == (OK, "")
    assert said("BC203", static) == (OK, "")


@pytest.mark.parametrize("error", [ValueError("no"), TypeError("no"), SystemExit("no")])
def test_registration_raises(error: BaseException) -> None:
    """An exception of register_config violates BC203, and leaves BC202 unchecked."""
    text = f"register_config() raised {type(error).__name__}: no (test_behaviours.py:"
    verdict, because = said("BC202", registering(raises(error)))
    assert verdict is UNCHECKED
    assert because.startswith(text)
    verdict, found = said("BC203", registering(raises(error)))
    assert verdict is VIOLATED
    assert found.startswith(text)


def test_registration_hidden_signature() -> None:
    """A call that does not bind violates BC202 even if the class hides the signature."""

    def passes_on(self: Mine, *arguments: Any) -> Any:
        return fits_not(*arguments)

    def hides(*arguments: Any, **named: Any) -> Any:
        raise AssertionError("it is never called")

    def fits_not() -> None:
        pass

    class Hidden:
        """Shows another function on the class than on an instance."""

        def __get__(self, instance: object, owner: type) -> Any:
            return fits_not if instance is not None else hides

    verdict, found = said("BC202", registering(Hidden()))
    assert verdict is VIOLATED
    assert found.startswith("register_config() raised TypeError: ")
    assert said("BC202", registering(passes_on))[0] is UNCHECKED  # the error is inside


def test_registration_returns() -> None:
    """A return value of register_config violates BC202."""
    fluent = registering(lambda self, config: 3)
    assert said("BC202", fluent) == (VIOLATED, "register_config() returned 3")


def test_registration_unknown_keys() -> None:
    """A backend that rejects unknown keys needs a sample configuration."""

    class KnowsItsKeys(Mine):
        def register_config(self, config: aconfig.Config) -> None:
            if set(config) - {"address"}:
                raise ValueError("not known")
            super().register_config(config)

    why = "register_config() rejects unknown keys; give a sample configuration"
    assert said("BC203", KnowsItsKeys) == (UNCHECKED, why)
    assert said("BC203", KnowsItsKeys, config=SAMPLE) == (OK, "")
    assert said("BC203", Strict, config=SAMPLE) == (OK, "")
    assert said("BC204", KnowsItsKeys) == (UNCHECKED, why)
    assert said("BC204", KnowsItsKeys, config=SAMPLE) == (OK, "")
    assert said("BC204", Strict, config=SAMPLE) == (OK, "")


def test_merging_known_keys() -> None:
    """If a backend rejects unknown keys, the sample is registered in two parts."""

    class Replaces(Mine):
        def register_config(self, config: Mapping[str, Any]) -> None:
            if set(config) - {"host", "port"}:
                raise ValueError("not known")
            self.config = aconfig.Config(dict(config), override_env_vars=False)

    sample = {"host": "here", "port": 1}
    verdict, why = said("BC204", Replaces, config=sample)
    assert verdict is VIOLATED
    assert why.startswith("host is absent in the merged configuration")

    class Whole(Mine):
        def register_config(self, config: Mapping[str, Any]) -> None:
            if set(config) != {"host", "port"}:
                raise ValueError("incomplete")
            super().register_config(aconfig.Config(dict(config)))

    verdict, why = said("BC204", Whole, config=sample)
    assert verdict is UNCHECKED
    assert "rejects a part of the sample" in why


@pytest.mark.parametrize("sample", [None, SAMPLE])
@pytest.mark.parametrize("accepted", range(1, 3))
def test_registration_tires(accepted: int, sample: Any) -> None:
    """A configuration that was accepted must be accepted again."""

    class Tires(Mine):
        calls = 0

        def register_config(self, config: aconfig.Config) -> None:
            if set(config) - set(SAMPLE):
                raise ValueError("not known")
            self.calls += 1
            if self.calls > accepted:
                raise OSError("enough")

    verdict, found = said("BC203", Tires, config=sample)
    assert verdict is VIOLATED
    assert found.startswith("register_config() raised OSError: enough (")


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_registration_changes(dynamic: bool, known: bool) -> None:
    """A backend may not change between dynamic and not dynamic."""

    class Changes(Mine):
        calls = 0

        def register_config(self, config: aconfig.Config) -> None:
            if known and set(config) - set(SAMPLE):
                raise ValueError("not known")
            self.calls += 1
            if (self.calls < 3) is not dynamic:
                raise NotImplementedError

    verdict, found = said("BC203", Changes, config=SAMPLE)
    assert verdict is VIOLATED
    assert found == "register_config() raised NotImplementedError once, and accepted another call"


# BC204, BC205


def test_merging_not_applicable() -> None:
    """BC204 does not apply to a backend that is not dynamic."""
    static = registering(raises(NotImplementedError()))
    why = "register_config() raises NotImplementedError"
    assert said("BC204", static) == (Verdict.NOT_APPLICABLE, why)


class Structural:
    """Inherits nothing, and does not show the merged configuration."""

    backend_type = "STRUCTURAL"

    def __init__(self, config: Any = None) -> None:
        self.merged = dict(Mine(config).config)
        self.is_started = False
        self.lock = threading.RLock()

    def register_config(self, config: aconfig.Config) -> None:
        mine = Mine(self.merged)
        mine.register_config(config)
        self.merged = dict(mine.config)

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> Any:
        return self.lock

    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        pass


def test_merged_config() -> None:
    """The merged configuration is seen by the hook, or as `config`."""

    class ShowsAnother(Structural):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.config = {"another": 1}

    class Shows(Structural):
        @property
        def config(self) -> Any:
            return self.merged

    why = "the merged configuration cannot be seen; define `merged_config`"
    assert said("BC204", Structural) == (NEEDS_A_SUITE, why)
    assert said("BC204", ShowsAnother) == (NEEDS_A_SUITE, why)
    assert said("BC204", Shows) == (OK, "")
    assert said("BC204", Mine) == (OK, "")
    assert said("BC204", lambda: Mine()) == (OK, "")
    assert said("BC204", Structural, merged_config=lambda backend: backend.merged) == (OK, "")
    found = "the merged configuration is 3"
    assert said("BC204", Mine, merged_config=lambda backend: 3) == (VIOLATED, found)


@pytest.mark.parametrize(
    ("merged", "found"),
    [
        ({"backend_contract": 3}, "backend_contract is 3 in the merged configuration, expected {"),
        ({"backend_contract": {}}, "backend_contract.kept is absent in the merged configuration,"),
        ({"backend_contract": {"kept": True}}, "backend_contract.kept is True in the merged"),
        ({"backend_contract": {"kept": 1, "switch": 0}}, "backend_contract.switch is 0 in the"),
        ({"backend_contract": {"kept": 2}}, "backend_contract.kept is 2 in the merged"),
        ({}, "backend_contract is absent in the merged configuration, expected {"),
    ],
    ids=["no mapping", "absent", "True for 1", "0 for False", "another", "nothing"],
)
def test_merged_difference(merged: Any, found: str) -> None:
    """The first difference is named by its path."""
    verdict, difference = said("BC204", Mine, merged_config=lambda backend: merged)
    assert verdict is VIOLATED
    assert difference.startswith(found)


def test_merged_sample() -> None:
    """The sample must be part of the result, and the backend may add keys."""

    class Drops(Mine):
        def register_config(self, config: aconfig.Config) -> None:
            super().register_config(config)
            del self.config["address"]

    class Adds(Mine):
        def register_config(self, config: aconfig.Config) -> None:
            mine = {"backend_contract": {"mine": 1}, "mine": 1}
            super().register_config(aconfig.Config(mine))
            super().register_config(config)

    class DropsOnce(Drops):
        def register_config(self, config: aconfig.Config) -> None:
            self.config.setdefault("address", None)
            super().register_config(config)

    found = "address is absent in the merged configuration, expected 'here'"
    assert said("BC204", DropsOnce, config=SAMPLE) == (VIOLATED, found)
    assert said("BC204", Adds, config=SAMPLE) == (OK, "")


def test_merged_by_registration() -> None:
    """Keys that the constructor rejects are registered instead."""

    class KnowsItsKeysWhenMade(Mine):
        def __init__(self, config: Any = None) -> None:
            if set(config or {}) - set(SAMPLE):
                raise ValueError("not known")
            super().__init__(config)

    assert said("BC204", KnowsItsKeysWhenMade) == (OK, "")
    assert said("BC204", KnowsItsKeysWhenMade, config=SAMPLE) == (OK, "")


def test_config_of_the_constructor_alone() -> None:
    """A `config` that shows no registration is not taken for the merged one."""

    class KeepsItApart(Structural):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.config = dict(config or {})

    why = "the merged configuration cannot be seen; define `merged_config`"
    for clause in ("BC204", "BC206"):
        assert said(clause, KeepsItApart) == (NEEDS_A_SUITE, why)
        assert said(clause, KeepsItApart, config=SAMPLE) == (NEEDS_A_SUITE, why)


def test_values_without_equality() -> None:
    """Values of a sample that cannot be compared are not taken for changed ones."""
    sample = {"client": object(), "nested": {"a": float("nan"), "b": [1]}}
    for clause in ("BC204", "BC205", "BC206"):
        assert said(clause, Mine, config=sample) == (OK, "")


def test_environment_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """BC204 sets an environment variable, and restores it."""
    assert said("BC204", Mine) == (OK, "")
    assert "BACKEND_CONTRACT_KEPT" not in os.environ
    monkeypatch.setenv("BACKEND_CONTRACT_KEPT", "mine")
    assert said("BC204", Mine) == (OK, "")
    assert os.environ["BACKEND_CONTRACT_KEPT"] == "mine"


def test_split_section() -> None:
    """A sample with a single section is split inside of it."""

    class Server(Mine):
        def register_config(self, config: Mapping[str, Any]) -> None:
            if set(config) - {"server"}:
                raise ValueError("not known")
            super().register_config(aconfig.Config(dict(config)))

    class Replaces(Server):
        def register_config(self, config: Mapping[str, Any]) -> None:
            super().register_config(config)
            self.config = aconfig.Config(dict(config))

    sample = {"server": {"host": "here", "port": 1}}
    assert said("BC204", Server, config=sample) == (OK, "")
    found = "server.host is absent in the merged configuration, expected 'here'"
    assert said("BC204", Replaces, config=sample) == (VIOLATED, found)


def test_changes_of_the_caller() -> None:
    """BC206 does not apply to a backend that is not dynamic, and uses the sample if it must."""
    static = registering(raises(NotImplementedError()))
    why = "register_config() raises NotImplementedError"
    assert said("BC206", static) == (Verdict.NOT_APPLICABLE, why)

    class KnowsItsKeys(Mine):
        def register_config(self, config: aconfig.Config) -> None:
            if set(config) - {"server"}:
                raise ValueError("not known")
            super().register_config(config)

    class Shares(KnowsItsKeys):
        def register_config(self, config: aconfig.Config) -> None:
            super().register_config(config)
            self.config.update(config)

    sample = {"server": {"host": "here"}}
    found = "the caller changed the mapping, and the merged configuration changed"
    assert said("BC206", KnowsItsKeys, config=sample) == (OK, "")
    assert said("BC206", Shares, config=sample) == (VIOLATED, found)
    assert said("BC206", Shares)[0] is UNCHECKED


def test_changed_configuration() -> None:
    """BC205 names the receiver of the configuration that changed, and the first such key."""

    class ChangesWhatItWasMadeWith(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            if config is not None:
                config["mine"] = 1

    def change(self: Mine, config: Any) -> None:
        del config["backend_contract"]["deeper"]["kept"]

    finding = tried("BC205", ChangesWhatItWasMadeWith, config=SAMPLE)
    assert finding.verdict is VIOLATED
    found = "the configuration given to the constructor was changed: mine is now 1"
    assert (finding.found, finding.because) == (found, ("mine was absent",))
    for make in (registering(change), lambda: registering(change)()):
        finding = tried("BC205", make)
        found = "the configuration given to call 1 of register_config() was changed: "
        assert finding.verdict is VIOLATED
        assert finding.found == f"{found}backend_contract.deeper.kept is now absent"
        assert finding.because == ("backend_contract.deeper.kept was [{'kept': 1}]",)


def test_factory_bc205() -> None:
    """A factory leaves the constructor's half of BC205 unchecked."""
    why = "a factory was given; to check the constructor, give the class"
    assert said("BC205", lambda: Mine()) == (UNCHECKED, why)


def test_changed_sample() -> None:
    """A constructor that rejects unknown keys receives the sample alone."""

    class Changes(Strict):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            if config is not None:
                config["mine"] = 1

    found = "the configuration given to the constructor was changed: mine is now 1"
    assert said("BC205", Changes, config=SAMPLE) == (VIOLATED, found)
    assert said("BC205", Strict, config=SAMPLE) == (OK, "")


# BC3xx


def test_started_too_soon() -> None:
    """A new backend that is started violates BC301; the message says who started it."""

    def started() -> Mine:
        backend = Mine()
        backend.start()
        return backend

    class StartsWhenMade(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self._started = True

    class StartsIfConfigured(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self._started = bool(config)

    found = "is_started is True on a new backend"
    assert said("BC301", StartsWhenMade) == (VIOLATED, found)
    assert said("BC301", started) == (VIOLATED, f"{found}; the factory must not start it")
    assert said("BC301", StartsIfConfigured) == (VIOLATED, f"{found} that got a configuration")


class Server(Mine):
    """A sound backend that counts its starts and stops; subclasses break it."""

    starts = stops = 0

    def start(self) -> None:
        self.starts += 1
        super().start()

    def stop(self) -> None:
        self.stops += 1
        super().stop()


class StaysStopped(Server):
    def start(self) -> None:
        self.starts += 1


class StaysStarted(Server):
    def stop(self) -> None:
        self.stops += 1


class CannotStart(Server):
    def start(self) -> None:
        raise OSError("no")


class StartsOnce(Server):
    def start(self) -> None:
        super().start()
        if self.stops and self.starts > 1:
            raise OSError("no")


class StartsTwice(Server):
    def start(self) -> None:
        super().start()
        if self.stops and self.starts > 2:
            raise OSError("no")


class Toggles(Server):
    def start(self) -> None:
        self._started = not self._started


class CountsStarts(Server):
    def stop(self) -> None:
        self.starts = max(self.starts - 1, 0)
        self._started = self.starts > 0


class ClosedBeforeItWasOpen(Server):
    def start(self) -> None:
        super().start()
        if self.starts <= self.stops:
            raise OSError("no")


class CannotStopWhenNew(Server):
    def stop(self) -> None:
        if not self.starts:
            raise OSError("no")
        super().stop()


class CannotStopTwice(Server):
    def stop(self) -> None:
        if self.starts and not self._started:
            raise OSError("no")
        super().stop()


class OwesAStop(Server):
    """Must be started as often as it was stopped, not counting stops before the first start."""

    def start(self) -> None:
        self.stops = max(self.stops - 1, 0) if self.starts else 0
        super().start()
        self._started = not self.stops


@pytest.mark.parametrize(
    ("clause", "cls", "found"),
    [
        ("BC302", StaysStopped, "is_started is False after start() returned"),
        ("BC303", StaysStarted, "is_started is True after stop() returned"),
        ("BC304", StartsOnce, ""),
        ("BC304", StaysStarted, ""),
        ("BC304", Toggles, "is_started is False after start(), on a started backend, returned"),
        ("BC304", CountsStarts, "is_started is True after stop(), after start() was called twice,"),
        ("BC305", Server, ""),
        ("BC305", CannotStart, ""),
        ("BC305", StartsOnce, ""),
        ("BC305", StaysStarted, ""),
        ("BC305", ClosedBeforeItWasOpen, "start(), after stop() on a new backend, raised OSError"),
        ("BC305", CannotStopWhenNew, "stop(), on a new backend, raised OSError: no ("),
        ("BC305", CannotStopTwice, "stop(), on a stopped backend, raised OSError: no ("),
        ("BC305", OwesAStop, "is_started is False after start(), after stop() on a stopped back"),
        ("BC306", StartsOnce, "start(), for the second time, raised OSError: no ("),
        ("BC306", StartsTwice, "start(), for the third time, raised OSError: no ("),
        ("BC306", Toggles, ""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_lifecycle_call(clause: str, cls: type[Mine], found: str) -> None:
    """The call that violates a clause is named."""
    verdict, text = said(clause, cls)
    assert verdict is (VIOLATED if found else OK)
    assert text.startswith(found)


def test_shared_by_instances() -> None:
    """BC312 names what one backend shows of another."""

    class StartsAll(Mine):
        started = False

        @property
        def is_started(self) -> bool:
            return type(self).started

        def start(self) -> None:
            type(self).started = True

        def stop(self) -> None:
            type(self).started = False

    one = Mine()
    found = "is_started is True on another backend after start()"
    assert said("BC312", StartsAll) == (VIOLATED, found)
    assert said("BC312", Mine) == (OK, "")
    assert said("BC312", lambda: Mine()) == (OK, "")
    verdict, because = said("BC312", lambda: one)
    assert (verdict, because[:28]) == (UNCHECKED, "the factory returned the sam")


def test_left_behind() -> None:
    """BC310 counts only what is added at every start and stays; BC313 what stop() leaves."""

    class Keeps(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.ended = threading.Event()

        def start(self) -> None:
            if not self._started:
                threading.Thread(target=self.ended.wait, name="kept", daemon=True).start()
            super().start()

    class KeepsOne(Keeps):
        kept = False

        def start(self) -> None:
            if self.kept:
                self._started = True
            else:
                super().start()
            self.kept = True

    verdict, found = said("BC310", Keeps)
    assert verdict is VIOLATED
    assert found.startswith("after 4 starts and stops, these are left: 3 threads: 'kept' (")
    assert said("BC310", KeepsOne) == (OK, "")


def test_start_in_main_thread_only() -> None:
    """A start that only succeeds in the main thread violates BC302, with advice."""

    class HandlesSignals(Mine):
        def start(self) -> None:
            if threading.current_thread() is not threading.main_thread():
                raise ValueError("signal only works in main thread")
            super().start()

    finding = tried("BC302", HandlesSignals)
    assert finding.verdict is VIOLATED
    assert finding.found.startswith("in a thread other than the main one, start() raised ValueErr")
    assert "leave to the runtime what only the main thread may do" in finding.advice


def test_reading_is_started() -> None:
    """Reading must return a bool, and change nothing."""

    class Flips(Mine):
        reads = 0

        @property
        def is_started(self) -> bool:
            self.reads += 1
            return self.reads % 2 == 0

    class Number(Mine):
        @property
        def is_started(self) -> bool:
            return int(self._started)  # type: ignore[return-value]  # wrong on purpose

    class Cached(Mine):
        cached: bool

        @property
        def is_started(self) -> bool:
            if not hasattr(self, "cached"):
                self.cached = self._started
            return self.cached

    found = "is_started is False on a new backend, and True when read again"
    assert said("BC307", Flips) == (VIOLATED, found)
    assert said("BC307", Number) == (VIOLATED, "is_started is 0 on a new backend")
    found = "after start(), is_started is False if it was read before, otherwise True"
    assert said("BC307", Cached) == (VIOLATED, found)


PLUGGED: dict[str, Any] = {"during_start": lambda backend, call: setattr(backend, "connect", call)}
NOTHING: dict[str, Any] = {"during_start": lambda backend, call: None}


@pytest.mark.parametrize("clause", ["BC308", "BC405"])
def test_during_start_hook(clause: str) -> None:
    """BC308 and BC405 need a hook whose function is called."""
    verdict, because = said(clause, Mine)
    assert verdict is NEEDS_A_SUITE
    assert "define `during_start`" in because
    why = "start() returned without calling the function given to `during_start`"
    assert said(clause, Mine, **NOTHING) == (UNCHECKED, why)
    assert said(clause, Mine, **PLUGGED) == (OK, "")


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no")])
def test_during_start_raises(error: BaseException) -> None:
    """A start that fails because of the hook leaves BC308 unchecked."""

    def fail() -> None:
        raise error

    class Fails(Mine):
        def start(self) -> None:
            getattr(self, "before", lambda: None)()
            super().start()

    given = {"during_start": lambda backend, call: setattr(backend, "before", fail)}
    verdict, because = said("BC308", Fails, **given)
    assert verdict is UNCHECKED
    assert because.startswith(f"start() raised {type(error).__name__}: no (test_behaviours.py:")
    assert because.endswith(" before calling the function given to `during_start`")


def test_during_held_start_raises() -> None:
    """A held start that fails because of the hook leaves BC405 unchecked."""

    def plug_in(backend: Any, call: Any) -> None:
        def connect() -> None:
            call()
            raise ValueError("no")

        backend.connect = connect

    verdict, because = said("BC405", Mine, during_start=plug_in)
    assert verdict is UNCHECKED
    assert because.startswith("start(), with `during_start`, raised ValueError: no (")


def test_outcome_during_start() -> None:
    """An outcome that is raised inside start() is the result."""

    def plug_in(backend: Any, call: Any) -> None:
        def connect() -> None:
            call()
            raise unchecked("the time is over")

        backend.connect = connect

    assert said("BC405", Mine, during_start=plug_in) == (UNCHECKED, "the time is over")


def test_failed_start() -> None:
    """BC308 names the state after a failed start."""

    class Swallows(Mine):
        def start(self) -> None:
            with contextlib.suppress(OSError):
                self.connect()
            self._started = True

    class GivesUp(Mine):
        def start(self) -> None:
            with contextlib.suppress(OSError):
                super().start()

    class Claims(Mine):
        def start(self) -> None:
            self._started = True
            super().start()

    swallowed = "after start() suppressed a failure and returned"
    assert said("BC308", Swallows, **PLUGGED) == (VIOLATED, f"is_started is True {swallowed}")
    assert said("BC308", GivesUp, **PLUGGED) == (VIOLATED, f"is_started is False {swallowed}")
    verdict, found = said("BC308", Claims, **PLUGGED)
    assert verdict is VIOLATED
    assert found.startswith("is_started is True after start() raised InjectedError: raised by the ")


@pytest.mark.parametrize("name", ["start", "stop"])
def test_start_with_argument(name: str) -> None:
    """A required argument violates BC309, even if only instances show it."""

    class Wants(Mine):
        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            setattr(self, name, lambda timeout: None)  # the class does not show it

    verdict, found = said("BC309", Wants)
    assert verdict is VIOLATED
    assert found.startswith(f"{name}() raised TypeError: ")


def test_start_raises() -> None:
    """An exception of start() or stop() leaves BC309 unchecked."""

    class CannotStart(Mine):
        def start(self) -> None:
            sys.exit("no")

    class CannotStop(Mine):
        def stop(self) -> None:
            raise TypeError("no")

    verdict, because = said("BC309", CannotStart)
    assert verdict is UNCHECKED
    assert because.startswith("start() raised SystemExit: no (test_behaviours.py:")
    verdict, because = said("BC309", CannotStop)
    assert verdict is UNCHECKED
    assert because.startswith("stop() raised TypeError: no (test_behaviours.py:")


# BC4xx


def test_not_a_context_manager() -> None:
    """Half a context manager violates BC401."""

    class Half:
        def __enter__(self) -> None:
            pass

        def __repr__(self) -> str:
            return "half"

    class OtherHalf:
        def __exit__(self, *error: object) -> None:
            pass

        def __repr__(self) -> str:
            return "half"

    for half in (Half, OtherHalf):
        cls = type("Halved", (Mine,), {"start_lock": lambda self, half=half: half()})
        assert said("BC401", cls) == (VIOLATED, "start_lock() returned half")


def test_lock_decorators() -> None:
    """A decorated lock is judged by use: arguments, async and a missing decorator."""

    def locked(self: Any) -> Any:
        with self._start_lock:
            yield

    def waits(self: Any, timeout: float) -> Any:
        yield

    async def later(self: Any) -> Any:
        yield

    for function, found in (
        (contextlib.contextmanager(locked), ""),
        (contextlib.contextmanager(waits), "start_lock() raised TypeError: "),
        (contextlib.asynccontextmanager(later), "start_lock() returned <"),
        (locked, "start_lock() returned <generator"),
    ):
        verdict, text = said("BC401", type("Locking", (Mine,), {"start_lock": function}))
        assert verdict is (VIOLATED if found else OK)
        assert text.startswith(found)


def test_wrong_annotations() -> None:
    """Annotations are not judged by use, however wrong they are."""

    class Annotated(Mine):
        def __init__(self, config: int | None = None) -> None:
            super().__init__(config)  # type: ignore[arg-type]  # wrong on purpose

        def register_config(self, config: int) -> None:  # type: ignore[override]  # wrong on purpose
            super().register_config(config)  # type: ignore[arg-type]  # wrong on purpose

        def start_lock(self) -> int:  # type: ignore[override]  # wrong on purpose
            return self._start_lock  # type: ignore[return-value]  # wrong on purpose

        def start(self) -> not_there:  # type: ignore[name-defined]  # noqa: F821 - wrong on purpose
            super().start()

    for clause in ("BC101", "BC201", "BC202", "BC307", "BC309", "BC401"):
        assert said(clause, Annotated) == (OK, "")


def test_wrapped_start() -> None:
    """A decorated method is judged by what it does, not by what it wraps."""

    def decorated(result: object) -> Any:
        @functools.wraps(Mine.start)
        def start(self: Any, *arguments: Any) -> Any:
            Mine.start(self, *arguments)
            return result

        return type("Decorated", (Mine,), {"start": start})

    assert said("BC309", decorated(None)) == (OK, "")
    assert said("BC309", decorated(3)) == (VIOLATED, "start() returned 3")


def test_two_threads_inside() -> None:
    """BC402 names the context manager by which the second thread entered."""

    class NoLock(Mine):
        def start_lock(self) -> Any:
            return threading.RLock()

    class LocksLaterThan(Mine):
        """Context managers that were returned while the lock was free lock nothing."""

        inside = False

        def start_lock(self) -> Any:
            return self.locked(self.inside)

        @contextlib.contextmanager
        def locked(self, anybody: bool) -> Any:
            if anybody or not self.inside:
                with self._start_lock:
                    self.inside = True
                    try:
                        yield
                    finally:
                        self.inside = False
            else:
                yield

    found = "two threads were inside: the second used the context manager of"
    assert said("BC402", NoLock) == (VIOLATED, f"{found} another call")
    assert said("BC402", LocksLaterThan) == (VIOLATED, f"{found} an earlier call")


def test_lock_suppresses() -> None:
    """A lock that suppresses exceptions violates BC403."""

    class Swallows(Mine):
        def start_lock(self) -> Any:
            return self.locked()

        @contextlib.contextmanager
        def locked(self) -> Any:
            with self._start_lock, contextlib.suppress(OSError):
                yield

    verdict, found = said("BC403", Swallows)
    assert verdict is VIOLATED
    assert found.startswith("the lock suppressed the InjectedError of the body")
    assert said("BC403", Mine) == (OK, "")


def test_members_under_lock() -> None:
    """BC404 names the member that fails under the lock."""

    class NeedsItsLock(Mine):
        """Its members fail while the lock is held."""

        def __init__(self, config: Any = None) -> None:
            super().__init__(config)
            self.lock = threading.Lock()

        def start_lock(self) -> Any:
            return self.lock

        def free(self) -> None:
            if self.lock.locked():
                raise RuntimeError("a thread has the lock")

    class ToStart(NeedsItsLock):
        def start(self) -> None:
            self.free()
            super().start()

    class ToStop(NeedsItsLock):
        def stop(self) -> None:
            self.free()
            super().stop()

    class ToLook(NeedsItsLock):
        @property
        def is_started(self) -> bool:
            self.free()
            return super().is_started

    for cls, what in ((ToStart, "start()"), (ToStop, "stop()"), (ToLook, "is_started")):
        verdict, found = said("BC404", cls)
        assert verdict is VIOLATED
        assert found.startswith(f"{what}, under the lock, raised RuntimeError: a thread has the")
    assert said("BC404", NeedsItsLock) == said("BC404", Mine) == (OK, "")


@pytest.mark.exhaustive
def test_started_early() -> None:
    """BC405 is violated at work, and while waiting for the lock."""

    class TooEarly(Mine):
        def start(self) -> None:
            self._started = True
            self.connect()

    class BeforeTheLock(Mine):
        def start(self) -> None:
            self._started = True
            with self._start_lock:
                self.connect()

    class UnderTheLock(Mine):
        def start(self) -> None:
            with self._start_lock:
                super().start()

    found = "is_started was True in another thread while start() was still working"
    assert said("BC405", TooEarly, **PLUGGED) == (VIOLATED, found)
    found = "is_started was True while start() was still waiting for the lock"
    assert said("BC405", BeforeTheLock) == (VIOLATED, found)
    assert said("BC405", BeforeTheLock, **PLUGGED) == (VIOLATED, found)
    assert said("BC405", UnderTheLock, **PLUGGED) == (OK, "")
