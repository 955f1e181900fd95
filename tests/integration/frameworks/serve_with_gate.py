"""`examples/serve.py`, with a backend that a test controls over a socket.

    python serve_with_gate.py PORT [arguments of serve.py]

On each request for the model `slow`, the backend connects to PORT and blocks until the test answers
on that connection or closes it. A request for `sigterm` sends that signal to the thread that
handles it.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))

import serve

from backend_contract import LocalBackend, RuntimeServerContextType

PORT = int(sys.argv.pop(1))


@serve.registry.register
class GateBackend(LocalBackend):
    backend_type = "GATE"

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if model_id == "slow":
            with socket.create_connection(("127.0.0.1", PORT), timeout=60) as connection:
                connection.recv(1)
        if model_id == "sigterm":
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    def start(self) -> None:
        print("GATE starts", flush=True)
        super().start()

    def stop(self) -> None:
        print("GATE stops", flush=True)
        super().stop()


if __name__ == "__main__":
    sys.exit(serve.main())
