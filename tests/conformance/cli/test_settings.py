"""``[tool.backend-contract]`` in ``pyproject.toml``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_contract._conformance.cli.settings import ExpectedViolation, Settings, read_settings
from backend_contract._conformance.static.checkers import subprocesses
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from conftest import Main

CHECKERS = ("mypy", "ty")


def write(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.backend-contract]\n{text}")


EXPECTED = """
[[tool.backend-contract.expected-violations]]
target = "mine.py:{name}"
clause = "{clause}"
reason = "an old server waits for the number"
"""


# Settings in whole runs.


@pytest.mark.parametrize("cwd", ["", "sub"])
def test_targets(project: Path, cwd: str, run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets come from the nearest file, and are relative to its directory."""
    (project / "sub").mkdir()
    write(project, 'targets = ["mine.py:Good", "mine:Open"]\nlenient = true\n')
    monkeypatch.chdir(project / cwd)
    shown = run_main("check")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.startswith("mine.py:Good\n")
    assert "\nmine:Open\n" in shown.out


def test_no_targets(project: Path, run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without targets, the error says how to name one; only the nearest file counts."""
    write(project, 'targets = ["mine.py:Good"]\n')
    (project / "sub").mkdir()
    (project / "sub/pyproject.toml").write_text("[project]\n")
    monkeypatch.chdir(project / "sub")
    shown = run_main("check")
    assert (shown.status, shown.out) == (2, "")
    assert "no targets; name one, such as src, " in shown.err
    assert shown.err.count("\n") == 1


def test_lenient(project: Path, run_main: Main) -> None:
    """``lenient`` applies unless ``--no-lenient`` is given."""
    write(project, 'targets = ["mine.py:Open"]\nlenient = true\n')
    shown = run_main("check")
    assert shown.status == 0
    assert "lenient" in shown.out.splitlines()[-1]
    assert run_main("check", "--no-lenient").status == 1


def test_select(project: Path, run_main: Main) -> None:
    """``select`` and ``ignore`` apply unless the option is given."""
    write(project, 'targets = ["mine.py:Nameless"]\nselect = ["BC1"]\nignore = ["BC101"]\n')
    shown = run_main("check")
    assert shown.status == 0
    assert shown.out.splitlines()[-1].startswith("1 blocked (layer S")
    assert run_main("check", "--ignore", "BC102").status == 1
    assert run_main("check", "--select", "BC3").out.splitlines()[-1].startswith("2 ok (")


def test_nothing_judged(project: Path, run_main: Main) -> None:
    """A clause without a verdict is named, also if it is the only one that is selected."""
    (project / "named.py").write_text(
        "from mine import Good\n\nclass Named(Good):\n    backend_type = input()\n"
    )
    shown = run_main("check", "--select", "BC101,BC103", "named.py:Named").out
    assert "note: BC103: not judged, as the source shows no literal name" in shown
    for name in ("full", "concise", "json", "markdown", "junit"):
        only = run_main("check", "--select=BC103", f"--output-format={name}", "named.py:Named")
        assert only.status == 0
        assert only.out.count("named.py") == only.out.count("BC103") > 0
    assert "not judged" not in run_main("check", "--select", "BC103", "mine.py:Good").out


@pytest.mark.exhaustive
def test_checkers(project: Path, run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """``checkers`` applies unless ``--checker`` is given."""
    monkeypatch.setattr(subprocesses, "find_program", lambda _: None)
    write(project, 'targets = ["mine.py:Good"]\ncheckers = ["mypy", "pyrefly"]\n')
    missing = run_main("check")
    assert missing.status == 2
    assert "pyrefly is not installed" in missing.err
    given = run_main("check", "--checker", "mypy")
    assert (given.status, given.err) == (0, "")


def test_expected(project: Path, run_main: Main) -> None:
    """An expected violation does not fail, and is shown with its reason."""
    write(project, 'targets = ["mine.py:Bad"]\n' + EXPECTED.format(name="Bad", clause="BC309"))
    shown = run_main("check")
    assert (shown.status, shown.err) == (0, "")
    assert "known     an old server waits for the number" in shown.out
    assert shown.out.splitlines()[-1].startswith("9 ok, 1 violated, 1 expected violation (layer S")


@pytest.mark.parametrize("target", ["mine:Bad", "{project}/mine.py:Bad", "mine.py"])
def test_expected_by_any_name(project: Path, target: str, run_main: Main) -> None:
    """A violation is expected however the target is named."""
    entries = [("Bad", "BC309"), ("Nameless", "BC101")]
    write(project, "".join(EXPECTED.format(name=name, clause=clause) for name, clause in entries))
    target = target.format(project=project)
    shown = run_main("check", "--lenient", "--output-format", "concise", target)
    assert shown.status == 0
    assert "expected violation: an old server waits for the number" in shown.out


def test_unexpected(project: Path, run_main: Main) -> None:
    """Another violation of the same class still fails."""
    (project / "mine.py").write_text((project / "mine.py").read_text().replace('"BAD"', "7"))
    write(project, 'targets = ["mine.py:Bad"]\n' + EXPECTED.format(name="Bad", clause="BC309"))
    shown = run_main("check")
    assert shown.status == 1
    assert "1 expected violation" in shown.out


def test_expected_unchecked(project: Path, run_main: Main) -> None:
    """An entry covers an unchecked clause as it does a violated one."""
    write(project, 'targets = ["mine.py:Open"]\n' + EXPECTED.format(name="Open", clause="BC309"))
    shown = run_main("check")
    assert (shown.status, shown.err) == (0, "")
    assert "9 ok, 1 unchecked, 1 expected violation (layer S" in shown.out.splitlines()[-1]


@pytest.mark.exhaustive
def test_stale(project: Path, run_main: Main) -> None:
    """An entry whose violation no layer shows is stale, and fails; layer S alone cannot tell."""
    write(project, 'targets = ["mine.py:Good"]\n' + EXPECTED.format(name="Good", clause="BC309"))
    static = run_main("check")
    assert (static.status, "stale" in static.out) == (0, False)
    shown = run_main("check", "--run", "--select=BC309")
    assert shown.status == 1
    assert "stale     expected violation does not occur" in shown.out
    assert "1 stale expected violation (layer S" in shown.out.splitlines()[-1]


NEEDS_ADDRESS = """
from collections.abc import Mapping
from typing import Any
from backend_contract import LocalBackend

class Client(LocalBackend):
    backend_type = "CLIENT"
    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self.address = self.config["address"]
"""


@pytest.mark.exhaustive
def test_expected_in_layer_b(project: Path, run_main: Main) -> None:
    """A violation that only layer B shows is not stale in a run without it."""
    (project / "mine.py").write_text(NEEDS_ADDRESS)
    entry = EXPECTED.format(name="Client", clause="BC201")
    write(project, 'targets = ["mine.py:Client"]\n' + entry)
    static = run_main("check")
    assert (static.status, "stale" in static.out) == (0, False)
    tried = run_main("check", "--run", "--select=BC201")
    assert "BC201  violated" in tried.out
    assert "1 expected violation" in tried.out.splitlines()[-1]


def test_expected_elsewhere(project: Path, run_main: Main) -> None:
    """An entry about another class than the named target is ignored."""
    write(project, EXPECTED.format(name="Bad", clause="BC309"))
    assert run_main("check", "mine.py:Good").status == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [("Bad", "mine.py:Bad is not among the targets"), ("Nobody", "'Nobody'")],
)
def test_expected_of_no_target(project: Path, name: str, message: str, run_main: Main) -> None:
    """An entry that is not about a target of the project is an error."""
    write(project, 'targets = ["mine.py:Good"]\n' + EXPECTED.format(name=name, clause="BC309"))
    shown = run_main("check")
    assert (shown.status, shown.out) == (2, "")
    assert "expected-violations" in shown.err
    assert message in shown.err


def test_error_in_document(project: Path, run_main: Main) -> None:
    """An error in the settings is part of a JSON report."""
    write(project, "unknown = 1")
    shown = run_main("check", "mine.py:Good", "--output-format", "json")
    assert shown.status == 2
    assert "unknown key 'unknown'" in json.loads(shown.out)["errors"][0]["message"]


# Reading the file.


BAD = {
    "unknown = 1": "unknown key 'unknown'; expected one of search-path, exclude, targets, ",
    "strict = true": "unknown key 'strict'; unchecked clauses fail by default; see `lenient`",
    "target = []": "unknown key 'target'",
    "targets = 'mine'": "targets must be a list of strings, got 'mine'",
    "targets = ['mine', 1]": "targets must be a list of strings",
    "checkers = ['mipy']": "unknown checker 'mipy'; expected one of mypy, ty",
    "checkers = 'mypy'": "checkers must be a list of strings",
    "lenient = 'yes'": "lenient must be true or false, got 'yes'",
    "error-on-warning = 1": "error-on-warning must be true or false, got 1",
    "select = 'BC4'": "select must be a list of strings, got 'BC4'",
    "ignore = [4]": "ignore must be a list of strings",
    "expected-violations = 1": "expected-violations must be an array of tables, got 1",
    "expected-violations = ['BC309']": "entry 1: must be a table, got 'BC309'",
    "expected-violations = [{target = 'a:B', clause = 'BC309'}]": "reason must be",
    "expected-violations = [{target = 'a:B', clause = 'BC309', reason = ' '}]": "reason must be",
    "expected-violations = [{target = 'a:B', clause = 'BC309', reason = 1}]": "reason must be",
    "expected-violations = [{clause = 'BC309', reason = 'so'}]": "target must be",
    "expected-violations = [{target = 'a:B', reason = 'so'}]": "clause must be",
    "expected-violations = [{target = 'a:B', clause = 'BC9', reason = 'so'}]": "clause 'BC9'",
    "expected-violations = [{target = 'a:B', clause = 'BC309', reason = 'so', until = 1}]": (
        "unknown key 'until'; expected one of target, clause, reason"
    ),
    "lenient = ": "cannot be read: ",
    "lenient = true\nlenient = true": "cannot be read: ",
}


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_invalid(project: Path, text: str, message: str) -> None:
    """An invalid setting is an error that names the file and the expected values."""
    write(project, text)
    with pytest.raises(CouldNotCheckError) as caught:
        read_settings(project, CHECKERS)
    assert str(caught.value).startswith(f"{project}/pyproject.toml: ")
    assert message in str(caught.value)


def test_valid(project: Path) -> None:
    """All settings are read, from any directory below the file."""
    write(
        project,
        "targets = ['a:B']\ncheckers = ['ty']\nselect = ['BC4']\nignore = ['BC401']\n"
        "lenient = true\nerror-on-warning = true\n" + EXPECTED.format(name="Bad", clause="BC309"),
    )
    assert read_settings(project / "sub", CHECKERS) == Settings(
        directory=project,
        targets=("a:B",),
        checkers=("ty",),
        select=("BC4",),
        ignore=("BC401",),
        lenient=True,
        error_on_warning=True,
        expected_violations=(
            ExpectedViolation(
                target="mine.py:Bad", clause="BC309", reason="an old server waits for the number"
            ),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tool]",
        "[project]\nname = 'backend-contract'",
        "[tool.other]\nx = 1",
        "tool = 3  # backend-contract",
    ],
)
def test_no_table(project: Path, text: str) -> None:
    """Without the table, the defaults apply."""
    (project / "pyproject.toml").write_text(text)
    assert read_settings(project, CHECKERS) == Settings(directory=project)


def test_not_a_table(project: Path) -> None:
    """A value in place of the table is an error."""
    (project / "pyproject.toml").write_text("tool.backend-contract = 3")
    with pytest.raises(CouldNotCheckError, match=r"tool\.backend-contract must be a table, got 3"):
        read_settings(project, CHECKERS)


def test_no_file(tmp_path: Path) -> None:
    """Without a file, the defaults apply."""
    assert read_settings(tmp_path, CHECKERS) == Settings(directory=tmp_path)


def test_nearest_file(project: Path) -> None:
    """Only the nearest file is read; nothing is merged."""
    sub = project / "sub"
    sub.mkdir()
    write(project, "lenient = true")
    assert read_settings(sub, CHECKERS).lenient
    write(sub, "targets = ['a:B']")
    assert read_settings(sub, CHECKERS) == Settings(directory=sub, targets=("a:B",))


def test_invalid_entry(project: Path) -> None:
    """The error about an expected violation names the entry by its number."""
    entry = "{target = 'a:B', clause = 'BC309', reason = 'so'}"
    write(project, f"expected-violations = [{entry}, {entry}]")
    assert len(read_settings(project, CHECKERS).expected_violations) == 2
    write(project, f"expected-violations = [{entry}, 1]")
    with pytest.raises(CouldNotCheckError, match="entry 2: must be a table, got 1"):
        read_settings(project, CHECKERS)


def test_unreadable_file(project: Path) -> None:
    """A file that cannot be read is named in the error."""
    (project / "pyproject.toml").mkdir()
    with pytest.raises(CouldNotCheckError, match=r"pyproject\.toml: Is a directory"):
        read_settings(project, CHECKERS)


values = st.recursive(
    st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab-", min_size=1), inner),
    max_leaves=5,
)
known_keys = [
    *("targets", "checkers", "select", "ignore", "lenient", "error-on-warning"),
    "expected-violations",
]
keys = st.sampled_from([*known_keys, "other"])


def as_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the tests with random settings share."""
    return tmp_path_factory.mktemp("any")


def settings_or_error(directory: Path) -> Settings | str:
    try:
        return read_settings(directory, CHECKERS)
    except CouldNotCheckError as error:
        return str(error)


@pytest.mark.exhaustive
@given(st.dictionaries(keys, values, max_size=3))
def test_any_settings(directory: Path, table: dict[str, object]) -> None:
    """Any settings are read, or rejected on one line."""
    write(directory, "".join(f"{key} = {as_toml(value)}\n" for key, value in table.items()))
    settings = settings_or_error(directory)
    if isinstance(settings, str):
        assert "\n" not in settings
    else:
        assert table.keys() <= {*known_keys}


@given(st.binary(max_size=50))
def test_any_content(directory: Path, content: bytes) -> None:
    """A file with any content is read, or rejected on one line."""
    (directory / "pyproject.toml").write_bytes(b"# backend-contract\n" + content)
    settings = settings_or_error(directory)
    if isinstance(settings, str):
        assert "\n" not in settings
    else:
        assert settings == Settings(directory=directory)
