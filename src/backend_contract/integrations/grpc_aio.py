"""Backends in a ``grpc.aio`` server. Requires grpcio (extra ``grpc``).

A backend is written for one kind of gRPC context, ``grpc.ServicerContext``. The contexts of
``grpc.aio`` are of other classes: the interceptor here gives backends a view of them, so that one
unchanged backend serves under both kinds of server.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, NoReturn, cast

from backend_contract.integrations._grpc_calls import (
    Delegate,
    ModelIdOf,
    NotifyingBehavior,
    fail_call_only,
    notify_of,
    with_behavior,
)
from backend_contract.integrations._requests import DaemonThreads, restore
from backend_contract.integrations.grpc import add_health  # names the extra if grpc is missing
from backend_contract.protocol import Backend

import grpc  # isort: skip
import grpc.aio  # isort: skip

__all__ = ["BackendInterceptor", "ServicerContextView", "add_health"]

_THREADS = 256
"""How many calls may wait for backends at a time; a thread is made when it is first needed."""


class BackendInterceptor(grpc.aio.ServerInterceptor):
    """Notifies backends of each call before it is handled, off the event loop.

    Pass it to the server, after interceptors that reject calls::

        grpc.aio.server(interceptors=[authentication, BackendInterceptor(backends)])

    Does the same as :class:`backend_contract.integrations.grpc.BackendInterceptor`, with the same
    *model_id*, for handlers that are coroutines, async generators or plain functions. Backends
    receive a :class:`ServicerContextView`; so does a *model_id* function. Both run in a thread that
    belongs to the interceptor, or, if the handler is a plain function, in that of the handler. The
    threads of an interceptor end with it, and do not keep the process from ending.

    Context variables that a backend sets are seen by the handler of that call, up to its last
    response, and by no other call. If a backend calls ``context.abort``, the call ends with its
    code, as on a synchronous server.
    """

    def __init__(
        self,
        backends: Iterable[Backend],
        model_id: Callable[[Any, grpc.ServicerContext], object] | str | None = None,
    ) -> None:
        self._backends = tuple(backends)
        self._model_id = ModelIdOf(model_id)
        self._threads = DaemonThreads(_THREADS)

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the handler of the call, wrapped so that it notifies the backends first."""
        return with_behavior(await continuation(handler_call_details), self._notifying)

    def _notifying(self, behavior: Callable[..., Any], kind: str) -> Callable[..., Any]:
        streamed = kind.startswith("stream_")
        if inspect.isasyncgenfunction(behavior):

            @functools.wraps(behavior)
            async def generate(request: Any, context: Any) -> AsyncIterator[Any]:
                request, context = await self._prepare_async(request, context, streamed)
                async for response in behavior(request, context):
                    yield response

            return generate
        if inspect.iscoroutinefunction(behavior):

            @functools.wraps(behavior)
            async def answer(request: Any, context: Any) -> Any:
                request, context = await self._prepare_async(request, context, streamed)
                return await behavior(request, context)

            return answer

        def prepare(request: Any, context: Any) -> tuple[Any, Any]:
            view = ServicerContextView(context)
            request = self._notify(request, view, streamed)
            if view.aborted_with is not None:
                context.abort(*view.aborted_with)
            return request, context

        return NotifyingBehavior(behavior, prepare, kind.endswith("_stream"))

    async def _prepare_async(self, request: Any, context: Any, streamed: bool) -> tuple[Any, Any]:
        """Notify the backends; return request and context, of which a message may be read ahead."""
        message = request
        if streamed and self._model_id.needs_message:
            message = await context.read()
            if message is grpc.aio.EOF:
                return _Messages(context), context
            context = _ReadAhead(context, message)
            request = _Messages(context)
        loop = asyncio.get_running_loop()
        view = ServicerContextView(context, loop)
        scope = contextvars.copy_context()
        call = functools.partial(self._notify, message, view, False)
        await loop.run_in_executor(self._threads, scope.run, call)
        if view.aborted_with is not None:
            await context.abort(*view.aborted_with)
        restore(scope)
        return request, context

    def _notify(self, request: Any, view: ServicerContextView, streamed: bool) -> Any:
        """Notify the backends in this thread. An abort counts, whatever they raise or suppress."""
        try:
            return fail_call_only(
                notify_of, request, view, streamed, self._model_id, self._backends
            )
        except Exception:
            if view.aborted_with is None:
                raise
            return request


class _ReadAhead(Delegate):
    """A ``grpc.aio`` context whose first message was read ahead, and is read again."""

    def __init__(self, context: Any, message: object) -> None:
        super().__init__(context)
        self._ahead = [message]

    async def read(self) -> Any:
        """Return the next message, or ``grpc.aio.EOF``."""
        return self._ahead.pop() if self._ahead else await self._original.read()


