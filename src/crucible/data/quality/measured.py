"""What an evaluation measured, by the names that a quality target may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from crucible.data.classification import Classification
from crucible.data.summary import Summary
from crucible.ir import Interval

__all__ = ["Measured", "known_figures", "measured"]

_CLASSES: Final = ("precision", "recall", "f1")


class Measured(msgspec.Struct, frozen=True):
    """One figure.

    Attributes:
        value: The figure; None where there is none.
        interval: Of it, where there is one.
    """

    value: float | None
    interval: Interval | None = None


def known_figures(scorers: Iterable[str], *, classes: bool = False) -> tuple[str, ...]:
    """Return the names that `measured` gives, those that mean the same left out.

    Args:
        scorers: Names of the scorers.
        classes: Whether answers are classes.
    """
    named = ("accuracy", *_CLASSES, *(f"micro_{name}" for name in _CLASSES)) if classes else ()
    return tuple(dict.fromkeys((*scorers, *named)))


def measured(summaries: Mapping[str, Summary], classification: Classification | None = None) -> dict[str, Measured]:
    """Return every figure by every name that it goes by.

    The mean of a scorer goes by the scorer's name, and with `mean_` before it or `_rate` behind it: `mean_entailment`,
    `overall_pass_rate`. Of classes, `precision`, `recall` and `f1` are means over classes (also `macro_f1` and so on),
    `micro_f1` and so on are of all answers together, and `accuracy` is the share of right ones.

    Args:
        summaries: By scorer.
        classification: Where answers are classes.
    """
    found: dict[str, Measured] = {}
    if classification is not None:
        found["accuracy"] = Measured(classification.accuracy, classification.accuracy_interval)
        for prefixes, scores in ((("", "macro_"), classification.macro), (("micro_",), classification.micro)):
            for name in _CLASSES:
                figure = Measured(getattr(scores, name), getattr(scores, f"{name}_interval"))
                found |= {f"{prefix}{name}": figure for prefix in prefixes}
    for name, summary in summaries.items():
        figure = Measured(summary.mean, summary.interval)
        found |= {f"mean_{name}": figure, f"{name}_rate": figure, name: figure}
    return found
