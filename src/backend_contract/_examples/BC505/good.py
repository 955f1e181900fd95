from backend_contract import LocalBackend, RuntimeServerContextType


class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id
