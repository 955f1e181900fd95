"""``[tool.backend-contract]`` in ``pyproject.toml``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_contract._conformance.cli.settings import Settings, read_settings
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from conftest import Command

CHECKERS = ("mypy", "ty")
BACKENDS = """\
from backend_contract import LocalBackend

class Good(LocalBackend): ...

class Bad(LocalBackend):
    def start(self) -> int: ...

class Open(LocalBackend):
    def stop(self): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(BACKENDS)
    (tmp_path / "sub").mkdir()
    return tmp_path


def settle(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.backend-contract]\n{text}")


EXPECTED = """
[[tool.backend-contract.expected-violations]]
target = "mine.py:{name}"
clause = "{clause}"
reason = "an old server waits for the number"
"""


@pytest.mark.parametrize("cwd", ["", "sub"])
def test_targets_come_from_the_nearest_file_and_are_relative_to_it(
    project: Path, cwd: str, command: Command
) -> None:
    settle(project, 'targets = ["mine.py:Good", "mine:Open"]\n')
    run = command("check", cwd=project / cwd)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("mine.py:Good\n")
    assert "\nmine:Open\n" in run.stdout


def test_a_nearer_file_without_the_table_hides_one_further_up(
    project: Path, command: Command
) -> None:
    settle(project, 'targets = ["mine.py:Good"]\n')
    (project / "sub/pyproject.toml").write_text("[project]\n")
    run = command("check", cwd=project / "sub")
    assert (run.returncode, run.stdout) == (2, "")
    assert "there is nothing to check: name a target" in run.stderr
    assert run.stderr.count("\n") == 1


def test_strict_is_settled_and_can_be_undone(project: Path, command: Command) -> None:
    settle(project, 'targets = ["mine.py:Open"]\nstrict = true\n')
    assert command("check").returncode == 1
    assert command("check", "--no-strict").returncode == 0


def test_checkers_are_settled_and_the_command_line_wins(project: Path, command: Command) -> None:
    settle(project, 'targets = ["mine.py:Good"]\ncheckers = ["mypy", "pyrefly"]\n')
    nowhere = {"PATH": "/nowhere"}
    run = command("check", "--checker", "mypy", **nowhere)
    assert (run.returncode, run.stderr) == (0, "")


def test_an_expected_violation_does_not_fail_and_is_shown(project: Path, command: Command) -> None:
    settle(project, 'targets = ["mine.py:Bad"]\n' + EXPECTED.format(name="Bad", clause="BC309"))
    run = command("check")
    assert (run.returncode, run.stderr) == (0, "")
    assert "known     an old server waits for the number" in run.stdout
    assert "7 ok, 1 violated, 1 of them expected (layer S" in run.stdout
    for target in ("mine.py:Bad", "mine:Bad", str(project / "mine.py:Bad"), "mine.py"):
        run = command("check", target, "--output-format", "concise")
        assert run.returncode == 0
        assert "expected violation: an old server waits for the number" in run.stdout


def test_another_violation_of_the_same_class_still_fails(project: Path, command: Command) -> None:
    (project / "mine.py").write_text(
        BACKENDS.replace("start(self) -> int: ...", "start(self) -> int: ...\n    backend_type = 7")
    )
    settle(project, 'targets = ["mine.py:Bad"]\n' + EXPECTED.format(name="Bad", clause="BC309"))
    assert command("check").returncode == 1


@pytest.mark.parametrize("name", ["Good", "Open"])
def test_an_expected_violation_that_does_not_occur_fails(
    project: Path, name: str, command: Command
) -> None:
    settle(project, f'targets = ["mine.py:{name}"]\n' + EXPECTED.format(name=name, clause="BC309"))
    run = command("check")
    assert run.returncode == 1
    assert "stale     a violation is expected here and does not occur" in run.stdout
    assert "1 expected in vain" in run.stdout
    assert "does not occur" in command("check", "--output-format", "concise").stdout


def test_an_expectation_about_another_class_than_the_one_that_is_named_does_not_matter(
    project: Path, command: Command
) -> None:
    settle(project, EXPECTED.format(name="Bad", clause="BC309"))
    assert command("check", "mine.py:Good").returncode == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [("Bad", "mine.py:Bad is not among the targets"), ("Nobody", "no class 'Nobody'")],
)
def test_an_expectation_about_no_target_of_the_project_is_exit_2(
    project: Path, name: str, message: str, command: Command
) -> None:
    settle(project, 'targets = ["mine.py:Good"]\n' + EXPECTED.format(name=name, clause="BC309"))
    run = command("check")
    assert (run.returncode, run.stdout) == (2, "")
    assert "expected-violations" in run.stderr
    assert message in run.stderr


