"""Several comparisons at once: p-values adjusted so that the error rate holds for all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from crucible.errors import StatsError
from crucible.stats.extra import needs_stats
from crucible.stats.names import canonical_correction

__all__ = ["correct"]

_STATSMODELS = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "bh": "fdr_bh",
    "by": "fdr_by",
}


@needs_stats
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
        `statsmodels.stats.multitest.multipletests`; Holm (1979), Hochberg (1988), Benjamini & Hochberg (1995),
        Benjamini & Yekutieli (2001).
    """
    name = canonical_correction(method)
    values = [float(p) for p in p_values]
    for i, p in enumerate(values):
        if not 0.0 <= p <= 1.0:
            raise StatsError(f"p_values[{i}] is {p}, expected a probability between 0 and 1")
    if name == "none" or len(values) < 2:
        return values
    from statsmodels.stats import multitest

    adjusted: Any = cast("Any", multitest).multipletests(values, method=_STATSMODELS[name])[1]  # untyped there
    return [min(1.0, float(p)) for p in adjusted]
