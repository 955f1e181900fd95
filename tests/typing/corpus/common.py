# Base classes of the corpus: a complete structural backend, and one without each member.

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

import aconfig

from backend_contract import RuntimeServerContextType


class Rest:
    """The part that all backends here share."""

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.config = config
        self.lock = threading.RLock()


class WithName(Rest):
    backend_type = "COMMON"


class WithState(Rest):
    is_started: bool = False


class WithRegisterConfig(Rest):
    def register_config(self, config: aconfig.Config) -> None: ...


class WithStart(Rest):
    def start(self) -> None: ...


class WithStop(Rest):
    def stop(self) -> None: ...


class WithStartLock(Rest):
    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock


class WithHandleRuntimeContext(Rest):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class Nameless(
    WithState, WithRegisterConfig, WithStart, WithStop, WithStartLock, WithHandleRuntimeContext
): ...


class Stateless(
    WithName, WithRegisterConfig, WithStart, WithStop, WithStartLock, WithHandleRuntimeContext
): ...


class WithoutRegisterConfig(
    WithName, WithState, WithStart, WithStop, WithStartLock, WithHandleRuntimeContext
): ...


class WithoutStart(
    WithName, WithState, WithRegisterConfig, WithStop, WithStartLock, WithHandleRuntimeContext
): ...


class WithoutStop(
    WithName, WithState, WithRegisterConfig, WithStart, WithStartLock, WithHandleRuntimeContext
): ...


class WithoutStartLock(
    WithName, WithState, WithRegisterConfig, WithStart, WithStop, WithHandleRuntimeContext
): ...


class WithoutHandleRuntimeContext(
    WithName, WithState, WithRegisterConfig, WithStart, WithStop, WithStartLock
): ...


class Whole(WithoutStart, WithStart): ...
