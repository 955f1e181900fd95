from backend_contract import LocalBackend


class Mine(LocalBackend):
    def start(self) -> None:
        self._started = True
