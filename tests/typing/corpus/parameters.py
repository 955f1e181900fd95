# Every mistake with parameters and results of every method, assigned to Backend and overriding.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Dict

import aconfig
import fastapi
import grpc
from common import (
    Stateless,
    WithoutHandleRuntimeContext,
    WithoutRegisterConfig,
    WithoutStart,
    WithoutStartLock,
    WithoutStop,
)

from backend_contract import Backend, LocalBackend, RuntimeServerContextType

# ---- register_config


class RegistersAConfig(WithoutRegisterConfig):
    def register_config(self, config: aconfig.Config) -> None: ...


class RegistersADict(WithoutRegisterConfig):
    def register_config(self, config: dict[str, Any]) -> None: ...


class RegistersADictOfTyping(WithoutRegisterConfig):
    def register_config(self, config: Dict[str, Any]) -> None: ...


class RegistersAMapping(WithoutRegisterConfig):
    def register_config(self, config: Mapping[str, Any]) -> None: ...


class RegistersAnObject(WithoutRegisterConfig):
    def register_config(self, config: object) -> None: ...


class RegistersAny(WithoutRegisterConfig):
    def register_config(self, config: Any) -> None: ...


class RegistersWithADefault(WithoutRegisterConfig):
    def register_config(self, config: object, overwrite: bool = True) -> None: ...


class RegistersAllThereIs(WithoutRegisterConfig):
    def register_config(self, *configs: object, **more: object) -> None: ...


class RegistersNothing(WithoutRegisterConfig):
    def register_config(self) -> None: ...


class RegistersIntegers(WithoutRegisterConfig):
    def register_config(self, config: int) -> None: ...


class RegistersOneMore(WithoutRegisterConfig):
    def register_config(self, config: object, overwrite: bool) -> None: ...


class RegistersByKeyword(WithoutRegisterConfig):
    def register_config(self, *, config: object) -> None: ...


class RegistersAndAnswers(WithoutRegisterConfig):
    def register_config(self, config: object) -> bool:
        return True


class RegistersLater(WithoutRegisterConfig):
    async def register_config(self, config: object) -> None: ...


register_1: Backend = RegistersAConfig()
register_2: Backend = RegistersADict()
register_3: Backend = RegistersADictOfTyping()
register_4: Backend = RegistersAMapping()
register_5: Backend = RegistersAnObject()
register_6: Backend = RegistersAny()
register_7: Backend = RegistersWithADefault()
register_8: Backend = RegistersAllThereIs()
register_9: Backend = WithoutRegisterConfig()  # E
register_10: Backend = RegistersNothing()  # E
register_11: Backend = RegistersIntegers()  # E
register_12: Backend = RegistersOneMore()  # E
register_13: Backend = RegistersByKeyword()  # E
register_14: Backend = RegistersAndAnswers()  # E
register_15: Backend = RegistersLater()  # E


# ---- start, stop


class StartsWithADefault(WithoutStart):
    def start(self, wait: bool = True) -> None: ...


class StartsByClass(WithoutStart):
    @classmethod
    def start(cls) -> None: ...


class StartsStatically(WithoutStart):
    @staticmethod
    def start() -> None: ...


class StartsWithAnArgument(WithoutStart):
    def start(self, wait: bool) -> None: ...


class StartsAndAnswers(WithoutStart):
    def start(self) -> bool:
        return True


class StartsLater(WithoutStart):
    async def start(self) -> None: ...


class StartsByGenerator(WithoutStart):
    def start(self) -> Iterator[None]:
        yield


class StartsByAttribute(WithoutStart):
    start: bool = True


class StopsWithADefault(WithoutStop):
    def stop(self, wait: bool = True) -> None: ...


class StopsWithAnArgument(WithoutStop):
    def stop(self, wait: bool) -> None: ...


class StopsAndAnswers(WithoutStop):
    def stop(self) -> bool:
        return True


class StopsLater(WithoutStop):
    async def stop(self) -> None: ...


