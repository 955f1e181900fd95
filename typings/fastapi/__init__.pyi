# Request, which is Starlette's, and Depends: used if FastAPI, which ships types, is not installed.

from collections.abc import Callable
from typing import Any, Literal

from starlette.requests import Request as Request

def Depends(
    dependency: Callable[..., Any] | None = None,
    *,
    use_cache: bool = True,
    scope: Literal["function", "request"] | None = None,
    max_concurrency: int | None = None,
) -> Any: ...
def __getattr__(name: str) -> Any: ...  # incomplete
