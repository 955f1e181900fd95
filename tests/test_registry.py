from __future__ import annotations

import abc
import functools
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import aconfig
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import WAIT, Mine, Structural, at_once, notes_of, run_python

from backend_contract import (
    Backend,
    BackendBase,
    BackendFactory,
    BackendRegistry,
    ContractError,
    LocalBackend,
    RegistryError,
)


def named(name: object) -> type[Structural]:
    """Return a new class of that name."""
    return type("Named", (Structural,), {"backend_type": name, "__module__": __name__})


def clause_of(error: pytest.ExceptionInfo[ContractError]) -> str | None:
    """Return the id of the error's clause."""
    return error.value.clause.id if error.value.clause else None


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a distribution's metadata and modules importable, so its entry points are found."""
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


# `register`, and the names.


def test_register() -> None:
    """A registered class is returned unchanged, and found by its name."""
    registry = BackendRegistry()
    assert registry.register(Structural) is Structural
    assert registry.get("STRUCTURAL") is Structural
    assert registry.names() == ("LOCAL", "STRUCTURAL")


def test_decorator() -> None:
    """`register` is usable as a decorator."""
    registry = BackendRegistry()

    @registry.register
    class Decorated(LocalBackend):
        backend_type = "DECORATED"

    assert registry.get("DECORATED") is Decorated


def test_register_false_class() -> None:
    """A class that is false, as one with a length of 0 is, is found too."""

    class Sized(type):
        def __len__(cls) -> int:
            return 0

    class Empty(Structural, metaclass=Sized): ...

    registry = BackendRegistry()
    registry.register(Empty)
    assert registry.get("STRUCTURAL") is Empty


def test_register_twice() -> None:
    """Registering the same class again does nothing."""
    registry = BackendRegistry()
    registry.register(Structural)
    registry.register(Structural)
    assert registry.names() == ("LOCAL", "STRUCTURAL")


def test_duplicate_name() -> None:
    """A second class of the same name is rejected; the error names both."""
    registry = BackendRegistry()
    registry.register(Structural)

    class Other(Structural):
        pass

    with pytest.raises(RegistryError, match="two classes have the backend_type") as error:
        registry.register(Other)
    for cls in (Structural, Other):
        assert f"{cls.__module__}.{cls.__qualname__}" in str(error.value)
    assert registry.get("STRUCTURAL") is Structural


def test_equal_classes() -> None:
    """Classes that compare equal are told apart."""

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


def test_registries_share_nothing() -> None:
    """A registration is not visible in another registry."""
    BackendRegistry().register(Structural)
    with pytest.raises(RegistryError):
        BackendRegistry().get("STRUCTURAL")


def test_collection(install: Install) -> None:
    """`in`, `len` and iteration are over the known names, sorted, and load nothing."""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    registry.register(Structural)
    assert list(registry) == ["CLUSTER", "LOCAL", "STRUCTURAL"] == list(registry.names())
    assert len(registry) == 3
    for name in registry:
        assert name in registry
    for unknown in ("OTHER", "cluster", "", 3, None):
        assert unknown not in registry
    assert "a_plugin" not in sys.modules


def test_repr(install: Install) -> None:
    """The `repr` lists the known names and loads nothing."""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    assert repr(registry) == "<BackendRegistry: CLUSTER, LOCAL>"
    registry.register(Structural)
    assert repr(registry) == "<BackendRegistry: CLUSTER, LOCAL, STRUCTURAL>"
    assert "a_plugin" not in sys.modules


def test_empty_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """The `repr` of a registry without names says so."""
    monkeypatch.setattr(BackendRegistry, "GROUP", "backend_contract.no_such_group")
    assert repr(BackendRegistry()) == "<BackendRegistry: empty>"
    assert len(BackendRegistry()) == 0


# Classes that are accepted, and their rejected twins.


