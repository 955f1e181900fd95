"""Backends in a FastAPI application. Requires FastAPI (extra ``fastapi``).

An application that starts and stops its backends, and notifies them of every request::

    app = FastAPI(lifespan=lifespan(*backends))

    @app.post("/models/{model_id}", dependencies=[Depends(notify_backends(backends))])
    def answer(model_id: str) -> Answer: ...
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from backend_contract.lifecycle import running_async
from backend_contract.notification import notify
from backend_contract.protocol import Backend

try:
    import fastapi
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"{__name__} requires FastAPI: pip install 'backend-contract[fastapi]'", name=_error.name
    ) from _error

__all__ = ["lifespan", "notify_backends"]


async def _from_request(request: fastapi.Request) -> str | None:
    model_id: str | None = request.path_params.get("model_id")
    return request.headers.get("mm-model-id") if model_id is None else model_id


def notify_backends(
    backends: Iterable[Backend], model_id: Callable[..., Any] = _from_request
) -> Callable[..., None]:
    """Return a dependency that notifies *backends* of a request before the endpoint is called.

    *model_id* is itself a dependency that returns the id of the requested model: a function with
    any parameters that FastAPI can fill. By default it is the path parameter ``model_id``, or else
    the header ``mm-model-id``. Requests for which it returns ``None`` are served without notifying
    any backend.

    If a backend raises, every backend is still notified, and the request fails as if the endpoint
    had raised: with status 500 and the group of :func:`~backend_contract.notify`. The dependency
    runs in a thread, off the event loop: a backend that waits delays its own request and occupies
    one thread.
    """
    notified = tuple(backends)

    def notify_of_request(
        request: fastapi.Request,
        model: str | None = fastapi.Depends(model_id),
    ) -> None:
        if model is not None:
            notify(notified, model, request)

    return notify_of_request


def lifespan(*backends: Backend) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Return a ``lifespan`` that runs *backends* as long as the application.

    They are started and stopped as by :func:`~backend_contract.running_async`, which cannot be used
    directly: Starlette treats the value that a lifespan yields as the application's state.
    """

    @asynccontextmanager
    async def context(app: Any) -> AsyncGenerator[None, None]:
        async with running_async(*backends):
            yield

    return context
