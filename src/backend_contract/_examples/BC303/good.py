from backend_contract import LocalBackend


class Mine(LocalBackend):
    def stop(self) -> None:
        self._started = False
        self.connections: list[object] = []