@pytest.mark.parametrize(
    ("name", "clause"),
    [
        (property(lambda self: "MINE"), "BC102"),
        (None, "BC102"),
        (7, "BC102"),
        ("", "BC103"),
        ("mine", "BC103"),
        ("Mine", "BC103"),
        (" MINE", "BC103"),
        ("MINE\n", "BC103"),
        ("ÿ", "BC103"),  # sorts before its upper case
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_unusable_name(name: object, clause: str) -> None:
    """A name that violates a clause is rejected with it, and not registered."""
    registry = BackendRegistry()
    with pytest.raises(RegistryError, match=rf"^{clause}: {__name__}\.Named") as error:
        registry.register(named(name))
    assert clause_of(error) == clause
    assert registry.names() == ("LOCAL",)


@pytest.mark.parametrize("name", ["MINE", "Ÿ", "A B", "A-1"])
def test_usable_name(name: str) -> None:
    """Any non-empty upper-case name is accepted."""
    assert name in repr(registry_with(named(name)))


def registry_with(cls: BackendFactory) -> BackendRegistry:
    """Return a new registry that contains *cls*."""
    registry = BackendRegistry()
    registry.register(cls)
    return registry


@pytest.mark.parametrize(
    "value", [Structural(), "STRUCTURAL", None], ids=lambda value: type(value).__name__
)
def test_not_a_class(value: Any) -> None:
    """Anything but a class is a `TypeError`."""
    with pytest.raises(TypeError, match="expected a class, got"):
        BackendRegistry().register(value)


CLAUSE_OF = {
    "register_config": "BC202",
    "is_started": "BC307",
    "start": "BC309",
    "stop": "BC309",
    "start_lock": "BC401",
    "handle_runtime_context": "BC501",
}


class Minimal:
    """Has the members in its class body, so that each can be left out."""

    backend_type = "MINIMAL"
    is_started = False
    lock = threading.RLock()

    def __init__(self, config: object = None) -> None: ...
    def register_config(self, config: object) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> object:
        return self.lock

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...


def minimal(*without: str, **members: object) -> Any:
    """Return a new class like `Minimal`, some members left out, others replaced."""
    kept = {
        name: value
        for name, value in vars(Minimal).items()
        if name not in (*without, "__dict__", "__weakref__")
    }
    return type("Made", (), kept | members)


def assert_rejected(cls: Any, clause: str) -> None:
    """Check that *cls* is rejected with the clause, and not registered."""
    registry = BackendRegistry()
    with pytest.raises(RegistryError) as error:
        registry.register(cls)
    assert clause_of(error) == clause
    assert "MINIMAL" not in registry


def test_minimal() -> None:
    """A class that has every member is accepted."""
    assert "MINIMAL" in registry_with(minimal())


def test_name_set_in_constructor() -> None:
    """A class that sets its name in the constructor only violates BC102."""

    def construct(self: Any, config: Any = None) -> None:
        self.backend_type = "MINIMAL"

    assert_rejected(minimal("backend_type", __init__=construct), "BC102")


@pytest.mark.parametrize(("member", "clause"), CLAUSE_OF.items())
def test_missing_member(member: str, clause: str) -> None:
    """A class that lacks a member is rejected with the member's clause; the error names it."""
    assert_rejected(minimal(member), clause)
    with pytest.raises(RegistryError, match=f"`{member}`"):
        BackendRegistry().register(minimal(member))


@pytest.mark.parametrize(("member", "clause"), CLAUSE_OF.items())
def test_member_only_declared(member: str, clause: str) -> None:
    """An annotation without a value is not a member."""
    assert_rejected(minimal(member, __annotations__={member: "bool"}), clause)


@pytest.mark.parametrize("member", CLAUSE_OF)
def test_member_set_in_constructor(member: str) -> None:
    """A member that a method assigns to `self` is not missing."""
    scope: dict[str, Any] = {}
    exec(f"def __init__(self, config=None):\n    self.{member} = 1", scope)  # noqa: S102 - ours
    assert "MINIMAL" in registry_with(minimal(member, __init__=scope["__init__"]))


@pytest.mark.parametrize("member", CLAUSE_OF)
def test_member_by_getattr(member: str) -> None:
    """A member that `__getattr__` may provide is not missing."""
    cls = minimal(member, __getattr__=lambda self, name: getattr(Minimal, name))
    assert "MINIMAL" in registry_with(cls)


def test_member_of_dataclass() -> None:
    """A field that a generated constructor assigns is not missing."""

    @dataclass
    class Generated:
        config: Any = None
        is_started: bool = field(default_factory=bool)

    cls: Any = type("Made", (Generated, minimal("is_started")), {})
    assert "MINIMAL" in registry_with(cls)


@pytest.mark.parametrize(("member", "clause"), CLAUSE_OF.items())
def test_abstract_member(member: str, clause: str) -> None:
    """A class that leaves a member abstract is rejected; one that defines it is accepted."""
    complete = {name: vars(Minimal)[name] for name in ("backend_type", "__init__", *CLAUSE_OF)}
    cls: Any = abc.ABCMeta("Complete", (Backend,), dict(complete))
    assert "MINIMAL" in registry_with(cls)
    del complete[member]
    assert_rejected(abc.ABCMeta("Incomplete", (Backend,), complete), clause)


def test_abstract_class() -> None:
    """A subclass of `BackendBase` that lacks a method is rejected."""

    class NoStop(BackendBase):
        backend_type = "MINIMAL"

        def register_config(self, config: object) -> None: ...
        def start(self) -> None: ...

    assert_rejected(NoStop, "BC309")


def take(*names: str, **defaults: object) -> Callable[..., None]:
    """Return a function with these parameters, those in *defaults* with a default."""
    parameters = [*names, *(f"{name}={value!r}" for name, value in defaults.items())]
    return eval(f"lambda {', '.join(parameters)}: None")  # type: ignore[no-any-return]  # noqa: S307 - ours


CALLS = [
    ("__init__", take("self", config=None), True),
    ("__init__", take("self", config=None, workers=1), True),
    ("__init__", take("self", "*arguments", "**options"), True),
    ("__init__", take("self", "config"), False),
    ("__init__", take("self", "config", "workers"), False),
    ("__init__", take("self", "*", config=None), False),
    ("register_config", take("self", "settings"), True),
    ("register_config", take("self", "settings", "/", overwrite=True), True),
    ("register_config", take("self", "config", "overwrite"), False),
    ("register_config", take("self"), False),
    ("register_config", take("self", "*", "config"), False),
    ("start", take("self"), True),
    ("start", take("self", timeout=None), True),
    ("start", take("self", "*", timeout=None), True),
    ("start", take("self", "timeout"), False),
    ("start", take(), False),
    ("stop", take("self", "*arguments"), True),
    ("stop", take("self", "*", "timeout"), False),
    ("start_lock", take("self"), True),
    ("start_lock", take("self", "owner"), False),
    ("handle_runtime_context", take("self", "model_id", "runtime_context"), True),
    ("handle_runtime_context", take("self", "model_id", "runtime_context", extra=1), True),
    ("handle_runtime_context", take("self", "*arguments", "**named"), True),
    ("handle_runtime_context", take("self", "model_id", "context"), False),
    ("handle_runtime_context", take("self", "model_id", "runtime_context", "/"), False),
    ("handle_runtime_context", take("self", "*", "model_id", "runtime_context"), False),
    ("handle_runtime_context", take("self", "*arguments"), False),
    ("handle_runtime_context", take("self", "**named"), False),
    ("start", staticmethod(take()), True),
    ("start", staticmethod(take("timeout")), False),
    ("start", classmethod(take("cls")), True),
    ("start", classmethod(take("cls", "timeout")), False),
    ("start", functools.partialmethod(take("self", "timeout"), 3), True),
    ("start", property(lambda self: take()), True),
]


@pytest.mark.parametrize(("member", "value", "accepted"), CALLS)
def test_call(member: str, value: object, accepted: bool) -> None:
    """A class is accepted if the contract's calls bind, and rejected otherwise."""
    cls = minimal(**{member: value})
    if accepted:
        assert "MINIMAL" in registry_with(cls)
    else:
        assert_rejected(cls, {"__init__": "BC201", **CLAUSE_OF}[member])


@pytest.mark.parametrize("member", ["register_config", "start", "stop", "handle_runtime_context"])
def test_async_member(member: str) -> None:
    """An `async` method is rejected."""

    async def method(self: object, *arguments: object, **named: object) -> None: ...

    assert_rejected(minimal(**{member: method}), CLAUSE_OF[member])


def test_decorated_member() -> None:
    """A wrapped method is accepted: only a call can tell what it accepts."""

    @functools.wraps(take("self", "timeout"))
    def start(*arguments: object) -> None: ...

    assert "MINIMAL" in registry_with(minimal(start=start))


def test_custom_metaclass() -> None:
    """A constructor that the metaclass calls in its own way is accepted."""

    class Meta(type):
        def __call__(cls, config: Any = None) -> Any:
            return super().__call__(config, 3)

    cls: Any = Meta("Made", (minimal(),), {"__init__": take("self", "config", "workers")})
    assert "MINIMAL" in registry_with(cls)
    assert_rejected(minimal(__init__=take("self", "config", "workers")), "BC201")


def fail(*arguments: object) -> NoReturn:
    raise AssertionError("the registry must not call this")


def test_register_runs_nothing() -> None:
    """Registering creates no instance, reads no property and calls no method."""
    cls = minimal(
        __init__=lambda self, config=None: fail(),
        is_started=property(fail),
        start=lambda self: fail(),
        start_lock=property(fail),
    )
    assert "MINIMAL" in registry_with(cls)


def test_register_evaluates_no_annotation() -> None:
    """Annotations are not evaluated, neither strings nor (from Python 3.14) lazy ones."""
    scope: dict[str, Any] = {"fail": fail}
    lazy = sys.version_info >= (3, 14)
    annotation = "fail()" if lazy else "'fail()'"
    exec(f"def start(self, timeout: {annotation} = 0) -> {annotation}: ...", scope)  # noqa: S102 - ours
    cls = minimal(start=scope["start"], __annotations__={"extra": "fail()"})
    assert "MINIMAL" in registry_with(cls)


# `get`, and installed backends.


def test_suggestion() -> None:
    """The error for an unknown name lists the known names and suggests the nearest."""
    registry = registry_with(Structural)
    registry.register(named("OTHER"))
    for asked in ("STRUCTURL", "structural"):
        with pytest.raises(RegistryError, match="did you mean 'STRUCTURAL'") as error:
            registry.get(asked)
        assert repr(asked) in str(error.value)
        assert "LOCAL, OTHER, STRUCTURAL" in str(error.value)


def test_no_suggestion() -> None:
    """The error for an unknown name suggests nothing if none is near."""
    with pytest.raises(RegistryError, match=r"'RAY'.*LOCAL$") as error:
        BackendRegistry().get("RAY")
    assert "did you mean" not in str(error.value)


def test_name_type_error() -> None:
    """A name that is not a string is a `TypeError`."""
    nothing: Any = None
    with pytest.raises(TypeError, match=r"must be a str, got NoneType"):
        BackendRegistry().get(nothing)


def test_installed() -> None:
    """This package declares `LOCAL`."""
    registry = BackendRegistry()
    assert registry.names() == ("LOCAL",)
    assert registry.get("LOCAL") is LocalBackend


def test_load_on_demand(install: Install) -> None:
    """An installed backend is loaded when its name is first asked for."""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    assert registry.names() == ("CLUSTER", "LOCAL")
    assert "a_plugin" not in sys.modules
    cluster = registry.get("-CLUSTER"[1:])  # an equal string, not the same object
    assert cluster is registry.get("CLUSTER")
    assert cluster.__module__ == "a_plugin"
    assert registry.create("CLUSTER").backend_type == "CLUSTER"


def test_registered_first(install: Install) -> None:
    """A registered class takes precedence over an entry point, which is not loaded."""
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
        (
            "broken:Cluster",
            "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})",
            "1.5: Odd",
        ),
    ],
    ids=["import", "syntax", "attribute", "module", "exception", "not printable"],
)
def test_broken_plugin(install: Install, value: str, text: str, reason: str) -> None:
    """An entry point that cannot be loaded is an error that names it, and affects no other."""
    install("broken-plugin", {"BROKEN": value}, broken=text)
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    assert registry.names() == ("BROKEN", "CLUSTER", "LOCAL")
    assert registry.create("CLUSTER").backend_type == "CLUSTER"
    with pytest.raises(RegistryError, match="'BROKEN' cannot be loaded") as error:
        registry.get("BROKEN")
    for part in (repr(value), "broken-plugin 1.5", reason):
        assert part in str(error.value)
    assert error.value.__cause__ is not None


