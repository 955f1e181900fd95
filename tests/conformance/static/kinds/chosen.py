# Bases, names and constructors that the source chooses; nothing imports this file.
#
# Comments on the lines of classes are as in `samples.py`; after an ` or `, checkers differ.

from __future__ import annotations

import abc
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NewType, TypeVar, cast

import aconfig

from backend_contract import BackendBase, LocalBackend, RuntimeServerContextType

K = TypeVar("K")
Label = NewType("Label", str)
NAMES = ["FIRST", "SECOND"]
NUMBERS = {"name": 3}


# ---- names that are computed


class SetsPrefixed(LocalBackend):  # ok
    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        for key, value in self.config.items():
            setattr(self, f"_{key}", value)


class SetsKnown(LocalBackend):  # ok
    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        for key in ("host", "port"):
            setattr(self, key, None)


class SetsKnownMember(LocalBackend):  # BC309u
    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        for key in ("host", "stop"):
            setattr(self, key, None)


class SetsAll(LocalBackend):  # BC101u BC102u BC202u BC309u BC401u BC501u
    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        for key, value in self.config.items():
            setattr(self, key, value)


class UpdatesOther(LocalBackend):  # ok
    def start(self) -> None:
        self.__dict__.update(host="here", port=1)
        self._started = True


class UpdatesStop(LocalBackend):  # BC309
    def start(self) -> None:
        self.__dict__.update({"stop": None})
        self._started = True


class UpdatesAll(LocalBackend):  # BC101u BC102u BC202u BC309u BC401u BC501u
    def start(self) -> None:
        vars(self).update(self.config)
        self._started = True


# ---- bases

if os.environ.get("WITH_LOCK"):

    class Switched(LocalBackend):
        def start_lock(self) -> None:  # type: ignore[override]
            return None

else:

    class Switched(LocalBackend):
        pass


if sys.version_info >= (3, 8):
    Versioned = LocalBackend
else:
    Versioned = object

if TYPE_CHECKING:
    ForCheckers = LocalBackend
else:
    ForCheckers = object

if TYPE_CHECKING:
    Same = LocalBackend
else:
    Same = LocalBackend

Made = type("Made", (LocalBackend,), {"stop": None})


class OverVersioned(Versioned):  # ok
    backend_type = "X"


class OverSame(Same):  # ok
    backend_type = "X"


class OverSwitched(Switched):  # BC201u BC202u BC307u BC309u BC401u BC501u
    backend_type = "X"


class OverForCheckers(ForCheckers):  # BC201u BC202u BC307u BC309u BC401u BC501u
    backend_type = "X"


class OverMade(Made):  # BC201u BC202u BC307u BC309u BC401u BC501u
    backend_type = "X"


class StartsOverSwitched(Switched):  # BC201u BC202u BC307u BC309 BC401u BC501u
    backend_type = "X"

    def start(self, wait: int) -> None: ...
    def stop(self) -> None: ...


# ---- constructors


class SecondRequires(LocalBackend):  # BC201
    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)


class SecondIsRight(LocalBackend):  # ok
    def __init__(self, config: Mapping[str, Any], url: str) -> None:
        super().__init__(config)

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)


class WithAbstractProperty(LocalBackend):  # BC201
    @property
    @abc.abstractmethod
    def url(self) -> str: ...


class NeedsUrl(abc.ABC):
    @abc.abstractmethod
    def url(self) -> str: ...


class WithAbstractMixin(NeedsUrl, LocalBackend):  # BC201
    pass


class WithAbstractMixinDone(NeedsUrl, LocalBackend):  # ok
    def url(self) -> str:
        return "here"


class NoConfiguration(abc.ABCMeta):
    def __call__(cls: type[K]) -> K:
        return super().__call__()  # type: ignore[misc]


class ForConfiguration(abc.ABCMeta):
    def __call__(cls: type[K], config: Mapping[str, Any] | None = None) -> K:
        return super().__call__(config)  # type: ignore[misc]


class Structural:  # ok
    backend_type = "X"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]:
        return threading.RLock()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class WithoutConfiguration(Structural, metaclass=NoConfiguration):  # BC201
    pass


class WithConfiguration(Structural, metaclass=ForConfiguration):  # ok
    pass


class PassesOn(Structural):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> PassesOn:
        return super().__new__(cls, config)  # type: ignore[call-arg]


class PassesNothingOn(Structural):  # ok
    def __new__(cls, config: aconfig.Config | None = None) -> PassesNothingOn:
        return super().__new__(cls)


class Deleted(Structural):  # BC201u BC309u
    def stop(self) -> None: ...


del Deleted.stop


# ---- values


class NamedByCast(LocalBackend):  # BC101 BC102b
    backend_type = cast(str, 5)


class NamedByRightCast(LocalBackend):  # ok
    backend_type = cast(str, "X")


class NamedByNewType(LocalBackend):  # ok
    backend_type = Label("X")


class NamedByAnItem(LocalBackend):  # ok
    backend_type = NAMES[0]


class NamedByANumber(LocalBackend):  # BC101 BC102b
    backend_type = NUMBERS["name"]  # type: ignore[assignment]


class Starter:
    def __call__(self) -> None: ...


class PickyStarter:
    def __call__(self, wait: int) -> None: ...


class StartsByAnObject(LocalBackend):  # ok
    start = Starter()


class StopsByAPickyObject(LocalBackend):  # BC309
    stop = PickyStarter()


class StartsAsAnother(BackendBase):  # ok
    backend_type = "X"
    start = LocalBackend.start

    def register_config(self, config: aconfig.Config) -> None: ...
    def stop(self) -> None: ...


class NeverInteger(LocalBackend):  # ok
    if False:
        is_started = 3


class StartedByANewGetter(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        return self._started

    @is_started.getter
    def is_started(self) -> bool | None:
        return None


class ExtraInLocals(LocalBackend):  # ok
    locals()["extra"] = 3


class LocksByAClass(LocalBackend):  # BC401u or BC401
    def start_lock(self) -> type[Any]: ...  # type: ignore[override, empty-body]


class NamedBelowAPropertyOfAMixin(Structural):  # BC201
    @property
    def is_started(self) -> bool:
        return True


# ---- metaclasses and decorators


class ReplacesStart(abc.ABCMeta):
    def __init__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> None:
        super().__init__(name, bases, body)
        cls.start = None


class Registers(abc.ABCMeta):
    def __init__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> None:
        super().__init__(name, bases, body)
        cls.registered = True


class StartsByAMetaclass(Structural, metaclass=ReplacesStart):  # BC309u or BC309
    pass


class RegisteredByAMetaclass(Structural, metaclass=Registers):  # ok
    pass


class Shelf:
    def add(self, cls: type[K]) -> type[K]:
        return cls

    def swap(self, cls: type[K]) -> Any:
        return self


shelf = Shelf()


@shelf.add
class Added(LocalBackend):  # ok
    pass


@shelf.swap
class Swapped(LocalBackend):  # BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    pass


class LoopedOver:  # BC201u BC309u
    backend_type = "LOOPED"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


for name in ("start", "stop"):
    setattr(LoopedOver, name, print)


class LoopedOverOthers(Structural):  # ok
    backend_type = "OTHERS"


for other in ("load", "unload"):
    setattr(LoopedOverOthers, other, print)


class Twice(LocalBackend):
    async def start(self) -> None: ...


class Twice(LocalBackend):  # ok or BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    pass


class TwiceWrong(LocalBackend):
    pass


class TwiceWrong(LocalBackend):  # BC309 or BC101u BC102u BC201u BC202u BC307u BC309 BC401u BC501u
    start = None
