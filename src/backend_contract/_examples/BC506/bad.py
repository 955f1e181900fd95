import aconfig

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata


class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.model_id = model_id
        self.route = get_metadata(runtime_context, "x-route-info")
        self.contexts[self.model_id] = self.route
