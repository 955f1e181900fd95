"""What a request was made with, over gRPC or over HTTP, seen in one way.

A runtime that answers over both gives a backend either a ``grpc.ServicerContext`` or a
``fastapi.Request`` (which *is* ``starlette.requests.Request``). Neither framework is imported here,
at any time: a framework that nobody has loaded has no instances.

Every function is safe to call from any thread, and none of them changes the context.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Union

from backend_contract._typing import TypeAliasType, TypeIs

if TYPE_CHECKING:
    import fastapi
    import grpc

__all__ = [
    "RuntimeServerContextType",
    "get_metadata",
    "is_grpc_context",
    "is_http_context",
    "iter_metadata",
]

# Behind an alias each, so that typing.get_type_hints does not look for the frameworks.
GrpcContextType = TypeAliasType("GrpcContextType", "grpc.ServicerContext")
HttpContextType = TypeAliasType("HttpContextType", "fastapi.Request")

RuntimeServerContextType = TypeAliasType(
    "RuntimeServerContextType", Union["grpc.ServicerContext", "fastapi.Request"]
)
"""The context of a request: gRPC's ``ServicerContext`` or FastAPI's ``Request``.

The name and the union are Caikit's (``caikit.core.data_model.runtime_context``).
"""


def is_grpc_context(context: object) -> TypeIs[GrpcContextType]:
    """Whether ``context`` is the ``grpc.ServicerContext`` of a call to a synchronous gRPC server.

    Takes any object and raises nothing. Type checkers narrow the union by it, in both branches.
    """
    return _is_instance(context, "grpc", "ServicerContext")


def is_http_context(context: object) -> TypeIs[HttpContextType]:
    """Whether ``context`` is a ``fastapi.Request`` (that is, a ``starlette.requests.Request``).

    Takes any object and raises nothing. Type checkers narrow the union by it, in both branches.
    """
    return _is_instance(context, "starlette.requests", "Request")


def get_metadata(context: RuntimeServerContextType, key: str) -> str | None:
    """The first value of the gRPC metadata key, or of the HTTP header, named ``key``.

    ``key`` may be in any letter case. ``None`` where the client sent no such key. What a value
    looks like is said at :func:`iter_metadata`; no value that a client can send makes this raise.

    Raises :class:`TypeError` where ``context`` is neither kind of context.
    """
    wanted = key.lower()
    # Asked several times for every request, of a few dozen names. Lower-casing a name keeps its
    # length, unless an ASCII key cannot equal it anyway: most need not be lower-cased.
    length = len(wanted)
    if not wanted.isascii():
        for name, value in iter_metadata(context):
            if name == wanted:
                return value
    elif is_grpc_context(context):
        for entry in context.invocation_metadata():
            name = entry[0]  # unpacking is slower: gRPC's entries are named tuples
            if len(name) == length and name.lower() == wanted:
                return _as_text(entry[1])
    elif is_http_context(context):
        header = wanted.encode()
        for raw_name, raw_value in context.headers.raw:
            if len(raw_name) == length and raw_name.lower() == header:
                return raw_value.decode("latin-1")
    else:
        iter_metadata(context)  # which says what is wrong
    return None


def iter_metadata(context: RuntimeServerContextType) -> Iterator[tuple[str, str]]:
    """All pairs of key and value the client sent, in its order, repeated keys included.

    Keys are lower-cased. Values are ``str``:

    - gRPC metadata that arrives as ``bytes`` (keys ending in ``-bin``, already freed from base64 by
      gRPC) is decoded as UTF-8. Bytes that are no UTF-8 are kept as surrogate escapes (:pep:`383`),
      so that ``value.encode("utf-8", "surrogateescape")`` gives back exactly what was sent;
    - HTTP header values are decoded as Latin-1, as FastAPI itself does.

    Raises :class:`TypeError`, at the call, where ``context`` is neither kind of context.
    """
    if is_grpc_context(context):
        metadata = context.invocation_metadata()
        return ((key.lower(), _as_text(value)) for key, value in metadata)
    if is_http_context(context):
        headers = context.headers.raw
        return ((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers)
    given = f"{type(context).__module__}.{type(context).__qualname__}"
    raise TypeError(
        f"expected a grpc.ServicerContext or a fastapi.Request, got {given}; a grpc.aio context "
        "and a WebSocket are neither: a backend has to be told what they hold in another way"
    )


def _is_instance(value: object, module: str, name: str) -> bool:
    """``isinstance`` against a class that is looked up, never imported."""
    cls = getattr(sys.modules.get(module), name, None)
    if cls in type(value).__mro__:  # is faster than isinstance, and mostly enough
        return True
    return isinstance(cls, type) and isinstance(value, cls)


def _as_text(value: str | bytes) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
