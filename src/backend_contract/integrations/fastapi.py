"""Backends in a FastAPI application. Requires FastAPI (extra ``fastapi``).

An application that starts and stops its backends, and notifies them of every request::

    app = FastAPI(lifespan=lifespan(*backends))

    @app.post("/models/{model_id}", dependencies=[Depends(notify_backends(backends))])
    def answer(model_id: str) -> Answer: ...
"""

from __future__ import annotations

import contextvars
import functools
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from backend_contract._compat import exception_group
from backend_contract.integrations._readiness import Readiness
from backend_contract.integrations._requests import as_model_id, restore
from backend_contract.lifecycle import running_async
from backend_contract.notification import notify
from backend_contract.protocol import Backend

try:
    import anyio.to_thread
    import fastapi
    from starlette.requests import HTTPConnection
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"{__name__} requires FastAPI: pip install 'backend-contract[fastapi]'", name=_error.name
    ) from _error

__all__ = ["health_router", "lifespan", "notify_backends"]

_NOTIFIED = "backend_contract.notified"


# `async`, or FastAPI would call it in one of the threads of the endpoints.
async def _from_connection(connection: HTTPConnection) -> object:
    model_id = connection.path_params.get("model_id")
    return connection.headers.get("mm-model-id") if model_id is None else model_id


def notify_backends(
    backends: Iterable[Backend], model_id: Callable[..., Any] = _from_connection
) -> Callable[..., Awaitable[None]]:
    """Return a dependency that notifies *backends* of a request before the endpoint is called.

    *model_id* is itself a dependency that returns the id of the requested model: a function with
    any parameters that FastAPI can fill. By default it is the path parameter ``model_id``, or else
    the header ``mm-model-id``. Backends receive it as a ``str``. Requests for which it returns
    ``None`` or an empty string, and WebSockets, are served without notifying any backend. If the
    dependency is given several times, a backend is notified once per request and model id.

    Context variables (:mod:`contextvars`) that a backend sets are seen by the endpoint, synchronous
    or not, up to the last part of a streamed response, and by no other request.

    If a backend raises, every backend is still notified. The first ``HTTPException`` among the
    failures becomes the response; without one, the request fails as if the endpoint had raised,
    with status 500 and the group of :func:`~backend_contract.notify`. Backends run in threads that
    belong to the dependency: one that waits delays its own request, but neither the event loop nor
    the threads of endpoints.
    """
    if not callable(model_id):
        raise TypeError(f"model_id must be a function, got {model_id!r}")
    notified = tuple(backends)
    threads = anyio.CapacityLimiter(math.inf)

    async def notify_of_request(
        connection: HTTPConnection,
        found: object = fastapi.Depends(model_id),
    ) -> None:
        model = as_model_id(found)
        if model is None or not isinstance(connection, fastapi.Request):
            return
        seen: set[tuple[int, str]] = connection.scope.setdefault(_NOTIFIED, set())
        untold = [backend for backend in notified if (id(backend), model) not in seen]
        seen.update((id(backend), model) for backend in untold)
        scope = contextvars.copy_context()
        try:
            call = functools.partial(notify, untold, model, connection)
            await anyio.to_thread.run_sync(scope.run, call, limiter=threads)
        except _GROUP as failure:
            answer = _first_http_exception(failure)
            if answer is None:
                raise
            raise answer from failure
        restore(scope)

    return notify_of_request


_GROUP: type[BaseException] = type(exception_group("", [Exception()]))


def _first_http_exception(failure: BaseException) -> BaseException | None:
    from starlette.exceptions import HTTPException

    failures: tuple[BaseException, ...] = getattr(failure, "exceptions", ())
    return next((each for each in failures if isinstance(each, HTTPException)), None)


def lifespan(*backends: Backend) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Return a ``lifespan`` that runs *backends* as long as the application.

    They are started and stopped as by :func:`~backend_contract.running_async`, which cannot be used
    directly: Starlette treats the value that a lifespan yields as the application's state. An
    application with a lifespan of its own enters this one in it::

        @asynccontextmanager
        async def own(app):
            async with lifespan(*backends)(app):
                yield {"pool": pool}
    """

    @asynccontextmanager
    async def context(app: Any) -> AsyncGenerator[None, None]:
        async with running_async(*backends):
            yield

    return context


def health_router(backends: Iterable[Backend]) -> fastapi.APIRouter:
    """Return a router with ``/health/live`` and ``/health/ready``.

    The first one always answers 200. The second one answers 200 if there is a backend and all are
    started, and 503 otherwise. Every request reads ``is_started`` anew; a backend that does not
    answer within a second counts as not started.
    """
    readiness = Readiness(backends)
    threads = anyio.CapacityLimiter(math.inf)
    router = fastapi.APIRouter(prefix="/health")

    async def live() -> dict[str, str]:
        return {"status": "live"}

    async def ready(response: fastapi.Response) -> dict[str, str]:
        if await anyio.to_thread.run_sync(readiness.is_ready, limiter=threads):
            return {"status": "ready"}
        response.status_code = 503
        return {"status": "not ready"}

    router.add_api_route("/live", live)
    router.add_api_route("/ready", ready)
    return router
