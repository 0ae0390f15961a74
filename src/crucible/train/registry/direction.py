"""Whether more or less of a metric is better, by its name; a name that does not tell is asked for, never guessed."""

from __future__ import annotations

import re
from typing import Final, Literal

from crucible.errors import SpecError

__all__ = ["Direction", "direction_for", "known_direction"]

Direction = Literal["min", "max"]
"""Whether the smallest or the largest value is the best."""

_UNITS: Final = re.compile(r"(_(ns|ms|s|usd|bytes|tokens|frac|mean|p50|p90|p95|p99))+$")
_SMALLER: Final = (
    "loss", "perplexity", "nll", "error", "error_rate", "invalid_rate", "failure_rate", "refusal_rate", "toxicity",
    "latency", "duration", "time", "cost", "price", "kl", "reverse_kl", "divergence", "brier", "ece", "mae", "mse",
    "rmse", "wer", "cer", "gradient_norm", "norm", "steps", "regret", "distance", "memory",
)  # fmt: skip
_LARGER: Final = (
    "accuracy", "acc", "match", "f1", "precision", "recall", "compliance", "bleu", "rouge", "chrf", "meteor", "auc",
    "auroc", "score", "reward", "return", "pass_rate", "overall_pass_rate", "success", "success_rate", "win_rate",
    "entailment", "similarity", "agreement", "margin", "quality", "loss_reduction", "tokens_per_second",
    "throughput", "kappa",
)  # fmt: skip


def known_direction(metric: str) -> Direction | None:
    """Return what the name of a metric says: `min` for `validation_loss` or `latency_ms`, `max` for `exact_match`.

    A name says so by how it ends, units and `_mean` aside; of `tuned.exact_match` the last part counts. None: it says
    nothing.
    """
    name = _UNITS.sub("", metric.lower().rpartition(".")[2].rpartition("/")[2])
    found = [word for word in (*_SMALLER, *_LARGER) if name == word or name.endswith(f"_{word}")]
    if not found:
        return None
    return "min" if max(found, key=len) in _SMALLER else "max"


def direction_for(metric: str, direction: str | None = None) -> Direction:
    """Return the direction that was given, or what the name says.

    Raises:
        SpecError: It is neither `min` nor `max`, or nothing is given and the name does not tell.
    """
    if direction is not None:
        if direction not in ("min", "max"):
            raise SpecError(
                f"direction must be min (the smallest is best) or max (the largest), got {direction!r:.80}",
                code="direction",
            )
        return direction
    if (known := known_direction(metric)) is None:
        raise SpecError(
            f"whether more or less of {metric[:80]!r} is better does not follow from its name; say direction: min or "
            "max",
            code="direction",
        )
    return known
