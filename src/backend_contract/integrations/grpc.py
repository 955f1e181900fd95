"""Telling backends about the calls of a grpcio server. Needs grpcio (extra ``grpc``)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from backend_contract.notification import notify
from backend_contract.protocol import Backend
from backend_contract.runtime_context import get_metadata

try:
    import grpc
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"{__name__} needs grpcio: pip install 'backend-contract[grpc]'", name=_error.name
    ) from _error

__all__ = ["BackendInterceptor"]

Request = TypeVar("Request")
Response = TypeVar("Response")


def _from_metadata(context: grpc.ServicerContext) -> str | None:
    return get_metadata(context, "mm-model-id")


class BackendInterceptor(grpc.ServerInterceptor):
    """Tells backends about each call, before it is answered and in the thread that answers it.

    To be given to the server::

        grpc.server(pool, interceptors=[BackendInterceptor(backends)])

    ``model_id`` gives the id of the model that a call is for; by default that is the metadata
    ``mm-model-id``, as Caikit has it. Calls for which it gives ``None`` (health checks, reflection)
    are answered and nobody is told.

    Where a backend raises, all are told, the call is not answered, and fails as it does where the
    servicer raises: with ``UNKNOWN``, and the group of :func:`~backend_contract.notify` in the log.
    A backend that waits holds up its own call and one thread of the server.

    For ``grpc.server``. A ``grpc.aio.server`` has another kind of context, which is outside of the
    contract, and refuses this interceptor.
    """

    def __init__(
        self,
        backends: Iterable[Backend],
        model_id: Callable[[grpc.ServicerContext], str | None] = _from_metadata,
    ) -> None:
        self._backends = tuple(backends)
        self._model_id = model_id

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """Give the server the same handler, which tells the backends first."""
        handler = continuation(handler_call_details)
        if handler is None:  # nobody serves that method
            return None
        for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
            answer: Callable[..., Any] | None = getattr(handler, kind)
            if answer is not None:
                make: Callable[..., Any] = getattr(grpc, f"{kind}_rpc_method_handler")
                told: grpc.RpcMethodHandler[Request, Response] = make(
                    self._telling(answer), handler.request_deserializer, handler.response_serializer
                )
                return told
        return handler

    def _telling(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(answer)  # grpcio reads attributes of it: how it wants to be called
        def tell_and_answer(request: Any, context: grpc.ServicerContext, *others: Any) -> Any:
            model_id = self._model_id(context)
            if model_id is not None:
                notify(self._backends, model_id, context)
            return answer(request, context, *others)

        return tell_and_answer
