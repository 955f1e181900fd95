from backend_contract import LocalBackend


class Mine(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self.connect()
        self._started = True