start_1: Backend = StartsWithADefault()
start_2: Backend = StartsByClass()
start_3: Backend = StartsStatically()
start_4: Backend = WithoutStart()  # E
start_5: Backend = StartsWithAnArgument()  # E
start_6: Backend = StartsAndAnswers()  # E
start_7: Backend = StartsLater()  # E
start_8: Backend = StartsByGenerator()  # E
start_9: Backend = StartsByAttribute()  # E
stop_1: Backend = StopsWithADefault()
stop_2: Backend = WithoutStop()  # E
stop_3: Backend = StopsWithAnArgument()  # E
stop_4: Backend = StopsAndAnswers()  # E
stop_5: Backend = StopsLater()  # E


# ---- is_started


class StartedByAttribute(Stateless):
    is_started = False


class StartedByInstance(Stateless):
    def __init__(self) -> None:
        super().__init__()
        self.is_started = False


class StartedByProperty(Stateless):
    @property
    def is_started(self) -> bool:
        return False


class StartedByMethod(Stateless):
    def is_started(self) -> bool:
        return False


class StartedByInteger(Stateless):
    is_started: int = 0


class StartedOrNone(Stateless):
    is_started: bool | None = None


class StartedLater(Stateless):
    @property
    async def is_started(self) -> bool:
        return False


started_1: Backend = StartedByAttribute()
started_2: Backend = StartedByInstance()
started_3: Backend = StartedByProperty()
started_4: Backend = Stateless()  # E
started_5: Backend = StartedByMethod()  # E
started_6: Backend = StartedByInteger()  # E
started_7: Backend = StartedOrNone()  # E
started_8: Backend = StartedLater()  # E


# ---- start_lock


class LocksByNull(WithoutStartLock):
    def start_lock(self) -> nullcontext[None]:
        return nullcontext()


class LocksByGenerator(WithoutStartLock):
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        with self.lock:
            yield


class LocksByNothing(WithoutStartLock):
    def start_lock(self) -> None: ...


class LocksByBareGenerator(WithoutStartLock):
    def start_lock(self) -> Iterator[None]:
        yield


class LocksLater(WithoutStartLock):
    async def start_lock(self) -> AbstractContextManager[object]:
        return self.lock


class LocksByProperty(WithoutStartLock):
    @property
    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock


class LocksWithAnArgument(WithoutStartLock):
    def start_lock(self, wait: int) -> AbstractContextManager[object]:
        return self.lock


lock_1: Backend = LocksByNull()
lock_2: Backend = LocksByGenerator()
lock_3: Backend = WithoutStartLock()  # E
lock_4: Backend = LocksByNothing()  # E
lock_5: Backend = LocksByBareGenerator()  # E
lock_6: Backend = LocksLater()  # E
lock_7: Backend = LocksByProperty()  # E
lock_8: Backend = LocksWithAnArgument()  # E


# ---- handle_runtime_context


class Handles(WithoutHandleRuntimeContext):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class HandlesTheUnion(WithoutHandleRuntimeContext):
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext | fastapi.Request
    ) -> None: ...


class HandlesObjects(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: object, runtime_context: object) -> None: ...


class HandlesAny(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: Any, runtime_context: Any) -> None: ...


class HandlesOneMoreWithADefault(WithoutHandleRuntimeContext):
    def handle_runtime_context(
        self, model_id: str, runtime_context: object, more: int = 0
    ) -> None: ...


class HandlesAllThereIs(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, *args: object, **kwargs: object) -> None: ...


