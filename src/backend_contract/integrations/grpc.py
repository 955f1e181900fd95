"""Backends in a grpcio server. Requires grpcio (extra ``grpc``)."""

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
        f"{__name__} requires grpcio: pip install 'backend-contract[grpc]'", name=_error.name
    ) from _error

__all__ = ["BackendInterceptor"]

Request = TypeVar("Request")
Response = TypeVar("Response")


def _from_metadata(context: grpc.ServicerContext) -> str | None:
    return get_metadata(context, "mm-model-id")


class BackendInterceptor(grpc.ServerInterceptor):
    """Notifies backends of each call, before the call is handled and in the same thread.

    Pass it to the server::

        grpc.server(pool, interceptors=[BackendInterceptor(backends)])

    *model_id* returns the id of the model that a call is for; by default that is the metadata
    ``mm-model-id``, as in Caikit. Calls for which it returns ``None`` (health checks, reflection)
    are served without notifying any backend.

    If a backend raises, every backend is still notified, and the call fails as if the servicer had
    raised: with ``UNKNOWN``, and the group of :func:`~backend_contract.notify` in the log. A
    backend that waits delays its own call and occupies one thread of the server.

    For ``grpc.server`` only: a ``grpc.aio.server`` rejects this interceptor, and its contexts are
    not part of the contract.
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
        """Return the handler of the call, wrapped so that it notifies the backends first."""
        handler = continuation(handler_call_details)
        if handler is None:  # the method is not served
            return None
        for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
            answer: Callable[..., Any] | None = getattr(handler, kind)
            if answer is not None:
                make: Callable[..., Any] = getattr(grpc, f"{kind}_rpc_method_handler")
                notifying: grpc.RpcMethodHandler[Request, Response] = make(
                    self._notifying(answer),
                    handler.request_deserializer,
                    handler.response_serializer,
                )
                return notifying
        return handler

    def _notifying(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(answer)  # keeps attributes that tell grpcio how to call it
        def notify_and_answer(request: Any, context: grpc.ServicerContext, *others: Any) -> Any:
            model_id = self._model_id(context)
            if model_id is not None:
                notify(self._backends, model_id, context)
            return answer(request, context, *others)

        return notify_and_answer
