# FastAPI's Request, which is starlette's, and Depends; for where FastAPI, which is typed, is not
# installed.

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
