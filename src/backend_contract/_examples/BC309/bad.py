from backend_contract import LocalBackend


class Mine(LocalBackend):
    async def start(self) -> None:
        self._started = True