class _Messages(AsyncIterator[Any]):
    """The messages of a stream of requests."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def __anext__(self) -> Any:
        message = await self._context.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message


class ServicerContextView(grpc.ServicerContext):
    """A ``grpc.ServicerContext`` over the context of a ``grpc.aio`` call, for backends.

    *loop* is the event loop of the server; ``None`` for the context of a handler that is a plain
    function. Methods may be called in any thread but that of the event loop, as long as the call
    is handled. What ``grpc.aio`` does not offer raises :class:`NotImplementedError`.
    """

    def __init__(self, context: Any, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._context = context
        self._loop = loop
        self.aborted_with: tuple[grpc.StatusCode, str, Any] | None = None
        """What :meth:`abort` was called with."""
        # Read now: grpc.aio may crash the process if they are asked for when the call has ended.
        self._metadata = context.invocation_metadata()
        self._peer: str = context.peer()
        self._peer_identities: Iterable[bytes] | None = context.peer_identities()
        self._peer_identity_key: str | None = context.peer_identity_key()
        self._auth_context = context.auth_context()

    def invocation_metadata(self) -> Any:
        """Return the metadata that the client sent."""
        return self._metadata

    def peer(self) -> str:
        """Return the address of the client, as gRPC writes it."""
        return self._peer

    def peer_identities(self) -> Iterable[bytes] | None:
        """Return the identities of the client, if it is authenticated."""
        return self._peer_identities

    def peer_identity_key(self) -> str | None:
        """Return the property that identifies the client, if it is authenticated."""
        return self._peer_identity_key

    def auth_context(self) -> Any:  # `Any`: types-grpcio and grpcio's documentation differ
        """Return the properties of the client's authentication, each with its values."""
        return self._auth_context

    def time_remaining(self) -> Any:  # as above
        """Return the seconds until the deadline of the call, or ``None`` without one."""
        return self._context.time_remaining()

    def is_active(self) -> bool:
        """Return whether the call is neither answered nor cancelled."""
        return not self._member("done")()

    def cancel(self) -> NoReturn:
        """Not offered by ``grpc.aio``."""
        raise self._not_offered("cancel")

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call *callback* when the call ends; return whether it will be called."""
        if self._loop is None:
            self._context.add_callback(callback)
            return True
        if not self.is_active():
            return False
        self._context.add_done_callback(functools.partial(_ignoring_argument, callback))
        return True

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Send metadata to the client before the first response."""
        self._wait_for(self._context.send_initial_metadata(initial_metadata))

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Set the metadata to send to the client at the end."""
        self._context.set_trailing_metadata(trailing_metadata)

    def trailing_metadata(self) -> Any:
        """Return the metadata to send at the end."""
        return self._member("trailing_metadata")()

    def set_code(self, code: grpc.StatusCode) -> None:
        """Set the status code of the call."""
        self._context.set_code(code)

    def code(self) -> grpc.StatusCode | None:
        """Return the status code of the call, if it was set."""
        return cast("grpc.StatusCode | None", self._member("code")())

    def set_details(self, details: str) -> None:
        """Set the details of the status."""
        self._context.set_details(details)

    def details(self) -> str | None:
        """Return the details of the status, if they were set."""
        return cast("str | None", self._member("details")())

    def set_compression(self, compression: grpc.Compression) -> None:
        """Set the compression of the responses."""
        self._context.set_compression(compression)

    def disable_next_message_compression(self) -> None:
        """Send the next response uncompressed."""
        self._context.disable_next_message_compression()

    def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: Any = ()) -> NoReturn:
        """End the call with *code* and *details*. Always raises."""
        if code is grpc.StatusCode.OK:
            details, code = "", grpc.StatusCode.UNKNOWN  # as a synchronous server does
        self.aborted_with = (code, details, trailing_metadata)
        raise _AbortedError

    def abort_with_status(self, status: Any) -> NoReturn:
        """End the call with the code, the details and the trailing metadata of *status*."""
        self.abort(status.code, status.details, status.trailing_metadata)

    def _wait_for(self, returned: Any) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(returned, self._loop).result()

    def _member(self, name: str) -> Any:
        member = getattr(self._context, name, None)
        if member is None:
            raise self._not_offered(name)
        return member

    def _not_offered(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{name}() is not offered by {type(self._context).__name__}")


def _ignoring_argument(callback: Callable[[], None], _: object) -> None:
    callback()


class _AbortedError(Exception):
    """Raised in a backend that has aborted its call."""
