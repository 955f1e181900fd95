from backend_contract import LocalBackend


class Mine(LocalBackend):
    starts = 0

    def start(self) -> None:
        if not self.is_started:
            self.starts += 1
        super().start()
