"""The direction of imports, the size of folders, and names that are not used any more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import backend_contract

Imports = dict[str, set[str]]

PACKAGE = Path(backend_contract.__file__).parent
CONFORMANCE = "_conformance"

# A module may import those of its own layer, and of the layers listed for it.
LAYERS = {
    "cli": {
        "fixes",
        "formats",
        "kit",
        "static",
        "behavioural",
        "request_servers",
        "source",
        "results",
        "interruption",
    },
    "fixes": {"source", "results", "interruption"},
    "formats": {"results"},
    "pytest_suite": {"kit", "behavioural", "pytest_summary", "results"},
    "pytest_summary": {"kit", "behavioural", "results"},
    "kit": {"behavioural", "request_servers", "real_time", "results"},
    "static": {"source", "results", "interruption"},
    "behavioural": {"request_servers", "real_time", "results"},
    "request_servers": {"real_time"},
    "source": {"results", "interruption"},
    "results": set[str](),
    "interruption": set[str](),
    "real_time": set[str](),
}
# Outside of the core, and allowed to use the faces.
FACES = ("testing", "__main__")

OLD_NAMES = {
    *("Task", "Ended", "Evidence", "Decider", "by", "_Shown", "flat", "Search", "_said", "_how"),
    *("described", "says", "BackendType", "_Decision", "report_on", "ContextServers"),
    *("grouped", "gist", "DECIDED_BY", "Sources", "fails_from", "only_warns"),
}
OLD_MODULES = {
    *("verdicts", "findings", "runtime", "child", "life", "lock", "name", "structural"),
    *("behaviour", "checker", "process", "sources", "conformance"),
}


def modules_of(package: Path) -> dict[str, Path]:
    """Return the files of a package by dotted name, without examples."""
    files = {
        ".".join((package.name, *file.relative_to(package).with_suffix("").parts)): file
        for file in package.rglob("*.py")
        if "_examples" not in file.parts
    }
    return {name.removesuffix(".__init__"): file for name, file in files.items()}


def imports_of(package: Path) -> Imports:
    """Return the modules of the package that each module imports, wherever the import stands."""
    modules = modules_of(package)
    found: Imports = {name: set() for name in modules}
    for name, file in modules.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names if alias.name in modules}
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{file} imports relatively"
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    found[name].add(submodule if submodule in modules else str(node.module))
                found[name] &= modules.keys()
    return found


def layer_of(module: str) -> str:
    """Return the part of the package that a module belongs to; for the core, ``core``."""
    _, *parts = module.split(".")
    if parts[:1] == [CONFORMANCE]:
        return parts[1] if len(parts) > 1 else CONFORMANCE
    return parts[0] if parts and parts[0] in FACES else "core"


def wrong_imports(imports: Imports) -> list[str]:
    """Return the imports that go against the direction."""
    wrong: list[str] = []
    for module, imported in imports.items():
        layer = layer_of(module)
        for each in sorted(imported):
            target = layer_of(each)
            if layer == "core":
                allowed = target == "core"
            elif layer in FACES:
                allowed = True
            else:
                allowed = target in {layer, "core", *LAYERS[layer]}
            if not allowed:
                wrong.append(f"{module} -> {each}")
    return wrong


def circle(imports: Imports) -> list[str]:
    """Return the modules of an import circle, if there is one."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        modules: list[str] = error.args[1]
        return modules
    return []


def crowded(package: Path) -> list[str]:
    """Return the folders below the package that contain more than twelve modules."""
    folders = [folder for folder in package.rglob("*") if folder.is_dir()]
    return [str(folder) for folder in folders if len([*folder.glob("*.py")]) > 12]