def test_malformed_entry_points(install: Install, tmp_path: Path) -> None:
    """The distribution that keeps all entry points from being read is named."""
    install("sound", {"CLUSTER": "sound:Cluster"}, sound=PLUGIN)
    install("malformed", {})
    registry = BackendRegistry()
    local = registry.register(LocalBackend)
    path = tmp_path / "malformed-1.5.dist-info" / "entry_points.txt"
    path.write_text("[console_scripts]\nno value\n")
    assert registry.get("LOCAL") is local
    for look_up in (lambda: registry.get("CLUSTER"), registry.names, lambda: "X" in registry):
        with pytest.raises(RegistryError, match=r"cannot be read: .*; install again: malformed$"):
            look_up()
    path.unlink()
    assert registry.create("CLUSTER").backend_type == "CLUSTER"


@pytest.mark.parametrize(
    ("text", "reason", "clause"),
    [
        ("Cluster = 3", "expected a class, got an instance of int", None),
        (
            (
                "class Kind(type):\n    def __getattr__(cls, name): raise SystemExit('odd')\n\n\n"
                "class Cluster(metaclass=Kind): ..."
            ),
            "'CLUSTER' is not in .*: SystemExit: odd",
            None,
        ),
        (PLUGIN.replace('"CLUSTER"', '"OTHER"'), "has the backend_type 'OTHER'", None),
        (PLUGIN.replace('"CLUSTER"', '"AN"'), "has the backend_type 'AN'", None),
        (PLUGIN.replace('"CLUSTER"', '"Cluster"'), r"a_plugin\.Cluster", "BC103"),
        ("class Cluster:\n    backend_type = 'CLUSTER'", "`register_config`", "BC202"),
        (PLUGIN + "    def start(self, timeout): ...", "`start`.*timeout", "BC309"),
        (PLUGIN + "    def __init__(self): ...", "`__init__`", "BC201"),
    ],
    ids=[
        "not a class",
        "metaclass",
        "longer",
        "shorter",
        "lower case",
        "member",
        "call",
        "constructor",
    ],
)
def test_rejected_plugin(install: Install, text: str, reason: str, clause: str | None) -> None:
    """What an entry point loads is rejected like a registration, and also if named otherwise."""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=text)
    registry = BackendRegistry()
    with pytest.raises(RegistryError, match=reason) as error:
        registry.get("CLUSTER")
    assert clause_of(error) == clause
    with pytest.raises(RegistryError, match=reason):  # and it was not registered
        registry.create("CLUSTER")


