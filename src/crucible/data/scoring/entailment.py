"""Entailment: whether what an item gives as evidence makes an answer true, as a judge of your own sees it.

No judge comes with Crucible: bring one, such as a natural-language-inference model or another model that is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from crucible.data.items import Item
from crucible.data.scoring.scorer import Scorer, bounded, references_of
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped

__all__ = ["Entailer", "at_least", "entailment", "passes_all"]

Entailer = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""Takes (premise, hypothesis) pairs and returns, for each, the probability that the premise entails the hypothesis."""


def entailment(entailer: Entailer) -> Scorer:
    """Return a scorer: the probability that what the item gives entails the answer, 0.0 to 1.0.

    The premises are the texts of `metadata["evidence"]`, joined by a line break into one; where there are none, each
    answer that the item accepts is one, and the best counts. An empty answer scores 0.0; a judge's number that lies
    outside of [0, 1] is a failure.

    Args:
        entailer: Called once an item.
    """

    @bounded(0.0, 1.0)
    def scorer(item: Item, output: str) -> Outcome:
        try:
            premises = _premises(item)
        except DataError as error:
            return Failed(str(error))
        if not premises:
            return Skipped("the item gives no evidence and no expected answer")
        if not output.strip():
            return Scored(0.0)
        found = list(entailer([(premise, output) for premise in premises]))
        if len(found) != len(premises):
            return Failed(f"the judge of entailment returned {len(found)} numbers for {len(premises)} pairs")
        best = max(map(float, found))
        if not all(math.isfinite(each) and 0 <= each <= 1 for each in found):
            return Failed(f"the judge of entailment returned {found!r:.80}, and a probability lies in [0, 1]")
        return Scored(best)

    scorer.__name__ = "entailment"
    return scorer


def at_least(scorer: Scorer, least: float, *, name: str) -> Scorer:
    """Return a scorer: 1.0 where another one's score is at least so much, else 0.0; what it skips or fails stays so.

    Args:
        scorer: The other.
        least: Its least score that passes.
        name: What the new one is called.
    """

    @bounded(0.0, 1.0)
    def passing(item: Item, output: str) -> Outcome:
        found = scorer(item, output)
        return Scored(float(found.value >= least)) if isinstance(found, Scored) else found

    passing.__name__ = name
    return passing


def passes_all(scorers: Sequence[tuple[Scorer, float]], *, name: str = "overall_pass") -> Scorer:
    """Return a scorer: 1.0 where every one of several scores is at least its limit, else 0.0.

    The first scorer that skips an item or fails on it decides for all, because nobody knows what it would have said.

    Args:
        scorers: Each with its least score that passes, at least one.
        name: What the new one is called.

    Raises:
        DataError: There is none, so that everything would pass.
    """
    if not scorers:
        raise DataError("without a scorer everything would pass; give at least one")
    each = tuple(scorers)

    @bounded(0.0, 1.0)
    def passing(item: Item, output: str) -> Outcome:
        verdict = True
        for scorer, least in each:
            found = scorer(item, output)
            if not isinstance(found, Scored):
                return found
            verdict = verdict and found.value >= least
        return Scored(float(verdict))

    passing.__name__ = name
    return passing


def _premises(item: Item) -> list[str]:
    given = item.metadata.get("evidence")
    if given is None:
        return list(references_of(item))
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)) or not all(isinstance(each, str) for each in cast("list[object]", texts)):
        raise DataError(f'item "{item.id}": "evidence" is a text or a list of texts, got {given!r:.80}')
    joined = "\n".join(cast("Sequence[str]", texts))
    return [joined] if joined.strip() else []
