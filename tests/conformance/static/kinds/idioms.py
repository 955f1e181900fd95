# Idioms that keep the contract, beside mistakes that look like them; nothing imports this file.
#
# Comments on the lines of classes are as in `samples.py`; after an ` or `, checkers differ.

from __future__ import annotations

import enum
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ParamSpec, TypeVar

import aconfig

from backend_contract import BackendBase, LocalBackend, RuntimeServerContextType

C = TypeVar("C", bound="type[Any]")
P = ParamSpec("P")
R = TypeVar("R")
HOOKS: list[object] = []


def hook(function: Callable[P, R]) -> Callable[P, R]:
    HOOKS.append(function)
    return function


def forgets(function: Callable[P, R]) -> Callable[P, R]:
    HOOKS.append(function)


def under(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return function

    return decorate


def forgets_under(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        HOOKS.append(function)

    return decorate


# ---- decorators of members, and of the class


class Hooked(LocalBackend):  # ok
    @hook
    def start(self) -> None:
        self._started = True

    @under("stop")
    def stop(self) -> None:
        self._started = False


class StartsByAForgetfulDecorator(LocalBackend):  # BC309
    @forgets
    def start(self) -> None:
        self._started = True


class StopsByAForgetfulFactory(LocalBackend):  # BC309
    @forgets_under("stop")
    def stop(self) -> None:
        self._started = False


class ConstructedByAForgetfulDecorator(LocalBackend):  # BC201
    @forgets
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


def gives_lock(cls: C) -> C:
    def start_lock(self: Any) -> AbstractContextManager[object]:
        return self._start_lock

    cls.start_lock = start_lock
    return cls


def gives_number(cls: C) -> C:
    def start_lock(self: Any) -> int:
        return 1

    cls.start_lock = start_lock
    return cls


def gives_more(cls: C) -> C:
    def describe(self: Any) -> str:
        return self._address

    cls.describe = describe
    return cls


@gives_lock
class LockedByADecorator(LocalBackend):  # ok
    pass


@gives_number
class LockedByANumber(LocalBackend):  # BC401
    pass


@gives_more
class DescribedByADecorator(LocalBackend):  # ok
    pass


# ---- properties that give a function


class StartsByAProperty(LocalBackend):  # ok
    @property
    def start(self) -> Callable[[], None]:
        return self._go

    def _go(self) -> None:
        self._started = True


class StartsByAPropertyWithMore(LocalBackend):  # BC309
    @property
    def start(self) -> Callable[[int], None]:
        return self._go

    def _go(self, number: int) -> None:
        self._started = True


# ---- one of two values, and no value


class LocksByEither(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock if self._started else threading.Lock()


class LocksByNoneOnOneBranch(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock if self._started else None


class StartsOnce(LocalBackend):  # ok
    def start(self) -> None:
        return None if self._started else super().start()


class LocksByWhatStartMakes(LocalBackend):  # BC401
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._own: threading.Lock | None = None

    def start(self) -> None:
        self._own = threading.Lock()
        self._started = True

    def start_lock(self) -> AbstractContextManager[object]:
        """Return the lock."""
        return self._own


class LocksByWhatItMakes(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._own: threading.Lock | None = None

    def start_lock(self) -> AbstractContextManager[object]:
        if self._own is None:
            self._own = threading.Lock()
        return self._own


class LocksByWhatAHelperMakes(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._own: threading.Lock | None = None
        self._make()

    def _make(self) -> None:
        self._own = threading.Lock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self._own


# ---- locks of classes that the module defines


class Door:
    def __enter__(self) -> object: ...
    def close(self, *error: object) -> None: ...


class Shut(Door):
    __exit__ = Door.close


class Narrow(Door):
    def __exit__(self, error: object) -> None: ...


class Wide(Door):
    def __exit__(self, kind: object, error: object = None, *more: object) -> None: ...


class OfInstances(Door):
    def __init__(self) -> None:
        self.__exit__ = self.close


class LocksByAClosedDoor(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return Shut()


class LocksByAWideDoor(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return Wide()


class LocksByAnOpenDoor(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return Door()


class LocksByANarrowDoor(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return Narrow()


class LocksByADoorOfInstances(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return OfInstances()


class LocksByAManager(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return self._held()

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._start_lock:
            yield


class LocksByAGenerator(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return self._held()

    def _held(self) -> Iterator[None]:
        with self._start_lock:
            yield


class LocksBesideItsNames(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return self.__dict__.setdefault(self.__module__, threading.RLock())


# ---- members that always raise


class RefusesByAHelper(LocalBackend):  # BC501
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Refuse."""
        print(model_id)
        self._refuse()

    def _refuse(self) -> None:
        raise RuntimeError("no contexts here")


class StopsByItsBase(LocalBackend):  # ok
    def stop(self) -> None:
        try:
            super().stop()
        except RuntimeError:
            raise ValueError from None


class RefusesSettings(LocalBackend):  # BC202
    def register_config(self, config: aconfig.Config) -> None:
        """Refuse."""
        raise RuntimeError("no settings here")


class RefusesSettingsAsItMay(LocalBackend):  # ok
    def register_config(self, config: aconfig.Config) -> None:
        """Refuse."""
        raise NotImplementedError("no settings here")


class RefusesWrongSettings(LocalBackend):  # ok
    def register_config(self, config: aconfig.Config) -> None:
        if "host" not in config:
            raise ValueError("no host")


# ---- flags


class Flagged(BackendBase):
    backend_type = "FLAGGED"
    is_started: bool

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class SetsFlagByName(Flagged):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        object.__setattr__(self, "is_started", False)


# ---- constructors


class OnlyWithConfig(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config:
            super().__init__(config)


class WithConfigOrWithout(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config is None:
            super().__init__()
        else:
            super().__init__(config)


class WithAnyConfig(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if not config:
            config = aconfig.Config({"host": "here"})
        super().__init__(config)


class MadeOfNothing(LocalBackend):  # BC201
    def __new__(cls) -> MadeOfNothing:
        return super().__new__(cls)


class MadeOfAnything(LocalBackend):  # ok
    def __new__(cls, config: aconfig.Config | None = None, **more: object) -> MadeOfAnything:
        return super().__new__(cls)


# ---- class statements


class SlotWithAValue(LocalBackend):  # BC201
    __slots__ = ("address",)
    address = "here"


class SlotWithAType(LocalBackend):  # ok
    __slots__ = ("address",)
    address: str


class SlotOfABase(SlotWithAType):  # ok
    address = "here"
    backend_type = "SLOT"


class Registered(LocalBackend):  # ok
    def __init_subclass__(cls, key: str, **more: Any) -> None:
        super().__init_subclass__(**more)
        HOOKS.append(key)


class RegisteredByKey(Registered, key="mine"):  # ok
    backend_type = "MINE"


class RegisteredWithoutKey(Registered):  # BC201
    backend_type = "OTHER"


class ByItsName(LocalBackend):  # ok
    def __init_subclass__(cls) -> None:
        cls.backend_type = cls.__name__.upper()


class NamedForItself(ByItsName):  # ok
    pass


# ---- names


class Kind(enum.Enum):
    A = "A"
    low = "low"


class Tuple(enum.Enum):
    A = ("A", 1)

    def __init__(self, text: str, number: int) -> None:
        self._value_ = text


class NamedByAValue(LocalBackend):  # ok
    backend_type = Kind.A.value


class NamedByALowValue(LocalBackend):  # BC103
    backend_type = Kind.low.value


class NamedByALowMember(LocalBackend):  # BC103
    backend_type = Kind.low.name


class NamedByReplacing(LocalBackend):  # BC103
    backend_type = "GPU-1".replace("-", "x")


class NamedByFormatting(LocalBackend):  # ok
    backend_type = "GPU_{}".format("ONE")  # noqa: UP032


class OwnNameLikeItsBase(LocalBackend):  # BC104
    backend_type = LocalBackend.backend_type


class OwnNameAfterItsBase(LocalBackend):  # ok
    backend_type = f"MY_{LocalBackend.backend_type}"


class NamedByEveryCase(LocalBackend):  # ok
    match sys.platform:
        case "win32":
            backend_type = "WINDOWS"
        case _:
            backend_type = "OTHER"


class NamedBySomeCases(BackendBase):  # BC101u BC102u
    match sys.platform:
        case "win32":
            backend_type = "WINDOWS"
        case "linux":
            backend_type = "LINUX"

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


# ---- a hook gives a name to the classes that inherit, and not to its own


class NamesOthers(BackendBase):  # BC201 or BC101 BC102b BC201
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.backend_type = cls.__name__.upper()

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None:
        self._started = True

    def stop(self) -> None:
        self._started = False

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class Named(NamesOthers):  # ok
    pass


class NamesOthersToo(NamesOthers):  # ok
    def __init_subclass__(cls) -> None:
        cls.backend_type = "OTHER"
