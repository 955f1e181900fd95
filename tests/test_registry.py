from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import aconfig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_contract import BackendRegistry, LocalBackend, RegistryError


class Structural:
    """Inherits nothing, and keeps what it was made with."""

    backend_type = "STRUCTURAL"
    made: int = 0

    def __init__(self, config: Any = None) -> None:
        type(self).made += 1
        self.config = config
        self.is_started = False
        self.lock = threading.RLock()

    def register_config(self, config: object) -> None:
        raise NotImplementedError

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...


def named(name: object) -> type[Structural]:
    """A class of its own, of that name."""
    return type("Named", (Structural,), {"backend_type": name, "__module__": __name__})


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution, as far as it takes for its entry points to be found."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(distribution: str, entry_points: Mapping[str, str], **modules: str) -> None:
        metadata = tmp_path / f"{distribution}-1.5.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.5\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (metadata / "entry_points.txt").write_text(
            "\n".join([f"[{BackendRegistry.GROUP}]", *lines])
        )
        for module, text in modules.items():
            (tmp_path / f"{module}.py").write_text(text)
            monkeypatch.delitem(sys.modules, module, raising=False)

    return make


PLUGIN = """
from backend_contract import LocalBackend

class Cluster(LocalBackend):
    backend_type = "CLUSTER"
"""


def test_a_class_is_found_by_its_name() -> None:
    registry = BackendRegistry()
    assert registry.register(Structural) is Structural
    assert registry.get("STRUCTURAL") is Structural
    assert "STRUCTURAL" in registry.names()


def test_it_is_a_decorator() -> None:
    registry = BackendRegistry()

    @registry.register
    class Mine(LocalBackend):
        backend_type = "MINE"

    assert registry.get("MINE") is Mine


def test_registering_the_same_class_twice_is_fine() -> None:
    registry = BackendRegistry()
    registry.register(Structural)
    registry.register(Structural)
    assert registry.get("STRUCTURAL") is Structural


def test_another_class_of_the_same_name_is_an_error_that_names_both() -> None:
    registry = BackendRegistry()
    registry.register(Structural)

    class Other(Structural):
        pass

    with pytest.raises(RegistryError) as error:
        registry.register(Other)
    assert f"{__name__}.Structural is registered" in str(error.value)
    assert f"{Other.__module__}.{Other.__qualname__} is another" in str(error.value)
    assert registry.get("STRUCTURAL") is Structural


def test_classes_that_compare_equal_are_told_apart() -> None:
    class Equal(type):
        def __eq__(cls, other: object) -> bool:
            return True

        __hash__ = type.__hash__

    first: Any = Equal("First", (Structural,), {})
    second: Any = Equal("Second", (Structural,), {})
    registry = BackendRegistry()
    registry.register(first)
    with pytest.raises(RegistryError, match="two classes have the backend_type 'STRUCTURAL'"):
        registry.register(second)


@pytest.mark.parametrize(
    ("name", "clause"),
    [
        (property(lambda self: "MINE"), "BC102"),
        (None, "BC102"),
        (7, "BC102"),
        ("", "BC103"),
        ("mine", "BC103"),
        ("Mine", "BC103"),
        ("ÿ", "BC103"),  # whose upper case comes after it
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_name_that_breaks_its_clause_is_refused_with_it(name: object, clause: str) -> None:
    registry = BackendRegistry()
    before = registry.names()
    with pytest.raises(RegistryError) as error:
        registry.register(named(name))
    assert error.value.clause is not None
    assert error.value.clause.id == clause
    assert str(error.value).startswith(f"{clause}: {__name__}.Named.backend_type is ")
    assert registry.names() == before


def test_a_class_that_names_itself_in_its_constructor_only_is_refused() -> None:
    class Late:
        def __init__(self) -> None:
            self.backend_type = "LATE"

    late: Any = Late
    with pytest.raises(RegistryError, match=r"^BC102: .*Late\.backend_type is None"):
        BackendRegistry().register(late)


@pytest.mark.parametrize(
    "value", [Structural(), "STRUCTURAL", None], ids=lambda value: type(value).__name__
)
def test_what_is_no_class_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="a class was expected, got"):
        BackendRegistry().register(value)


@pytest.mark.parametrize("asked", ["STRUCTURL", "structural"])
def test_an_unknown_name_lists_the_known_ones_and_the_nearest(asked: str) -> None:
    registry = BackendRegistry()
    registry.register(Structural)
    registry.register(named("OTHER"))
    with pytest.raises(RegistryError) as error:
        registry.get(asked)
    assert str(error.value) == (
        f"no backend is named {asked!r}; did you mean 'STRUCTURAL'? "
        "Known are: LOCAL, OTHER, STRUCTURAL"
    )


def test_an_unknown_name_that_is_near_to_none_says_so() -> None:
    with pytest.raises(RegistryError, match=r"^no backend is named 'RAY'\. Known are: LOCAL$"):
        BackendRegistry().get("RAY")


def test_what_is_no_name_is_refused() -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match=r"the name of a backend is a str, got builtins\.NoneType"):
        BackendRegistry().get(nothing)


