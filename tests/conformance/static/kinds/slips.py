# Slips that show when a class is made, called or entered again; nothing imports this file.
#
# Comments on the lines of classes are as in `samples.py`; after an ` or `, checkers differ.

from __future__ import annotations

import functools
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar

import aconfig

from backend_contract import LocalBackend, RuntimeServerContextType

# ---- constructors that read what is not set yet


class ReadsItsConfigurationBefore(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.size = self.config.get("size", 1)
        super().__init__(config)


class CountsFromNothing(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.count += 1


class PreparesBefore(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.prepare()
        super().__init__(config)

    def prepare(self) -> None:
        self.size = self.config.get("size", 1)


class AsksBefore(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if self._started:
            raise RuntimeError
        super().__init__(config)


class PreparesInOrder(LocalBackend):  # ok
    default = 3

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.size = self.default
        self.other = self.size + 1
        self.prepare()
        with threading.Lock():
            self.name = type(self).__name__
            self.more = self.name + str(self.__class__)
        super().__init__(config)
        self.third = self.config.get("third", self.third)
        self.count: int = 0
        self.count += 1

    def prepare(self) -> None:
        self.third = self.other


class Cooperative:
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.seen = self.config


class ReadsWhatABaseSets(Cooperative, LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.copied = dict(self.seen)


class ReadsWhatALoopSets(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        for name in ("first", "second"):
            setattr(self, name, 1)
        self.sum = self.first + self.second
        super().__init__(config)


class ReadsWhatMayBeThere(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            self.last = self.first
        except AttributeError:
            self.last = None
        if hasattr(self, "second"):
            self.last = self.second
        super().__init__(config)


class ReadsWhatItAnswersFor(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.copied = self.anything
        super().__init__(config)

    def __getattr__(self, name: str) -> int:
        return 3


class Flagged:
    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.lock = threading.RLock()
        self.is_started = False

    backend_type = "FLAGGED"
    is_started: bool

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> threading.RLock:
        return self.lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class KeepsTheFlag(Flagged):  # ok
    backend_type = "KEEPS"


class ForgetsTheFlag(Flagged):  # BC201 BC307
    backend_type = "FORGETS"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.lock = threading.RLock()


# ---- constructors that need a configuration


class ReadsNothing(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.size = config.get("size", 1)


class ReadsNothingInAnItem(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.size = config["size"] if "size" in config else 1


class CopiesNothing(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(dict(config))


class UnpacksNothing(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__({"size": 1, **config})


class ReadsWhatItTested(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__({"size": 1, **(config or {})})
        self.size = 1 if config is None else config.get("size", 1)
        self.length = config and config.get("length")
        if config:
            self.size = config["size"]
        if config is None:
            return
        self.name = config.get("name")


class ReadsWhatItReplaced(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config is None:
            config = aconfig.Config({})
        super().__init__(config)
        self.size = config.get("size", 1)


class InsistsOnAConfiguration(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        assert config is not None
        self.size = config.get("size", 1)


# ---- names that nothing binds


class PassesAnUndefinedName(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(configuration)


class PassesANameBoundBelow(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(given)
        given = config


class PassesANameBoundAbove(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        given = config
        super().__init__(given)
        self.size = SIZE


class HasAnUndefinedDefault(LocalBackend):  # BC201
    def resize(self, size: int = LENGTH) -> None: ...


class HasADefaultOfTheBody(LocalBackend):  # ok
    length = 3

    def resize(self, size: int = length) -> None: ...


SIZE = 3


# ---- calls that run nothing


class SetsUpInACoroutine(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.prepare(config)

    async def prepare(self, config: aconfig.Config | None) -> None:
        super().__init__(config)


class SetsUpInAGenerator(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.prepare(config)

    def prepare(self, config: aconfig.Config | None) -> Iterator[None]:
        super().__init__(config)
        yield


class RunsWhatSetsUp(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        for _ in self.prepare(config):
            pass

    def prepare(self, config: aconfig.Config | None) -> Iterator[None]:
        super().__init__(config)
        yield


# ---- arguments of class statements


class GivesAnUnknownKeyword(LocalBackend, engine="vllm"):  # BC201
    pass


class TakesAKeyword(LocalBackend):  # ok
    def __init_subclass__(cls, *, engine: str = "", **others: Any) -> None:
        super().__init_subclass__(**others)


class GivesAKnownKeyword(TakesAKeyword, engine="vllm"):  # ok
    backend_type = "KNOWN"


# ---- dataclasses that cannot be made


@dataclass(slots=True)
class AssignsMoreThanItsSlots:  # BC201
    backend_type: ClassVar[str] = "SLOTS"
    config: Mapping[str, Any] | None = None
    is_started: bool = False

    def __post_init__(self) -> None:
        self.lock = threading.RLock()

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> threading.RLock:
        return self.lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


@dataclass(slots=True)
class AssignsItsSlots:  # ok
    backend_type: ClassVar[str] = "SLOTS"
    config: Mapping[str, Any] | None = None
    is_started: bool = False
    lock: threading.RLock = field(init=False)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> threading.RLock:
        return self.lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


@dataclass(slots=True)
class HasADictOfItsBase(LocalBackend):  # ok
    backend_type: ClassVar[str] = "SLOTS"
    options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        LocalBackend.__init__(self, self.options)
        self.seen = 1


@dataclass
class SharesAList(LocalBackend):  # BC201
    options: Mapping[str, Any] | None = None
    models: list[str] = []

    def __post_init__(self) -> None:
        super().__init__(self.options)


@dataclass
class SharesADictOfAField(LocalBackend):  # BC201
    options: Mapping[str, Any] | None = None
    models: dict[str, str] = field(default={})

    def __post_init__(self) -> None:
        super().__init__(self.options)


@dataclass
class MakesAListEach(LocalBackend):  # ok
    options: Mapping[str, Any] | None = None
    models: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()
    shared: ClassVar[list[str]] = []

    def __post_init__(self) -> None:
        super().__init__(self.options)


@dataclass
class TakesNoInitVar(LocalBackend):  # BC201
    options: InitVar[Mapping[str, Any] | None] = None

    def __post_init__(self) -> None:
        super().__init__(None)


@dataclass
class IsGivenNoInitVar(LocalBackend):  # BC201
    options: Mapping[str, Any] | None = None

    def __post_init__(self, options: Mapping[str, Any] | None) -> None:
        super().__init__(options)


@dataclass
class TakesAnInitVar(LocalBackend):  # ok
    options: InitVar[Mapping[str, Any] | None] = None

    def __post_init__(self, options: Mapping[str, Any] | None) -> None:
        super().__init__(options)


# ---- constructors that return something, or are replaced


class ReturnsItself(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None):
        super().__init__(config)
        return self


class ReturnsItsState(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        return self.is_started


class ReturnsTheResultOfTheBase(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        return super().__init__(config)


class GetsAConstructorOfThree(LocalBackend):  # BC201
    pass


def create(self: Any, config: Any, extra: Any) -> None: ...


GetsAConstructorOfThree.__init__ = create


class GetsAConstructorOfOne(LocalBackend):  # BC201u
    pass


def construct(self: LocalBackend, config: aconfig.Config | None = None) -> None:
    LocalBackend.__init__(self, config)


GetsAConstructorOfOne.__init__ = construct


class Replaced(LocalBackend):  # BC101u BC102u BC103u BC201u BC202u BC307u BC309u BC401u BC501u
    pass


Replaced = KeepsTheFlag


class Decorated(LocalBackend):  # ok
    pass


Decorated = functools.total_ordering(Decorated)


# ---- locks that cannot be entered, or not again


class GuardsInAsync(LocalBackend):  # BC401
    @contextmanager
    async def start_lock(self) -> AsyncIterator[None]:
        with self._start_lock:
            yield


class KeepsWhatCanBeEnteredOnce(LocalBackend):  # BC401
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.manager = self.guard()

    @contextmanager
    def guard(self) -> Iterator[None]:
        with self._start_lock:
            yield

    def start_lock(self) -> AbstractContextManager[None]:
        return self.manager


class KeepsTheLastGuard(LocalBackend):  # ok
    @contextmanager
    def guard(self) -> Iterator[None]:
        with self._start_lock:
            yield

    def start_lock(self) -> AbstractContextManager[None]:
        self.manager = self.guard()
        return self.manager


class KeepsWhatCanBeEnteredAgain(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.manager = nullcontext()

    def start_lock(self) -> AbstractContextManager[None]:
        return self.manager


# ---- results of unknown type


class ReturnsWhatItReads(LocalBackend):  # BC309u
    def start(self) -> None:
        super().start()
        return json.loads("3")


class ReadsWhereABaseHasFailed(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            super().__init__(config)
            return
        except TypeError:
            super().__init__()
        self.reason = self.missing
