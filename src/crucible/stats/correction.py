"""Several comparisons at once: p-values adjusted so that the error rate holds for all of them together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from crucible.errors import StatsError
from crucible.stats.names import canonical_correction
from crucible.stats.parameters import check_number

__all__ = ["correct"]


def correct(p_values: Sequence[float], method: str = "holm") -> list[float]:
    """Return p-values adjusted for multiple testing, in the order given.

    Bonferroni, Holm and Hochberg hold the chance of any false finding; BH and BY the share of false ones among the
    findings. Holm needs no assumption and is never weaker than Bonferroni; Hochberg and BH need tests that are
    independent or positively dependent; BY needs nothing.

    Args:
        p_values: Unadjusted p-values, each 0 to 1.
        method: `bonferroni`, `holm`, `hochberg`, `bh`, `by`, `none`, or an alias in `CORRECTION_ALIASES`.

    Raises:
        StatsError: A value is no probability, or the method is unknown.

    Source:
        Holm (1979), Scandinavian Journal of Statistics 6(2):65-70; Hochberg (1988), Biometrika 75(4):800-802; Benjamini
        & Hochberg (1995), JRSS B 57(1):289-300; Benjamini & Yekutieli (2001), Annals of Statistics 29(4):1165-1188.
        The same as R's `p.adjust` and statsmodels' `multipletests`, which takes a quarter of a second for three values
        because it collects garbage first.
    """
    name = canonical_correction(method)
    for i, p in enumerate(p_values):
        check_number(p, f"p_values[{i}]")
    values = [float(p) for p in p_values]
    for i, p in enumerate(values):
        if not 0.0 <= p <= 1.0:
            raise StatsError(f"p_values[{i}] is {p}, expected a probability between 0 and 1")
    m = len(values)
    if name == "none" or m < 2:
        return values
    if name == "bonferroni":
        return [min(1.0, m * p) for p in values]
    order = sorted(range(m), key=values.__getitem__)
    factors = _factors(name, m)
    steps = [min(1.0, factor * values[i]) for factor, i in zip(factors, order, strict=True)]
    if name == "holm":  # down from the smallest: none below one before it
        adjusted = list(itertools.accumulate(steps, max))
    else:  # up from the largest: none above one after it
        adjusted = list(itertools.accumulate(reversed(steps), min))[::-1]
    found = dict(zip(order, adjusted, strict=True))
    return [found[i] for i in range(m)]


def _factors(name: str, m: int) -> list[float]:
    """Return what each p-value is multiplied with, from the smallest to the largest."""
    if name in ("holm", "hochberg"):
        return [float(m - i) for i in range(m)]
    inflation = math.fsum(1.0 / i for i in range(1, m + 1)) if name == "by" else 1.0
    return [inflation * m / (i + 1) for i in range(m)]
