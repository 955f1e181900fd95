from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import is_http_context


class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_http_context(runtime_context):
            raise TypeError("gRPC only")
