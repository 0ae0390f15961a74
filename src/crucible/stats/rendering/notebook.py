"""How a notebook shows a result: as its table, without being asked.

Jupyter and its kin look for `_repr_html_` and `_repr_markdown_` on what the last line of a cell returns. Results know
nothing of formats; whoever imports this room gives them these methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from crucible.stats.groups.comparison import GroupComparison
from crucible.stats.groups.omnibus import Omnibus
from crucible.stats.margins.result import EquivalenceResult
from crucible.stats.rendering.arrange import telling_of
from crucible.stats.rendering.html_fragment import draw_html
from crucible.stats.rendering.markdown_fragment import draw_markdown
from crucible.stats.rendering.telling import Tellable
from crucible.stats.result import TestResult

__all__ = ["shown_in_notebooks"]

K = TypeVar("K", bound=type[Tellable])


def shown_in_notebooks(kind: K) -> K:
    """Give a class of results the methods by which notebooks show it; a decorator, or called once for a class."""
    drawn: dict[str, Callable[[Tellable], str]] = {
        "_repr_html_": lambda result: draw_html(telling_of(result)),
        "_repr_markdown_": lambda result: draw_markdown(telling_of(result)),
    }
    for name, draw in drawn.items():
        setattr(kind, name, draw)
    return kind


for _kind in (TestResult, GroupComparison, Omnibus, EquivalenceResult):
    shown_in_notebooks(_kind)
