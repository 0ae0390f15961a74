"""Whether more of a metric is better or less, told by its name."""

from __future__ import annotations

import re
from typing import Final, Literal

__all__ = ["Direction", "direction_of"]

Direction = Literal["min", "max"]

_SMALLER: Final = (
    *("loss", "perplexity", "norm", "steps", "error", "error_rate", "invalid_rate", "failure_rate"),
    *("brier", "brier_score", "ece", "latency", "duration", "cost", "divergence", "kl"),
)
_DRESS: Final = re.compile(r"(?:_(?:ns|us|ms|s|usd|p\d{1,3}|mean|median|max|total))+$")
"""Units, percentiles and the like behind the word that says what a metric is."""


def direction_of(metric: str) -> Direction:
    """Return whether a target is the largest (`min`) or the least (`max`) value that will do.

    Smaller is better for names that end in loss, perplexity, norm, steps, error, error_rate, invalid_rate,
    failure_rate, brier, brier_score, ece, latency, duration, cost, divergence or kl, with `_rate`, a unit or a
    percentile behind it or not (`latency_p95_ms`, `cost_usd`, `brier_rate`); larger for all others, such as
    `loss_reduction`.
    """
    plain = _DRESS.sub("", metric)
    names = (plain, plain.removesuffix("_rate"))  # as the mean of a scorer may be called
    is_smaller = any(name == word or name.endswith(f"_{word}") for name in names for word in _SMALLER)
    return "min" if is_smaller else "max"