class HandlesHttpOnly(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...


class HandlesGrpcOnly(WithoutHandleRuntimeContext):
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...


class HandlesUnderAnotherName(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, context: object) -> None: ...


class HandlesAModelUnderAnotherName(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model: str, runtime_context: object) -> None: ...


class HandlesByPosition(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: object, /) -> None: ...


class HandlesByKeyword(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, *, model_id: str, runtime_context: object) -> None: ...


class HandlesInAnotherOrder(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, runtime_context: object, model_id: str) -> None: ...


class HandlesNoContext(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str) -> None: ...


class HandlesOneMore(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: object, more: int) -> None: ...


class HandlesIntegers(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: int, runtime_context: object) -> None: ...


class HandlesAndAnswers(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: object) -> bool:
        return True


class HandlesLater(WithoutHandleRuntimeContext):
    async def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...


handle_1: Backend = Handles()
handle_2: Backend = HandlesTheUnion()
handle_3: Backend = HandlesObjects()
handle_4: Backend = HandlesAny()
handle_5: Backend = HandlesOneMoreWithADefault()
handle_6: Backend = HandlesAllThereIs()
handle_7: Backend = WithoutHandleRuntimeContext()  # E
handle_8: Backend = HandlesHttpOnly()  # E
handle_9: Backend = HandlesGrpcOnly()  # E
# It compares the parameters of a Protocol by position, not by name.
handle_10: Backend = HandlesUnderAnotherName()  # E mypy
# It compares the parameters of a Protocol by position, not by name.
handle_11: Backend = HandlesAModelUnderAnotherName()  # E mypy
# It compares the parameters of a Protocol by position, not by name.
handle_12: Backend = HandlesByPosition()  # E mypy
handle_13: Backend = HandlesByKeyword()  # E
handle_14: Backend = HandlesInAnotherOrder()  # E
handle_15: Backend = HandlesNoContext()  # E
handle_16: Backend = HandlesOneMore()  # E
handle_17: Backend = HandlesIntegers()  # E
handle_18: Backend = HandlesAndAnswers()  # E
handle_19: Backend = HandlesLater()  # E


# ---- The same in subclasses of BackendBase


class Overrides(LocalBackend):
    def register_config(self, config: object, overwrite: bool = True) -> None: ...
    def start(self, wait: bool = True) -> None: ...
    def stop(self, wait: bool = True) -> None: ...
    def handle_runtime_context(self, model_id: object, runtime_context: object) -> None: ...


class OverridesWithLess(LocalBackend):
    def register_config(self) -> None: ...  # E
    def start_lock(self) -> None: ...  # E
    def handle_runtime_context(self, model_id: str) -> None: ...  # E


class OverridesWithMore(LocalBackend):
    def register_config(self, config: object, overwrite: bool) -> None: ...  # E
    def start(self, wait: bool) -> None: ...  # E
    def stop(self, wait: bool) -> None: ...  # E
    def start_lock(self, wait: bool) -> nullcontext[None]: ...  # E
    def handle_runtime_context(  # E[more]
        self,
        model_id: str,
        runtime_context: object,
        more: int,  # E[more]
    ) -> None: ...


class OverridesWithResults(LocalBackend):
    def register_config(self, config: object) -> bool: ...  # E
    def start(self) -> bool: ...  # E
    def stop(self) -> bool: ...  # E
    def handle_runtime_context(self, model_id: str, runtime_context: object) -> bool: ...  # E


class OverridesLater(LocalBackend):
    async def register_config(self, config: object) -> None: ...  # E
    async def start(self) -> None: ...  # E
    async def stop(self) -> None: ...  # E
    async def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...  # E


class OverridesWithOtherTypes(LocalBackend):
    def register_config(self, config: int) -> None: ...  # E
    def is_started(self) -> bool: ...  # E
    def handle_runtime_context(self, model_id: int, runtime_context: object) -> None: ...  # E


class OverridesUnderOtherNames(LocalBackend):
    # It allows overrides to rename parameters.
    def handle_runtime_context(self, model_id: str, context: object) -> None: ...  # E mypy zuban


class OverridesByPosition(LocalBackend):
    # It allows overrides to rename parameters.
    def handle_runtime_context(  # E[position] mypy zuban
        self,
        model_id: str,
        runtime_context: object,
        /,  # E[position] mypy zuban
    ) -> None: ...


class OverridesForHttp(LocalBackend):
    def handle_runtime_context(  # E[http]
        self,
        model_id: str,
        runtime_context: fastapi.Request,  # E[http]
    ) -> None: ...
