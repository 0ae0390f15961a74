"""Markdown that shows a text as it is: no emphasis, link, HTML, table cell or list mark begins inside of it."""

from __future__ import annotations

import re

from crucible.stats.rendering.markup import visible

__all__ = ["escape_markdown", "paragraph"]

_ACTIVE = re.compile(
    r"[\\`*\[\]|~$#]|<(?=[a-z/!?])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE
)
_STARTS = re.compile(r"^(\d*)([-+=>.)])")


def escape_markdown(text: str) -> str:
    """Return `text` on one line, such that Markdown shows it as it is, also inside a table cell.

    A new line becomes ` ⏎ `. At the start of a line use `paragraph`, which also guards list and heading marks.
    """
    line = visible(text).replace("\n", " ⏎ ").replace("\t", " ").strip()
    return _ACTIVE.sub(r"\\\g<0>", line)


def paragraph(text: str) -> str:
    """Return `text` as `escape_markdown` does, for a place at the start of a line."""
    return _STARTS.sub(r"\1\\\2", escape_markdown(text))
