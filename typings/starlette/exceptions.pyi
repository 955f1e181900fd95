# HTTPException, of which that of FastAPI is a subclass.

from collections.abc import Mapping

class HTTPException(Exception):
    status_code: int
    detail: str
    headers: Mapping[str, str] | None
    def __init__(
        self, status_code: int, detail: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None: ...
