"""Backends that violate one clause each, named after it, and keep all others."""

import asyncio
import os
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

import aconfig

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata, is_grpc_context, is_http_context


class BC101(LocalBackend):
    backend_type = 7


class BC102(LocalBackend):
    @property
    def backend_type(self) -> str:
        return "MINE"


class BC103(LocalBackend):
    backend_type = "Mine"


class BC104(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id


class BC201(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None, workers: int) -> None:
        super().__init__(config)
        self.workers = workers


class BC202(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config, overwrite: bool) -> None:
        super().register_config(config)


class BC203(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config) -> None:
        if self.config:
            raise RuntimeError("already configured")
        super().register_config(config)


class BC204(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config) -> None:
        self.config = aconfig.Config(config, override_env_vars=False)


class BC205(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.config.setdefault("workers", 1)


class BC206(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config) -> None:
        if self.config:
            super().register_config(config)
        else:
            self.config = config


class BC301(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.start()


class BC302(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        self.connections = [object()]


class BC303(LocalBackend):
    backend_type = "MINE"

    def stop(self) -> None:
        self.connections: list[object] = []


class BC304(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        if self.is_started:
            raise RuntimeError("already started")
        super().start()


class BC305(LocalBackend):
    backend_type = "MINE"

    def stop(self) -> None:
        if not self.is_started:
            raise RuntimeError("not started")
        super().stop()


class BC306(LocalBackend):
    backend_type = "MINE"

    used = False

    def start(self) -> None:
        if self.used and not self.is_started:
            raise RuntimeError("make a new one")
        self.used = True
        super().start()


class BC307(LocalBackend):
    backend_type = "MINE"

    def is_started(self) -> bool:
        return self._started


class BC308(LocalBackend):
    backend_type = "MINE"

    def connect(self) -> None: ...

    def start(self) -> None:
        if self.is_started:
            return
        try:
            self.connect()
        finally:
            self._started = True


class BC309(LocalBackend):
    backend_type = "MINE"

    async def start(self) -> None:
        self._started = True


class BC310(LocalBackend):
    backend_type = "MINE"
    worker: threading.Thread | None = None

    def start(self) -> None:
        if self.worker is None:
            self.stopping = threading.Event()
            self.worker = threading.Thread(target=self.stopping.wait, daemon=True)
            self.worker.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self.worker = None


class BC311(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        if not self.is_started:
            asyncio.run(asyncio.sleep(0))
        super().start()


class BC312(LocalBackend):
    backend_type = "MINE"

    contexts: ClassVar[dict[str, str | None]] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")


class BC313(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"
        super().start()


class BC401(LocalBackend):
    backend_type = "MINE"

    def start_lock(self) -> bool:
        return self._start_lock.acquire()


class BC402(LocalBackend):
    backend_type = "MINE"

    def start_lock(self) -> AbstractContextManager[object]:
        return threading.RLock()


class BC403(LocalBackend):
    backend_type = "MINE"

    @contextmanager
    def start_lock(self) -> Generator[None, None, None]:
        self._start_lock.acquire()
        yield
        self._start_lock.release()


class BC404(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.lock = threading.Lock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def start(self) -> None:
        with self.lock:
            super().start()


class BC405(LocalBackend):
    backend_type = "MINE"

    def connect(self) -> None: ...

    def start(self) -> None:
        if self.is_started:
            return
        self._started = True
        try:
            self.connect()
        except BaseException:
            self._started = False
            raise


class BC406(LocalBackend):
    backend_type = "MINE"

    @property
    def is_started(self) -> bool:
        with self._start_lock:
            return self._started


class BC501(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(self, model_id: str, context: RuntimeServerContextType) -> None:
        self.last_model = model_id


class BC502(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_grpc_context(runtime_context):
            raise TypeError("HTTP only")


class BC503(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_http_context(runtime_context):
            raise TypeError("gRPC only")


class BC504(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if get_metadata(runtime_context, "x-route-info") is None:
            raise KeyError("x-route-info")


class BC505(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if not self.is_started:
            raise RuntimeError("not started")


class BC506(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.model_id = model_id
        self.route = get_metadata(runtime_context, "x-route-info")
        self.contexts[self.model_id] = self.route


class BC507(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        with self._start_lock:
            self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")


class BC508(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: list[tuple[str, RuntimeServerContextType]] = []

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts.append((model_id, runtime_context))
