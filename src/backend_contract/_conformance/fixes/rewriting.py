"""Applying edits to the text of a module. Everything else in it stays as it is, to the byte."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import libcst as cst
from libcst.metadata import CodePosition, CodeRange, MetadataWrapper, PositionProvider

from backend_contract._conformance.fixes.importing import add_imports
from backend_contract._conformance.fixes.model import Edit, EditKind


class CannotRewriteError(Exception):
    """Raised with the reason why a file cannot be rewritten at all."""


def rewrite(content: bytes, edits: Sequence[Edit]) -> tuple[bytes, list[Edit]]:
    """Return *content* with *edits* applied, and those that could be.

    Raises :class:`CannotRewriteError` if the file would not keep its other bytes.
    """
    try:
        module = cst.parse_module(content)
        if module.bytes != content:
            raise CannotRewriteError("libcst does not reproduce the file")
        rewriter = _Rewriter(edits, _style(module))
        changed = MetadataWrapper(module).visit(rewriter)
        imports = [each for edit in rewriter.applied for each in edit.imports]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            new = add_imports(changed, imports).bytes
            compile(new, "", "exec", dont_inherit=True)  # nothing is run
        return new, rewriter.applied
    except (
        cst.ParserSyntaxError,
        LookupError,
        RecursionError,
        SyntaxError,
        ValueError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise CannotRewriteError(f"the file cannot be rewritten: {reason}") from None


class _Style(NamedTuple):
    """How the file is formatted."""

    indent: str
    width: int
    quote: str


def _style(module: cst.Module) -> _Style:
    # The width of the code, within usual limits; comments and strings are often wider.
    code = [line for line in module.code.splitlines() if not re.search("[#'\"]", line)]
    width = min(max([88, *map(len, code)]), 120)
    quote = "'" if module.code.count("'") > module.code.count('"') else '"'
    return _Style(module.default_indent, width, quote)


class _Rewriter(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, edits: Sequence[Edit], style: _Style) -> None:
        super().__init__()
        self._edits = edits
        self._style = style
        self.applied: list[Edit] = []

    def _start(self, node: cst.CSTNode) -> CodePosition:
        position = self.get_metadata(PositionProvider, node)
        assert isinstance(position, CodeRange)
        return position.start

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        start = self._start(original_node)
        mine = [
            edit
            for edit in self._edits
            if edit.line == start.line
            and edit.member == original_node.name.value
            and edit.kind not in (EditKind.ATTRIBUTE, EditKind.UPPER_CASE)
        ]
        if not mine:
            return updated_node
        function = updated_node
        # Names in other edits are the old ones: rename last.
        for edit in sorted(mine, key=lambda edit: edit.kind is EditKind.RENAME):
            function = self._edit_function(function, edit)
            self.applied.append(edit)
        return _fit(function, self._style.indent, self._style.width - start.column)

    def _edit_function(self, function: cst.FunctionDef, edit: Edit) -> cst.FunctionDef:
        match edit.kind:
            case EditKind.RESULT:
                return function.with_changes(returns=self._annotation(edit.text, " "))
            case EditKind.RENAME:
                renamed = function.visit(_Renamer(edit.name, edit.text))
                return cst.ensure_type(renamed, cst.FunctionDef)
            case EditKind.SYNCHRONOUS:
                return function.with_changes(asynchronous=None)
            case EditKind.SUPER:
                return _call_super(function, edit.text)
            case _:
                given = function.params
                changed = given.with_changes(
                    posonly_params=[
                        self._edit_parameter(each, edit) for each in given.posonly_params
                    ],
                    params=[self._edit_parameter(each, edit) for each in given.params],
                )
                return function.with_changes(params=changed)

    def _edit_parameter(self, parameter: cst.Param, edit: Edit) -> cst.Param:
        if parameter.name.value != edit.name:
            return parameter
        if edit.text:
            old = parameter.annotation
            new = self._annotation(edit.text, "")
            if old is not None:
                new = old.with_changes(annotation=new.annotation)
            parameter = parameter.with_changes(annotation=new)
        if edit.kind is EditKind.DEFAULT:
            parameter = parameter.with_changes(default=cst.Name("None"))
        if parameter.default is None:
            return parameter
        space = cst.SimpleWhitespace(" " if parameter.annotation is not None else "")
        equal = cst.AssignEqual(whitespace_before=space, whitespace_after=space)
        return parameter.with_changes(equal=equal)

    def _annotation(self, text: str, before: str) -> cst.Annotation:
        if text.startswith('"') and self._style.quote not in text:
            text = text.replace('"', self._style.quote)
        return cst.Annotation(
            cst.parse_expression(text),
            whitespace_before_indicator=cst.SimpleWhitespace(before),
        )

    def leave_Assign(
        self, original_node: cst.Assign, updated_node: cst.Assign
    ) -> cst.Assign | cst.AnnAssign:
        edit = self._edit_at(original_node, EditKind.ATTRIBUTE)
        if edit is not None and len(updated_node.targets) == 1:
            target = updated_node.targets[0].target
            if isinstance(target, cst.Attribute) and target.attr.value == edit.name:
                self.applied.append(edit)
                return cst.AnnAssign(target, self._annotation(edit.text, ""), updated_node.value)
        return updated_node.with_changes(value=self._upper(original_node, updated_node.value))

    def leave_AnnAssign(
        self, original_node: cst.AnnAssign, updated_node: cst.AnnAssign
    ) -> cst.AnnAssign:
        if updated_node.value is None:
            return updated_node
        return updated_node.with_changes(value=self._upper(original_node, updated_node.value))

    def _upper(self, statement: cst.CSTNode, value: cst.BaseExpression) -> cst.BaseExpression:
        edit = self._edit_at(statement, EditKind.UPPER_CASE)
        # An escape sequence would become another one.
        if edit is None or not isinstance(value, cst.SimpleString) or "\\" in value.value:
            return value
        if value.raw_value != edit.name:
            return value
        self.applied.append(edit)
        start = value.value.removesuffix(edit.name + value.quote)
        return value.with_changes(value=start + edit.text + value.quote)

    def _edit_at(self, node: cst.CSTNode, kind: EditKind) -> Edit | None:
        line = self._start(node).line
        return next((e for e in self._edits if e.kind is kind and e.line == line), None)


class _Renamer(cst.CSTTransformer):
    """Renames a variable, but neither attributes nor keywords of that name."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self._old = old
        self._new = new

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        if updated_node.value != self._old:
            return updated_node
        return updated_node.with_changes(value=self._new)

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_MatchKeywordElement(
        self, original_node: cst.MatchKeywordElement, updated_node: cst.MatchKeywordElement
    ) -> cst.MatchKeywordElement:
        return updated_node.with_changes(key=original_node.key)

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        # Decorators are outside of the function.
        return updated_node.with_changes(decorators=original_node.decorators)


