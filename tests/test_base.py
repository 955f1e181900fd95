from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import aconfig
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_a_subclass_that_gives_the_four_can_be_made_and_is_a_backend() -> None:
    assert isinstance(type("Mine", (BackendBase,), REQUIRED)(), Backend)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_subclass_that_lacks_one_of_the_four_cannot(missing: str) -> None:
    members = {name: value for name, value in REQUIRED.items() if name != missing}
    with pytest.raises(TypeError, match=f"abstract.*{missing}"):
        type("Mine", (BackendBase,), members)()


def test_a_class_variable_is_readable_on_the_class_and_on_an_instance() -> None:
    class Annotated(LocalBackend):
        backend_type: ClassVar[str] = "ANNOTATED"

    assert Annotated.backend_type == Annotated().backend_type == "ANNOTATED"


@pytest.mark.parametrize("content", [{}, {"key": {"inner": 1}}], ids=["empty", "filled"])
@pytest.mark.parametrize("kind", [aconfig.Config, aconfig.ImmutableConfig])
def test_a_config_is_kept_as_the_object_it_is(
    kind: type[aconfig.Config], content: dict[str, Any]
) -> None:
    config = kind(content, override_env_vars=False)
    assert LocalBackend(config).config is config


@pytest.mark.parametrize(
    "given_config",
    [None, {}, {"key": {"inner": 1}}, MappingProxyType({"key": {"inner": 1}})],
    ids=["None", "empty", "dict", "proxy"],
)
def test_anything_else_becomes_a_config_of_the_backends_own(
    given_config: Mapping[str, Any] | None,
) -> None:
    config = LocalBackend(given_config).config
    assert type(config) is aconfig.Config
    assert config == dict(given_config or {})
    assert config.missing is None
    if given_config:
        assert config.key.inner == 1
        assert config.key is not given_config["key"]


def test_an_attribute_access_dict_is_no_config_and_becomes_one() -> None:
    given_config = aconfig.AttributeAccessDict({"key": {"inner": 1}})
    config = LocalBackend(given_config).config
    assert type(config) is aconfig.Config
    assert config.key.inner == 1


@pytest.mark.parametrize("wrong", [..., 0, "", [], [("key", 1)]], ids=repr)
def test_a_constructor_takes_nothing_but_a_mapping_or_none(wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"got builtins\.{type(wrong).__name__}"):
        LocalBackend(wrong)


@pytest.mark.parametrize("wrong", [..., None, 0, "", []], ids=repr)
def test_a_registration_takes_nothing_but_a_mapping(wrong: Any) -> None:
    backend = LocalBackend({"key": 1})
    before = backend.config
    with pytest.raises(TypeError, match=rf"got builtins\.{type(wrong).__name__}"):
        backend.register_config(wrong)
    assert backend.config is before


def test_a_key_that_aconfig_cannot_hold_is_named_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"got 8080 \(int\) in the configuration\.ports\[0\]"):
        LocalBackend({"ports": [{8080: "http"}]})


def test_no_environment_variable_replaces_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH_TO", "from the environment")
    monkeypatch.setenv("INNER_KEY", "from the environment")
    backend = LocalBackend({"path_to": "given"})
    backend.register_config({"inner": {"key": "given"}})
    assert backend.config == {"path_to": "given", "inner": {"key": "given"}}


def test_mappings_merge_other_values_are_replaced_and_later_ones_win() -> None:
    backend = LocalBackend({"a": {"x": 1, "y": [1, 2]}, "untouched": 0, "b": {"z": 1}})
    backend.register_config({"a": {"y": [3]}, "new": 1})
    backend.register_config({"b": "no mapping any more", "a": {"w": None}})
    assert backend.config == {
        "a": {"x": 1, "y": [3], "w": None},
        "untouched": 0,
        "b": "no mapping any more",
        "new": 1,
    }


def test_an_immutable_configuration_can_be_added_to() -> None:
    backend = LocalBackend(aconfig.ImmutableConfig({"a": {"x": 1}}, override_env_vars=False))
    backend.register_config(aconfig.ImmutableConfig({"a": {"y": 2}}, override_env_vars=False))
    assert type(backend.config) is aconfig.Config
    assert backend.config == {"a": {"x": 1, "y": 2}}
    backend.config.a.z = 3  # and what came of it is mutable all the way down
    assert backend.config.a == {"x": 1, "y": 2, "z": 3}


def merged(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """What a registration should give, written in the plainest way."""
    result = dict(earlier)
    for key, value in later.items():
        both = isinstance(value, dict) and isinstance(earlier.get(key), dict)
        result[key] = merged(earlier[key], value) if both else value
    return result


@given(configurations, configurations, configurations)
def test_registrations_add_up_and_leave_what_was_given_alone(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    before = repr((first, second, third))
    backend = LocalBackend(first)
    backend.register_config(second)
    backend.register_config(third)
    assert backend.config == merged(merged(first, second), third)
    for value in backend.config.values():
        if isinstance(value, dict | list):
            value.clear()
    assert repr((first, second, third)) == before


def test_a_registration_replaces_the_configuration_and_changes_no_earlier_one() -> None:
    config = aconfig.Config({"a": {"x": 1}}, override_env_vars=False)
    backend = LocalBackend(config)
    backend.register_config({"a": {"y": 2}})
    assert backend.config is not config
    assert config == {"a": {"x": 1}}


def test_concurrent_registrations_all_arrive() -> None:
    backend = LocalBackend()
    everybody = threading.Barrier(8)

    def register(number: int) -> None:
        everybody.wait(timeout=30)
        for index in range(20):
            backend.register_config({f"{number}.{index}": {}})

    threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(backend.config) == 8 * 20


def test_the_lock_is_one_an_instance_and_can_be_taken_again_by_its_holder() -> None:
    backend = LocalBackend()
    assert backend.start_lock() is backend.start_lock()
    assert backend.start_lock() is not LocalBackend().start_lock()
    with backend.start_lock(), backend.start_lock():
        backend.start()
        backend.register_config({"key": 1})
        backend.stop()


def test_the_lock_keeps_other_threads_out_and_is_free_again_after_an_exception() -> None:
    backend = LocalBackend()
    entered: list[bool] = []

    def try_to_enter() -> None:
        lock: Any = backend.start_lock()
        entered.append(lock.acquire(blocking=False))
        if entered[-1]:
            lock.release()

    def in_another_thread() -> None:
        thread = threading.Thread(target=try_to_enter)
        thread.start()
        thread.join(timeout=30)

    def fail() -> None:
        with backend.start_lock():
            in_another_thread()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    in_another_thread()
    assert entered == [False, True]


def test_the_bodies_of_the_abstract_methods_may_be_reached_and_do_nothing_but_merge() -> None:
    class Mine(BackendBase):
        backend_type = "MINE"

        def register_config(self, config: Mapping[str, Any]) -> None:
            super().register_config(config)

        def start(self) -> None:
            super().start()

        def stop(self) -> None:
            super().stop()

    backend = Mine()
    backend.register_config({"key": 1})
    backend.start()
    assert not backend.is_started
    backend._started = True
    backend.stop()
    assert backend.is_started
    assert backend.config == {"key": 1}


def test_a_request_may_be_told_at_any_time_and_by_keyword() -> None:
    context: Any = object()  # what the base class does with it is nothing
    assert LocalBackend().handle_runtime_context("model", context) is None  # type: ignore[func-returns-value]
    LocalBackend().handle_runtime_context(model_id="model", runtime_context=context)
