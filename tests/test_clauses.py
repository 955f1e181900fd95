from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import aconfig
import pytest

from backend_contract import BackendBase, clauses
from backend_contract.clauses import CLAUSES, Clause, Level, in_layer
from backend_contract.protocol import Backend

EXAMPLES = Path(clauses.__file__).parent / "_examples"
MEMBERS = {name for name in vars(Backend) if not name.startswith("_")} | {"__init__"}

every_clause = pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)
every_example = pytest.mark.parametrize("kind", ["good", "bad"])


# The table.


def test_table() -> None:
    """The table has these clauses, and these layers decide them."""
    assert " ".join(f"{clause.id}:{clause.layers}" for clause in CLAUSES.values()) == (
        "BC101:SB BC102:SB BC103:SB BC104:SB "
        "BC201:SB BC202:SB BC203:B BC204:B BC205:B BC206:B "
        "BC301:B BC302:B BC303:B BC304:B BC305:B BC306:B BC307:SB BC308:B BC309:SB "
        "BC310:B BC311:B BC312:B BC313:B "
        "BC401:SB BC402:B BC403:B BC404:B BC405:B BC406:B "
        "BC501:SB BC502:B BC503:B BC504:B BC505:B BC506:B BC507:B BC508:B"
    )


def test_keys() -> None:
    """The table is keyed by the clauses' ids, in order."""
    assert list(CLAUSES) == sorted(clause.id for clause in CLAUSES.values())
    assert all(clause.id == key for key, clause in CLAUSES.items())


def test_in_layer() -> None:
    """A layer's clauses are those that it can decide, in the table's order."""
    assert [clause.id for clause in in_layer("S")] == (
        ["BC101", "BC102", "BC103", "BC104", "BC201", "BC202", "BC307", "BC309", "BC401", "BC501"]
    )
    assert in_layer("B") == tuple(CLAUSES.values())
    assert in_layer("R") == ()


def test_level() -> None:
    """These clauses are of level SHOULD, and all others of level MUST."""
    assert [c.id for c in CLAUSES.values() if c.level is Level.SHOULD] == (
        ["BC104", "BC206", "BC310", "BC311", "BC313", "BC406", "BC507", "BC508"]
    )


@every_clause
def test_requirements(clause: Clause) -> None:
    """The required clauses are in the table and do not form a circle."""

    def requirements(of: Clause) -> set[str]:
        return set(of.requires).union(*(requirements(CLAUSES[r]) for r in of.requires))

    assert clause.id not in requirements(clause)  # a circle would exceed the recursion limit


@every_clause
def test_requirements_in_layer_s(clause: Clause) -> None:
    """In layer S, a clause comes after those it requires."""
    assert all(required < clause.id for required in clause.requires if "S" in clause.layers)


@every_clause
def test_members(clause: Clause) -> None:
    """A clause is about members of a backend."""
    assert clause.members
    assert set(clause.members) <= MEMBERS


@every_clause
def test_words(clause: Clause) -> None:
    """Text, reason and fix fit into any output: one line, balanced backticks, full stops."""
    assert clause.text[0].islower() or clause.text[0] == "`"
    assert not clause.text.endswith(".")
    for sentence in (clause.why, clause.fix):
        assert sentence.endswith(".")
    for words in (clause.text, clause.why, clause.fix, clause.expected):
        assert "\n" not in words
        assert words.count("`") % 2 == 0


# The record.


def test_frozen() -> None:
    """A clause is immutable."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        CLAUSES["BC101"].text = "anything"  # type: ignore[misc]  # wrong on purpose


def test_keyword_only() -> None:
    """A clause is created with keywords only."""
    with pytest.raises(TypeError, match="positional"):
        Clause("BC999")  # type: ignore[call-arg]  # wrong on purpose


def test_equality() -> None:
    """Clauses compare by value, and are hashable."""
    clause = CLAUSES["BC101"]
    same = dataclasses.replace(clause)
    assert same == clause
    assert {same: 1}[clause] == 1
    assert dataclasses.replace(clause, level=Level.SHOULD) != clause


def test_defaults() -> None:
    """By default a clause is a MUST that requires nothing."""
    clause = Clause(
        id="BC999",
        text="text",
        why="Why.",
        fix="Fix.",
        expected="code",
        layers="B",
        members=("start",),
    )
    assert (clause.level, clause.requires) == (Level.MUST, ())


@every_clause
def test_repr(clause: Clause) -> None:
    """The `repr` is short, and the `str` is the rule with its id."""
    assert repr(clause) == f"<Clause {clause.id}>"
    assert str(clause) == f"{clause.id}: {clause.text}"


def test_levels() -> None:
    """The levels are those of RFC 2119 that the contract uses."""
    assert [level.value for level in Level] == ["MUST", "SHOULD"]


# The examples.


def test_example_files() -> None:
    """Each clause has a good and a bad example, and no other class is among them."""
    for kind in ("good", "bad"):
        nodes = ast.parse((EXAMPLES / f"{kind}.py").read_text(encoding="utf-8")).body
        names = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
        assert names == list(CLAUSES)


@every_clause
@every_example
def test_example_source(clause: Clause, kind: str) -> None:
    """The attributes `good` and `bad` hold the class of that module, renamed, and its imports."""
    source = getattr(clause, kind)
    text = (EXAMPLES / f"{kind}.py").read_text(encoding="utf-8")
    body = source[source.index("class Mine(") :].replace("class Mine(", f"class {clause.id}(")
    assert f"\n\n\n{body}" in text
    imports = ast.parse(source).body[:-1]
    names = [alias.asname or alias.name for node in imports for alias in node.names]
    assert all(re.search(rf"\b{name}\b", body) for name in names)


@every_clause
def test_examples_differ(clause: Clause) -> None:
    """The good example is not the bad one."""
    assert clause.good != clause.bad


def run_example(clause: Clause, kind: str) -> type[BackendBase]:
    """Run the source of an example and return the class ``Mine`` that it defines."""
    names: dict[str, type] = {}
    exec(getattr(clause, kind), names)  # noqa: S102 - it is our own text
    mine = names["Mine"]
    assert issubclass(mine, BackendBase)
    return mine


@every_clause
@every_example
def test_example_runs(clause: Clause, kind: str) -> None:
    """Each example imports what it uses and defines a backend class `Mine`."""
    assert run_example(clause, kind).__name__ == "Mine"


@every_clause
def test_good_example(clause: Clause) -> None:
    """The good example can be configured, started and stopped."""
    backend = run_example(clause, "good")({"key": 1})
    backend.register_config(aconfig.Config({"other": 2}))
    with backend.start_lock():
        backend.start()
    assert backend.is_started
    backend.stop()
    assert not backend.is_started