def test_registries_share_nothing() -> None:
    BackendRegistry().register(Structural)
    with pytest.raises(RegistryError):
        BackendRegistry().get("STRUCTURAL")


# create


def test_a_backend_is_made_with_the_configuration_itself() -> None:
    registry = BackendRegistry()
    registry.register(Structural)
    config = aconfig.Config({"a": 1}, override_env_vars=False)
    backend = registry.create("STRUCTURAL", config)
    assert isinstance(backend, Structural)
    assert backend.config is config


def test_any_mapping_becomes_a_configuration_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH_OF_IT", "from the environment")
    registry = BackendRegistry()
    registry.register(Structural)
    given = {"path_of_it": "as given", "inner": {"key": [1]}}
    backend: Any = registry.create("STRUCTURAL", given)
    assert isinstance(backend.config, aconfig.Config)
    assert backend.config == given
    assert backend.config.inner.key == [1]
    backend.config.inner.key.append(2)
    assert given == {"path_of_it": "as given", "inner": {"key": [1]}}


def test_without_a_configuration_it_is_an_empty_one() -> None:
    registry = BackendRegistry()
    registry.register(Structural)
    backend: Any = registry.create("STRUCTURAL")
    assert isinstance(backend.config, aconfig.Config)
    assert backend.config == {}


def test_what_is_no_configuration_is_refused() -> None:
    nonsense: Any = ["a", "list"]
    with pytest.raises(TypeError, match=r"a configuration is a mapping .*, got builtins\.list"):
        BackendRegistry().create("LOCAL", nonsense)


# installed backends


def test_this_package_has_an_installed_backend() -> None:
    registry = BackendRegistry()
    assert registry.names() == ("LOCAL",)
    assert registry.get("LOCAL") is LocalBackend


def test_an_installed_backend_is_loaded_when_it_is_asked_for(install: Install) -> None:
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    assert registry.names() == ("CLUSTER", "LOCAL")
    assert "a_plugin" not in sys.modules
    cluster = registry.get("-CLUSTER"[1:])  # a name is a text, not one certain object
    assert cluster is registry.get("CLUSTER")
    assert cluster.__module__ == "a_plugin"
    assert registry.create("CLUSTER").backend_type == "CLUSTER"


def test_what_was_registered_wins_over_what_is_installed(install: Install) -> None:
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    mine = registry.register(named("CLUSTER"))
    assert registry.get("CLUSTER") is mine
    assert "a_plugin" not in sys.modules


