"""Backends that each violate one clause, and no other, as a real author would.

They are unannotated, so only their behaviour gives them away. Each comes with all three hooks, so
no clause is undecided for lack of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import enum
import functools
import os
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, NamedTuple, TypeVar

import aconfig

from backend_contract import LocalBackend
from backend_contract.runtime_context import get_metadata, is_grpc_context, is_http_context

T = TypeVar("T")

HANGS = 5.0
"""The time limit for a mutant that hangs, in seconds."""


class Mutant(NamedTuple):
    """A backend, and the one clause that it violates."""

    clause: str
    cls: type
    given: dict[str, Any]
    """The options for ``check_backend``."""


MUTANTS: list[Mutant] = []

HOOKS: dict[str, Any] = {
    "merged_config": lambda backend: backend.config,
    "during_start": lambda backend, call: setattr(backend, "connect", call),
    "received_contexts": lambda backend: list(backend.routes),
}


def named(cls):
    """Give a class a name of its own, unless it inherits none or has one."""
    if "backend_type" not in vars(cls) and hasattr(cls, "backend_type"):
        cls.backend_type = cls.__name__.upper()
    return cls


def violates(clause, hangs=False, **given):
    def add(cls):
        if clause != "BC104":
            named(cls)
        limit = {"time_limit": HANGS} if hangs else {}
        MUTANTS.append(Mutant(clause, cls, {**HOOKS, **limit, **given}))
        return cls

    return add


# The sound backends that the mutants are made from.


class Inheriting(LocalBackend):
    """Inherits as much as possible."""

    backend_type = "INHERITING"

    def __init__(self, config=None):
        super().__init__(config)
        self.routes = []

    def connect(self):
        """The work of `start`, which may fail."""

    def start(self):
        if not self._started:
            self.connect()
            self._started = True

    def handle_runtime_context(self, model_id, runtime_context):
        self.routes.append((model_id, get_metadata(runtime_context, "x-route-info")))


def merge(earlier, later):
    merged = copy.deepcopy(dict(earlier))
    for key, value in copy.deepcopy(dict(later)).items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


class Structural:
    """Inherits nothing, declares nothing."""

    backend_type = "STRUCTURAL"

    def __init__(self, config=None):
        self.config = copy.deepcopy(dict(config or {}))
        self.is_started = False
        self.lock = threading.RLock()
        self.routes = []

    def register_config(self, config):
        self.config = merge(self.config, config)

    def connect(self):
        pass

    def start(self):
        if not self.is_started:
            self.connect()
            self.is_started = True

    def stop(self):
        self.is_started = False

    def start_lock(self):
        return self.lock

    def handle_runtime_context(self, model_id, runtime_context):
        self.routes.append((model_id, get_metadata(runtime_context, "x-route-info")))


GOOD = [Inheriting, Structural]


# BC101


@violates("BC101")
class NamedByBytes(Inheriting):
    backend_type = b"MINE"


@violates("BC101")
class NamedByMethod(Structural):
    """Forgot @property."""

    def backend_type(self):
        return "MINE"


class Kind(enum.Enum):
    MINE = "MINE"


@violates("BC101")
class NamedByEnumeration(Structural):
    @property
    def backend_type(self):
        return Kind.MINE


@violates("BC101")
class Nameless(Structural):
    backend_type = None


# BC102


@violates("BC102")
class NamedByInstance(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.backend_type = "MINE"


@violates("BC102")
class NamedByProperty(Inheriting):
    @property
    def backend_type(self):
        return "MINE"


@violates("BC102")
class RenamedWhenStarted(Structural):
    def start(self):
        super().start()
        self.backend_type = "STRUCTURAL-8033"


@violates("BC102")
class NamedByItsConfiguration(Inheriting):
    def __init__(self, config=None):
        super().__init__(config)
        self.backend_type = self.config.get("name", "CONFIGURED")


# BC103


@violates("BC103")
class NamedInMixedCase(Inheriting):
    backend_type = "Inheriting"


@violates("BC103")
class NamedByNothing(Structural):
    backend_type = ""


@violates("BC103")
class NamedByBlanks(Structural):
    backend_type = "  "


class NameOfTheClass:
    def __get__(self, instance, owner):
        return owner.__name__


@violates("BC103")
class NamedAsItsClass(Structural):
    backend_type = NameOfTheClass()


@violates("BC103")
class NamedWithALineBreak(Inheriting):
    backend_type = "INHERITING\n"


# BC104


@violates("BC104")
class KeepsTheNameOfItsBase(Inheriting):
    pass


@violates("BC104")
class KeepsTheNameOfAStructuralBase(Structural):
    def connect(self):
        pass


@violates("BC104")
class RepeatsTheNameOfItsBase(Inheriting):
    backend_type = "INHERITING"


class Labelled:
    label = "none"


@violates("BC104")
class NamedBelowAMixin(Labelled, Structural, Generic[T]):
    pass


# BC201


@violates("BC201")
class NeedsWorkers(Inheriting):
    def __init__(self, config, workers):
        super().__init__(config)
        self.workers = workers


@violates("BC201")
class ConfiguredByKeyword(Structural):
    def __init__(self, *, config=None):
        super().__init__(config)


@violates("BC201")
class TakesNoConfiguration(Structural):
    def __init__(self):
        super().__init__()


@violates("BC201")
class CannotDoWithoutConfiguration(Structural):
    """Fails without a configuration."""

    def __init__(self, config=None):
        super().__init__(config)
        self.workers = config.get("workers", 1)


@violates("BC201")
class TakesPlainDictionariesOnly(Structural):
    def __init__(self, config=None):
        if config is not None and type(config) is not dict:
            raise TypeError("config is not a dict")
        super().__init__(config)


@violates("BC201")
class ForgetsItsBase(LocalBackend):
    """Forgot super().__init__(config)."""

    backend_type = "FORGETS"

    def __init__(self, config=None):
        self.routes = []


@violates("BC201")
class LacksItsLockWithoutConfiguration(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        if config is None:
            del self.lock

    @property
    def start_lock(self):
        lock = self.lock
        return lambda: lock


@violates("BC201")
class FlagComesWithItsConfiguration(Inheriting):
    def __init__(self, config=None):
        super().__init__(config)
        if config is None:
            del self._started


@violates("BC201")
class LacksItsFlag(Structural):
    """Sets the flag in `start` and `stop` only."""

    def __init__(self, config=None):
        super().__init__(config)
        del self.is_started


# BC202


@violates("BC202")
class NeedsToKnowWhetherToOverwrite(Inheriting):
    def register_config(self, config, overwrite):
        super().register_config(config)


@violates("BC202")
class RegistersByKeyword(Structural):
    def register_config(self, **config):
        super().register_config(config)


@violates("BC202")
class RegistersFluently(Structural):
    def register_config(self, config):
        super().register_config(config)
        return self


@violates("BC202")
class RegistersAsynchronously(Inheriting):
    async def register_config(self, config):
        super().register_config(config)


@violates("BC202")
class SaysWhetherItChanged(Structural):
    def register_config(self, config):
        before = self.config
        super().register_config(config)
        return self.config != before or None


@violates("BC202")
class ReturnsEarly(Inheriting):
    def register_config(self, config):
        if not config:
            return self
        super().register_config(config)


@violates("BC202", config={"address": "here"})
class SaysThatItRejects(Inheriting):
    def register_config(self, config):
        if set(config) - {"address"}:
            return False
        super().register_config(config)


# BC203


@violates("BC203")
class ConfiguredOnce(Inheriting):
    def register_config(self, config):
        if self.config:
            raise RuntimeError("already configured")
        super().register_config(config)


@violates("BC203")
class ConfiguredOnceAndThenNotDynamic(Structural):
    registered = False

    def register_config(self, config):
        if self.registered:
            raise NotImplementedError
        self.registered = True
        super().register_config(config)


@violates("BC203")
class RefusesAKeyItHas(Structural):
    def register_config(self, config):
        for key in config:
            if key in self.config:
                raise ValueError(f"{key} is configured already")
        super().register_config(config)


@violates("BC203")
class ConfiguredTenTimes(Inheriting):
    calls = 0

    def register_config(self, config):
        self.calls += 1
        if self.calls > 10:
            raise RuntimeError("too many registrations")
        super().register_config(config)


# BC204


@violates("BC204")
class ReplacesItsConfiguration(Inheriting):
    def register_config(self, config):
        self.config = copy.deepcopy(config)


@violates("BC204")
class MergesOneLevel(Structural):
    def register_config(self, config):
        self.config = {**self.config, **copy.deepcopy(dict(config))}


@violates("BC204")
class KeepsEarlierValues(Structural):
    def register_config(self, config):
        self.config = merge(config, self.config)


@violates("BC204")
class JoinsLists(Structural):
    def register_config(self, config):
        def join(earlier, later):
            merged = merge(earlier, later)
            for key, value in later.items():
                if isinstance(value, list) and isinstance(earlier.get(key), list):
                    merged[key] = earlier[key] + value
                elif isinstance(value, dict) and isinstance(earlier.get(key), dict):
                    merged[key] = join(earlier[key], value)
            return merged

        self.config = join(self.config, config)


@violates("BC204")
class DropsWhatIsFalse(Structural):
    def register_config(self, config):
        def without(value):
            return {
                key: without(item) if isinstance(item, dict) else item
                for key, item in value.items()
                if item is not False
            }

        super().register_config(without(config))


@violates("BC204")
class ForgetsItsConstructor(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.registered = {}

    def register_config(self, config):
        self.config = self.registered = merge(self.registered, config)


@violates("BC204")
class AcceptsAndIgnores(Structural):
    def register_config(self, config):
        pass


def merge_to(depth, earlier, later):
    merged = copy.deepcopy(dict(earlier))
    for key, value in copy.deepcopy(dict(later)).items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = merge_to(depth - 1, merged[key], value) if both and depth else value
    return merged


@violates("BC204")
class MergesTwoLevels(Inheriting):
    def register_config(self, config):
        self.config = aconfig.Config(merge_to(1, self.config, config), override_env_vars=False)


def without(value, dropped):
    return {
        key: without(item, dropped) if isinstance(item, dict) and item else item
        for key, item in value.items()
        if not dropped(item)
    }


@violates("BC204")
class IgnoresNone(Structural):
    def register_config(self, config):
        super().register_config(without(config, lambda item: item is None))


@violates("BC204")
class IgnoresEmptyText(Inheriting):
    def register_config(self, config):
        kept = without(config, lambda item: item == "" or item == [])
        super().register_config(aconfig.Config(kept, override_env_vars=False))


@violates("BC204")
class IgnoresZero(Structural):
    def register_config(self, config):
        super().register_config(without(config, lambda item: item == 0 and item is not False))


@violates("BC204")
class EmptiesSections(Structural):
    def register_config(self, config):
        def emptied(earlier, later):
            merged = merge(earlier, later)
            for key, value in later.items():
                if value == {}:
                    merged[key] = {}
                elif isinstance(value, dict) and isinstance(earlier.get(key), dict):
                    merged[key] = emptied(earlier[key], value)
            return merged

        self.config = emptied(self.config, config)


def renamed(value, rename):
    if not isinstance(value, dict):
        return value
    return {rename(key): renamed(item, rename) for key, item in value.items()}


@violates("BC204")
class FoldsCase(Structural):
    def register_config(self, config):
        super().register_config(renamed(dict(config), str.lower))


@violates("BC204")
class WritesUnderscores(Inheriting):
    def register_config(self, config):
        keys = renamed(dict(config), lambda key: key.replace(".", "_"))
        super().register_config(aconfig.Config(keys, override_env_vars=False))


@violates("BC204")
class SplitsDottedKeys(Structural):
    def register_config(self, config):
        def split(value):
            found = {}
            for key, item in value.items():
                for part in reversed(key.split(".")):
                    item = {part: split(item) if isinstance(item, dict) else item}
                found = merge(found, item)
            return found

        self.config = merge(self.config, split(config))


@violates("BC204")
class ReadsTheEnvironment(Inheriting):
    def register_config(self, config):
        super().register_config(config)
        self.config = aconfig.Config(self.config)


@violates("BC204")
class ReadsTheEnvironmentWhenMade(Structural):
    def __init__(self, config=None):
        super().__init__(aconfig.Config(config or {}))


@violates("BC204")
class ExpandsVariables(Structural):
    def register_config(self, config):
        def expand(value):
            if isinstance(value, dict):
                return {key: expand(item) for key, item in value.items()}
            return os.path.expandvars(value) if isinstance(value, str) else value

        super().register_config(expand(config))


@violates("BC204", config={"server": {"host": "here", "port": 1}})
class ReplacesASection(Inheriting):
    """Rejects unknown keys."""

    def register_config(self, config):
        if set(config) - {"server"}:
            raise ValueError("not known")
        self.config = aconfig.Config({**self.config, **copy.deepcopy(dict(config))})


@violates("BC204")
class MergesOnce(Structural):
    """Adds each registration to what the constructor got, not to the earlier ones."""

    def __init__(self, config=None):
        super().__init__(config)
        self.given = self.config

    def register_config(self, config):
        self.config = merge(self.given, config)


@violates("BC204")
class KeepsKeysAsNames(Inheriting):
    def register_config(self, config):
        super().register_config({key.replace("-", "_"): config[key] for key in config})


@violates("BC204")
class DropsPrivateKeys(Structural):
    def register_config(self, config):
        def public(value):
            if not isinstance(value, dict):
                return value
            return {key: public(value[key]) for key in value if not key.startswith("_")}

        super().register_config(public(dict(config)))


@violates("BC204")
class DropsPrivateKeysAtTheTop(Inheriting):
    def register_config(self, config):
        super().register_config({key: config[key] for key in config if key[0] != "_"})


@violates("BC204")
class NormalizesKeys(Structural):
    def register_config(self, config):
        super().register_config({unicodedata.normalize("NFKC", key): config[key] for key in config})


# BC205


@violates("BC205")
class FillsInDefaults(Inheriting):
    def __init__(self, config=None):
        super().__init__(config)
        self.config.setdefault("workers", 1)


@violates("BC205")
class MergesIntoWhatItWasMadeWith(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.config = config if config is not None else {}

    def register_config(self, config):
        for key, value in merge(self.config, config).items():
            self.config[key] = value


@violates("BC205", config={"a": {"timeout": 3}})
class TakesOutWhatItKnows(Structural):
    def register_config(self, config):
        known = {"a": config.pop("a")} if "a" in config else {}
        super().register_config({**config, **known})


@violates("BC205")
class SharesWhatIsDeeper(Structural):
    """A later registration is merged into a part of an earlier one."""

    def register_config(self, config):
        merged = dict(self.config)
        for key, value in config.items():
            if isinstance(merged.get(key), dict) and isinstance(value, dict):
                for inner, item in merge(merged[key], value).items():
                    merged[key][inner] = item
            else:
                merged[key] = value
        self.config = merged


@violates("BC205")
class ForgetsItAllWhenStopped(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.given = config

    def stop(self):
        super().stop()
        if self.given:
            self.given.clear()


@violates("BC205")
class TakesOutWhenStarted(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.registered = []

    def register_config(self, config):
        super().register_config(config)
        self.registered.append(config)

    def start(self):
        super().start()
        for config in self.registered:
            config.clear()


@violates("BC205")
class AppendsToLists(Inheriting):
    def register_config(self, config):
        def append(value):
            for item in value.values():
                if isinstance(item, dict):
                    append(item)
                elif isinstance(item, list):
                    item.append("last")

        super().register_config(config)
        append(config)


@violates("BC205")
class NotesInItsConfigurationThatItConnected(Inheriting):
    """What the constructor was given is its configuration, until something is registered."""

    def start(self):
        super().start()
        self.config["connected"] = True


@violates("BC205")
class CompletesItsFirstRegistrationWhenStarted(Structural):
    def register_config(self, config):
        if self.config:
            super().register_config(config)
        else:
            self.config = config

    def start(self):
        super().start()
        for value in self.config.values():
            if isinstance(value, dict):
                value.setdefault("port", 8085)


# BC206


@violates("BC206")
class KeepsTheFirstMapping(Inheriting):
    registered = False

    def register_config(self, config):
        earlier = self.config
        super().register_config(config)
        if not self.registered:
            self.registered = True
            self.config |= {key: config[key] for key in config if key not in earlier}


@violates("BC206")
class CopiesOneLevel(Structural):
    def register_config(self, config):
        def merge_shallow(earlier, later):
            merged = {**earlier, **later}
            for key, value in later.items():
                if isinstance(earlier.get(key), dict) and isinstance(value, dict):
                    merged[key] = merge_shallow(earlier[key], value)
            return merged

        self.config = merge_shallow(self.config, config)


@violates("BC206")
class MergesWhenAsked(Structural):
    """Keeps what it was given, and merges it when it is read."""

    def __init__(self, config=None):
        self.given = [copy.deepcopy(dict(config or {}))]
        super().__init__(config)

    @property
    def config(self):
        return functools.reduce(merge, self.given)

    @config.setter
    def config(self, value):
        pass

    def register_config(self, config):
        self.given.append(config)


@violates("BC206")
class SharesLists(Inheriting):
    def register_config(self, config):
        super().register_config(config)

        def share(merged, given):
            for key, value in given.items():
                if isinstance(value, dict) and isinstance(merged.get(key), dict):
                    share(merged[key], value)
                elif isinstance(value, list):
                    dict.__setitem__(merged, key, value)

        share(self.config, config)


# BC301


@violates("BC301")
class StartsWhenMade(Inheriting):
    def __init__(self, config=None):
        super().__init__(config)
        self.start()


@violates("BC301")
class StartedByMistake(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.is_started = True


@violates("BC301")
class StartsIfConfigured(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        if self.config:
            self.start()


@violates("BC301")
class NotStopped(Structural):
    """Is started until it is stopped."""

    stopped = False

    def __init__(self, config=None):
        self.config = copy.deepcopy(dict(config or {}))
        self.lock = threading.RLock()
        self.routes = []

    @property
    def is_started(self):
        return not self.stopped

    def start(self):
        self.stopped = False

    def stop(self):
        self.stopped = True


# BC302


@violates("BC302")
class ForgetsThatItStarted(Inheriting):
    def start(self):
        self.connect()


@violates("BC302")
class SetsAnotherAttribute(Structural):
    def start(self):
        self.connect()
        self.started = True


@violates("BC302")
class StartsWithTheFirstRequest(Structural):
    asked = False

    def start(self):
        self.asked = True

    def stop(self):
        self.asked = self.is_started = False

    def handle_runtime_context(self, model_id, runtime_context):
        self.is_started = self.asked
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC302")
class SwallowsThatItCannotStart(Structural):
    def start(self):
        try:
            raise ConnectionRefusedError
        except OSError:
            return


@violates("BC302", hangs=True)
class WaitsForEver(Structural):
    def start(self):
        threading.Event().wait()


# BC303


@violates("BC303")
class ForgetsThatItStopped(Inheriting):
    def stop(self):
        pass


@violates("BC303")
class StopsSomethingElse(Structural):
    def stop(self):
        self.started = False


@violates("BC303")
class StopsWhenLastUserLeaves(Structural):
    users = 1

    def stop(self):
        if not self.users:
            super().stop()


@violates("BC303")
class CannotStop(Structural):
    def stop(self):
        if self.is_started:
            raise TimeoutError("the server did not answer")


@violates("BC303")
class StopsInItsOwnThreadOnly(Inheriting):
    """As a connection of sqlite3 does, which another thread cannot close."""

    def start(self):
        super().start()
        self.thread = threading.get_ident()

    def stop(self):
        if self.is_started and self.thread != threading.get_ident():
            raise RuntimeError("made in another thread")
        super().stop()


# BC304


@violates("BC304")
class RefusesToStartTwice(Inheriting):
    def start(self):
        if self.is_started:
            raise RuntimeError("already started")
        super().start()


@violates("BC304")
class TogglesWhenStarted(Structural):
    def start(self):
        self.connect()
        self.is_started = not self.is_started


@violates("BC304")
class CountsItsStarts(Structural):
    """Must be stopped as often as it was started."""

    starts = 0

    def start(self):
        super().start()
        self.starts += 1

    def stop(self):
        self.starts = max(self.starts - 1, 0)
        self.is_started = self.starts > 0


@violates("BC304", hangs=True)
class WaitsForItsPort(Structural):
    """A second start waits for the port that the first one uses."""

    def __init__(self, config=None):
        super().__init__(config)
        self.port = threading.Lock()

    def start(self):
        self.connect()
        self.port.acquire()
        self.is_started = True

    def stop(self):
        if self.is_started:
            self.port.release()
        self.is_started = False


# BC305


@violates("BC305")
class RefusesToStopWhenNotStarted(Inheriting):
    def stop(self):
        if not self.is_started:
            raise RuntimeError("not started")
        super().stop()


@violates("BC305")
class DeletesWhatItLacks(Structural):
    def start(self):
        super().start()
        self.channel = object()

    def stop(self):
        del self.channel
        super().stop()


@violates("BC305")
class ClosedBeforeItWasOpen(Structural):
    opened = closed = False

    def start(self):
        if self.closed:
            raise RuntimeError("closed")
        super().start()
        self.opened = True

    def stop(self):
        self.closed = not self.opened
        super().stop()


@violates("BC305")
class CountsItsStops(Structural):
    count = 0

    def start(self):
        if self.is_started:
            return
        self.connect()
        self.count = min(self.count + 1, 1)
        self.is_started = self.count > 0

    def stop(self):
        self.count -= 1
        self.is_started = False


# BC306


@violates("BC306")
class StartsOnce(Inheriting):
    stopped = False

    def start(self):
        if self.stopped:
            raise RuntimeError("make a new one")
        super().start()

    def stop(self):
        self.stopped = self.stopped or self.is_started
        super().stop()


@violates("BC306")
class ReusesItsThread(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.thread = threading.Thread(target=lambda: None)

    def start(self):
        if not self.is_started:
            self.connect()
            self.thread.start()
            self.is_started = True


@violates("BC306")
class ReusesItsPool(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.pool = ThreadPoolExecutor(1)

    def start(self):
        if not self.is_started:
            self.connect()
            self.pool.submit(int).result()
            self.is_started = True

    def stop(self):
        if self.is_started:
            self.pool.shutdown()
        self.is_started = False


@violates("BC306")
class StartsTwiceAtMost(Structural):
    """Has two connections, and never gives one back."""

    def __init__(self, config=None):
        super().__init__(config)
        self.connections = [object(), object()]

    def start(self):
        if not self.is_started:
            self.connect()
            self.connections.pop()
            self.is_started = True


# BC307


@violates("BC307")
class StartedByMethod(Inheriting):
    def is_started(self):
        return self._started


@named
class WithFlag(Structural):
    """Has `is_started` as a property over `self.flag`."""

    flag = False

    def __init__(self, config=None):
        self.config = copy.deepcopy(dict(config or {}))
        self.lock = threading.RLock()
        self.routes = []

    @property
    def is_started(self):
        return self.flag

    def start(self):
        if not self.flag:
            self.connect()
            self.flag = True

    def stop(self):
        self.flag = False


GOOD.append(WithFlag)


@violates("BC307")
class StartedIfConnected(WithFlag):
    """Returns the connection instead of a bool."""

    channel = None

    @property
    def is_started(self):
        return self.channel

    def start(self):
        self.channel = object()

    def stop(self):
        self.channel = None


@violates("BC307")
class StartedAsANumber(WithFlag):
    @property
    def is_started(self):
        return int(self.flag)


@violates("BC307")
class ForgetsWhenRead(WithFlag):
    @property
    def is_started(self):
        flag, self.flag = self.flag, False
        return flag


@violates("BC307")
class KeepsWhatWasReadFirst(WithFlag):
    @functools.cached_property
    def is_started(self):
        return self.flag


@violates("BC307")
class CachesWhatWasRead(WithFlag):
    @property
    def is_started(self):
        if not hasattr(self, "cached"):
            self.cached = self.flag
        return self.cached


@violates("BC302")
class StartsOnlyWhereItWasRead(WithFlag):
    """Reading creates something that `start` needs."""

    channel = None

    @property
    def is_started(self):
        self.channel = self.channel or object()
        return self.flag

    def start(self):
        self.flag = self.channel is not None


# BC308


@violates("BC308")
class StartedWhateverHappens(Inheriting):
    def start(self):
        if self._started:
            return
        try:
            self.connect()
        finally:
            self._started = True


@violates("BC308")
class SwallowsAFailure(Structural):
    def start(self):
        if self.is_started:
            return
        try:
            self.connect()
        except OSError:
            print("not connected")
        self.is_started = True


@violates("BC308")
class GivesUpQuietly(Structural):
    def start(self):
        if self.is_started:
            return
        try:
            self.connect()
        except OSError:
            return
        self.is_started = True


@violates("BC308", hangs=True)
class KeepsALockWhenItFails(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.starting = threading.Lock()

    def start(self):
        if self.is_started:
            return
        self.starting.acquire()
        self.connect()
        self.is_started = True
        self.starting.release()


@violates("BC308")
class StaysHalfStarted(Structural):
    starting = False

    def start(self):
        if self.starting or self.is_started:
            return
        self.starting = True
        self.connect()
        self.starting = False
        self.is_started = True


@violates("BC308")
class CannotStartAfterAFailure(Structural):
    failed = False

    def start(self):
        if self.is_started:
            return
        if self.failed:
            raise RuntimeError("make a new one")
        self.failed = True
        self.connect()
        self.failed = False
        self.is_started = True


# BC309


@violates("BC309")
class StartsAsynchronously(Inheriting):
    async def start(self):
        self._started = True


@violates("BC309")
class StopsWithinATime(Structural):
    def stop(self, timeout):
        super().stop()


@violates("BC309")
class StartsFluently(Structural):
    def start(self):
        super().start()
        return self


@violates("BC309")
class SaysWhetherItStopped(Structural):
    def stop(self):
        super().stop()
        return True


@violates("BC309")
class StartsStepByStep(Inheriting):
    def start(self):
        yield "connecting"
        super().start()


def in_the_background(function):
    @functools.wraps(function)
    def run(*arguments):
        async def later():
            return function(*arguments)

        return later()

    return run


@violates("BC309")
class MadeAsynchronous(Structural):
    start = in_the_background(Structural.start)


# BC401


@violates("BC401")
class SaysWhetherItLocked(Inheriting):
    def start_lock(self):
        return self._start_lock.acquire()


@violates("BC401")
class LocksAsynchronously(Structural):
    def start_lock(self):
        return asyncio.Lock()


@violates("BC401")
class LocksByProperty(Structural):
    @property
    def start_lock(self):
        return self.lock


@violates("BC401")
class ForgotTheDecorator(Inheriting):
    def start_lock(self):
        with self._start_lock:
            yield


@violates("BC401")
class LocksOnce(Structural):
    """A context manager made by a generator cannot be entered again."""

    def __init__(self, config=None):
        super().__init__(config)
        self.manager = self.locked()

    @contextlib.contextmanager
    def locked(self):
        with self.lock:
            yield

    def start_lock(self):
        return self.manager


@violates("BC401", hangs=True)
class NeverUnlocks(Structural):
    @contextlib.contextmanager
    def start_lock(self):
        self.lock.acquire()
        yield


# BC402


@violates("BC402")
class LocksWithANewLock(Inheriting):
    def start_lock(self):
        return threading.RLock()


@violates("BC402")
class LocksNothing(Structural):
    def start_lock(self):
        return contextlib.nullcontext()


@violates("BC402")
class LocksEachThreadForItself(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.locks = {}

    def start_lock(self):
        return self.locks.setdefault(threading.get_ident(), threading.RLock())


@violates("BC402")
class LocksTwice(Structural):
    """Admits two threads, so that its own `start` can enter too."""

    def __init__(self, config=None):
        super().__init__(config)
        self.lock = threading.BoundedSemaphore(2)


@violates("BC402")
class GivesUpWaiting(Structural):
    @contextlib.contextmanager
    def start_lock(self):
        locked = self.lock.acquire(timeout=0.01)
        try:
            yield
        finally:
            if locked:
                self.lock.release()


@violates("BC402")
class LocksOnlyWhenStarted(Structural):
    def start_lock(self):
        return self.lock if self.is_started else contextlib.nullcontext()


@violates("BC402")
class RenewsItsLockWhenItIsFree(Structural):
    """An earlier caller has another lock than a later one."""

    def __init__(self, config=None):
        super().__init__(config)
        self.lock = threading.Lock()

    def start_lock(self):
        if not self.lock.locked():
            self.lock = threading.Lock()
        return self.lock


# BC403


@violates("BC403", hangs=True)
class UnlocksWhenAllIsWell(Inheriting):
    @contextlib.contextmanager
    def start_lock(self):
        self._start_lock.acquire()
        yield
        self._start_lock.release()


class LockThatChecks:
    def __init__(self):
        self.lock = threading.RLock()

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, kind, error, where):
        if error is None:
            self.lock.release()


@violates("BC403", hangs=True)
class KeepsTheLockForErrors(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.lock = LockThatChecks()


@violates("BC403")
class SwallowsUnderTheLock(Inheriting):
    """A failed start then goes unnoticed."""

    @contextlib.contextmanager
    def start_lock(self):
        with self._start_lock, contextlib.suppress(Exception):
            yield


# BC404


@named
class WithPlainLock(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.lock = threading.Lock()


GOOD.append(WithPlainLock)


@violates("BC404", hangs=True)
class LocksAgainToStart(WithPlainLock):
    def start(self):
        with self.lock:
            super().start()


@violates("BC404", hangs=True)
class LocksAgainToStop(WithPlainLock):
    def stop(self):
        with self.lock:
            super().stop()


@violates("BC404", hangs=True)
class LocksAgainToLook(WithFlag):
    def __init__(self, config=None):
        super().__init__(config)
        self.lock = threading.Lock()

    @property
    def is_started(self):
        with self.lock:
            return self.flag


@violates("BC404", hangs=True)
class StartsInAThreadThatNeedsTheLock(Inheriting):
    def start(self):
        def work():
            with self.start_lock():
                done.set()

        done = threading.Event()
        threading.Thread(target=work, daemon=True).start()
        done.wait()
        super().start()


@violates("BC404")
class RefusesToStartUnderTheLock(WithPlainLock):
    def start(self):
        if not self.lock.acquire(blocking=False):
            raise RuntimeError("another thread is starting it")
        try:
            super().start()
        finally:
            self.lock.release()


# BC405


@violates("BC405")
class StartedBeforeItConnects(Inheriting):
    def start(self):
        if self._started:
            return
        self._started = True
        try:
            self.connect()
        except BaseException:
            self._started = False
            raise


@violates("BC405")
class StartedBeforeItLocks(Structural):
    def start(self):
        if self.is_started:
            return
        self.is_started = True
        with self.lock:
            try:
                self.connect()
            except BaseException:
                self.is_started = False
                raise


@violates("BC405", during_start=None)
class StartedBeforeItLocksAsCanBeSeen(StartedBeforeItLocks):
    """Is caught without a hook: it can be held at its lock."""


@violates("BC405")
class StartedWhenItHasAChannel(WithFlag):
    channel = None

    @property
    def is_started(self):
        return self.channel is not None

    def start(self):
        if self.is_started:
            return
        self.channel = object()
        try:
            self.connect()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        self.channel = None


# BC501


@violates("BC501")
class CallsItContext(Inheriting):
    def handle_runtime_context(self, model_id, context):
        super().handle_runtime_context(model_id, context)


@violates("BC501")
class TakesThemByPosition(Structural):
    def handle_runtime_context(self, *arguments):
        super().handle_runtime_context(*arguments)


@violates("BC501")
class TakesThemByName(Structural):
    def handle_runtime_context(self, *, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC501")
class ReturnsTheRoute(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        return get_metadata(runtime_context, "x-route-info")


@violates("BC501")
class ListensAsynchronously(Inheriting):
    async def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)


def renaming(function):
    def call(self, *arguments, **named):
        return call.function(self, *arguments, **named)

    call.function = function
    return call


@violates("BC501")
class PassesOnToAnotherName(Structural):
    @renaming
    def handle_runtime_context(self, model_id, context):
        Structural.handle_runtime_context(self, model_id, context)


# BC502


@violates("BC502")
class KnowsHttpOnly(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        if is_grpc_context(runtime_context):
            raise TypeError("HTTP only")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC502")
class ReadsHeaders(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        self.routes.append((model_id, runtime_context.headers.get("x-route-info")))


@violates("BC502")
class UnpacksMetadata(Structural):
    """Takes metadata for a mapping; it is a sequence of pairs."""

    def handle_runtime_context(self, model_id, runtime_context):
        if is_grpc_context(runtime_context):
            runtime_context.invocation_metadata().get("x-route-info")
        super().handle_runtime_context(model_id, runtime_context)


# BC503


@violates("BC503")
class KnowsGrpcOnly(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        if is_http_context(runtime_context):
            raise TypeError("gRPC only")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC503")
class ReadsMetadata(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        metadata = dict(runtime_context.invocation_metadata())
        self.routes.append((model_id, metadata.get("x-route-info")))


@violates("BC503")
class AsksWhoCalls(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        self.caller = runtime_context.peer()
        super().handle_runtime_context(model_id, runtime_context)


# BC504


@violates("BC504")
class NeedsARoute(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        if get_metadata(runtime_context, "x-route-info") is None:
            raise KeyError("x-route-info")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class CutsTheRoute(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        host, _, port = get_metadata(runtime_context, "x-route-info").partition(":")
        self.host, self.port = host, port
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class KnowsItsModels(Structural):
    """Accepts only model ids that it has seen before."""

    def __init__(self, config=None):
        super().__init__(config)
        self.models = {}

    def handle_runtime_context(self, model_id, runtime_context):
        self.models[model_id].append(runtime_context)


@violates("BC504")
class NeedsAHeader(Structural):
    """Needs a header over HTTP."""

    def handle_runtime_context(self, model_id, runtime_context):
        if is_http_context(runtime_context):
            runtime_context.headers["x-route-info"]
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class NeedsMetadata(Structural):
    """Needs metadata over gRPC."""

    def handle_runtime_context(self, model_id, runtime_context):
        if is_grpc_context(runtime_context):
            dict(runtime_context.invocation_metadata())["x-route-info"]
        super().handle_runtime_context(model_id, runtime_context)


# BC505


@violates("BC505")
class ListensOnceStarted(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        if not self.is_started:
            raise RuntimeError("not started")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC505")
class TellsItsChannel(Structural):
    def start(self):
        super().start()
        self.channel = {}

    def handle_runtime_context(self, model_id, runtime_context):
        self.channel[model_id] = runtime_context
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC505", hangs=True)
class WaitsUntilItIsStarted(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.ready = threading.Event()

    def start(self):
        super().start()
        self.ready.set()

    def handle_runtime_context(self, model_id, runtime_context):
        self.ready.wait()
        super().handle_runtime_context(model_id, runtime_context)


# BC506


@violates("BC506", hangs=True)
class LocksInTwoOrders(Inheriting):
    """Requests of different kinds may wait for each other."""

    def __init__(self, config=None):
        super().__init__(config)
        self.locks = [threading.Lock(), threading.Lock()]

    def handle_runtime_context(self, model_id, runtime_context):
        first, second = self.locks[:: 1 if is_grpc_context(runtime_context) else -1]
        with first:
            route = get_metadata(runtime_context, "x-route-info")
            with second:
                self.routes.append((model_id, route))


@violates("BC506")
class RemembersOneModel(Structural):
    """Mixes up the model ids of concurrent requests."""

    def handle_runtime_context(self, model_id, runtime_context):
        self.model_id = model_id
        route = get_metadata(runtime_context, "x-route-info")
        self.routes.append((self.model_id, route))


@violates("BC506")
class RemembersOneContext(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        self.context = runtime_context
        get_metadata(runtime_context, "user-agent")
        self.routes.append((model_id, get_metadata(self.context, "x-route-info")))


@violates("BC506")
class CopiesAndReplaces(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        routes = [*self.routes]
        routes.append((model_id, get_metadata(runtime_context, "x-route-info")))
        self.routes = routes


@violates("BC506")
class DropsWhenBusy(Structural):
    busy = False

    def handle_runtime_context(self, model_id, runtime_context):
        if not self.busy:
            self.busy = True
            super().handle_runtime_context(model_id, runtime_context)
            self.busy = False


@violates("BC506")
class RefusesWhenBusy(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        if not self.lock.acquire(blocking=False):
            raise RuntimeError("busy")
        try:
            super().handle_runtime_context(model_id, runtime_context)
        finally:
            self.lock.release()


@violates("BC506")
class CountsBesides(Structural):
    """Stores requests under a number that another thread may use too."""

    def __init__(self, config=None):
        super().__init__(config)
        self.files = {}
        self.count = 0

    @property
    def routes(self):
        return list(self.files.values())

    @routes.setter
    def routes(self, value):
        pass

    def handle_runtime_context(self, model_id, runtime_context):
        number = self.count
        self.files[number] = (model_id, get_metadata(runtime_context, "x-route-info"))
        self.count = number + 1


@violates("BC506")
class NumbersBeforehand(Structural):
    """Like CountsBesides, but reads the metadata outside the window."""

    def __init__(self, config=None):
        super().__init__(config)
        self.files = {}
        self.count = 0

    routes = CountsBesides.routes

    def handle_runtime_context(self, model_id, runtime_context):
        route = get_metadata(runtime_context, "x-route-info")
        number = self.count
        self.files[number] = (model_id, route)
        self.count = number + 1


@violates("BC506")
class DropsWhenBusyForAMoment(Structural):
    busy = False

    def handle_runtime_context(self, model_id, runtime_context):
        route = get_metadata(runtime_context, "x-route-info")
        if not self.busy:
            self.busy = True
            self.routes.append((model_id, route))
            self.busy = False


from conformance.behavioural.mutants_lifecycle import *  # noqa: E402, F403 - need the names above
from conformance.behavioural.mutants_locking import *  # noqa: E402, F403
from conformance.behavioural.mutants_requests import *  # noqa: E402, F403
