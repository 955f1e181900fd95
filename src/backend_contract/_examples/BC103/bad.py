from backend_contract import LocalBackend


class Mine(LocalBackend):
    backend_type = "Mine"