def names_in(file: Path) -> Iterator[str]:
    """Yield the identifiers in a file, except lower-case variables, which are free to choose."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name) if name.islower():
                pass
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.alias(name=name) | ast.keyword(arg=str(name)):
                yield name
            case _:
                pass


def old_names(package: Path) -> list[str]:
    """Return the old names that are still used, with their modules."""
    found = [name for name in modules_of(package) if name.rpartition(".")[2] in OLD_MODULES]
    for module, file in modules_of(package).items():
        found += [f"{module}: {name}" for name in names_in(file) if name in OLD_NAMES]
    return found


@pytest.fixture(scope="module")
def imports() -> Imports:
    """The imports of the package."""
    return imports_of(PACKAGE)


def test_direction(imports: Imports) -> None:
    """Imports go from the faces down to the core, and the core imports no other part."""
    assert {layer_of(module) for module in imports} == {*LAYERS, *FACES, CONFORMANCE, "core"}
    assert wrong_imports(imports) == []


def test_no_circle(imports: Imports) -> None:
    """No module imports itself by way of others, not even in a function or for types only."""
    assert circle(imports) == []


def test_folder_size() -> None:
    """A folder has at most twelve modules."""
    assert crowded(PACKAGE) == []


def test_old_names() -> None:
    """Each thing has one name: the old ones are gone."""
    assert old_names(PACKAGE) == []


def frozen_clocks(package: Path) -> list[str]:
    """Return the modules of the kit that use a clock which a test of an author may freeze."""
    return [
        name
        for name, file in modules_of(package).items()
        if layer_of(name) in ("behavioural", "kit", "request_servers")
        and "time.monotonic()" in file.read_text(encoding="utf-8").replace("real_time.", "")
        and "import time\n" in file.read_text(encoding="utf-8")
    ]


def test_clocks() -> None:
    """The kit measures time by a clock that goes on while a test has frozen time."""
    assert frozen_clocks(PACKAGE) == []


# The rejected twins.


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "backend_contract"
    for file in ("clauses", f"{CONFORMANCE}/results", f"{CONFORMANCE}/source/targets"):
        (package / f"{file}.py").parent.mkdir(parents=True, exist_ok=True)
        (package / f"{file}.py").touch()
    for folder in ("", CONFORMANCE, f"{CONFORMANCE}/source"):
        (package / folder / "__init__.py").touch()
    return package


WRONG = {
    "core": ("clauses.py", "import backend_contract._conformance.results"),
    "upwards": (f"{CONFORMANCE}/results.py", "from backend_contract._conformance import source"),
    "for types": (
        f"{CONFORMANCE}/results.py",
        "if TYPE_CHECKING:\n    from backend_contract._conformance.source.targets import Target",
    ),
    "in a function": (
        f"{CONFORMANCE}/results.py",
        "def f():\n    import backend_contract._conformance.source.targets",
    ),
    "sideways": (
        f"{CONFORMANCE}/kit.py",
        "from backend_contract._conformance.source.targets import Target",
    ),
}


@pytest.mark.parametrize(("file", "text"), WRONG.values(), ids=WRONG)
def test_wrong_direction(package: Path, file: str, text: str) -> None:
    """An import against the direction is found."""
    assert wrong_imports(imports_of(package)) == []
    (package / file).write_text(text)
    assert len(wrong_imports(imports_of(package))) == 1


def test_circle(package: Path) -> None:
    """A circle is found, but a package may import its own modules."""
    source = package / CONFORMANCE / "source"
    start = "from backend_contract._conformance.source"
    (source / "__init__.py").write_text(f"{start}.targets import Target")
    (source / "targets.py").write_text(f"{start} import modules")
    (source / "modules.py").touch()
    assert circle(imports_of(package)) == []
    (source / "modules.py").write_text(f"def f():\n    {start} import Target")
    assert len(circle(imports_of(package))) == 4


def test_crowded(package: Path) -> None:
    """A folder with thirteen modules is found."""
    for number in range(10):
        (package / CONFORMANCE / f"m{number}.py").touch()
    assert crowded(package) == []
    (package / CONFORMANCE / "m10.py").touch()
    assert crowded(package) == [str(package / CONFORMANCE)]


@pytest.mark.parametrize(
    "text",
    [
        "class Task: ...",
        "finding.by",
        "async def flat(): ...",
        "def f(says): ...",
        "f(by=1)",
        "Ended()",
    ],
)
def test_old_name(package: Path, text: str) -> None:
    """An old name is found, in whatever role; in comments and strings it is not."""
    file = package / CONFORMANCE / "results.py"
    file.write_text("'by the place'  # says\n")
    assert old_names(package) == []
    file.write_text(text)
    assert len(old_names(package)) == 1


def test_old_module(package: Path) -> None:
    """A module with an old name is found."""
    (package / CONFORMANCE / "verdicts.py").touch()
    assert old_names(package) == ["backend_contract._conformance.verdicts"]


def test_frozen_clock(package: Path) -> None:
    """A module of the kit that uses the clock of `time` is named."""
    file = package / "_conformance/kit.py"
    file.write_text("import time\nsince = time.monotonic()\n")
    assert frozen_clocks(package) == ["backend_contract._conformance.kit"]
    file.write_text("since = real_time.monotonic()\n")
    assert frozen_clocks(package) == []
