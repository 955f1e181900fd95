from backend_contract import LocalBackend


class Mine(LocalBackend):
    @property
    def is_started(self) -> bool:
        return self._started
