# Members that return something else than their annotations say, which a checker believes where they
# are used; nothing imports this file.
#
# Comments on the lines of classes are as in `samples.py`; after an ` or `, checkers differ.

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache, cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import aconfig
from typing_extensions import override

from backend_contract import LocalBackend, RuntimeServerContextType

F = TypeVar("F", bound=Callable[..., Any])


class Guard:
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...


class NoGuard:
    def __exit__(self, *error: object) -> None: ...


class Part:
    def close(self) -> None: ...
    def count(self) -> int:
        return 3


def finish(backend: Any) -> None:
    backend._started = 1


def begin(backend: Any) -> None:
    backend.begun = 1


# ---- methods that return nothing


class StartsWithANumber(LocalBackend):  # BC309
    def start(self) -> None:
        return 3


class StartsWithItself(LocalBackend):  # BC309
    def start(self) -> None:
        self._started = True
        return self


class StopsWithAFlag(LocalBackend):  # BC309
    def stop(self) -> None:
        if not self._started:
            return False  # type: ignore[return-value]
        self._started = False


class StartsWithALambda(LocalBackend):  # BC309
    def start(self) -> None:
        return lambda: None


class RegistersWithItsConfig(LocalBackend):  # BC202
    def register_config(self, config: aconfig.Config) -> None:
        return {**config}


class HandlesWithTheModel(LocalBackend):  # BC501
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        return model_id


class StopsWithNone(LocalBackend):  # ok
    def stop(self) -> None:
        return None


class StopsWithThatOfItsBase(LocalBackend):  # ok
    def stop(self) -> None:
        return super().stop()


class RegistersWithItsOwnConfig(LocalBackend):  # BC202
    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)
        return self.config


class StopsWithAnUnknownResult(LocalBackend):  # BC309u
    engine: Any

    def stop(self) -> None:
        return self.engine.stop()


class StopsWithATypedResult(LocalBackend):  # ok
    engine: threading.Thread

    def stop(self) -> None:
        return self.engine.join()


class HandlesByAFunction(LocalBackend):  # ok
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        return print(model_id)


class StopsWithAHelper(LocalBackend):  # ok
    def stop(self) -> None:
        return self._halt()

    def _halt(self) -> None:
        self._started = False


class StopsWithAHelperThatReturns(LocalBackend):  # BC309
    def stop(self) -> None:
        return self._halt()

    def _halt(self) -> None:
        self._started = False
        return True


class StopsInCircles(LocalBackend):  # ok
    def stop(self) -> None:
        return self._halt()

    def _halt(self) -> None:
        if self._started:
            self._started = False
            return self._halt()


