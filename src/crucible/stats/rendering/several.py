"""Several comparisons that are told together are corrected for each other, unless they already were."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crucible.stats.correction import correct
from crucible.stats.names import canonical_correction
from crucible.stats.result import TestResult

__all__ = ["corrected_together"]


def corrected_together(results: Sequence[TestResult], correction: str = "holm") -> list[TestResult]:
    """Return comparisons with p-values that are corrected for there being several of them.

    Results of which any was corrected before come back as they are: correcting a part again would count it twice. A
    comparison of a label with itself asks no question and is not counted.

    Args:
        results: What is told together.
        correction: Name of the correction; `none` leaves them as they are.

    Raises:
        StatsError: The correction is unknown.
        MissingExtra: statsmodels is not installed.
    """
    name = canonical_correction(correction)
    asked = [i for i, one in enumerate(results) if one.baseline != one.treatment]
    if name == "none" or len(asked) < 2 or any(one.p_adjusted is not None for one in results):
        return list(results)
    adjusted = dict(zip(asked, correct([results[i].p for i in asked], name), strict=True))
    return [
        msgspec.structs.replace(one, p_adjusted=adjusted[i], correction=name, comparisons=len(asked))
        if i in adjusted
        else one
        for i, one in enumerate(results)
    ]
