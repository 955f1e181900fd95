from backend_contract import LocalBackend


class Mine(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        try:
            self.connect()
        finally:
            self._started = True
