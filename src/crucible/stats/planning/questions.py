"""The questions of planning: how many, how sure, how small an effect, at which alpha, and how small a margin.

Each takes a design, by name with its fields as keywords or as an object, and the numbers that are known; the name of
the function is what is asked for.
"""

from __future__ import annotations

from typing import Any

from crucible.errors import StatsError
from crucible.stats.extra import needs_stats
from crucible.stats.planning.asking import answer, asked_design, check_share, sized, true_effect, typed
from crucible.stats.planning.design import PowerDesign
from crucible.stats.planning.margins import Margin
from crucible.stats.planning.planned import Planned
from crucible.stats.planning.solving import smallest_alpha, smallest_effect, smallest_margin, smallest_n

__all__ = ["detectable_effect", "detectable_margin", "needed_alpha", "power", "sample_size"]


@needs_stats
def power(
    design: str | PowerDesign,
    *,
    n: int | tuple[int, int],
    effect: float | None = None,
    alpha: float = 0.05,
    alternative: str = "two_sided",
    **fields: Any,
) -> Planned:
    """Return how often a comparison of a given size finds a true effect of a given size.

    The effect is one that would matter, not one that was measured: power at a measured effect is the p-value in other
    words, says nothing that the interval does not, and is not offered here (Hoenig & Heisey 2001, The American
    Statistician 55(1):19-24). Of a run just made, ask `detectable_difference`.

    Args:
        design: Such as `"paired"`; see `DESIGNS`. Or an object of its class.
        n: Pairs, items, the baseline's scores or the scores of each group, as the design says; for two independent
            samples also (baseline, treatment).
        effect: True effect, treatment minus baseline, in the unit of the design; 0 gives the size of the test.
        alpha: Type-I error rate; of one-sided tests for a margin, that of each.
        alternative: `two_sided`, `greater` or `less`.
        fields: Fields of the design, such as `sd=0.4`.

    Raises:
        StatsError: A number is out of range, or the design or a field of it is unknown.
        TooFewSamples: n is less than the test needs.
    """
    asked = asked_design(design, fields, alpha, alternative)
    fitted, size = sized(asked, n)
    true = true_effect(asked, effect)
    asked.check_possible(true)
    return answer(fitted, "power", (size, true), alpha, alternative)


@needs_stats
def sample_size(
    design: str | PowerDesign,
    *,
    effect: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: str = "two_sided",
    **fields: Any,
) -> Planned:
    """Return the smallest size at which a comparison finds a true effect as often as asked.

    Exact tests of counts move in steps, and one item more can have less power: their answer is the smallest size from
    which on the power stays (checked for the 50 sizes after it).

    Args:
        design: Such as `"paired"`; see `DESIGNS`. Or an object of its class.
        effect: Smallest effect that matters, in the unit of the design; may be left out where the design has a margin
            (it is then 0).
        power: Probability of finding it that is asked for.
        alpha: Type-I error rate.
        alternative: `two_sided`, `greater` or `less`.
        fields: Fields of the design, such as `sd=0.4`.

    Raises:
        StatsError: The effect is 0 or on the wrong side, or needs more items than the design can answer for.
    """
    asked = asked_design(design, fields, alpha, alternative)
    check_share("power", power)
    true = true_effect(asked, effect)
    n = smallest_n(asked, true, power, alpha, typed(alternative))
    return answer(asked, "n", (n, true), alpha, alternative, power)


@needs_stats
def detectable_effect(
    design: str | PowerDesign,
    *,
    n: int | tuple[int, int],
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: str = "two_sided",
    **fields: Any,
) -> Planned:
    """Return the smallest true effect that a comparison of a given size finds as often as asked.

    It is positive (a rise), and negative for `less`. Rises and falls of a share differ: for a fall from .9, ask for
    the rise from .1.

    Args:
        design: Such as `"paired"`; see `DESIGNS`. Or an object of its class.
        n: As for `power`.
        power: Probability of finding it that is asked for.
        alpha: Type-I error rate.
        alternative: `two_sided`, `greater` or `less`.
        fields: Fields of the design, such as `sd=0.4`.

    Raises:
        StatsError: Not even the largest effect is found as often (the message says what n would), or the design has
            a margin.
        TooFewSamples: n is less than the test needs.
    """
    asked = asked_design(design, fields, alpha, alternative)
    check_share("power", power)
    if isinstance(asked, Margin):
        raise StatsError(
            "a design with a margin looks for no effect: ask detectable_margin() how small a margin can be"
        )
    fitted, size = sized(asked, n)
    effect = smallest_effect(fitted, size, power, alpha, typed(alternative))
    return answer(fitted, "effect", (size, effect), alpha, alternative, power)


@needs_stats
def needed_alpha(
    design: str | PowerDesign,
    *,
    n: int | tuple[int, int],
    effect: float | None = None,
    power: float = 0.8,
    alternative: str = "two_sided",
    **fields: Any,
) -> Planned:
    """Return the smallest type-I error rate at which a comparison has a power: what a small sample has to pay.

    Args:
        design: Such as `"paired"`; see `DESIGNS`. Or an object of its class.
        n: As for `power`.
        effect: As for `sample_size`.
        power: Probability of finding the effect that is asked for.
        alternative: `two_sided`, `greater` or `less`.
        fields: Fields of the design, such as `sd=0.4`.

    Raises:
        StatsError: The effect is 0 or on the wrong side, or no alpha below 1/2 is enough.
        TooFewSamples: n is less than the test needs.
    """
    asked = asked_design(design, fields, 0.05, alternative)
    check_share("power", power)
    fitted, size = sized(asked, n)
    true = true_effect(asked, effect)
    alpha = smallest_alpha(fitted, size, true, power, typed(alternative))
    return answer(fitted, "alpha", (size, true), alpha, alternative, power)


@needs_stats
def detectable_margin(
    design: str | PowerDesign,
    *,
    n: int | tuple[int, int],
    effect: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.05,
    **fields: Any,
) -> Planned:
    """Return the smallest margin within which a comparison of a given size shows equivalence, or non-inferiority.

    Args:
        design: `"equivalence"` or `"non_inferiority"`, or an object of their class, whose margin is not used.
        n: As for `power`.
        effect: True difference that is assumed.
        power: Probability of showing it that is asked for.
        alpha: Type-I error rate of each one-sided test.
        fields: Fields of the design but for `margin`.

    Raises:
        StatsError: The design has no margin, or no margin below 1 is enough for shares.
        TooFewSamples: n is less than the test needs.
    """
    given = fields if isinstance(design, PowerDesign) else {"margin": 0.5, **fields}
    asked = asked_design(design, given, alpha, "two_sided")
    check_share("power", power)
    if not isinstance(asked, Margin):
        raise StatsError(f'design "{asked.name}" has no margin: ask detectable_effect()')
    fitted, size = sized(asked, n)
    true = true_effect(asked, effect)
    found = smallest_margin(fitted, size, true, power, alpha)
    return answer(found, "margin", (size, true), alpha, "two_sided", power)
