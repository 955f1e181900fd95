from contextvars import ContextVar

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

route: ContextVar[str | None] = ContextVar("route", default=None)


class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        route.set(get_metadata(runtime_context, "x-route-info"))