def _call_super(function: cst.FunctionDef, argument: str) -> cst.FunctionDef:
    """Call the constructor of the base class first, but after the docstring."""
    call = cst.Expr(cst.parse_expression(f"super().__init__({argument})"))
    block = function.body
    if isinstance(block, cst.SimpleStatementSuite):
        statements = [call] if _is_empty(block.body) else [call, *block.body]
        return function.with_changes(body=block.with_changes(body=statements))
    start = 1 if function.get_docstring() is not None else 0
    rest = block.body[start:]
    match rest:
        case [cst.SimpleStatementLine(body=small) as only] if _is_empty(small):
            lines = [only.with_changes(body=[call])]
        case _:
            lines = [cst.SimpleStatementLine([call]), *rest]
    return function.with_changes(body=block.with_changes(body=[*block.body[:start], *lines]))


def _is_empty(statements: Sequence[cst.BaseSmallStatement]) -> bool:
    match statements:
        case [cst.Pass() | cst.Expr(value=cst.Ellipsis())]:
            return True
        case _:
            return False


def _fit(function: cst.FunctionDef, indent: str, room: int) -> cst.FunctionDef:
    """Return *function*, wrapped as Black and Ruff would if its first line is longer than *room*.

    A signature that has several lines already stays as it is.
    """
    header, parameters = _header(function), _parameters(function.params)
    if len(header) != 1 or len(header[0]) <= room or not parameters:
        return function
    for lines in ([", ".join(parameters)], [f"{parameter}," for parameter in parameters]):
        text = "".join(f"\n{indent}{line}" for line in lines)
        template = cst.ensure_type(cst.parse_statement(f"def f({text}\n): pass"), cst.FunctionDef)
        function = function.with_changes(
            params=template.params, whitespace_before_params=template.whitespace_before_params
        )
        if all(len(line) <= room for line in _header(function)):
            break
    return function


def _parameters(every: cst.Parameters) -> list[str]:
    """Return the parameters of a function as code, with the signs ``*`` and ``/``."""
    return [
        cst.Module([]).code_for_node(parameter).rstrip().removesuffix(",")
        for parameter in (
            *every.posonly_params,
            every.posonly_ind,
            *every.params,
            every.star_arg,
            *every.kwonly_params,
            every.star_kwarg,
        )
        if isinstance(parameter, cst.Param | cst.ParamStar | cst.ParamSlash)
    ]


def _header(function: cst.FunctionDef) -> list[str]:
    """Return the lines from ``def`` to the colon, without their margin."""
    bare = function.with_changes(
        decorators=(),
        leading_lines=(),
        lines_after_decorators=(),
        body=cst.SimpleStatementSuite([]),
    )
    return cst.Module([]).code_for_node(bare).rstrip().removesuffix(" pass").splitlines()
