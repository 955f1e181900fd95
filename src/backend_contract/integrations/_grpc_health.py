"""The service ``grpc.health.v1.Health`` over the readiness of backends."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import grpc

from backend_contract.integrations._readiness import Readiness, Watchers
from backend_contract.protocol import Backend


class Health:
    """The methods of the service, for both kinds of server; *response* is its message.

    The servicers of grpcio-health-checking only know the status that was set last, and a watcher
    that leaves may block the server, or all other watchers
    (https://github.com/grpc/grpc/pull/43403).
    """

    def __init__(self, backends: Iterable[Backend], response: Any) -> None:
        self._readiness = Readiness(backends)
        self._watchers = Watchers(self._readiness)
        self._response = response
        self._unknown = response(status=response.SERVICE_UNKNOWN)

    # A plain method, which a server of `grpc.aio` runs in a thread, too.
    def check(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Answer with the status now."""
        if request.service:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            return self._response()
        return self._status(self._readiness.is_ready())

    def watch(
        self,
        request: Any,
        context: grpc.ServicerContext,
        send: Callable[[Any], object] | None = None,
    ) -> Iterator[Any]:
        """Answer with the status now and with each change.

        grpcio gives *send*, which any thread may call, unless an interceptor hides the attribute
        that asks for it. Without it the responses are returned, and occupy a thread of the server.
        """
        responses: queue.SimpleQueue[Any] = queue.SimpleQueue()
        respond = send or responses.put

        def tell(is_ready: bool) -> None:
            respond(self._status(is_ready))

        def end() -> None:
            self._watchers.remove(tell)
            respond(None)

        if request.service:
            respond(self._unknown)
        else:
            self._watchers.add(tell)
        if not context.add_callback(end):  # the call has ended already
            end()
        return iter(responses.get, None)

    setattr(watch, "experimental_non_blocking", True)  # noqa: B010 - types know no such attribute

    async def watch_async(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Answer with the status now and with each change, on a server of ``grpc.aio``."""
        loop = asyncio.get_running_loop()
        responses: asyncio.Queue[Any] = asyncio.Queue()

        def tell(is_ready: bool) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(responses.put_nowait, self._status(is_ready))

        if request.service:
            responses.put_nowait(self._unknown)
        else:
            self._watchers.add(tell)
        try:
            while True:
                yield await responses.get()
        finally:
            self._watchers.remove(tell)

    def _status(self, is_ready: bool) -> Any:
        response = self._response
        return response(status=response.SERVING if is_ready else response.NOT_SERVING)