def test_plugin_runs_nothing(install: Install) -> None:
    """Loading an entry point creates no instance, reads no property, evaluates no annotation."""
    text = f"""{PLUGIN}
    def __init__(self, config=None): 1 / 0
    def start(self, timeout: '1 / 0' = 0) -> '1 / 0': 1 / 0
    is_started = property(lambda self: 1 / 0)
"""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=text)
    cluster: Any = BackendRegistry().get("CLUSTER")
    assert cluster.__name__ == "Cluster"


def test_two_plugins(install: Install) -> None:
    """Two distributions that declare one name are an error that names both."""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    install("b-plugin", {"CLUSTER": "b_plugin:Cluster"}, b_plugin=PLUGIN)
    with pytest.raises(RegistryError, match="two installed backends are named 'CLUSTER'") as error:
        BackendRegistry().get("CLUSTER")
    for place in ("'a_plugin:Cluster' of a-plugin 1.5", "'b_plugin:Cluster' of b-plugin 1.5"):
        assert place in str(error.value)


def test_two_plugins_of_one_class(install: Install) -> None:
    """Two distributions may declare the same class."""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    install("b-plugin", {"CLUSTER": "a_plugin:Cluster"})
    assert BackendRegistry().get("CLUSTER").__module__ == "a_plugin"


