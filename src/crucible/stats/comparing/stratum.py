"""Scores in strata: which belong together, and a difference of means that compares like with like."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.result import Effect
from crucible.stats.significance.tdist import critical_t

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["Standardised", "standardised", "strata_of"]


class Standardised(msgspec.Struct, frozen=True):
    """Means of baseline and treatment over the same mixture of strata, and their difference.

    Args:
        baseline_mean: Weighted mean of the strata's means.
        treatment_mean: The same of the treatment.
        difference: Of these two.
        interval: By Student's t with the variance within strata and sides.
        effect: The difference in units of the standard deviation within strata and sides, without interval.
        n: Scores in all strata.
    """

    baseline_mean: float
    treatment_mean: float
    difference: float
    interval: Interval
    effect: Effect
    n: int


def strata_of(
    x: FloatArray, y: FloatArray, strata: tuple[Sequence[Hashable], Sequence[Hashable]]
) -> list[tuple[FloatArray, FloatArray]]:
    """Return baseline and treatment of each stratum that has both.

    Args:
        x: Baseline, shape (n,).
        y: Treatment, shape (m,).
        strata: The stratum of each score of either.

    Raises:
        StatsError: There is not one stratum a score.
        TooFewSamples: No stratum has scores on both sides.
    """
    import numpy as np

    found: list[dict[Hashable, list[int]]] = []
    for name, values, labels in zip(("baseline", "treatment"), (x, y), strata, strict=True):
        if len(labels) != len(values):
            raise StatsError(f"{name} has {len(values)} scores and {len(labels)} strata: name one for each score")
        places: dict[Hashable, list[int]] = {}
        for i, label in enumerate(labels):
            places.setdefault(label, []).append(i)
        found.append(places)
    both = [label for label in found[0] if label in found[1]]
    if not both:
        raise TooFewSamples("no stratum has scores of baseline and treatment: there is nothing to compare within one")
    return [(x[np.array(found[0][label])], y[np.array(found[1][label])]) for label in both]


def standardised(strata: list[tuple[FloatArray, FloatArray]], level: float) -> Standardised:
    """Return the difference of means within strata, weighted by n m / (n + m), as in a two-way analysis of variance.

    Args:
        strata: Baseline and treatment of each.
        level: Coverage that the interval aims at.

    Raises:
        TooFewSamples: There is one score on each side of every stratum.
        DegenerateSample: The scores do not vary within strata and sides.
    """
    weights = [len(x) * len(y) / (len(x) + len(y)) for x, y in strata]
    total, n = sum(weights), sum(len(x) + len(y) for x, y in strata)
    baseline = sum(w * float(x.mean()) for w, (x, _) in zip(weights, strata, strict=True)) / total
    difference = sum(w * float(y.mean() - x.mean()) for w, (x, y) in zip(weights, strata, strict=True)) / total
    df = n - 2 * len(strata)
    if df < 1:
        raise TooFewSamples(f"{n} scores in {len(strata)} strata: none has two scores on a side, so that none varies")
    columns = [column for pair in strata for column in pair]
    largest = max(float(abs(column).max()) for column in columns)
    distances = [column - column.mean() for column in columns]
    if max(float(abs(one).max()) for one in distances) <= 1e-13 * largest:
        raise DegenerateSample("the scores do not vary within baseline and treatment of any stratum")
    deviation = math.sqrt(sum(float((one**2).sum()) for one in distances) / df)
    half = critical_t(df, level) * deviation / math.sqrt(total)
    return Standardised(
        baseline_mean=baseline,
        treatment_mean=baseline + difference,
        difference=difference,
        interval=Interval(difference - half, difference + half, level, "Student's t within strata"),
        effect=Effect("cohens_d", difference / deviation),
        n=n,
    )
