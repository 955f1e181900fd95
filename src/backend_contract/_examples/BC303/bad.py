from backend_contract import LocalBackend


class Mine(LocalBackend):
    def stop(self) -> None:
        self.connections: list[object] = []
