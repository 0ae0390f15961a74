"""A result, or several, in each format."""

from __future__ import annotations

from crucible.stats.rendering.arrange import Told, plain_data, telling_of
from crucible.stats.rendering.html_fragment import draw_html
from crucible.stats.rendering.json_text import write_json
from crucible.stats.rendering.latex_fragment import draw_latex
from crucible.stats.rendering.markdown_fragment import draw_markdown

__all__ = ["to_html", "to_json", "to_latex", "to_markdown"]


def to_markdown(told: Told, *, correction: str = "holm", caption: str = "") -> str:
    """Return GitHub-flavoured Markdown.

    Args:
        told: A result, or several.
        correction: Of several comparisons that are not corrected yet; `none` says in a note that they are not.
        caption: Of the first table; made of the result's own words where it is empty.

    Raises:
        StatsError: There is nothing to tell, or the correction is unknown.
    """
    return draw_markdown(telling_of(told, correction=correction, caption=caption))


def to_latex(told: Told, *, correction: str = "holm", caption: str = "") -> str:
    r"""Return LaTeX tables for a document that has `\usepackage{booktabs}` and `\usepackage{array}`.

    Args:
        told: A result, or several.
        correction: Of several comparisons that are not corrected yet; `none` says in a note that they are not.
        caption: Of the first table; made of the result's own words where it is empty.

    Raises:
        StatsError: There is nothing to tell, or the correction is unknown.
    """
    return draw_latex(telling_of(told, correction=correction, caption=caption))


def to_html(told: Told, *, correction: str = "holm", caption: str = "") -> str:
    """Return one `<div>` for a page or a notebook: no script, and nothing loaded from anywhere.

    Args:
        told: A result, or several.
        correction: Of several comparisons that are not corrected yet; `none` says in a note that they are not.
        caption: Of the first table; made of the result's own words where it is empty.

    Raises:
        StatsError: There is nothing to tell, or the correction is unknown.
    """
    return draw_html(telling_of(told, correction=correction, caption=caption))


def to_json(told: Told, *, correction: str = "holm", indent: int | None = None) -> str:
    """Return JSON: an object for a result, a list for several; `TestResult.from_dict` reads a comparison back.

    Args:
        told: A result, or several.
        correction: Of several comparisons that are not corrected yet.
        indent: Spaces a level; None writes one line.

    Raises:
        StatsError: There is nothing to tell, the correction is unknown, or a number is not finite.
    """
    return write_json(plain_data(told, correction=correction), indent=indent)
