"""Backends that keep one clause each, named after it."""

import asyncio
import os
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import ClassVar

import aconfig

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata


class BC101(LocalBackend):
    backend_type = "MINE"


class BC102(LocalBackend):
    backend_type = "MINE"


class BC103(LocalBackend):
    backend_type = "MINE"


class BC104(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id


class BC201(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None, workers: int = 1) -> None:
        super().__init__(config)
        self.workers = workers


class BC202(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config, overwrite: bool = True) -> None:
        super().register_config(config)


class BC203(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)


class BC204(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)


class BC205(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.workers = self.config.get("workers", 1)


class BC206(LocalBackend):
    backend_type = "MINE"

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)


class BC301(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class BC302(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        self.connections = [object()]
        self._started = True


class BC303(LocalBackend):
    backend_type = "MINE"

    def stop(self) -> None:
        self._started = False
        self.connections: list[object] = []


class BC304(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        if self.is_started:
            return
        super().start()


class BC305(LocalBackend):
    backend_type = "MINE"

    def stop(self) -> None:
        if not self.is_started:
            return
        super().stop()


class BC306(LocalBackend):
    backend_type = "MINE"

    starts = 0

    def start(self) -> None:
        if not self.is_started:
            self.starts += 1
        super().start()


class BC307(LocalBackend):
    backend_type = "MINE"

    @property
    def is_started(self) -> bool:
        return self._started


class BC308(LocalBackend):
    backend_type = "MINE"

    def connect(self) -> None: ...

    def start(self) -> None:
        if not self.is_started:
            self.connect()
            self._started = True


class BC309(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
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
        if self.worker is not None:
            self.stopping.set()
            self.worker.join()
            self.worker = None


class BC311(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        if not self.is_started:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, asyncio.sleep(0)).result()
        super().start()


class BC312(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")


class BC313(LocalBackend):
    backend_type = "MINE"

    def start(self) -> None:
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        super().start()


class BC401(LocalBackend):
    backend_type = "MINE"

    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock


class BC402(LocalBackend):
    backend_type = "MINE"

    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock


class BC403(LocalBackend):
    backend_type = "MINE"

    @contextmanager
    def start_lock(self) -> Generator[None, None, None]:
        with self._start_lock:
            yield


class BC404(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.lock = threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def start(self) -> None:
        with self.lock:
            super().start()


class BC405(LocalBackend):
    backend_type = "MINE"

    def connect(self) -> None: ...

    def start(self) -> None:
        if not self.is_started:
            self.connect()
            self._started = True


class BC406(LocalBackend):
    backend_type = "MINE"

    @property
    def is_started(self) -> bool:
        return self._started


class BC501(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id


class BC502(LocalBackend):
    backend_type = "MINE"

    route: ClassVar[ContextVar[str | None]] = ContextVar("route", default=None)

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route.set(get_metadata(runtime_context, "x-route-info"))


class BC503(LocalBackend):
    backend_type = "MINE"

    route: ClassVar[ContextVar[str | None]] = ContextVar("route", default=None)

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route.set(get_metadata(runtime_context, "x-route-info"))


class BC504(LocalBackend):
    backend_type = "MINE"

    route: ClassVar[ContextVar[str]] = ContextVar("route")

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route.set(get_metadata(runtime_context, "x-route-info") or "default")


class BC505(LocalBackend):
    backend_type = "MINE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id


class BC506(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")


class BC507(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")


class BC508(LocalBackend):
    backend_type = "MINE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")
