"""What a scorer is: a plain function from an item and an answer to `Scored`, `Failed` or `Skipped`.

A wrong answer is `Scored(0.0)`, and so is one from which nothing can be read. `Skipped` means that the item has nothing
to compare with, `Failed` that the item itself is broken; neither is ever a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from crucible.data.items import Item
from crucible.errors import DataError
from crucible.ir import Outcome, Skipped

__all__ = ["NO_ANSWER", "Scorer", "bounded", "references_of", "score_bounds"]

Scorer = Callable[[Item, str], Outcome]
"""Scores one answer. Whatever it raises becomes `Failed` for that item.

A function whose scores have a lowest and a highest value says so by an attribute: `mine.bounds = (0.0, 1.0)`.
"""

AnyScorer = TypeVar("AnyScorer", bound=Callable[..., Any])

NO_ANSWER: Final = Skipped("the item has no expected answer")
"""What a scorer returns where there is nothing to compare with."""


def bounded(low: float, high: float) -> Callable[[AnyScorer], AnyScorer]:
    """Return a decorator that says which scores a scorer can give.

    Args:
        low: The lowest score.
        high: The highest score.
    """

    def mark(scorer: AnyScorer) -> AnyScorer:
        scorer.__dict__["bounds"] = (low, high)
        return scorer

    return mark


def score_bounds(scorer: Scorer) -> tuple[float, float] | None:
    """Return the lowest and the highest score that a scorer can give; None if it does not say."""
    return getattr(scorer, "bounds", None)


def references_of(item: Item) -> tuple[str, ...]:
    """Return the answers that an item accepts: `expected`, then those of `metadata["references"]`; none twice.

    Raises:
        DataError: `references` is no list of texts.
    """
    further = item.metadata.get("references", ())
    if not isinstance(further, (list, tuple)) or not all(
        isinstance(each, str) for each in cast("list[object]", further)
    ):
        raise DataError(f'item "{item.id}": "references" is a list of texts, got {further!r:.80}')
    first = () if item.expected is None else (item.expected,)
    return tuple(dict.fromkeys((*first, *cast("list[str]", further))))
