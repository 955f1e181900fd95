"""Telling backends about the requests of a FastAPI application. Needs FastAPI (extra ``fastapi``).

For an application that starts and stops its backends, and tells them about every request::

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
        f"{__name__} needs FastAPI: pip install 'backend-contract[fastapi]'", name=_error.name
    ) from _error

__all__ = ["lifespan", "notify_backends"]


async def _from_request(request: fastapi.Request) -> str | None:
    model_id: str | None = request.path_params.get("model_id")
    return request.headers.get("mm-model-id") if model_id is None else model_id


def notify_backends(
    backends: Iterable[Backend], model_id: Callable[..., Any] = _from_request
) -> Callable[..., None]:
    """A dependency that tells ``backends`` about a request, before the endpoint is called.

    ``model_id`` is a dependency itself, which gives the id of the model that the request is for: a
    function with whatever parameters FastAPI can fill. By default it is the path parameter
    ``model_id``, or else the header ``mm-model-id``. Requests for which it gives ``None`` are
    answered and nobody is told.

    Where a backend raises, all are told, the request is not answered, and fails as it does where
    the endpoint raises: with status 500, and the group of :func:`~backend_contract.notify`. It runs
    off the event loop, in a thread: a backend that waits holds up its own request and one thread.
    """
    everyone = tuple(backends)

    def tell(
        request: fastapi.Request,
        model: str | None = fastapi.Depends(model_id),
    ) -> None:
        if model is not None:
            notify(everyone, model, request)

    return tell


def lifespan(*backends: Backend) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The ``lifespan`` of an application whose backends run as long as it does.

    They are started and stopped as :func:`~backend_contract.running_async` does, which does not fit
    there by itself: Starlette takes what a lifespan yields for the state of the application.
    """

    @asynccontextmanager
    async def context(app: Any) -> AsyncGenerator[None, None]:
        async with running_async(*backends):
            yield

    return context
