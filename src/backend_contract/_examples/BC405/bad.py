from backend_contract import LocalBackend


class Mine(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self._started = True
        try:
            self.connect()
        except OSError:
            self._started = False
            raise
