"""Which of several groups differ: tests of pairs that look at all groups, after a test of all groups at once.

Tukey's and Games and Howell's test have simultaneous intervals, which agree with their p-values. Dunn's and Nemenyi's
compare mean ranks; the interval beside them is that of the difference of means, and `method` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.comparing.independent import compare
from crucible.stats.comparing.paired import compare_paired
from crucible.stats.effects.effect import hedges_g
from crucible.stats.extra import versions
from crucible.stats.groups.studentized_range import critical, tail
from crucible.stats.names import TEST_TITLES
from crucible.stats.result import Effect, TestResult
from crucible.stats.significance.tdist import moments, two_sided_p, welch_error

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["AFTER", "PAIRED_POSTHOC", "POSTHOC_TESTS", "STUDENTIZED_RANGE", "posthoc_pair"]

POSTHOC_TESTS = ("tukey", "games_howell", "dunn", "nemenyi")
"""Canonical names of the tests of pairs that need three groups or more."""

PAIRED_POSTHOC = ("nemenyi",)
"""Those for groups of the same items."""

AFTER: Mapping[str, str] = {
    "anova": "tukey",
    "welch_anova": "games_howell",
    "brown_forsythe": "games_howell",
    "kruskal": "dunn",
    "friedman": "nemenyi",
    "cochran_q": "mcnemar",
}
"""Test of pairs that goes with each test of all groups; McNemar's needs no other groups."""

STUDENTIZED_RANGE = "studentized range"
"""Name of the correction that Tukey's, Games and Howell's and Nemenyi's test bring along."""

Groups = Mapping[str, "FloatArray"]


def posthoc_pair(
    test: str, groups: Groups, pair: tuple[str, str], *, why: str, alpha: float, level: float
) -> TestResult:
    """Compare two of several groups.

    Args:
        test: One of `POSTHOC_TESTS`.
        groups: All of them, by label; for `nemenyi` of the same items in the same order.
        pair: Labels of baseline and treatment.
        why: Why this test is made.
        alpha: Type-I error rate of the verdict, for all pairs together.
        level: Level of the intervals; simultaneous for all pairs where the test has its own.

    Returns:
        The result; `p` is that of the pair alone and `p_adjusted` holds for all pairs of the groups, but for Dunn's
        test, whose p-values are for the caller to correct.

    Raises:
        StatsError: There are fewer than three groups.
        TooFewSamples: A group has fewer than two scores.
        DegenerateSample: The scores do not vary where the test needs it.

    Source:
        Tukey (1953), Kramer (1956); Games & Howell (1976), Journal of Educational Statistics 1(2):113-125; Dunn (1964),
        Technometrics 6(3):241-252; Nemenyi (1963), Demsar (2006), JMLR 7:1-30. Distribution:
        `scipy.stats.studentized_range`.
    """
    if len(groups) < 3:
        raise StatsError(f"not applicable: {len(groups)} groups; {TEST_TITLES[test]} needs 3")
    if len(set(pair)) < 2:
        raise StatsError(f'not applicable: {TEST_TITLES[test]} compares two groups, and both are "{pair[0]}"')
    for label, values in groups.items():
        if len(values) < 2:
            raise TooFewSamples(f'a comparison of groups needs at least 2 scores a group, "{label}" has {len(values)}')
    found = _TESTS[test](groups, pair, alpha, level)
    return msgspec.structs.replace(found, method=f"{found.method}; {why}")


def _tukey(groups: Groups, pair: tuple[str, str], alpha: float, level: float) -> TestResult:
    x, y = (groups[label] for label in pair)
    df = sum(map(len, groups.values())) - len(groups)
    within = sum(float(((values - values.mean()) ** 2).sum()) for values in groups.values())
    largest = max(float(abs(values - values.mean()).max()) for values in groups.values())
    if df < 1 or largest <= 1e-13 * max(float(abs(values).max()) for values in groups.values()):
        raise DegenerateSample("no group varies: Tukey's test needs spread within groups")
    deviation = math.sqrt(within / df)
    error = deviation * math.sqrt(1.0 / len(x) + 1.0 / len(y))
    difference = float(y.mean() - x.mean())
    own = _ranged(difference, error, len(groups), float(df), level)
    return TestResult(
        name="tukey",
        **own,
        effect=Effect("cohens_d", difference / deviation),
        **_described(groups, pair, alpha),
        assumptions=(
            _INDEPENDENT,
            "each group is roughly normal, or large enough for its mean to be",
            "all groups have the same variance; the Games-Howell test does without this",
        ),
        method=(
            f"Tukey-Kramer test (statistic: t with the variance of all {len(groups)} groups), simultaneous interval by "
            "the studentized range, Cohen's d on the pooled standard deviation of all groups without interval"
        ),
    )


def _games_howell(groups: Groups, pair: tuple[str, str], alpha: float, level: float) -> TestResult:
    base, treated = (moments(groups[label], largest=float(abs(groups[label]).max())) for label in pair)
    if base.variance == treated.variance == 0.0:
        raise DegenerateSample(f"neither {pair[0]} nor {pair[1]} varies: the Games-Howell test needs spread in one")
    error, df = welch_error(base, treated)
    return TestResult(
        name="games_howell",
        **_ranged(treated.mean - base.mean, error, len(groups), df, level),
        effect=hedges_g(base, treated, df=df, level=level),
        **_described(groups, pair, alpha),
        assumptions=(
            _INDEPENDENT,
            f"each group is roughly normal, or {base.n} and {treated.n} scores are enough; it is a little bold where "
            "groups have fewer than 6",
        ),
        method=(
            f"Games-Howell test of {len(groups)} groups (statistic: Welch's t), simultaneous interval by the "
            "studentized range, Hedges' g on the average variance with its non-central t interval for the pair alone"
        ),
    )