BAD = {
    "unknown = 1": "unknown key 'unknown'; expected one of targets, checkers, strict",
    "target = []": "unknown key 'target'",
    "targets = 'mine'": "targets is a list of strings, got 'mine'",
    "targets = ['mine', 1]": "targets is a list of strings",
    "checkers = ['mipy']": "no checker 'mipy'; expected one of mypy, ty",
    "checkers = 'mypy'": "checkers is a list of strings",
    "strict = 'yes'": "strict is true or false, got 'yes'",
    "strict = 1": "strict is true or false, got 1",
    "expected-violations = 1": "expected-violations is an array of tables, got 1",
    "expected-violations = ['BC309']": "entry 1: is a table, got 'BC309'",
    "expected-violations = [{target = 'a:B', clause = 'BC309'}]": "needs a reason, which is a text",
    "expected-violations = [{target = 'a:B', clause = 'BC309', reason = ' '}]": "needs a reason",
    "expected-violations = [{target = 'a:B', clause = 'BC309', reason = 1}]": "needs a reason",
    "expected-violations = [{clause = 'BC309', reason = 'so'}]": "needs a target",
    "expected-violations = [{target = 'a:B', reason = 'so'}]": "needs a clause",
    "expected-violations = [{target = 'a:B', clause = 'BC9', reason = 'so'}]": "no clause 'BC9'",
    "expected-violations = [{target = 'a:B', clause = 'BC309', reason = 'so', until = 1}]": (
        "unknown key 'until'; expected one of target, clause, reason"
    ),
    "strict = ": "cannot be read: ",
    "strict = true\nstrict = true": "cannot be read: ",
}


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_what_cannot_be_meant_is_an_error_that_says_what_can(
    project: Path, text: str, message: str
) -> None:
    settle(project, text)
    with pytest.raises(CouldNotCheckError) as caught:
        read_settings(project, CHECKERS)
    assert str(caught.value).startswith(f"{project}/pyproject.toml: ")
    assert message in str(caught.value)


def test_what_can_be_meant_is_read(project: Path) -> None:
    settle(
        project,
        "targets = ['a:B']\ncheckers = ['ty']\nstrict = true\n"
        + EXPECTED.format(name="Bad", clause="BC309"),
    )
    settings = read_settings(project / "sub", CHECKERS)
    assert settings[:4] == (project, ("a:B",), ("ty",), True)
    assert settings.expected_violations == (
        ("mine.py:Bad", "BC309", "an old server waits for the number"),
    )


@pytest.mark.parametrize(
    "text", ["", "[tool]", "[project]\nname = 'backend-contract'", "[tool.other]\nx = 1"]
)
def test_a_file_without_the_table_settles_nothing(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(text)
    assert read_settings(project, CHECKERS)[1:] == Settings(project)[1:]


def test_without_a_file_nothing_is_settled(tmp_path: Path) -> None:
    assert read_settings(tmp_path, CHECKERS) == Settings(tmp_path)


def test_only_the_nearest_file_counts(project: Path) -> None:
    settle(project, "strict = true")
    assert read_settings(project / "sub", CHECKERS).strict
    (project / "sub/pyproject.toml").write_text("[tool.backend-contract]\ntargets = ['a:B']")
    assert read_settings(project / "sub", CHECKERS)[:4] == (project / "sub", ("a:B",), (), False)


def test_of_several_expected_violations_the_wrong_one_is_named(project: Path) -> None:
    entry = "{target = 'a:B', clause = 'BC309', reason = 'so'}"
    settle(project, f"expected-violations = [{entry}, {entry}]")
    assert len(read_settings(project, CHECKERS).expected_violations) == 2
    settle(project, f"expected-violations = [{entry}, 1]")
    with pytest.raises(CouldNotCheckError, match="entry 2: is a table, got 1"):
        read_settings(project, CHECKERS)


def test_a_tool_that_is_no_table_settles_nothing(project: Path) -> None:
    (project / "pyproject.toml").write_text("tool = 3  # backend-contract")
    assert read_settings(project, CHECKERS) == Settings(project)
    (project / "pyproject.toml").write_text("tool.backend-contract = 3")
    with pytest.raises(CouldNotCheckError, match=r"tool\.backend-contract is a table, got 3"):
        read_settings(project, CHECKERS)


def test_a_file_that_cannot_be_read_is_named(project: Path) -> None:
    (project / "pyproject.toml").mkdir()
    with pytest.raises(CouldNotCheckError, match=r"pyproject\.toml: Is a directory"):
        read_settings(project, CHECKERS)


def test_an_error_in_the_settings_is_exit_2_in_every_format(
    project: Path, command: Command
) -> None:
    settle(project, "unknown = 1")
    run = command("check", "mine.py:Good", "--output-format", "json")
    assert run.returncode == 2
    assert "unknown key 'unknown'" in json.loads(run.stdout)["errors"][0]["message"]


values = st.recursive(
    st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab-", min_size=1), inner),
    max_leaves=5,
)
keys = st.sampled_from(["targets", "checkers", "strict", "expected-violations", "other"])


def as_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for any settings at all, of which no other test hears."""
    return tmp_path_factory.mktemp("any")


def settings_or_error(directory: Path) -> Settings | str:
    try:
        return read_settings(directory, CHECKERS)
    except CouldNotCheckError as error:
        return str(error)


@given(st.dictionaries(keys, values, max_size=3))
def test_any_settings_are_read_or_refused_on_one_line(
    directory: Path, table: dict[str, object]
) -> None:
    settle(directory, "".join(f"{key} = {as_toml(value)}\n" for key, value in table.items()))
    settings = settings_or_error(directory)
    if isinstance(settings, str):
        assert "\n" not in settings
    else:
        assert table.keys() <= {"targets", "checkers", "strict", "expected-violations"}


@given(st.binary(max_size=50))
def test_any_content_of_the_file_is_read_or_refused_on_one_line(
    directory: Path, content: bytes
) -> None:
    (directory / "pyproject.toml").write_bytes(b"# backend-contract\n" + content)
    settings = settings_or_error(directory)
    if isinstance(settings, str):
        assert "\n" not in settings
    else:
        assert settings[1:] == Settings(directory)[1:]
