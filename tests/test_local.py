from __future__ import annotations

from backend_contract import LocalBackend


def test_it_has_its_name_before_any_instance() -> None:
    assert LocalBackend.backend_type == "LOCAL"


def test_it_starts_and_stops_again_and_again() -> None:
    backend = LocalBackend()
    states = [backend.is_started]
    for action in (backend.stop, backend.start, backend.start, backend.stop, backend.start):
        action()
        states.append(backend.is_started)
    assert states == [False, False, True, True, False, True]


def test_it_merges_configurations() -> None:
    backend = LocalBackend({"a": {"x": 1}})
    backend.register_config({"a": {"y": 2}})
    assert backend.config == {"a": {"x": 1, "y": 2}}
