"""Signatures that became too long: wrapped as Black and Ruff would."""

from __future__ import annotations

import libcst as cst

__all__ = ["fit"]


def fit(function: cst.FunctionDef, indent: str, depth: int, width: int) -> cst.FunctionDef:
    """Return *function*, with one parameter per line if the first line is too long.

    A signature that has several lines already stays as it is.
    """
    margin = indent * depth
    lines = _header(function).splitlines()
    if len(lines) != 1 or len(margin) + len(lines[0]) <= width:
        return function
    if not _parameters(function):
        return function
    together = _wrapped(function, margin, margin + indent, each_alone=False)
    if all(len(line) <= width for line in _header(together).splitlines()):
        return together
    return _wrapped(function, margin, margin + indent, each_alone=True)


def _header(function: cst.FunctionDef) -> str:
    """Return the text from ``def`` to the colon; the first line without its margin."""
    bare = function.with_changes(
        decorators=(),
        leading_lines=(),
        lines_after_decorators=(),
        body=cst.SimpleStatementSuite([]),
    )
    return cst.Module([]).code_for_node(bare).rstrip()


def _parameters(function: cst.FunctionDef) -> list[tuple[str, int]]:
    """Return field and index of each parameter that is followed by a comma, in order."""
    parameters = function.params
    fields: list[tuple[str, int]] = []
    fields += [("posonly_params", number) for number in range(len(parameters.posonly_params))]
    if isinstance(parameters.posonly_ind, cst.ParamSlash):
        fields.append(("posonly_ind", -1))
    fields += [("params", number) for number in range(len(parameters.params))]
    if isinstance(parameters.star_arg, cst.Param | cst.ParamStar):
        fields.append(("star_arg", -1))
    fields += [("kwonly_params", number) for number in range(len(parameters.kwonly_params))]
    if parameters.star_kwarg is not None:
        fields.append(("star_kwarg", -1))
    return fields


def _wrapped(
    function: cst.FunctionDef, margin: str, inner: str, *, each_alone: bool
) -> cst.FunctionDef:
    parameters = function.params
    fields = _parameters(function)
    separator = _line_break(inner) if each_alone else cst.SimpleWhitespace(" ")
    for field, number in fields:
        is_last = (field, number) == fields[-1]
        if is_last and not each_alone:
            parameters = _with_comma(
                parameters, field, number, _line_break(margin), has_comma=False
            )
        else:
            after = _line_break(margin) if is_last else separator
            parameters = _with_comma(parameters, field, number, after, has_comma=True)
    return function.with_changes(params=parameters, whitespace_before_params=_line_break(inner))


def _line_break(margin: str) -> cst.ParenthesizedWhitespace:
    return cst.ParenthesizedWhitespace(
        first_line=cst.TrailingWhitespace(),
        indent=False,
        last_line=cst.SimpleWhitespace(margin),
    )


def _with_comma(
    parameters: cst.Parameters,
    field: str,
    number: int,
    after: cst.BaseParenthesizableWhitespace,
    *,
    has_comma: bool,
) -> cst.Parameters:
    value = getattr(parameters, field)
    one = value if number < 0 else value[number]
    if has_comma:
        changed = one.with_changes(comma=cst.Comma(whitespace_after=after))
    elif isinstance(one, cst.ParamSlash):
        changed = one.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after=after)
    else:  # a bare star is never the last one
        changed = one.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_param=after)
    if number < 0:
        return parameters.with_changes(**{field: changed})
    listed = [*value]
    listed[number] = changed
    return parameters.with_changes(**{field: listed})
