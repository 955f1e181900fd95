# ServerInterceptor and EOF, beside whatever else there is.

import abc
from collections.abc import Awaitable, Callable
from typing import Any

class ServerInterceptor(metaclass=abc.ABCMeta):
    @abc.abstractmethod
    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,
    ) -> Any: ...

def __getattr__(name: str) -> Any: ...  # incomplete