def _dunn(groups: Groups, pair: tuple[str, str], alpha: float, level: float) -> TestResult:
    import numpy as np
    from scipy import special, stats

    of_means = compare(*(groups[label] for label in pair), test="mannwhitney", alpha=alpha, level=level)
    together = np.concatenate(list(groups.values()))
    ranks: Any = stats.rankdata(together)
    ends = np.cumsum([len(values) for values in groups.values()])[:-1]
    means = dict(zip(groups, (float(part.mean()) for part in np.split(ranks, ends)), strict=True))
    n, ties = len(together), np.unique(together, return_counts=True)[1].astype(np.float64)
    variance = n * (n + 1) / 12.0 - float((ties**3 - ties).sum()) / (12.0 * (n - 1))
    n_x, n_y = (len(groups[label]) for label in pair)
    z = (means[pair[1]] - means[pair[0]]) / math.sqrt(variance * (1.0 / n_x + 1.0 / n_y))
    return msgspec.structs.replace(
        of_means,
        name="dunn",
        statistic=z,
        p=min(1.0, 2.0 * float(special.ndtr(-abs(z)))),
        assumptions=(
            _INDEPENDENT,
            "if there is no difference, all groups have the same distribution",
            "the interval is that of the means of the pair, by Welch's t distribution, and not the rank test's",
        ),
        method=(
            f"Dunn's test (statistic: z of mean ranks in all {len(groups)} groups, corrected for ties), Welch t "
            "interval of the difference of means, rank-biserial correlation of the pair without interval"
        ),
        attainable=None,
    )


def _nemenyi(groups: Groups, pair: tuple[str, str], alpha: float, level: float) -> TestResult:
    import numpy as np
    from scipy import special, stats

    of_means = compare_paired(*(groups[label] for label in pair), test="paired_ttest", alpha=alpha, level=level)
    k, n = len(groups), of_means.n
    columns: list[FloatArray] = list(groups.values())
    ranks: Any = stats.rankdata(np.stack(columns, axis=1), axis=1)  # (n, k)
    means = dict(zip(groups, map(float, ranks.mean(axis=0)), strict=True))
    error = math.sqrt(k * (k + 1) / (6.0 * n))
    difference = means[pair[1]] - means[pair[0]]
    half = critical(k, math.inf, level) * error
    interval = Interval(difference - half, difference + half, level, "critical difference of Nemenyi's test")
    return msgspec.structs.replace(
        of_means,
        name="nemenyi",
        statistic=difference / error,
        df=None,
        p=min(1.0, 2.0 * float(special.ndtr(-abs(difference / error)))),
        p_adjusted=tail(abs(difference / error), k, math.inf),
        correction=STUDENTIZED_RANGE,
        comparisons=_comparisons(groups),
        effect=Effect("mean_rank_difference", difference, interval),
        assumptions=(
            of_means.assumptions[0],
            "if there is no difference, every order of the groups is as likely on an item as every other",
            f"{n} items are enough for the normal approximation; ties make the test more careful",
            "the interval is that of the mean difference of the pair alone, and not the rank test's, which is that of "
            "the effect",
        ),
        method=(
            f"Nemenyi's test (statistic: z of mean ranks among {k} groups), interval of the mean difference: "
            f"{of_means.interval.method}, difference of mean ranks (1: lowest score) with the critical difference as "
            "interval"
        ),
        attainable=None,
    )


_INDEPENDENT = "all scores are independent of each other: no item is in two groups, and none twice in one"
_TESTS: Mapping[str, Callable[[Groups, tuple[str, str], float, float], TestResult]] = {
    "tukey": _tukey,
    "games_howell": _games_howell,
    "dunn": _dunn,
    "nemenyi": _nemenyi,
}


def _ranged(difference: float, error: float, groups: int, df: float, level: float) -> dict[str, Any]:
    """Return what a test by the studentized range says of a difference of means and its standard error."""
    t, half = difference / error, critical(groups, df, level) * error
    return {
        "statistic": t,
        "df": df,
        "p": two_sided_p(t, df),
        "p_adjusted": tail(abs(t), groups, df),
        "difference": difference,
        "interval": Interval(difference - half, difference + half, level, STUDENTIZED_RANGE),
    }


def _described(groups: Groups, pair: tuple[str, str], alpha: float) -> dict[str, Any]:
    x, y = (groups[label] for label in pair)
    return {
        "n": len(x) + len(y),
        "counts": {"baseline": len(x), "treatment": len(y), "all_groups": sum(map(len, groups.values()))},
        "alpha": alpha,
        "versions": versions(),
        "correction": STUDENTIZED_RANGE,
        "comparisons": _comparisons(groups),
        "baseline_mean": float(x.mean()),
        "treatment_mean": float(y.mean()),
    }


def _comparisons(groups: Groups) -> int:
    return len(groups) * (len(groups) - 1) // 2