@pytest.mark.parametrize(
    ("value", "text", "reason"),
    [
        ("broken:Cluster", "import no_such_module", "ModuleNotFoundError: No module named"),
        ("broken:Cluster", "def", "SyntaxError: "),
        ("broken:Cluster", "", "AttributeError: "),
        ("not_there:Cluster", "", "ModuleNotFoundError: No module named 'not_there'"),
        ("broken:Cluster", "1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_plugin_is_named_when_asked_for_and_hides_no_other(
    install: Install, value: str, text: str, reason: str
) -> None:
    install("broken-plugin", {"BROKEN": value}, broken=text)
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    assert registry.names() == ("BROKEN", "CLUSTER", "LOCAL")
    assert registry.create("CLUSTER").backend_type == "CLUSTER"
    with pytest.raises(RegistryError) as error:
        registry.get("BROKEN")
    assert (
        f"'BROKEN' cannot be loaded from the entry point {value!r} of broken-plugin 1.5: {reason}"
        in str(error.value)
    )
    assert error.value.__cause__ is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Cluster = 3", "a class was expected, got 3"),
        (PLUGIN.replace('"CLUSTER"', '"OTHER"'), "has the backend_type 'OTHER'; the two have to"),
        (PLUGIN.replace('"CLUSTER"', '"AN"'), "has the backend_type 'AN'; the two have to be"),
        (PLUGIN.replace('"CLUSTER"', '"Cluster"'), "BC103: a_plugin.Cluster.backend_type is"),
    ],
)
def test_a_plugin_that_is_no_backend_of_its_name_is_refused(
    install: Install, text: str, reason: str
) -> None:
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=text)
    with pytest.raises(RegistryError) as error:
        BackendRegistry().get("CLUSTER")
    assert reason in str(error.value)


def test_two_plugins_of_one_name_are_an_error_that_names_both(install: Install) -> None:
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    install("b-plugin", {"CLUSTER": "b_plugin:Cluster"}, b_plugin=PLUGIN)
    with pytest.raises(RegistryError, match="two installed backends are named 'CLUSTER'") as error:
        BackendRegistry().get("CLUSTER")
    for place in ("'a_plugin:Cluster' of a-plugin 1.5", "'b_plugin:Cluster' of b-plugin 1.5"):
        assert place in str(error.value)


def test_a_plugin_may_register_its_backend_while_it_is_loaded(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = ModuleType("application")
    registry = BackendRegistry()
    application.registry = registry  # type: ignore[attr-defined]  # what modules are for
    monkeypatch.setitem(sys.modules, "application", application)
    text = PLUGIN + "\nimport application\napplication.registry.register(Cluster)\n"
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=text)
    with ThreadPoolExecutor(1) as pool:  # so that waiting for itself would be seen
        assert pool.submit(registry.get, "CLUSTER").result(30).__name__ == "Cluster"


