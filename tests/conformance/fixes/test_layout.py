"""How edits look: imports, signatures and everything else in the file."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from conformance.fixes.sources import annotate

from backend_contract._conformance.fixes.model import Edit, EditKind, NewImport
from backend_contract._conformance.fixes.rewriting import CannotRewriteError, rewrite


def edit(line: int, *imports: NewImport) -> Edit:
    """Return an edit of the method ``stop`` on *line*."""
    return Edit(Path(), line, 0, "stop", "BC309", EditKind.RESULT, "", "None", imports)


# Bytes that are not edited.

CONTENTS = {
    "byte order mark, CRLF": b"\xef\xbb\xbfclass A:\r\n    def stop(self): pass\r\n",
    "mixed line endings": b"x = 1\r\nclass A:\n    def stop(self): pass\r\n",
    "no newline at the end": b"class A:\n    def stop(self): pass",
    "many at the end": b"class A:\n    def stop(self): pass\n\n\n",
    "Latin-1": '# coding: latin-1\nx = "é"\nclass A:\n    def stop(self): pass\n'.encode("latin-1"),
    "form feed": b"x = 1\n\x0c\nclass A:\n    def stop(self): pass\n",
    "tabs": b"class A:\n\tdef stop(self):\t# a\tcomment\n\t\tpass  \n",
    "backslash": b"class A:\n    def \\\n  stop(self): pass\n",
    "one line": b"class A:\n    def stop(self): x = 'a'; y = \"b\"\n",
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_other_bytes(content: bytes) -> None:
    """Everything except the edit keeps its bytes: encoding, line endings, end of the file."""
    line = next(n for n, text in enumerate(content.split(b"\n"), 1) if b"def " in text)
    wanted = edit(line)
    assert rewrite(content, [wanted]) == (content.replace(b"(self)", b"(self) -> None"), [wanted])


def test_new_lines() -> None:
    """New lines end as the others do, and stand after the byte order mark."""
    content = b"\xef\xbb\xbfclass A:\r\n    def stop(self): pass\r\n"
    text, _ = rewrite(content, [edit(2, NewImport("os"))])
    assert text.startswith(b"\xef\xbb\xbfimport os\r\n\r\n\r\nclass A:\r\n")


@pytest.mark.parametrize("content", [b"class A:\r    def stop(self): pass\r", b"def (", b"\xff"])
def test_cannot_rewrite(content: bytes) -> None:
    """A file that would not keep its bytes is left alone."""
    with pytest.raises(CannotRewriteError):
        rewrite(content, [edit(2)])


def test_another_statement() -> None:
    """An edit whose statement is not there is not applied."""
    content = b"class A:\n    def start(self): pass\n    def stop(self): pass\n"
    assert rewrite(content, [edit(2), edit(4)]) == (content, [])


# Imports.

IMPORTS = {
    "docstring": (
        '"""Doc."""\n\nclass A:',
        '"""Doc."""\n\nfrom m import N\n\nclass A:',
    ),
    "future": (
        "from __future__ import annotations\nclass A:",
        "from __future__ import annotations\n\nfrom m import N\nclass A:",
    ),
    "future and more": (
        "from __future__ import annotations; import os\nclass A:",
        "from __future__ import annotations; import os\n\nfrom m import N\n\n\nclass A:",
    ),
    "comment": ("# A license.\n\nclass A:", "# A license.\n\nfrom m import N\n\n\nclass A:"),
    "in order": (
        "import os\n\nimport k\nfrom a import b\nfrom z import y\n\n\nclass A:",
        "import os\n\nimport k\nfrom a import b\nfrom m import N\nfrom z import y\n\n\nclass A:",
    ),
    "a section of its own": (
        "import os\n\nfrom . import b\n\nclass A:",
        "import os\n\nfrom m import N\n\nfrom . import b\n\nclass A:",
    ),
    "headings": (
        "# Standard\nimport os\n\n# Local\nfrom . import b\n\nclass A:",
        "# Standard\nimport os\n\nfrom m import N\n\n# Local\nfrom . import b\n\nclass A:",
    ),
    "same module": ("from m import A, O, b\nclass A:", "from m import A, N, O, b\nclass A:"),
    "unsorted": ("from m import b, A\nclass A:", "from m import b, A, N\nclass A:"),
    "several lines": (
        "from m import (\n    A,\n)\nclass A:",
        "from m import (\n    A,\n    N,\n)\nclass A:",
    ),
    "comments": (
        "from m import (  # m\n\tA as B,  # a\n\tb,  # b\n)\nclass A:",
        "from m import (  # m\n\tA as B,  # a\n\tN,\n\tb,  # b\n)\nclass A:",
    ),
    "several lines, unsorted": (
        "from m import (\n    b,\n    A, # a\n)\nclass A:",
        "from m import (\n    b,\n    A, # a\n    N,\n)\nclass A:",
    ),
    "several names in a line": (
        "from m import (\n    A, b,\n)\nclass A:",
        "from m import (\n    A, b,\n)\nfrom m import N\nclass A:",
    ),
    "a comment on its own": (
        "from m import (\n    # a\n    A,\n)\nclass A:",
        "from m import (\n    # a\n    A,\n)\nfrom m import N\nclass A:",
    ),
    "no comma at the end": (
        "from m import (\n    A\n)\nclass A:",
        "from m import (\n    A\n)\nfrom m import N\nclass A:",
    ),
    "as long as a line": (
        f"from m import A, {'b' * 68}\nclass A:",
        f"from m import A, N, {'b' * 68}\nclass A:",
    ),
    "too long for a line": (
        f"from m import A, {'b' * 69}\nclass A:",
        f"from m import (\n    A,\n    N,\n    {'b' * 69},\n)\nclass A:",
    ),
    "star": ("from m import *\nclass A:", "from m import *\nfrom m import N\nclass A:"),
    "guarded": (
        "try:\n    import os\nexcept ImportError:\n    pass\nclass A:",
        "from m import N\n\ntry:\n    import os\nexcept ImportError:\n    pass\nclass A:",
    ),
}


@pytest.mark.parametrize(("before", "after"), IMPORTS.values(), ids=IMPORTS)
def test_import(before: str, after: str) -> None:
    """A new import stands where a tool that sorts imports would put it."""
    end = "\n    def stop(self)"
    line = before.count("\n") + 2
    content = f"{before}{end}: pass\n".encode()
    text, _ = rewrite(content, [edit(line, NewImport("m", "N"))])
    assert text.decode() == f"{after}{end} -> None: pass\n"


BLOCK = """\
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import a
{}    from z import y

