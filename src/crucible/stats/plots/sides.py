"""What is drawn of two sides: their scores, what they are called, and what became of their measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crucible.stats.conditions.observations import Condition, condition_of_scores
from crucible.stats.sample import Scores, one_column

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["Side", "condition_of", "side_of"]


@dataclass(frozen=True, slots=True)
class Side:
    """One side as it is drawn.

    Args:
        label: What it is called.
        values: Its scores, (n,).
        words: Label, n, and what failed.
    """

    label: str
    values: FloatArray
    words: str


def condition_of(scores: Scores | Condition, label: str) -> Condition:
    """Return scores as a condition; a condition keeps the label that it has."""
    return scores if isinstance(scores, Condition) else condition_of_scores(label, scores)


def side_of(condition: Condition) -> Side:
    """Return the item means of a condition, failures left out and counted.

    Raises:
        TooFewSamples: Nothing was scored.
    """
    values = one_column(list(condition.item_means().values()))
    counts = condition.counts
    lost = [f"{n} {word}" for word, n in (("failed", counts.failed), ("skipped", counts.skipped)) if n]
    return Side(condition.label, values, f"{condition.label} ({', '.join([f'n = {len(values)}', *lost])})")