def test_what_is_installed_is_not_looked_for_when_nobody_asks() -> None:
    script = (
        "import sys\nfrom backend_contract import BackendRegistry, LocalBackend\n"
        "registry = BackendRegistry()\nregistry.register(LocalBackend)\n"
        "registry.get('LOCAL')\nprint('importlib.metadata' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


# configure


def plain(priority: Any) -> Any:
    return priority


def as_aconfig(priority: Any) -> Any:
    return aconfig.Config({"priority": priority}, override_env_vars=False).priority


def as_immutable(priority: Any) -> Any:
    return aconfig.ImmutableConfig({"priority": priority}, override_env_vars=False).priority


@pytest.mark.parametrize("form", [plain, as_aconfig, as_immutable, tuple])
def test_a_list_is_configured_in_its_order(form: Callable[[Any], Any]) -> None:
    registry = BackendRegistry()
    registry.register(Structural)
    priority = form(
        [
            {"type": "STRUCTURAL", "config": {"connection": {"address": "here"}}},
            {"type": "LOCAL"},
            {"type": "STRUCTURAL", "config": None},
        ]
    )
    backends: Any = registry.configure(priority)
    assert isinstance(backends, tuple)
    assert [backend.backend_type for backend in backends] == ["STRUCTURAL", "LOCAL", "STRUCTURAL"]
    assert isinstance(backends[0].config, aconfig.Config)
    assert backends[0].config.connection.address == "here"
    assert backends[2].config == {}
    assert not any(backend.is_started for backend in backends)


def test_a_list_of_nothing_is_nothing() -> None:
    assert BackendRegistry().configure([]) == ()


def test_every_mistake_is_reported_at_once_with_its_index(install: Install) -> None:
    install("broken-plugin", {"BROKEN": "broken:Cluster"}, broken="1 / 0")
    registry = BackendRegistry()
    registry.register(Structural)
    Structural.made = 0
    priority: Any = [
        {"type": "STRUCTURAL"},
        {"type": "LOCL", "config": ["a", "list"]},
        {"config": {}},
        "LOCAL",
        {"type": 7},
        {"type": "LOCAL", "confg": {}},
        {"type": "BROKEN"},
        {"type": "LOCAL", "config": {1: "a key that is no str"}},
    ]
    with pytest.raises(RegistryError) as error:
        registry.configure(priority)
    first, *mistakes = str(error.value).splitlines()
    assert first == "the list of backends cannot be used:"
    no_key = "the keys of a configuration are str, got 1 (int) in the configuration; aconfig"
    no_key += " cannot hold it"
    known = "Known are: BROKEN, LOCAL, STRUCTURAL"
    not_loaded = "the backend 'BROKEN' cannot be loaded from the entry point 'broken:Cluster' of"
    assert [mistake.strip() for mistake in mistakes] == [
        "[1] type: no backend is named 'LOCL'; did you mean 'LOCAL'? " + known,
        "[1] config: a configuration is a mapping (such as an aconfig.Config), got builtins.list",
        "[2] `type` is missing",
        "[3] a mapping with a `type` was expected, got 'LOCAL'",
        "[4] type: the name of a backend was expected, got 7",
        "[5] confg: unknown key; `type` and `config` are known",
        f"[6] type: {not_loaded} broken-plugin 1.5: ZeroDivisionError: division by zero",
        f"[7] config: {no_key}: write it in quotes",
    ]
    assert Structural.made == 0


@pytest.mark.parametrize(
    "priority", [None, "LOCAL", {"type": "LOCAL"}, 3], ids=lambda value: type(value).__name__
)
def test_what_is_no_list_is_refused(priority: Any) -> None:
    with pytest.raises(TypeError, match=r"a list of backends such as .* was expected, got bu"):
        BackendRegistry().configure(priority)


def test_what_a_constructor_raises_arrives_as_it_is_with_its_index() -> None:
    failure = ValueError("no address")

    class Picky(Structural):
        backend_type = "PICKY"

        def __init__(self, config: Any = None) -> None:
            raise failure

    registry = BackendRegistry()
    registry.register(Picky)
    with pytest.raises(ValueError, match="no address") as error:
        registry.configure([{"type": "LOCAL"}, {"type": "PICKY"}])
    assert error.value is failure
    assert failure.__notes__ == ["while making [1] of the backends, PICKY"]  # type: ignore[attr-defined,unused-ignore]  # from 3.11 on


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["LOCAL", "LOCL"]) | json, "config": json, "x": json}
)


@given(st.lists(entries | json, max_size=4))
def test_whatever_a_file_may_contain_is_configured_or_refused_with_an_index(
    priority: list[Any],
) -> None:
    def right(entry: Any) -> bool:
        return (
            isinstance(entry, dict)
            and set(entry) <= {"type", "config"}
            and entry.get("type") == "LOCAL"
            and isinstance(entry.get("config"), (dict, type(None)))
        )

    if all(map(right, priority)):
        assert len(BackendRegistry().configure(priority)) == len(priority)
    else:
        wrong = next(index for index, entry in enumerate(priority) if not right(entry))
        with pytest.raises(RegistryError) as error:
            BackendRegistry().configure(priority)
        assert str(error.value).splitlines()[1].startswith(f"  [{wrong}] ")


# from many threads


def test_of_many_threads_that_register_one_name_one_wins() -> None:
    registry = BackendRegistry()
    classes = [named("MINE") for _ in range(16)]
    everybody = threading.Barrier(16)

    def register(cls: type[Structural]) -> bool:
        everybody.wait(30)
        try:
            registry.register(cls)
        except RegistryError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(register, classes))
    assert won.count(True) == 1
    assert registry.get("MINE") is classes[won.index(True)]


def test_many_threads_may_ask_for_an_installed_backend(install: Install) -> None:
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    everybody = threading.Barrier(16)

    def get() -> object:
        everybody.wait(30)
        return registry.get("CLUSTER")

    with ThreadPoolExecutor(16) as pool:
        found = {future.result(30) for future in [pool.submit(get) for _ in range(16)]}
    assert len(found) == 1
