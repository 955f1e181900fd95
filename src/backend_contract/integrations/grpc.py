"""Backends in a grpcio server. Requires grpcio (extra ``grpc``)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from backend_contract.integrations._grpc_calls import (
    ModelIdOf,
    NotifyingBehavior,
    notify_of,
    with_behavior,
)
from backend_contract.protocol import Backend

try:
    import grpc
    import grpc.aio
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"{__name__} requires grpcio: pip install 'backend-contract[grpc]'", name=_error.name
    ) from _error

__all__ = ["BackendInterceptor", "add_health"]

Request = TypeVar("Request")
Response = TypeVar("Response")


class BackendInterceptor(grpc.ServerInterceptor):
    """Notifies backends of each call, before the call is handled and in the same thread.

    Pass it to the server, after interceptors that reject calls::

        grpc.server(pool, interceptors=[authentication, BackendInterceptor(backends)])

    *model_id* says which model a call is for: the name of a field of the request message
    (``"model_name"`` for KServe), or a function of the request message and the context. By default
    it is the metadata ``mm-model-id``, as in Caikit. Backends receive the id as a ``str``. Calls
    for which it is ``None``, empty or absent (health checks, reflection) are served without
    notifying any backend. With *model_id*, the first message of a stream of requests counts. It is
    read ahead; if there is none, no backend is notified.

    Context variables (:mod:`contextvars`) that a backend sets are seen by the handler of that call,
    up to its last response, and by no other call.

    If a backend raises, every backend is still notified, and the call fails as if the servicer had
    raised: with ``UNKNOWN``, and the group of :func:`~backend_contract.notify` in the log; if a
    backend called ``context.abort``, with its code. A backend that waits delays its own call and
    occupies one thread of the server.

    For ``grpc.server``; :mod:`backend_contract.integrations.grpc_aio` has the one for
    ``grpc.aio.server``.
    """

    def __init__(
        self,
        backends: Iterable[Backend],
        model_id: Callable[[Any, grpc.ServicerContext], object] | str | None = None,
    ) -> None:
        self._backends = tuple(backends)
        self._model_id = ModelIdOf(model_id)

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """Return the handler of the call, wrapped so that it notifies the backends first."""
        notifying: grpc.RpcMethodHandler[Request, Response] | None
        notifying = with_behavior(continuation(handler_call_details), self._notifying)
        return notifying

    def _notifying(self, behavior: Callable[..., Any], kind: str) -> Callable[..., Any]:
        streamed = kind.startswith("stream_")

        def prepare(request: Any, context: grpc.ServicerContext) -> tuple[Any, Any]:
            return notify_of(request, context, streamed, self._model_id, self._backends), context

        return NotifyingBehavior(behavior, prepare, kind.endswith("_stream"))


def add_health(server: Any, backends: Iterable[Backend]) -> None:
    """Add the service ``grpc.health.v1.Health`` to *server*, synchronous or of ``grpc.aio``.

    The server is ``SERVING`` if there is a backend and all are started. Every ``Check`` reads
    ``is_started`` anew; a backend that does not answer within a second counts as not started. A
    ``Watch`` is sent the status at once, and each change that a reading once a second shows. One
    thread reads it for all of them, and only as long as there are any. An open ``Watch`` is a call
    in progress: stopping the server with a grace period waits for its client to leave.

    The empty name of a service stands for the server; others are ``NOT_FOUND``, and
    ``SERVICE_UNKNOWN`` to a ``Watch``.

    Requires grpcio-health-checking; without it the call raises :class:`ModuleNotFoundError`.
    """
    try:
        messages: Any = importlib.import_module("grpc_health.v1.health_pb2")
        services: Any = importlib.import_module("grpc_health.v1.health_pb2_grpc")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "add_health needs the health protocol: pip install grpcio-health-checking",
            name=error.name,
        ) from error
    from backend_contract.integrations._grpc_health import Health

    health = Health(backends, messages.HealthCheckResponse)
    servicer = services.HealthServicer()
    servicer.Check = health.check
    servicer.Watch = health.watch_async if isinstance(server, grpc.aio.Server) else health.watch
    services.add_HealthServicer_to_server(servicer, server)
