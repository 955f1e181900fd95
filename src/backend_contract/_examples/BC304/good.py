from backend_contract import LocalBackend


class Mine(LocalBackend):
    def start(self) -> None:
        if self.is_started:
            return
        super().start()
