"""Handlers of gRPC, sync or async, that notify backends before they answer."""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from backend_contract._lifecycle.attempts import is_async
from backend_contract.errors import class_name
from backend_contract.integrations._requests import as_model_id
from backend_contract.notification import notify
from backend_contract.protocol import Backend
from backend_contract.runtime_context import get_metadata

if TYPE_CHECKING:
    import grpc

ResponseT = TypeVar("ResponseT")

_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class ModelIdOf:
    """Finds the id of the model that a call is for."""

    def __init__(
        self, model_id: Callable[[Any, grpc.ServicerContext], object] | str | None
    ) -> None:
        if model_id is not None and not isinstance(model_id, str) and not callable(model_id):
            raise TypeError(f"model_id must be a function or a field's name, got {model_id!r}")
        self._model_id = model_id

    @property
    def needs_message(self) -> bool:
        """Whether a message of the call is needed, and not just its metadata."""
        return self._model_id is not None

    def __call__(self, message: object, context: grpc.ServicerContext) -> str | None:
        """Return the id, or ``None`` if the call is for no model."""
        match self._model_id:
            case None:
                return as_model_id(get_metadata(context, "mm-model-id"))
            case str(field):
                return as_model_id(getattr(message, field, None))
            case find:
                found = find(message, context)
                if is_async(found):
                    raise TypeError(f"model_id must not be async, got {find!r}")
                return as_model_id(found)


def notify_of(
    request: Any,
    context: grpc.ServicerContext,
    streamed: bool,
    model_id_of: ModelIdOf,
    backends: Iterable[Backend],
) -> Any:
    """Notify *backends* of a call; return its request, of which a message may be read ahead."""
    message = request
    if streamed and model_id_of.needs_message:
        first: list[Any] = list(itertools.islice(request, 1))
        if not first:
            return request
        message = first[0]
        request = itertools.chain(first, request)
    model_id = model_id_of(message, context)
    if model_id is not None:
        notify(backends, model_id, context)
    return request


def fail_call_only(call: Callable[..., ResponseT], *arguments: Any) -> ResponseT:
    """Return what *call* returns; make a :class:`RuntimeError` of what gRPC would not answer."""
    try:
        return call(*arguments)
    except BaseException as failure:
        # A StopIteration would be the end of a stream.
        if isinstance(failure, Exception) and not isinstance(failure, StopIteration):
            raise
        raise RuntimeError(f"a backend or handler raised {class_name(type(failure))}") from failure


def with_behavior(
    handler: Any, wrap: Callable[[Callable[..., Any], str], Callable[..., Any]]
) -> Any:
    """Return a handler like *handler*, whose behavior is that of *wrap*."""
    for kind in _KINDS:
        behavior: Callable[..., Any] | None = getattr(handler, kind, None)
        if behavior is not None:
            return _NotifiedHandler(handler, kind, wrap(behavior, kind))
    return handler  # `None` if the method is not served


class Delegate:
    """An object that has all attributes of another one, except those that it replaces."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class _NotifiedHandler(Delegate):
    """A handler of gRPC, with another behavior and all other attributes of the original."""

    def __init__(self, original: object, kind: str, behavior: Callable[..., Any]) -> None:
        super().__init__(original)
        setattr(self, kind, behavior)


class NotifyingBehavior(Delegate):
    """The behavior of a synchronous handler, after *prepare*, in a context of its own.

    Context variables that *prepare* sets are seen by the handler until its last response, and not
    by the next call in the same thread.
    """

    def __init__(
        self,
        original: Callable[..., Any],
        prepare: Callable[[Any, Any], tuple[Any, Any]],
        response_streaming: bool,
    ) -> None:
        super().__init__(original)
        self._prepare = prepare
        self._response_streaming = response_streaming

    def __call__(self, request: Any, context: Any, *others: Any) -> Any:
        scope = contextvars.copy_context()
        if self._response_streaming and not others:
            # Notified with the first response: grpc.aio calls this in the event loop.
            return _Responses(scope, lambda: self._answer(request, context))
        return scope.run(self._answer, request, context, *others)

    def _answer(self, request: Any, context: Any, *others: Any) -> Any:
        request, context = fail_call_only(self._prepare, request, context)
        return self._original(request, context, *others)


class _Responses(Generic[ResponseT], Iterator[ResponseT]):
    """The responses of a handler, each made in the context of its call."""

    def __init__(
        self, scope: contextvars.Context, begin: Callable[[], Iterator[ResponseT]]
    ) -> None:
        self._scope = scope
        self._begin = begin
        self._iterator: Iterator[ResponseT] | None = None

    def __next__(self) -> ResponseT:
        return self._scope.run(self._next)

    def _next(self) -> ResponseT:
        if self._iterator is None:
            self._iterator = iter(fail_call_only(self._begin))
        return next(self._iterator)
