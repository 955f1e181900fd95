from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata


class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if get_metadata(runtime_context, "x-route-info") is None:
            raise KeyError("x-route-info")