class A:"""
FOR_TYPES = {
    "nothing": (
        "class A:",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import m\n\n\nclass A:",
    ),
    "typing": (
        "import typing\n\nclass A:",
        "import typing\n\nif typing.TYPE_CHECKING:\n    import m\n\nclass A:",
    ),
    "a name of typing": (
        "from typing import Any\n\nx = 1\n\nclass A:",
        """\
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import m

x = 1

class A:""",
    ),
    "future": (
        "from __future__ import annotations\n\n\nclass A:",
        """\
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import m


class A:""",
    ),
    "a block": (
        BLOCK.format(""),
        BLOCK.format("    import m\n"),
    ),
}


@pytest.mark.parametrize(("before", "after"), FOR_TYPES.values(), ids=FOR_TYPES)
def test_import_for_types(before: str, after: str) -> None:
    """An import that only checkers need stands below ``if TYPE_CHECKING:``."""
    end = "\n    def stop(self)"
    line = before.count("\n") + 2
    content = f"{before}{end}: pass\n".encode()
    text, _ = rewrite(content, [edit(line, NewImport("m", for_types=True))])
    assert text.decode() == f"{after}{end} -> None: pass\n"


# Signatures.

SIGNATURES = {
    "short": ("(self, config)", "(self, config: aconfig.Config)"),
    "one line": (
        "(self, config, *, a_long_name=1, another_long_name=2)",
        """(
        self, config: aconfig.Config, *, a_long_name=1, another_long_name=2
    )""",
    ),
    "a line each": (
        "(self, config, /, a_very_long_name=1, *, another_long_name=2, **rest)",
        """(
        self,
        config: aconfig.Config,
        /,
        a_very_long_name=1,
        *,
        another_long_name=2,
        **rest,
    )""",
    ),
    "the slash last": (
        "(self, config=None, a_long_name=1, another_long=2, /)",
        """(
        self, config: aconfig.Config | None = None, a_long_name=1, another_long=2, /
    )""",
    ),
    "the widest line": (
        f"(self, config, {'a' * 22}=1)",
        f"(self, config: aconfig.Config, {'a' * 22}=1)",
    ),
    "one character more": (
        f"(self, config, {'a' * 23}=1)",
        f"(\n        self, config: aconfig.Config, {'a' * 23}=1\n    )",
    ),
    "several lines": (
        "(\n        self,  # itself\n        config,  # it\n    )",
        "(\n        self,  # itself\n        config: aconfig.Config,  # it\n    )",
    ),
}


@pytest.mark.parametrize(("before", "after"), SIGNATURES.values(), ids=SIGNATURES)
def test_signature(tmp_path: Path, before: str, after: str) -> None:
    """A signature that becomes too long is wrapped; one of several lines is not."""
    start = "import aconfig\n\n\nclass Mine:\n    def register_config"
    end = "  # a comment that is rather long, but does not count\n        pass\n"
    text = annotate(tmp_path, f"{start}{before}:{end}", "BC202").text
    assert text == f"{start}{after} -> None:{end}"


def test_width_and_quotes(tmp_path: Path) -> None:
    """The longest line of the file is the limit, and its quotes are used."""
    source = f"x = {'1' * 110}\ny = 'a'\nclass Mine:\n" + textwrap.indent(
        "def handle_runtime_context(self, model_id, runtime_context): pass\n", "    "
    )
    text = annotate(tmp_path, source, "BC501").text
    assert (
        "(self, model_id: str, runtime_context: 'RuntimeServerContextType') -> None: pass" in text
    )
