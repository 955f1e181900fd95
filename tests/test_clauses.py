from __future__ import annotations

import re

import pytest

from backend_contract import BackendBase
from backend_contract.clauses import CLAUSES, Clause, _this_release, in_layer
from backend_contract.errors import ContractError
from backend_contract.protocol import Backend

MEMBERS = {name for name in vars(Backend) if not name.startswith("_")} | {"__init__"}

every_clause = pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)


def test_the_table_is_the_contract() -> None:
    assert " ".join(f"{clause.id}:{clause.layers}" for clause in CLAUSES.values()) == (
        "BC101:SRB BC102:SRB BC103:RB "
        "BC201:SRB BC202:SRB BC203:B BC204:B BC205:B "
        "BC301:B BC302:B BC303:B BC304:B BC305:B BC306:B BC307:SRB BC308:B BC309:SRB "
        "BC401:SRB BC402:B BC403:B BC404:B BC405:B "
        "BC501:SRB BC502:B BC503:B BC504:B BC505:B BC506:B"
    )


def test_a_layer_is_a_part_of_the_table_in_its_order() -> None:
    assert [clause.id for clause in in_layer("S")] == (
        ["BC101", "BC102", "BC201", "BC202", "BC307", "BC309", "BC401", "BC501"]
    )


@every_clause
def test_what_a_clause_requires_stands_in_the_table_and_leads_back_to_nothing(
    clause: Clause,
) -> None:
    def requirements(of: Clause) -> set[str]:
        return set(of.requires).union(*(requirements(CLAUSES[r]) for r in of.requires))

    assert clause.id not in requirements(clause)  # a circle would not end at all


@every_clause
def test_in_layer_s_a_clause_comes_after_those_it_requires(clause: Clause) -> None:
    assert all(required < clause.id for required in clause.requires if "S" in clause.layers)


@every_clause
def test_a_clause_speaks_of_members_of_a_backend(clause: Clause) -> None:
    assert clause.members
    assert set(clause.members) <= MEMBERS


@every_clause
def test_the_words_of_a_clause_can_be_printed_anywhere(clause: Clause) -> None:
    assert clause.text[0].islower() or clause.text[0] == "`"
    assert not clause.text.endswith(".")
    for sentence in (clause.why, clause.fix):
        assert sentence.endswith(".")
    for words in (clause.text, clause.why, clause.fix, clause.expected):
        assert "\n" not in words
        assert words.count("`") % 2 == 0


@every_clause
def test_the_examples_run_and_differ(clause: Clause) -> None:
    assert clause.bad != clause.good
    for example in (clause.bad, clause.good):
        names: dict[str, type[BackendBase]] = {}
        exec(example, names)  # noqa: S102 - it is our own text
        assert issubclass(names["Mine"], BackendBase)
        assert re.match(r"(from|import) ", example)


@every_clause
def test_the_good_example_can_be_configured_started_and_stopped(clause: Clause) -> None:
    names: dict[str, type[BackendBase]] = {}
    exec(clause.good, names)  # noqa: S102 - it is our own text
    backend = names["Mine"]({"key": 1})
    with backend.start_lock():
        backend.start()
    assert backend.is_started
    backend.stop()
    assert not backend.is_started


def test_an_error_carries_its_clause_and_opens_with_its_id() -> None:
    error = ContractError("start() returned, is_started is False", clause=CLAUSES["BC302"])
    assert str(error) == "BC302: start() returned, is_started is False"
    assert error.clause is CLAUSES["BC302"]


def test_an_error_may_be_about_no_clause() -> None:
    error = ContractError("no such module")
    assert str(error) == "no such module"
    assert error.clause is None


@pytest.mark.parametrize(
    ("release", "fails_from", "warns"),
    [
        ("0.1.0", "0.1", False),
        ("0.2.0", "0.3", True),
        ("0.2.7", "0.3", True),
        ("0.3.0", "0.3", False),
        ("0.10.0", "0.9", False),
        ("0.9.0", "0.10", True),
        ("1.0.0", "0.10", False),
        ("0.3.0rc1", "0.3", False),
    ],
)
def test_a_clause_only_warns_before_the_release_that_it_fails_from(
    release: str, fails_from: str, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: release)
    _this_release.cache_clear()
    try:
        assert CLAUSES["BC101"]._replace(fails_from=fails_from).only_warns is warns
    finally:
        _this_release.cache_clear()
