from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, ClassVar

import aconfig
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import WAIT, at_once

from backend_contract import Backend, BackendBase, LocalBackend

REQUIRED: dict[str, Any] = {
    "backend_type": "MINE",
    "register_config": lambda self, config: None,
    "start": lambda self: None,
    "stop": lambda self: None,
}

keys = st.sampled_from(["a", "b", "path", "home"])
values = st.recursive(
    st.integers() | st.text() | st.lists(st.integers()),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
configurations = st.dictionaries(keys, values, max_size=3)


def mapping(config: Mapping[str, Any]) -> Any:
    """Return a configuration that is accepted at run time but not by type checkers."""
    return config


def test_complete_subclass() -> None:
    """A subclass that defines the four abstract members is a backend."""
    assert isinstance(type("Complete", (BackendBase,), REQUIRED)(), Backend)


@pytest.mark.parametrize("missing", REQUIRED)
def test_incomplete_subclass(missing: str) -> None:
    """A subclass that lacks one of the four cannot be instantiated."""
    members = {name: value for name, value in REQUIRED.items() if name != missing}
    with pytest.raises(TypeError, match=f"abstract.*{missing}"):
        type("Incomplete", (BackendBase,), members)()


def test_class_variable() -> None:
    """A name declared as `ClassVar` is readable on the class and on an instance."""

    class Annotated(LocalBackend):
        backend_type: ClassVar[str] = "ANNOTATED"

    assert Annotated.backend_type == Annotated().backend_type == "ANNOTATED"


# The configuration.


@pytest.mark.parametrize("content", [{}, {"key": {"inner": 1}}], ids=["empty", "filled"])
@pytest.mark.parametrize("kind", [aconfig.Config, aconfig.ImmutableConfig])
def test_config_is_kept(kind: type[aconfig.Config], content: dict[str, Any]) -> None:
    """An `aconfig.Config` is kept as the object it is."""
    config = kind(content, override_env_vars=False)
    assert LocalBackend(config).config is config


@pytest.mark.parametrize(
    "given_config",
    [None, {}, {"key": {"inner": 1}}, MappingProxyType({"key": {"inner": 1}})],
    ids=["None", "empty", "dict", "proxy"],
)
def test_mapping_is_copied(given_config: Mapping[str, Any] | None) -> None:
    """Any other mapping becomes a new `aconfig.Config`, and `None` an empty one."""
    config = LocalBackend(given_config).config
    assert type(config) is aconfig.Config
    assert config == dict(given_config or {})
    assert config.missing is None
    if given_config:
        assert config.key.inner == 1
        assert config.key is not given_config["key"]


def test_attribute_access_dict_is_copied() -> None:
    """An `AttributeAccessDict` is not a `Config`, and becomes one."""
    given_config = aconfig.AttributeAccessDict({"key": {"inner": 1}})
    config = LocalBackend(given_config).config
    assert type(config) is aconfig.Config
    assert config.key.inner == 1


@pytest.mark.parametrize("wrong", [..., 0, "", [], [("key", 1)]], ids=repr)
def test_constructor_type_error(wrong: Any) -> None:
    """The constructor rejects everything but a mapping and `None`, and names the type."""
    with pytest.raises(TypeError, match=rf"got {type(wrong).__name__}"):
        LocalBackend(wrong)


@pytest.mark.parametrize("wrong", [..., None, 0, "", []], ids=repr)
def test_register_config_type_error(wrong: Any) -> None:
    """A registration rejects everything but a mapping and leaves the configuration unchanged."""
    backend = LocalBackend({"key": 1})
    before = backend.config
    with pytest.raises(TypeError, match=rf"got {type(wrong).__name__}"):
        backend.register_config(wrong)
    assert backend.config is before


def test_non_string_key() -> None:
    """A non-string key is named together with its place."""
    with pytest.raises(TypeError, match=r"got 8080 \(int\) in the configuration\.ports\[0\]"):
        LocalBackend({"ports": [{8080: "http"}]})


def test_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment variable overrides a value."""
    monkeypatch.setenv("PATH_TO", "from the environment")
    monkeypatch.setenv("INNER_KEY", "from the environment")
    backend = LocalBackend({"path_to": "given"})
    backend.register_config(mapping({"inner": {"key": "given"}}))
    assert backend.config == {"path_to": "given", "inner": {"key": "given"}}


def test_merge() -> None:
    """Mappings are merged, other values are replaced, and later values win."""
    backend = LocalBackend({"a": {"x": 1, "y": [1, 2]}, "untouched": 0, "b": {"z": 1}})
    backend.register_config(mapping({"a": {"y": [3]}, "new": 1}))
    backend.register_config(mapping({"b": "not a mapping any more", "a": {"w": None}}))
    assert backend.config == {
        "a": {"x": 1, "y": [3], "w": None},
        "untouched": 0,
        "b": "not a mapping any more",
        "new": 1,
    }


def test_merge_into_immutable() -> None:
    """An immutable configuration can be added to; the result is mutable at every depth."""
    backend = LocalBackend(aconfig.ImmutableConfig({"a": {"x": 1}}, override_env_vars=False))
    backend.register_config(aconfig.ImmutableConfig({"a": {"y": 2}}, override_env_vars=False))
    assert type(backend.config) is aconfig.Config
    assert backend.config == {"a": {"x": 1, "y": 2}}
    backend.config.a.z = 3
    assert backend.config.a == {"x": 1, "y": 2, "z": 3}


def merged(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Return the expected result of a registration, computed in the plainest way."""
    result = dict(earlier)
    for key, value in later.items():
        both = isinstance(value, dict) and isinstance(earlier.get(key), dict)
        result[key] = merged(earlier[key], value) if both else value
    return result


@given(configurations, configurations, configurations)
def test_merge_any(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> None:
    """Registrations add up and share no mutable part with the arguments."""
    before = repr((first, second, third))
    backend = LocalBackend(first)
    backend.register_config(mapping(second))
    backend.register_config(mapping(third))
    assert backend.config == merged(merged(first, second), third)
    for value in backend.config.values():
        if isinstance(value, dict | list):
            value.clear()
    assert repr((first, second, third)) == before


def test_registration_replaces_config() -> None:
    """A registration replaces the configuration and changes no earlier one."""
    config = aconfig.Config({"a": {"x": 1}}, override_env_vars=False)
    backend = LocalBackend(config)
    backend.register_config(mapping({"a": {"y": 2}}))
    assert backend.config is not config
    assert config == {"a": {"x": 1}}


def test_concurrent_registrations() -> None:
    """No registration of several threads is lost."""
    backend = LocalBackend()

    def register(number: int) -> None:
        for index in range(20):
            backend.register_config(mapping({f"{number}.{index}": {}}))

    at_once(8, register)
    assert len(backend.config) == 8 * 20


# The lock.


def test_lock_per_instance() -> None:
    """Each instance has one lock, which is re-entrant."""
    backend = LocalBackend()
    assert backend.start_lock() is backend.start_lock()
    assert backend.start_lock() is not LocalBackend().start_lock()
    with backend.start_lock(), backend.start_lock():
        backend.start()
        backend.register_config(mapping({"key": 1}))
        backend.stop()


def test_lock_excludes_threads() -> None:
    """The lock keeps other threads out, and is free again after an exception."""
    backend = LocalBackend()
    lock: Any = backend.start_lock()

    def can_enter() -> bool:
        entered: bool = lock.acquire(blocking=False)
        if entered:
            lock.release()
        return entered

    def in_another_thread() -> bool:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(can_enter).result(WAIT)

    def fail() -> None:
        with backend.start_lock():
            assert not in_another_thread()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert in_another_thread()


# The bodies of the base class.


class OnlyBase(BackendBase):
    backend_type = "ONLY_BASE"

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)

    def start(self) -> None:
        super().start()

    def stop(self) -> None:
        super().stop()


def test_abstract_bodies() -> None:
    """The base bodies of `start` and `stop` do nothing, and that of `register_config` merges."""
    backend = OnlyBase()
    backend.register_config(mapping({"key": 1}))
    backend.start()
    assert not backend.is_started
    backend._started = True
    backend.stop()
    assert backend.is_started
    assert backend.config == {"key": 1}


def test_registration_waits_for_lock() -> None:
    """A registration waits while another thread holds the start lock."""
    backend = LocalBackend()
    entering = threading.Event()

    def register() -> None:
        entering.set()
        backend.register_config(mapping({"key": 1}))

    with ThreadPoolExecutor(1) as pool:
        with backend.start_lock():
            future = pool.submit(register)
            assert entering.wait(WAIT)
            assert backend.config == {}
        future.result(WAIT)
    assert backend.config == {"key": 1}


def test_handle_runtime_context() -> None:
    """The base class accepts a context by position and by keyword, and returns `None`."""
    context: Any = object()
    assert LocalBackend().handle_runtime_context("model", context) is None  # type: ignore[func-returns-value]
    LocalBackend().handle_runtime_context(model_id="model", runtime_context=context)
