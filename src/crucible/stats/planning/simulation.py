"""Power by simulation, for any data that can be drawn and any test: data sets are drawn, tested and counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from crucible.errors import DegenerateSample, StatsError
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.proportion import clopper_pearson
from crucible.stats.planning.planned import Planned
from crucible.stats.sample import check_rates
from crucible.stats.whole_number import wholes

if TYPE_CHECKING:
    import numpy as np

__all__ = ["simulated_power"]


@needs_stats
def simulated_power(
    draw: Callable[[np.random.Generator], tuple[Any, ...]],
    test: Callable[..., Any],
    *,
    simulations: int = 1_000,
    alpha: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> Planned:
    """Return how often a test finds the effect that is in drawn data, with the interval of the simulation itself.

    Args:
        draw: Called with a `numpy.random.Generator`; returns one data set as a tuple, such as (baseline, treatment),
            whose parts are handed to `test` in order.
        test: Any test of this package, such as `stats.compare_paired`, or a callable that returns a p-value or whether
            it found something. A result counts as found where its p-value, or its corrected one, is below alpha.
        simulations: Data sets, at least 10; the interval of a power of 80 % is about ±2.5 % with 1,000 of them.
        alpha: Type-I error rate of the test.
        level: Level of the Monte Carlo interval.
        seed: Of the generator; the same seed gives the same answer.

    Returns:
        The answer; its interval is exact (Clopper-Pearson) in the count of findings. Data sets that the test refuses as
        degenerate count as nothing found, and `counts` says how many there were.

    Raises:
        StatsError: A number is out of range, or `test` returns something that says neither p nor yes or no.
    """
    import numpy as np

    check_rates(alpha, level)
    simulations, seed = wholes(simulations=simulations, seed=seed)
    if seed < 0:
        raise StatsError(f"seed must be at least 0, got {seed}")
    if simulations < 10:
        raise StatsError(f"simulations must be at least 10, got {simulations!r}")
    random = np.random.default_rng(seed)
    found = refused = 0
    for _ in range(simulations):
        data = draw(random)
        try:
            found += _is_found(test(*data), alpha)
        except DegenerateSample:
            refused += 1
    counts = {"simulated_data_sets": simulations, "of_them_refused": refused}
    return Planned(
        design="simulation",
        solved="power",
        n=simulations,
        counts=counts if refused else {"simulated_data_sets": simulations},
        total=simulations,
        effect=0.0,
        effect_name="",
        power=found / simulations,
        alpha=alpha,
        alternative="as the test has it",
        interval=clopper_pearson(found, simulations, level=level),
        method=f"{getattr(test, '__name__', 'the test')} on {simulations} data sets drawn with seed {seed}",
        assumptions=("data will be as those that were drawn",),
        versions=versions(),
    )


def _is_found(result: Any, alpha: float) -> bool:
    """Tell whether a result is a finding: a p-value below alpha, or a yes."""
    import numpy as np

    if isinstance(result, bool | np.bool_):
        return bool(cast("Any", result))
    adjusted = getattr(result, "p_adjusted", None)
    try:
        p = float(getattr(result, "p", result) if adjusted is None else adjusted)
    except (TypeError, ValueError):
        p = math.nan
    if not 0.0 <= p <= 1.0:
        raise StatsError(f"a test must return a result with p, a p-value, or True or False; got {result!r}")
    return p < alpha
