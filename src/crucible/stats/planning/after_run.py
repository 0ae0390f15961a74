"""What a run that was just made could have found: its smallest detectable difference, never its "observed power"."""

from __future__ import annotations

import msgspec

from crucible.errors import DegenerateSample, StatsError
from crucible.stats.extra import needs_stats, versions
from crucible.stats.planning.pairs import McNemar
from crucible.stats.planning.planned import Planned
from crucible.stats.planning.proportions import Proportion, Proportions
from crucible.stats.planning.questions import detectable_effect
from crucible.stats.planning.tails import t_power
from crucible.stats.result import TestResult
from crucible.stats.significance.tdist import critical_t

__all__ = ["detectable_difference"]


@needs_stats
def detectable_difference(result: TestResult, *, power: float = 0.8) -> Planned:
    """Return the smallest true difference that a repetition of a run would find as often as asked, at its alpha.

    It stands on the run's size and noise alone: the standard error of its difference, the share of its pairs that
    differ, the accuracy of its baseline. The difference that was measured plays no part. There is no function here for
    the power at the measured difference ("observed power"): that is the p-value in other words, is low whenever
    nothing was found, and is so often read as evidence for no difference that it had better not be printed. What a run
    that found nothing can still exclude, its interval says.

    Args:
        result: Of McNemar's, Fisher's or the binomial test, the z-test of two shares, or a t-test (one-sample, paired,
            Student's, Welch's, by clusters). Where it was corrected for several comparisons, alpha is divided
            by their number.
        power: Probability of finding the difference that is asked for.

    Returns:
        The answer; `effect` is in units of the score.

    Raises:
        StatsError: The test is another one, or not even the largest difference would be found as often.
        DegenerateSample: No pair differs, so that the run says nothing of how many will.

    Source:
        Hoenig & Heisey (2001), "The Abuse of Power", The American Statistician 55(1):19-24.
    """
    if not 0.0 < power < 1.0:
        raise StatsError(f"power must lie between 0 and 1, got {power!r}")
    alpha = result.alpha / result.comparisons if result.p_adjusted is not None else result.alpha
    if result.name == "mcnemar":
        found = _of_pairs(result, power, alpha)
    elif result.name in ("fisher", "two_proportion_z"):
        found = _of_shares(result, power, alpha)
    elif result.name == "binomial":
        design = Proportion(baseline=float(result.baseline_mean or 0.0))
        found = detectable_effect(design, n=result.n, power=power, alpha=alpha)
    elif result.df is not None and result.name in _T_TESTS:
        found = _of_means(result, power, alpha)
    else:
        raise StatsError(
            f'no detectable difference is known for the test "{result.name}": simulate it with simulated_power(), or '
            "ask of a t-test on the same scores"
        )
    note = f"; for a repetition of the run, at alpha = {alpha:.6g}"
    if result.p_adjusted is not None:
        note += f" ({result.alpha:g} over {result.comparisons} comparisons)"
    return msgspec.structs.replace(found, method=found.method + note)


_T_TESTS = ("one_sample_ttest", "paired_ttest", "student", "welch", "clustered_ttest", "crossed_ttest")


def _of_pairs(result: TestResult, power: float, alpha: float) -> Planned:
    differing = result.counts["baseline_only"] + result.counts["treatment_only"]
    if differing == 0:
        raise DegenerateSample(
            f"none of {result.n} pairs differs, so that the run says nothing of how many will; its interval "
            f"({result.interval.low:+.3g} to {result.interval.high:+.3g}) says what it can exclude"
        )
    return detectable_effect(McNemar(discordant=differing / result.n), n=result.n, power=power, alpha=alpha)


def _of_shares(result: TestResult, power: float, alpha: float) -> Planned:
    counts = result.counts
    share = counts["baseline_successes"] / counts["baseline"]
    if not 0.0 < share < 1.0:
        raise DegenerateSample(
            f"the baseline's share of successes is {share:g}, so that the run says nothing of its noise: plan with "
            'detectable_effect("proportions", baseline=…) and the share that you expect'
        )
    design = Proportions(baseline=share, test="fisher" if result.name == "fisher" else "z")
    return detectable_effect(design, n=(counts["baseline"], counts["treatment"]), power=power, alpha=alpha)


def _of_means(result: TestResult, power: float, alpha: float) -> Planned:
    from scipy import optimize

    df = float(result.df or 0.0)
    interval = result.interval
    error = (interval.high - interval.low) / 2.0 / critical_t(df, interval.level)
    if not error > 0.0:
        raise DegenerateSample("the interval of the difference has no width, so that the run says nothing of its noise")

    def excess(difference: float) -> float:
        return t_power(difference, df, alpha, "two_sided") - power  # in standard errors

    if excess(0.0) >= 0.0:
        raise StatsError(f"power must be above alpha ({alpha:g}), got {power!r}")
    high = 1.0
    while excess(high) < 0.0:
        high *= 2.0
    difference = error * float(optimize.brentq(excess, 0.0, high, xtol=1e-14, rtol=1e-14))
    names = ("pairs",), ("scores",), ("baseline", "treatment")
    sizes = next(wanted for wanted in names if wanted[0] in result.counts)
    return Planned(
        design=result.name,
        solved="effect",
        n=result.n,
        counts={name: result.counts[name] for name in sizes},
        total=result.n,
        effect=difference,
        effect_name="units of the score",
        power=min(1.0, t_power(difference / error, df, alpha, "two_sided")),
        target=power,
        alpha=alpha,
        alternative="two_sided",
        method=(
            f"{result.name} with the standard error of the run ({error:.6g}) and {df:.6g} degrees of freedom, by the "
            "non-central t distribution"
        ),
        assumptions=("a repetition has the same size and the same spread", *result.assumptions),
        versions=versions(),
    )
