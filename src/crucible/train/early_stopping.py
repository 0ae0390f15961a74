"""Which validation was best, and whether a training has got better lately: pure functions of the validations so far.

That nothing is remembered beside them is why a resumed training decides as one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from crucible.ir import EarlyStoppingConfig, LoraConfig
from crucible.train.keeping.choice import Mode
from crucible.train.records import ValidationRecord

__all__ = ["best_of", "gave_up", "value_of", "watched"]


def watched(config: LoraConfig, otherwise: tuple[str, Mode] = ("validation_loss", "min")) -> tuple[str, Mode]:
    """Return the metric that says which checkpoint is best, and its mode: `min` or `max`.

    Args:
        config: Early stopping names both.
        otherwise: What is watched where nothing stops early.
    """
    stopping = config.early_stopping
    return (stopping.metric, stopping.mode) if stopping else otherwise


def value_of(record: ValidationRecord, metric: str) -> float:
    """Return what a validation measured; NaN where it did not measure this."""
    if metric == "validation_loss" and "loss" in record:
        return record["loss"]
    return record.get("metrics", {}).get(metric, math.nan)


def best_of(
    validation: Sequence[ValidationRecord], metric: str = "validation_loss", mode: Mode = "min"
) -> ValidationRecord | None:
    """Return the validation with the best value, the earliest among equals; NaN is never best.

    Args:
        validation: In order of the steps.
        metric: What to compare.
        mode: `min` or `max`.
    """
    best: ValidationRecord | None = None
    for record in validation:
        value = value_of(record, metric)
        if not math.isnan(value) and (best is None or _gain(value, value_of(best, metric), mode) > 0):
            best = record
    return best


def gave_up(validation: Sequence[ValidationRecord], config: EarlyStoppingConfig) -> str | None:
    """Return why a training is to end now, in words; None where it is to go on.

    A validation is an improvement if it is better than the last improvement by more than `min_delta`; the first one
    is. After `patience` validations in a row that are none, it is time. NaN is no improvement.

    Args:
        validation: All so far, in order of the steps.
        config: Metric, mode, patience, least gain.
    """
    reference, waited, at = math.nan, 0, 0
    for record in validation:
        value = value_of(record, config.metric)
        if not math.isnan(value) and (math.isnan(reference) or _gain(value, reference, config.mode) > config.min_delta):
            reference, waited, at = value, 0, record["step"]
        else:
            waited += 1
    if waited < config.patience:
        return None
    by = f" by more than {config.min_delta:g}" if config.min_delta else ""
    since = f"since step {at} ({reference:.4g})" if at else "at all"
    times = f"{waited} validation{'s' if waited > 1 else ''}"
    return f"{config.metric} has not got better{by} {since}, in {times} (patience {config.patience})"


def _gain(value: float, reference: float, mode: Mode) -> float:
    return value - reference if mode == "max" else reference - value
