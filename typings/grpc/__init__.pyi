# ServicerContext, ServerInterceptor and the types that they use. grpcio ships no types; if
# types-grpcio is installed, which is complete, checkers use it instead.

import abc
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, NoReturn, Protocol, TypeAlias, TypeVar

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]

class Compression(enum.IntEnum):
    NoCompression = 0
    Deflate = 1
    Gzip = 2

class StatusCode(enum.Enum):
    OK = (0, "ok")
    CANCELLED = (1, "cancelled")
    UNKNOWN = (2, "unknown")
    INVALID_ARGUMENT = (3, "invalid argument")
    DEADLINE_EXCEEDED = (4, "deadline exceeded")
    NOT_FOUND = (5, "not found")
    ALREADY_EXISTS = (6, "already exists")
    PERMISSION_DENIED = (7, "permission denied")
    RESOURCE_EXHAUSTED = (8, "resource exhausted")
    FAILED_PRECONDITION = (9, "failed precondition")
    ABORTED = (10, "aborted")
    OUT_OF_RANGE = (11, "out of range")
    UNIMPLEMENTED = (12, "unimplemented")
    INTERNAL = (13, "internal")
    UNAVAILABLE = (14, "unavailable")
    DATA_LOSS = (15, "data loss")
    UNAUTHENTICATED = (16, "unauthenticated")

class Status(abc.ABC):
    code: StatusCode
    details: str
    trailing_metadata: _Metadata

class RpcContext(abc.ABC):
    @abc.abstractmethod
    def is_active(self) -> bool: ...
    @abc.abstractmethod
    def time_remaining(self) -> float | None: ...
    @abc.abstractmethod
    def cancel(self) -> None: ...
    @abc.abstractmethod
    def add_callback(self, callback: Callable[[], None]) -> bool: ...

class ServicerContext(RpcContext, metaclass=abc.ABCMeta):
    @abc.abstractmethod
    def invocation_metadata(self) -> _Metadata: ...
    @abc.abstractmethod
    def peer(self) -> str: ...
    @abc.abstractmethod
    def peer_identities(self) -> Iterable[bytes] | None: ...
    @abc.abstractmethod
    def peer_identity_key(self) -> str | None: ...
    @abc.abstractmethod
    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...
    def set_compression(self, compression: Compression) -> None: ...
    @abc.abstractmethod
    def send_initial_metadata(self, initial_metadata: _Metadata) -> None: ...
    @abc.abstractmethod
    def set_trailing_metadata(self, trailing_metadata: _Metadata) -> None: ...
    def trailing_metadata(self) -> _Metadata: ...
    @abc.abstractmethod
    def abort(self, code: StatusCode, details: str) -> NoReturn: ...
    @abc.abstractmethod
    def abort_with_status(self, status: Status) -> NoReturn: ...
    @abc.abstractmethod
    def set_code(self, code: StatusCode) -> None: ...
    @abc.abstractmethod
    def set_details(self, details: str) -> None: ...
    def code(self) -> StatusCode | None: ...
    def details(self) -> str | None: ...
    def disable_next_message_compression(self) -> None: ...

class HandlerCallDetails(Protocol):
    method: str
    invocation_metadata: _Metadata

class RpcMethodHandler(abc.ABC, Generic[_Request, _Response]):
    request_streaming: bool
    response_streaming: bool
    request_deserializer: Callable[[bytes], _Request] | None
    response_serializer: Callable[[_Response], bytes] | None
    unary_unary: Callable[[_Request, ServicerContext], _Response] | None
    unary_stream: Callable[[_Request, ServicerContext], Iterator[_Response]] | None
    stream_unary: Callable[[Iterator[_Request], ServicerContext], _Response] | None
    stream_stream: Callable[[Iterator[_Request], ServicerContext], Iterator[_Response]] | None

def unary_unary_rpc_method_handler(
    behavior: Callable[..., Any],
    request_deserializer: Callable[[bytes], _Request] | None = None,
    response_serializer: Callable[[_Response], bytes] | None = None,
) -> RpcMethodHandler[_Request, _Response]: ...
def unary_stream_rpc_method_handler(
    behavior: Callable[..., Any],
    request_deserializer: Callable[[bytes], _Request] | None = None,
    response_serializer: Callable[[_Response], bytes] | None = None,
) -> RpcMethodHandler[_Request, _Response]: ...
def stream_unary_rpc_method_handler(
    behavior: Callable[..., Any],
    request_deserializer: Callable[[bytes], _Request] | None = None,
    response_serializer: Callable[[_Response], bytes] | None = None,
) -> RpcMethodHandler[_Request, _Response]: ...
def stream_stream_rpc_method_handler(
    behavior: Callable[..., Any],
    request_deserializer: Callable[[bytes], _Request] | None = None,
    response_serializer: Callable[[_Response], bytes] | None = None,
) -> RpcMethodHandler[_Request, _Response]: ...

class ServerInterceptor(abc.ABC):
    @abc.abstractmethod
    def intercept_service(
        self,
        continuation: Callable[[HandlerCallDetails], RpcMethodHandler[_Request, _Response] | None],
        handler_call_details: HandlerCallDetails,
    ) -> RpcMethodHandler[_Request, _Response] | None: ...
