"""Any outcome, for tests with generated input."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import strategies as st

from backend_contract._conformance.results import Finding, NotChecked, Outcome, Report, Verdict
from backend_contract.clauses import CLAUSES

__all__ = ["outcomes", "texts"]

HOSTILE = (
    *(
        "\x1b]0;title\x07",
        "\n::error::no",
        "::add-mask::x",
        "a ##[error]b",
        "%0A::error::",
        "\u202e\u2066",
    ),
    *(
        "<script>alert(1)</script>",
        "a | b",
        "`code`",
        "**bold**",
        "[a](b)",
        "&amp;",
        "]]>",
        "\"'",
        "\\",
    ),
    *(
        "@team",
        "#12",
        "http://a.example",
        "www.example.com",
        "# head",
        "- item",
        "1. item",
        ":x:",
        "$x$",
    ),
    *(
        "\ud800",
        "\x00",
        "\x85",
        "\u2028",
        "\ufffe",
        "{{ 1 }}",
        "{% raw %}",
        "--",
        "===",
        "\U0001f600",
    ),
)

texts = st.text(max_size=20) | st.sampled_from(HOSTILE)
# Names of files: text, or bytes that are not UTF-8.
paths = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)
    | st.lists(st.integers(1, 255), min_size=1, max_size=10).map(bytes).map(os.fsdecode)
).map(Path)
findings = st.builds(
    Finding,
    clause=st.sampled_from([*CLAUSES.values()]),
    verdict=st.sampled_from(Verdict),
    path=paths,
    line=st.integers(1, 99999),
    found=texts,
    because=st.lists(texts, max_size=2).map(tuple),
    layer=st.sampled_from("SB"),
    checked_by=st.text(min_size=1, max_size=10),
    parts=st.just(()),
    expected_because=texts,
)
outcomes = st.builds(
    Outcome,
    reports=st.lists(
        st.builds(
            Report,
            target=texts,
            findings=st.lists(findings, max_size=3).map(tuple),
            error=st.none() | texts,
            notes=st.lists(texts, max_size=2).map(tuple),
        ),
        max_size=3,
    ),
    problems=st.lists(texts, max_size=2).map(tuple),
    notes=st.lists(texts, max_size=2).map(tuple),
    not_checked=st.lists(
        st.builds(NotChecked, name=texts, path=paths, line=st.integers(1, 9), because=texts),
        max_size=2,
    ),
    excluded=st.lists(texts, max_size=8).map(tuple),
    not_selected=st.lists(st.sampled_from([*CLAUSES]), max_size=8).map(tuple),
    lenient=st.booleans(),
    error_on_warning=st.booleans(),
)
