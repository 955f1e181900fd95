from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import is_grpc_context


class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_grpc_context(runtime_context):
            raise TypeError("HTTP only")
