from backend_contract import LocalBackend


class Mine(LocalBackend):
    def start_lock(self) -> bool:
        return self._start_lock.acquire()
