"""One entry to every format: plain data in, text out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import msgspec

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.report.csv_table import render_csv
from crucible.report.latex import render_latex, render_latex_tables
from crucible.report.markdown import render_markdown
from crucible.report.page import render_html
from crucible.report.results import Results

__all__ = ["EXTENSIONS", "FORMATS", "MEDIA_TYPES", "Format", "render"]

Format = Literal["markdown", "html", "json", "latex", "csv"]

FORMATS: tuple[Format, ...] = ("markdown", "html", "json", "latex", "csv")
"""Formats that can be rendered."""

EXTENSIONS: dict[Format, str] = {"markdown": "md", "html": "html", "json": "json", "latex": "tex", "csv": "csv"}
"""Ending of a file by format."""

MEDIA_TYPES: dict[Format, str] = {
    "markdown": "text/markdown",
    "html": "text/html",
    "json": "application/json",
    "latex": "application/x-tex",
    "csv": "text/csv",
}
"""Media type by format."""

_RENDERERS: dict[str, Callable[[Results], str]] = {
    "markdown": render_markdown,
    "html": render_html,
    "latex": render_latex,
    "csv": render_csv,
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def render(results: Mapping[str, Any], format: str = "markdown", *, fragment: bool = False) -> str:  # noqa: A002  # the public name
    r"""Return a report as text.

    Args:
        results: As `build_results` gives it; parts may be missing, unknown keys are kept in JSON and not shown
            elsewhere.
        format: `markdown`, `html` (one self-contained page), `json` (all of `results`, every digit), `latex` (a whole
            document) or `csv` (one long table, every digit).
        fragment: For `latex`: the tables alone, to be put into a paper with `\input`.

    Raises:
        SpecError: `format` is none of these, `fragment` is asked of another format than `latex`, or a part of
            `results` has another type than it should.
    """
    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS)
        raise SpecError(f'expected one of {", ".join(FORMATS)}; got "{format}"{hint}', path="format", code="choice")
    if fragment and format != "latex":
        raise SpecError(f"only latex has one, {format} has not", path="fragment", code="choice")
    if format == "json":
        return _as_json(results)
    try:
        typed = msgspec.convert(_encodable(dict(results)), Results)
    except msgspec.ValidationError as error:
        raise SpecError(f"not the content of a report: {error}", path="results", code="type") from error
    return render_latex_tables(typed) if fragment else _RENDERERS[format](typed)


def _encodable(value: Any) -> Any:
    """Return plain data without halves of surrogate pairs, which no file can hold."""
    if isinstance(value, str):
        return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(inner) for inner in cast("list[Any]", value)]
    return value


def _as_json(results: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(results), ensure_ascii=False, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SpecError(f"not the content of a report: {error}", path="results", code="type") from error
    return _encodable(text) + "\n"