def test_plugin_registers_itself(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may register its class while its entry point is loaded."""
    application = ModuleType("application")
    registry = BackendRegistry()
    application.registry = registry  # type: ignore[attr-defined]  # set on a module on purpose
    monkeypatch.setitem(sys.modules, "application", application)
    text = PLUGIN + "\nimport application\napplication.registry.register(Cluster)\n"
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=text)
    with ThreadPoolExecutor(1) as pool:  # so that a deadlock fails the test
        cluster: Any = pool.submit(registry.get, "CLUSTER").result(WAIT)
    assert cluster.__name__ == "Cluster"


def test_lazy_lookup() -> None:
    """Entry points are not looked up for a registered class."""
    run = run_python(
        "import sys\nfrom backend_contract import BackendRegistry, LocalBackend\n"
        "registry = BackendRegistry()\nregistry.register(LocalBackend)\n"
        "registry.get('LOCAL')\nprint('importlib.metadata' in sys.modules)"
    )
    assert run.stdout == "False\n"


# `create`.


def test_create_with_config() -> None:
    """The constructor receives an `aconfig.Config` as the object it is."""
    config = aconfig.Config({"a": 1}, override_env_vars=False)
    backend = registry_with(Structural).create("STRUCTURAL", config)
    assert isinstance(backend, Structural)
    assert backend.config is config
    assert not backend.is_started


def test_create_with_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other mapping is copied, and no environment variable overrides a value."""
    monkeypatch.setenv("PATH_OF_IT", "from the environment")
    given = {"path_of_it": "as given", "inner": {"key": [1]}}
    backend: Any = registry_with(Structural).create("STRUCTURAL", given)
    assert isinstance(backend.config, aconfig.Config)
    assert backend.config == given
    assert backend.config.inner.key == [1]
    backend.config.inner.key.append(2)
    assert given == {"path_of_it": "as given", "inner": {"key": [1]}}


def test_create_without_config() -> None:
    """Without a configuration, the constructor receives an empty one."""
    backend: Any = registry_with(Structural).create("STRUCTURAL")
    assert isinstance(backend.config, aconfig.Config)
    assert backend.config == {}


@pytest.mark.parametrize("wrong", [["a", "list"], "text", 3], ids=repr)
def test_create_type_error(wrong: Any) -> None:
    """A configuration that is not a mapping is a `TypeError`."""
    with pytest.raises(TypeError, match=rf"mapping .*, got {type(wrong).__name__}"):
        BackendRegistry().create("LOCAL", wrong)


# `create_all`.


class Counted(Structural):
    """Counts its instances."""

    backend_type = "COUNTED"
    created = 0

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        type(self).created += 1


def plain(priority: Any) -> Any:
    return priority


def as_aconfig(priority: Any) -> Any:
    return aconfig.Config({"priority": priority}, override_env_vars=False).priority


def as_immutable(priority: Any) -> Any:
    return aconfig.ImmutableConfig({"priority": priority}, override_env_vars=False).priority


@pytest.mark.parametrize("form", [plain, as_aconfig, as_immutable, tuple])
def test_create_all(form: Callable[[Any], Any]) -> None:
    """Backends are created in the list's order, with their configurations, and not started."""
    priority = form(
        [
            {"type": "STRUCTURAL", "config": {"connection": {"address": "here"}}},
            {"type": "LOCAL"},
            {"type": "STRUCTURAL", "config": None},
        ]
    )
    backends: Any = registry_with(Structural).create_all(priority)
    assert isinstance(backends, tuple)
    assert [backend.backend_type for backend in backends] == ["STRUCTURAL", "LOCAL", "STRUCTURAL"]
    assert isinstance(backends[0].config, aconfig.Config)
    assert backends[0].config.connection.address == "here"
    assert backends[2].config == {}
    assert not any(backend.is_started for backend in backends)


def test_create_all_of_nothing() -> None:
    """An empty list gives an empty tuple."""
    assert BackendRegistry().create_all([]) == ()


def test_create_all_invalid(install: Install) -> None:
    """All problems of a list are one error, each with its index; no backend is created."""
    install("broken-plugin", {"BROKEN": "broken:Cluster"}, broken="1 / 0")
    registry = registry_with(Counted)
    before = Counted.created
    priority: Any = [
        {"type": "COUNTED"},
        {"type": "LOCL", "config": ["a", "list"]},
        {"config": {}},
        "LOCAL",
        {"type": 7},
        {"type": "LOCAL", "confg": {}},
        {"type": "BROKEN"},
        {"type": "LOCAL", "config": {1: "a non-string key"}},
    ]
    expected = [
        ("[1] type: ", "did you mean 'LOCAL'?"),
        ("[1] config: ", "got list"),
        ("[2] ", "`type` is missing"),
        ("[3] ", "got str"),
        ("[4] type: ", "got int"),
        ("[5] confg: ", "unknown key"),
        ("[6] type: ", "ZeroDivisionError"),
        ("[7] config: ", "got 1 (int)"),
    ]
    with pytest.raises(RegistryError) as error:
        registry.create_all(priority)
    _, *problems = map(str.strip, str(error.value).splitlines())
    assert len(problems) == len(expected)
    for problem, (start, phrase) in zip(problems, expected, strict=True):
        assert problem.startswith(start)
        assert phrase in problem
    assert Counted.created == before


@pytest.mark.parametrize(
    "priority", [None, "LOCAL", b"LOCAL", {"type": "LOCAL"}, 3], ids=lambda v: type(v).__name__
)
def test_create_all_type_error(priority: Any) -> None:
    """Anything but a list is a `TypeError`."""
    with pytest.raises(TypeError, match=rf"expected a list .*, got {type(priority).__name__}"):
        BackendRegistry().create_all(priority)


def test_failing_constructor() -> None:
    """An exception of a constructor propagates unchanged, with a note of the index."""
    failure = ValueError("no address")

    class Picky(Structural):
        backend_type = "PICKY"

        def __init__(self, config: Any = None) -> None:
            raise failure

    with pytest.raises(ValueError, match="no address") as error:
        registry_with(Picky).create_all([{"type": "LOCAL"}, {"type": "PICKY"}])
    assert error.value is failure
    (note,) = notes_of(failure)
    assert "[1]" in note
    assert "PICKY" in note


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
def test_create_all_any(priority: list[Any]) -> None:
    """Any list that a file may contain is created, or rejected with the first wrong index."""

    def is_valid(entry: Any) -> bool:
        return (
            isinstance(entry, dict)
            and set(entry) <= {"type", "config"}
            and entry.get("type") == "LOCAL"
            and isinstance(entry.get("config"), (dict, type(None)))
        )

    if all(map(is_valid, priority)):
        assert len(BackendRegistry().create_all(priority)) == len(priority)
    else:
        wrong = next(index for index, entry in enumerate(priority) if not is_valid(entry))
        with pytest.raises(RegistryError) as error:
            BackendRegistry().create_all(priority)
        assert str(error.value).splitlines()[1].startswith(f"  [{wrong}] ")


# Threads.


def test_concurrent_registrations() -> None:
    """If several threads register one name, exactly one succeeds."""
    registry = BackendRegistry()
    classes = [named("MINE") for _ in range(16)]

    def register(number: int) -> bool:
        try:
            registry.register(classes[number])
        except RegistryError:
            return False
        return True

    succeeded = at_once(16, register)
    assert succeeded.count(True) == 1
    assert registry.get("MINE") is classes[succeeded.index(True)]


def test_concurrent_loading(install: Install) -> None:
    """Several threads may ask for an installed backend, and get the same class."""
    install("a-plugin", {"CLUSTER": "a_plugin:Cluster"}, a_plugin=PLUGIN)
    registry = BackendRegistry()
    assert len(set(at_once(16, lambda _: registry.get("CLUSTER")))) == 1


def test_names_while_registering() -> None:
    """Names may be listed while other threads register."""
    registry = BackendRegistry()

    def work(number: int) -> None:
        for index in range(50):
            registry.register(named(f"N{number}-{index}"))
            assert f"N{number}-{index}" in registry.names()

    at_once(8, work)
    assert len(registry) == 8 * 50 + 1
    registry.register(Mine)
    assert len(registry) == 8 * 50 + 2


# What is registered and what is installed.


def test_registered_wins_over_loaded(install: Install) -> None:
    """A registered class wins over an installed one that was loaded before."""
    install("plugin", {"CLUSTER": "plugin_wins:Cluster"}, plugin_wins=PLUGIN)
    registry = BackendRegistry()
    installed = registry.get("CLUSTER")

    class Own(LocalBackend):
        backend_type = "CLUSTER"

    registry.register(Own)
    assert registry.get("CLUSTER") is Own
    registry.unregister("CLUSTER")
    assert registry.get("CLUSTER") is installed


def test_unregister_unknown() -> None:
    """A name that is not registered, though it is installed, cannot be unregistered."""
    registry = registry_with(Structural)
    with pytest.raises(RegistryError, match="registered: STRUCTURAL"):
        registry.unregister("LOCAL")
    registry.unregister("STRUCTURAL")
    assert "STRUCTURAL" not in registry


@pytest.mark.parametrize("raised", ["SystemExit(1)", "BaseException('panic')", "GeneratorExit()"])
def test_entry_point_raises_anything(install: Install, raised: str) -> None:
    """An entry point that raises anything is one problem in the one error."""
    install("plugin", {"BROKEN": "plugin_raises:Broken"}, plugin_raises=f"raise {raised}")
    registry = BackendRegistry()
    with pytest.raises(RegistryError, match="BROKEN"):
        registry.get("BROKEN")
    with pytest.raises(RegistryError) as caught:
        registry.create_all([{"type": "BROKEN"}, {"type": "NONE"}])
    assert "[0] type: " in str(caught.value)
    assert "[1] type: " in str(caught.value)


def test_entry_point_interrupted(install: Install) -> None:
    """Ctrl-C while an entry point is loaded propagates."""
    install("plugin", {"SLOW": "plugin_slow:Slow"}, plugin_slow="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        BackendRegistry().get("SLOW")


def test_clause_of_single_problem(install: Install) -> None:
    """The clause of a single problem of a list is kept; of several there is none."""
    wrong = PLUGIN.replace('"CLUSTER"', '"cluster"')
    install("plugin", {"CLUSTER": "plugin_lower:Cluster"}, plugin_lower=wrong)
    with pytest.raises(RegistryError) as caught:
        BackendRegistry().create_all([{"type": "CLUSTER"}])
    assert caught.value.clause is not None
    assert caught.value.clause.id == "BC103"
    with pytest.raises(RegistryError) as caught:
        BackendRegistry().create_all([{"type": "CLUSTER"}, {"type": "NONE"}])
    assert caught.value.clause is None


@pytest.mark.parametrize("element", ["secret", {"type": ["secret"]}, {"config": ["secret"]}])
def test_no_values_in_messages(element: Any) -> None:
    """No message about a list of backends shows its values."""
    with pytest.raises(RegistryError) as caught:
        BackendRegistry().create_all([element])
    assert "secret" not in str(caught.value)


def test_configuration_that_cannot_be_copied() -> None:
    """A configuration that contains itself, or a value that cannot be copied, names its key."""
    cyclic: dict[str, Any] = {"inner": {}}
    cyclic["inner"]["outer"] = cyclic
    with pytest.raises(TypeError, match=r"configuration\.inner\.outer contains itself"):
        BackendRegistry().create("LOCAL", cyclic)
    with pytest.raises(TypeError, match=r"configuration\.lock, .* cannot be copied"):
        BackendRegistry().create("LOCAL", {"lock": threading.Lock()})
    shared = {"a": 1}
    assert BackendRegistry().create("LOCAL", {"x": shared, "y": shared}) is not None


@pytest.mark.parametrize("wrap", [lambda value: {"more": value}, lambda value: [value]])
def test_deep_configuration(wrap: Callable[[object], object]) -> None:
    """A configuration that is nested too deeply names its key; an unusually deep one is fine."""

    def nested(levels: int) -> dict[str, object]:
        value: object = 1
        for _ in range(levels):
            value = wrap(value)
        return {"deep": value}

    assert BackendRegistry().create("LOCAL", nested(150)) is not None
    with pytest.raises(TypeError, match=r"configuration\.deep.* is nested deeper than 200 levels"):
        BackendRegistry().create("LOCAL", nested(5000))
    with pytest.raises(RegistryError, match=r"\[0\] config: .*nested deeper"):
        BackendRegistry().create_all([{"type": "LOCAL", "config": nested(5000)}])
