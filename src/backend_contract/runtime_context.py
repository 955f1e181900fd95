"""A uniform view of gRPC and HTTP request contexts.

A runtime that serves both passes a backend either a ``grpc.ServicerContext`` or a
``fastapi.Request`` (which *is* ``starlette.requests.Request``). This module never imports either
framework: a framework that is not loaded has no instances.

All functions are thread-safe and leave the context unchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union

from backend_contract._compat import TypeAliasType, TypeIs
from backend_contract.errors import class_name

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

_MAX_KINDS = 100

# Aliases, so that typing.get_type_hints does not look for the frameworks.
GrpcContextType = TypeAliasType("GrpcContextType", "grpc.ServicerContext")
HttpContextType = TypeAliasType("HttpContextType", "fastapi.Request")

RuntimeServerContextType = TypeAliasType(
    "RuntimeServerContextType", Union["grpc.ServicerContext", "fastapi.Request"]
)
"""The context of a request: gRPC's ``ServicerContext`` or FastAPI's ``Request``.

Name and union are Caikit's (``caikit.core.data_model.runtime_context``).
"""


def is_grpc_context(context: object) -> TypeIs[GrpcContextType]:
    """Return whether *context* is the ``grpc.ServicerContext`` of a synchronous gRPC server.

    Accepts any object and never raises. Type checkers narrow the union by it, in both branches.
    """
    return _is_instance(context, "grpc", "ServicerContext")


def is_http_context(context: object) -> TypeIs[HttpContextType]:
    """Return whether *context* is a ``fastapi.Request`` (a ``starlette.requests.Request``).

    Accepts any object and never raises. Type checkers narrow the union by it, in both branches.
    """
    return _is_instance(context, "starlette.requests", "Request")


def get_metadata(context: RuntimeServerContextType, key: str) -> str | None:
    """Return the first value of the gRPC metadata key or HTTP header *key*, if the client sent it.

    Returns ``None`` otherwise. *key* may be in any letter case. See :func:`iter_metadata` for how
    values are decoded; no value that a client can send makes this raise.

    Raises :class:`TypeError` if *context* is neither kind of context, or *key* is not a string.
    """
    if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance] - not all check
        raise TypeError(f"key must be a string, got {class_name(type(key))}: {key!r}")
    wanted = key.lower()
    known: Any = context
    kind = _kinds.get(type(known)) or _kind_of(context)  # pyright: ignore[reportUnknownArgumentType] - of any type
    if not wanted.isascii():  # no server accepts such a name
        return next((value for name, value in iter_metadata(context) if name == wanted), None)
    # Servers send names in lower case. A context that is made by hand may not.
    if kind == "gRPC":
        return _first_value(known.invocation_metadata(), wanted)
    return _first_header(known.headers.raw, wanted.encode())


def iter_metadata(context: RuntimeServerContextType) -> Iterator[tuple[str, str]]:
    """Iterate over all pairs of key and value that the client sent.

    Repeated keys are included, in the client's order. The order of different keys is the client's
    over HTTP; gRPC may change it, and drops what is not valid metadata.

    Keys are lower-cased. Values are ``str``:

    - gRPC metadata that arrives as ``bytes`` (keys ending in ``-bin``, from which gRPC has removed
      the base64 encoding) is decoded as UTF-8. Other bytes become surrogate escapes (:pep:`383`),
      so ``value.encode("utf-8", "surrogateescape")`` returns exactly what was sent;
    - HTTP header values are decoded as Latin-1, as in FastAPI.

    Raises :class:`TypeError` at the call if *context* is neither kind of context.
    """
    if is_grpc_context(context):
        metadata = context.invocation_metadata()
        return ((key.lower(), _as_text(value)) for key, value in metadata)
    if is_http_context(context):
        headers = context.headers.raw
        return ((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers)
    raise _wrong_type(context)


def _first_value(metadata: Iterable[tuple[str, str | bytes]], wanted: str) -> str | None:
    size = len(wanted)
    for name, value in metadata:
        if len(name) == size and name.lower() == wanted:
            return value if type(value) is str else _as_text(value)
    return None


def _first_header(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    for name, value in headers:  # faster than the comparison below, and usually enough
        if name == wanted:
            return value.decode("latin-1")
    for name, value in headers:
        if len(name) == len(wanted) and name.lower() == wanted:
            return value.decode("latin-1")
    return None


# The kinds of the classes of contexts met so far. Telling them apart costs more than a lookup.
_kinds: dict[type, str] = {}


def _kind_of(context: object) -> str:
    if is_grpc_context(context):
        kind = "gRPC"
    elif is_http_context(context):
        kind = "HTTP"
    else:
        raise _wrong_type(context)
    if len(_kinds) < _MAX_KINDS:
        _kinds[type(context)] = kind
    return kind


def _is_instance(value: object, module: str, name: str) -> bool:
    """Do an ``isinstance`` check against a class that is looked up, never imported."""
    loaded = sys.modules.get(module)
    if loaded is None:
        return False
    try:
        # Not `getattr`, which would load a lazy module.
        cls: Any = object.__getattribute__(loaded, "__dict__").get(name)
        if cls in type(value).__mro__:  # faster than isinstance, and usually enough
            return True
        return isinstance(cls, type) and isinstance(value, cls)
    except Exception:  # a dead proxy, or a class that cannot be asked
        return False


def _wrong_type(context: object) -> TypeError:
    return TypeError(
        "expected a grpc.ServicerContext or a fastapi.Request, got "
        f"{class_name(type(context))}; a grpc.aio context and a WebSocket are neither: pass their "
        "metadata to the backend yourself"
    )


def _as_text(value: str | bytes) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