class StopsWithAPart(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.part = Part()

    def stop(self) -> None:
        return self.part.close()


class StopsWithTheNumberOfAPart(LocalBackend):  # BC309
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.part = Part()

    def stop(self) -> None:
        return self.part.count()


class StopsEarly(LocalBackend):  # ok
    def stop(self) -> None:
        if not self._started:
            return
        self._started = False


class StartsByAFunctionInside(LocalBackend):  # ok
    def start(self) -> None:
        def number() -> int:
            return 3

        self._started = number() > 2


# ---- is_started


class FlagIsANumber(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        return 1


class FlagIsAnEvent(LocalBackend):  # BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._event = threading.Event()

    @property
    def is_started(self) -> bool:
        return self._event  # type: ignore[return-value]


class FlagOfAnEvent(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._event = threading.Event()

    @property
    def is_started(self) -> bool:
        return self._event.is_set()


class FlagIsNotReturned(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        self._started


class FlagIsReturnedInABranch(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        if self._started:
            return True


class FlagMayNotBeReturned(LocalBackend):  # BC307u
    @property
    def is_started(self) -> bool:
        if self.config:
            return self._started


class FlagIsAMethodOfAnEvent(LocalBackend):  # BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._event = threading.Event()

    @property
    def is_started(self) -> bool:
        return self._event.is_set


class FlagIsALength(LocalBackend):  # BC307
    workers: list[str] = []

    @property
    def is_started(self) -> bool:
        return len(self.workers)


class FlagOfAThreadThatMayMiss(LocalBackend):  # BC307
    thread: threading.Thread | None = None

    @property
    def is_started(self) -> bool:
        return self.thread and self.thread.is_alive()


class FlagOfAThread(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.thread = threading.Thread()

    @property
    def is_started(self) -> bool:
        return self.thread and self.thread.is_alive()


class FlagOfAThreadThatIsThere(LocalBackend):  # ok
    thread: threading.Thread | None = None

    @property
    def is_started(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class FlagIsAListOrFalse(LocalBackend):  # BC307
    workers: list[str] = []

    @property
    def is_started(self) -> bool:
        return self.workers or False


class FlagIsUnknownAfterNone(LocalBackend):  # BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.server = None

    def start(self) -> None:
        self.server = self.config.make()

    @property
    def is_started(self) -> bool:
        return self.server and self.server.is_running()


class FlagIsANumberOrFalse(LocalBackend):  # BC307u
    number = None

    def start(self) -> None:
        self.number = 7

    @property
    def is_started(self) -> bool:
        return self.number or False


class FlagIsSetByItsConstructor(LocalBackend):  # ok
    ready = None

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.ready = False

    @property
    def is_started(self) -> bool:
        return self.ready


class FlagIsAText(LocalBackend):  # BC307
    state = "down"

    @property
    def is_started(self) -> bool:
        return self.state


class FlagOrNone(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        return self._started or None


class FlagOfTwo(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._event = threading.Event()

    @property
    def is_started(self) -> bool:
        return self._started and self._event.is_set()


class FlagOfAHelper(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        return self._up()

    def _up(self) -> bool:
        return "up"


class FlagOfASoundHelper(LocalBackend):  # ok
    @property
    def is_started(self) -> bool:
        return self._up()

    def _up(self) -> bool:
        return self._started is True


class FlagIsReturnedInEachBranch(LocalBackend):  # ok
    @property
    def is_started(self) -> bool:
        with contextlib.nullcontext():
            try:
                if self._started:
                    return True
                else:
                    return False
            except AttributeError:
                raise


class FlagIsReturnedAtTheEnd(LocalBackend):  # ok
    @property
    def is_started(self) -> bool:
        if self.config:
            return self._started
        return False


class FlagThatIsDeclaredAnInt(LocalBackend):  # BC307u
    flag: int = False

    @property
    def is_started(self) -> bool:
        return self.flag


class FlagOfAnyConfig(LocalBackend):  # ok
    @property
    def is_started(self) -> bool:
        return self.config["started"]


class FlagOfAConfigWithoutDefault(LocalBackend):  # BC307u
    @property
    def is_started(self) -> bool:
        return self.config.get("started")


class FlagOfAConfigWithDefault(LocalBackend):  # ok
    @property
    def is_started(self) -> bool:
        return self.config.get("started", False)


# ---- start_lock


class LockIsAcquired(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock.acquire()


class LockOfItsOwnIsAcquired(LocalBackend):  # BC401
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._own = threading.Semaphore()

    def start_lock(self) -> AbstractContextManager[object]:
        return self._own.acquire()


class LockOfTheClassIsAcquired(LocalBackend):  # BC401
    own = threading.Lock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.own.acquire()


class LockIsEntered(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        with super().start_lock() as entered:
            return entered


class LockIsMadeUnderALock(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        with self._start_lock as _:
            self._own = threading.RLock()
            return self._own


class LockOfALibraryIsAcquired(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None, library: Any = None) -> None:
        super().__init__(config)
        self.library = library

    def start_lock(self) -> AbstractContextManager[object]:
        return self.library.acquire()


class LockIsNotReturned(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        self._start_lock


class LockIsNone(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return None


class LockIsAnEvent(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return threading.Event()


class LockIsAsynchronous(LocalBackend):  # BC401
    lock: Any

    def start_lock(self) -> AbstractContextManager[object]:
        return asyncio.Lock()


class LockIsNoGuard(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return NoGuard()


class LockIsAGuard(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return Guard()


class LockIsACondition(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return threading.Condition()


class LockIsMadeWhenNeeded(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._own = None

    def start_lock(self) -> AbstractContextManager[object]:
        if self._own is None:
            self._own = threading.RLock()
        return self._own


class LockIsAbbreviated(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]: ...


class LockWithoutYield(LocalBackend):  # BC401
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        pass


class LockReturnsNone(LocalBackend):  # BC401
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        return None


class LockOfAGenerator(LocalBackend):  # ok
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        return self._locked()

    def _locked(self) -> Iterator[None]:
        yield


# ---- what members of this package return


class StateIsANumber(LocalBackend):  # BC307
    def start(self) -> None:
        self._started = 1


class StateIsAnEvent(LocalBackend):  # BC307
    def start(self) -> None:
        me = self
        me._started = threading.Event()


class StateIsSetByAFunction(LocalBackend):  # BC307
    def start(self) -> None:
        finish(self)


class StateIsABool(LocalBackend):  # ok
    def start(self) -> None:
        begin(self)
        self._started = bool(self.config)


class StateIsDeleted(LocalBackend):  # BC307
    def stop(self) -> None:
        del self._started


class StateMayBeDeleted(LocalBackend):  # BC307u
    def stop(self) -> None:
        if self._started:
            del self._started


class StateIsDeletedBefore(LocalBackend):  # ok
    def stop(self) -> None:
        del self._started
        self._started = False


class StateIsOfAConfigWithoutDefault(LocalBackend):  # BC307u
    def start(self) -> None:
        self._started = self.config.get("enabled")


class StateOfAThread(threading.Thread, LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        threading.Thread.__init__(self)
        LocalBackend.__init__(self, config)

    def start(self) -> None:
        self._started = True


class StateIsNoLock(LocalBackend):  # BC401
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._start_lock = asyncio.Lock()


class StateIsAnotherLock(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._start_lock = threading.RLock()


# ---- functions that get another object


class Engine:
    def attach(self, backend: Any) -> None:
        self.is_started = 1


class GivenToAnother(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.engine = Engine()

    def start(self) -> None:
        self.engine.attach(self)
        self._started = True


# ---- members that always raise


class StopsNever(LocalBackend):  # BC309
    def stop(self) -> None:
        raise NotImplementedError


class HandlesNothing(LocalBackend):  # BC501
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        raise NotImplementedError("contexts are not supported")


class TakesNoConfig(LocalBackend):  # ok
    def register_config(self, config: aconfig.Config) -> None:
        raise NotImplementedError


class RaisesSometimes(LocalBackend):  # ok
    def stop(self) -> None:
        if self.config is None:
            raise ValueError


class RaisesWhenRead(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        raise NotImplementedError


# ---- one of several bodies, or the body of a function with another name


class ReturnsOnBothBranches(LocalBackend):  # BC309
    if os.environ.get("X"):

        def start(self) -> None:
            return 3

    else:

        def start(self) -> None:
            return self


class ReturnsOnOneBranch(LocalBackend):  # BC309u
    try:
        import nowhere

        def start(self) -> None: ...
    except ImportError:

        def start(self) -> None:
            return self


class ReturnsNothingOnBothBranches(LocalBackend):  # ok
    if os.environ.get("X"):

        def start(self) -> None:
            print("x")

    else:

        def start(self) -> None:
            return None


class ReturnsInALoop(LocalBackend):  # BC501u
    for _ in range(2):

        def handle_runtime_context(
            self, model_id: str, runtime_context: RuntimeServerContextType
        ) -> None:
            return model_id


class LocksByAGeneratorOnOneBranch(LocalBackend):  # BC401u
    if os.environ.get("X"):

        def start_lock(self) -> AbstractContextManager[object]:
            return threading.RLock()

    else:

        def start_lock(self) -> AbstractContextManager[object]:
            yield


class ReplacesALie(LocalBackend):  # ok
    def start(self) -> None:
        return self

    def start(self) -> None:
        self._started = True


def _returns_itself(self) -> None:
    return self


def _returns_nothing(self) -> None:
    return None


class ReturnsByAnAlias(LocalBackend):  # BC309
    start = _returns_itself


class ReturnsNothingByAnAlias(LocalBackend):  # ok
    start = _returns_nothing


# ---- what is not called, and what is not used where it works


class LocksByAClass(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return threading.RLock


class LocksByAMethod(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock.acquire


class LocksAlready(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock.__enter__()


class StartedByAFieldOfNoDataclass(LocalBackend):  # BC307
    is_started: bool = dataclasses.field(default=False)


@dataclasses.dataclass(init=False)
class StartedByAField(LocalBackend):  # ok or BC201u
    is_started: bool = dataclasses.field(default=False)


class ReadsWhatMayBeMissing(LocalBackend):  # BC307u
    @property
    def is_started(self) -> bool:
        return getattr(self, "engine", None)


class ReadsWhatMayBeMissingWithADefault(LocalBackend):  # ok
    @property
    def is_started(self) -> bool:
        return getattr(self, "engine", False)


# ---- results of methods of the standard library

model: contextvars.ContextVar[str] = contextvars.ContextVar("model")


class ReturnsATokenOfAVariable(LocalBackend):  # BC501
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        return model.set(model_id)


class ReturnsAFuture(LocalBackend):  # BC309
    def start(self) -> None:
        pool = ThreadPoolExecutor(1)
        return pool.submit(super().start)


class ReturnsTheStatusOfAProcess(LocalBackend):  # BC309
    def start(self) -> None:
        self.process = subprocess.Popen(["/bin/true"])
        super().start()

    def stop(self) -> None:
        super().stop()
        return self.process.wait()


class ReturnsWhatADictKeeps(LocalBackend):  # BC501u
    routes: dict[str, Any] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        return self.routes.setdefault(model_id, runtime_context)


class ReturnsResultsThatAreNone(LocalBackend):  # ok
    routes: dict[str, Any] = {}

    def start(self) -> None:
        super().start()
        self.thread = threading.Thread()
        return self.thread.start()

    def stop(self) -> None:
        super().stop()
        return self.thread.join()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        model.set(model_id)
        return self.routes.update({model_id: runtime_context})


# ---- decorators of this module with the name of another one


def dataclass(cls):
    return cls


@dataclass
class DecoratedByANamesake(LocalBackend):  # ok
    pass


@dataclass
class DecoratedByANamesakeWithoutState(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        pass


def define(cls):
    cls.stop = None
    return cls


@define
class StoppedByANamesake(LocalBackend):  # BC309
    pass


# ---- functions and classes inside of methods


class StartsAHandler(LocalBackend):  # ok
    def start(self) -> None:
        class Handler:
            def handle(self) -> None:
                self._started = 3.5
                setattr(self, "is_started", 3)

        self._handler = Handler()
        self._started = True


class StartsByAFunctionOfAnother(LocalBackend):  # ok
    def start(self) -> None:
        def mark(self: Any) -> None:
            self._started = 3

        mark(Part())
        self._started = True


class StartsByAFunctionOfItsOwn(LocalBackend):  # BC307
    def start(self) -> None:
        def mark(self: Any) -> None:
            self._started = 3

        mark(self)


class StartsInAClosure(LocalBackend):  # BC307
    def start(self) -> None:
        def mark() -> None:
            self._started = 3

        mark()


class StartsInAHandler(LocalBackend):  # BC307
    def start(self) -> None:
        backend = self

        class Handler:
            def handle(self) -> None:
                backend._started = 3

        Handler().handle()


# ---- code that never runs


class StartsElsewhere(LocalBackend):  # ok
    def start(self) -> None:
        if sys.platform == "another":
            self._started = 3
            return 3
        if TYPE_CHECKING:
            return 4
        self._started = True


class StartsHere(LocalBackend):  # BC309
    def start(self) -> None:
        if sys.platform != "another":
            return 3
        self._started = True


class StopsBeforeTheEnd(LocalBackend):  # ok
    def stop(self) -> None:
        while True:
            try:
                self._started = False
                return
            finally:
                self._started = False
        return 3


class StopsAfterALoop(LocalBackend):  # BC309
    def stop(self) -> None:
        while True:
            if self._started:
                break
            self._started = True
        return 3


class StopsWithALoopThatEnds(LocalBackend):  # BC309
    def stop(self) -> None:
        for each in ("first", "second"):
            if each == "third":
                break
        else:
            return 3


class StartsAfterTheEnd(LocalBackend):  # ok
    def start(self) -> None:
        self._started = True
        return
        self._started = 3


class StopsWithTheLastWord(LocalBackend):  # ok
    def stop(self) -> None:
        try:
            return 3
        finally:
            self._started = False
            return


class StopsWithTheFirstWord(LocalBackend):  # BC309
    def stop(self) -> None:
        try:
            return 3
        finally:
            self._started = False


# ---- overloads


class StartsAsOverloaded(LocalBackend):  # ok
    @overload
    def start(self) -> None: ...
    @overload
    def start(self, *, wait: bool) -> None: ...
    def start(self, *engines: Any, wait: bool = False) -> None:
        self._started = True


class StartsOnlyIfToldToWait(LocalBackend):  # BC309
    @overload
    def start(self) -> None: ...
    @overload
    def start(self, wait: bool) -> None: ...
    def start(self, wait: bool) -> None:
        self._started = True


class StopsAsynchronously(LocalBackend):  # BC309
    @overload
    def stop(self) -> None: ...
    @overload
    def stop(self, wait: bool) -> None: ...
    async def stop(self, wait: bool = False) -> None:
        self._started = False


class StopsNowhere(LocalBackend):  # BC309
    @overload
    def stop(self) -> None: ...
    @overload
    def stop(self, wait: bool) -> None: ...


class MadeAsOverloaded(LocalBackend):  # ok
    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, config: aconfig.Config | None) -> None: ...
    def __init__(self, config: Any = None) -> None:
        super().__init__(config)


class MadeWithASizeInSpiteOfOverloads(LocalBackend):  # BC201
    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, config: aconfig.Config | None) -> None: ...
    def __init__(self, config: Any, size: int) -> None:
        super().__init__(config)


# ---- decorators with a wrapper


def kept(function: F) -> F:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            with threading.Lock():
                return function(*args, **kwargs)
        except OSError:
            raise

    return cast(F, wrapper)


def with_status(function: F) -> F:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            function(*args, **kwargs)
        except OSError:
            return False
        return True

    return cast(F, wrapper)


def forgotten(function: F) -> F:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        function(*args, **kwargs)

    return cast(F, wrapper)


def repeated(times: int) -> Callable[[F], F]:
    def decorate(finish: F) -> F:  # not the function of the module, which returns nothing
        @wraps(finish)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            for _ in range(times):
                result = finish(*args, **kwargs)
            return result

        return cast(F, wrapper)

    return decorate


def asynchronous(function: F) -> F:
    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return cast(F, wrapper)


def renamed(function: F) -> F:
    @wraps(function)
    def wrapper(self: Any, model: str, context: Any) -> Any:
        return function(self, model, context)

    return cast(F, wrapper)


class KeptByADecorator(LocalBackend):  # ok
    @kept
    def start(self) -> None:
        self._started = True

    @repeated(3)
    def start_lock(self) -> AbstractContextManager[Any]:
        return self._start_lock

    @property
    @kept
    def is_started(self) -> bool:
        return self._started

    @forgotten
    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)


class StartsWithAStatus(LocalBackend):  # BC309
    @with_status
    def start(self) -> None:
        self._started = True


class StartsAsynchronouslyByADecorator(LocalBackend):  # BC309
    @override
    @asynchronous
    def start(self) -> None:
        self._started = True


class LockIsForgotten(LocalBackend):  # BC401
    @forgotten
    def start_lock(self) -> AbstractContextManager[Any]:
        return self._start_lock


class StateIsForgotten(LocalBackend):  # BC307
    @property
    @forgotten
    def is_started(self) -> bool:
        return self._started


class HandlesByOtherNames(LocalBackend):  # BC501
    @renamed
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


# ---- what the next class gives


class CountingBase(LocalBackend):  # BC202 BC309
    def start(self) -> int:
        return 3

    def stop(self) -> None:
        return self.config

    async def register_config(self, config: aconfig.Config) -> None: ...


class StartsAsItsBase(CountingBase):  # BC202 BC309
    def start(self) -> None:
        return super().start()

    def stop(self) -> None: ...


class StopsAsItsBase(CountingBase):  # BC202 BC309
    def start(self) -> None: ...

    def stop(self) -> None:
        return super().stop()


class RegistersAsItsBase(CountingBase):  # BC202
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def register_config(self, config: aconfig.Config) -> None:
        return super().register_config(config)


class LocksByAMethodOfItsBase(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[object]:
        return super().start_lock


class StateIsCalled(LocalBackend):  # BC307
    @property
    def is_started(self) -> bool:
        return super().is_started()


class GeneratingBase(LocalBackend):  # ok
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        with self._start_lock:
            yield


class UsesItsBase(GeneratingBase):  # ok
    @property
    def is_started(self) -> bool:
        return super().is_started

    def start(self) -> None:
        return super().start()

    def register_config(self, config: aconfig.Config) -> None:
        return super().register_config(config)

    def start_lock(self) -> AbstractContextManager[object]:
        return super().start_lock()


# ---- managers that are used up


@contextmanager
def guarded() -> Iterator[None]:
    yield


@cache
@contextmanager
def guarded_once() -> Iterator[None]:
    yield


GUARD = guarded()
LOCK = threading.RLock()


class LocksByAGuardOfTheModule(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[None]:
        return GUARD


class LocksByALockOfTheModule(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[object]:
        return LOCK


class LocksByANewGuard(LocalBackend):  # ok
    def start_lock(self) -> AbstractContextManager[None]:
        GUARD = guarded()
        return GUARD


class LocksByACachedGuard(LocalBackend):  # BC401
    def start_lock(self) -> AbstractContextManager[None]:
        return guarded_once()


class LocksByACachedProperty(LocalBackend):  # BC401
    @cached_property
    def _guard(self) -> AbstractContextManager[None]:
        return guarded()

    def start_lock(self) -> AbstractContextManager[None]:
        return self._guard


class LocksByACachedLock(LocalBackend):  # ok
    @cached_property
    def _guard(self) -> AbstractContextManager[object]:
        return threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self._guard


class LocksByAnAttributeOfTheClass(LocalBackend):  # BC401
    _guard = guarded()

    def start_lock(self) -> AbstractContextManager[None]:
        return self._guard


class LocksByANewAttribute(LocalBackend):  # ok
    _guard = guarded()

    def start_lock(self) -> AbstractContextManager[None]:
        self._guard = guarded()
        return self._guard


class CachesItsLock(LocalBackend):  # BC401
    @cache
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        yield


class YieldsTwice(LocalBackend):  # BC401
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        with self._start_lock:
            yield
        yield


class YieldsNever(LocalBackend):  # BC401
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        return
        yield


class YieldsOnceOnEachBranch(LocalBackend):  # ok
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        if self._started:
            yield
            return
        with self._start_lock:
            try:
                yield
            finally:
                self.begun = True


# ---- statements that always raise


class StartsWithAnUnknownArgument(LocalBackend):  # BC309
    def start(self) -> None:
        super().start(wait=True)


class StartsWithAKnownArgument(GeneratingBase):  # ok
    def start(self) -> None:
        self._prepare()
        super().start()

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config=config)

    def _prepare(self) -> None:
        self.begun = True


class HandlesWithoutABase(LocalBackend):  # BC501
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        super().handle_context(model_id, runtime_context)


class ReloadsByNothing(LocalBackend):  # BC202u
    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)
        self._reload()


class ReloadsByNothingAndReturns(LocalBackend):  # BC202
    def register_config(self, config: aconfig.Config) -> None:
        self._reload()
        return 3


class ReloadsByAnAttribute(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._reload = print

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)
        self._reload()


class LocksByANameOfTheClass(LocalBackend):  # BC401
    _hidden_lock = threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return _hidden_lock


class RegistersAnUnknownName(LocalBackend):  # BC202
    def register_config(self, config: aconfig.Config) -> None:
        with self._start_lock:
            super().register_config(configured)


class RegistersKnownNames(LocalBackend):  # ok
    def register_config(self, config: aconfig.Config) -> None:
        if not config:
            return
        for key in config:
            print(key, __name__, [str(value) for value in config.values()])
        try:
            print(undefined_name)
        except NameError as error:
            print(error)


class StartsByAnImportOfTheClass(LocalBackend):  # ok
    try:
        import missing_engine
    except ImportError:

        def start(self) -> None:
            self._started = True
    else:

        def start(self) -> None:
            self._started = bool(missing_engine)
