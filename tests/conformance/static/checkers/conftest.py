from __future__ import annotations

import pytest
from conformance.static.checkers.support import FakeRuns

from backend_contract._conformance import interruption
from backend_contract._conformance.static.checkers import subprocesses


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    """No program is run; each is found in `/bin`."""
    runs = FakeRuns()
    for name in ("run", "start", "finish"):
        monkeypatch.setattr(subprocesses, name, getattr(runs, name))
    monkeypatch.setattr(interruption, "terminate", runs.terminate)
    monkeypatch.setattr(subprocesses, "find_program", lambda name: f"/bin/{name}")
    return runs
