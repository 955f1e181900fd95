from backend_contract import LocalBackend


class Mine(LocalBackend):
    @property
    def backend_type(self) -> str:
        return "MINE"
