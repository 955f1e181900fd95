from backend_contract import LocalBackend


class Mine(LocalBackend):
    used = False

    def start(self) -> None:
        if self.used and not self.is_started:
            raise RuntimeError("make a new one")
        self.used = True
        super().start()
