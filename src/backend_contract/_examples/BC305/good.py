from backend_contract import LocalBackend


class Mine(LocalBackend):
    def stop(self) -> None:
        if not self.is_started:
            return
        super().stop()
