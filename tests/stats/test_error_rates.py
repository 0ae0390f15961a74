"""Under the null the default paths find a difference as often as they say; intervals cover as often as they say.

The fast tests are small and their bounds are those of the simulation's own error; the slow ones hold the real limits.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import pytest

from crucible import stats
from crucible.stats import Omnibus, Plan, TestResult, Verdict
from crucible.stats.groups.omnibus import omnibus_test
from crucible.stats.groups.posthoc import posthoc_pair

Random = np.random.Generator
Draw = Callable[[Random], TestResult]
Found = TestResult | Omnibus


def _paired_normal(random: np.random.Generator) -> TestResult:
    x = random.normal(size=20)
    return stats.compare_paired(x, x + random.normal(size=20))


def _paired_skewed(random: np.random.Generator) -> TestResult:
    return stats.compare_paired(random.exponential(size=30), random.exponential(size=30))


def _welch_unequal(random: np.random.Generator) -> TestResult:
    return stats.compare(random.normal(size=12), random.normal(scale=3.0, size=30))


def _mcnemar(random: np.random.Generator) -> TestResult:
    hard = random.random(100)  # items differ in difficulty, the two models do not differ
    return stats.compare_paired(random.random(100) < hard, random.random(100) < hard)


def _fisher(random: np.random.Generator) -> TestResult:
    return stats.compare(random.random(50) < 0.4, random.random(70) < 0.4)


CONTINUOUS: dict[str, Draw] = {"paired": _paired_normal, "skewed": _paired_skewed, "welch": _welch_unequal}
DISCRETE: dict[str, Draw] = {"mcnemar": _mcnemar, "fisher": _fisher}


def _rates(draw: Draw, runs: int) -> tuple[float, float]:
    """Share of false findings, and of intervals that contain 0."""
    random = np.random.default_rng(20_240_601)
    results = [draw(random) for _ in range(runs)]
    found = sum(result.verdict is Verdict.DIFFERENCE for result in results) / runs
    covered = sum(result.interval.low <= 0.0 <= result.interval.high for result in results) / runs
    return found, covered


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print what was measured, past pytest's capture."""

    def show(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    return show


@pytest.mark.parametrize("name", [*CONTINUOUS, *DISCRETE])
def test_type_one_error_fast(name: str) -> None:
    """At most .05 and three standard errors of 400 runs; continuous tests not far below either."""
    draw = {**CONTINUOUS, **DISCRETE}[name]
    margin = 3 * math.sqrt(0.05 * 0.95 / 400)
    found, covered = _rates(draw, 400)
    assert found <= 0.05 + margin
    assert covered >= 0.95 - margin
    if name in CONTINUOUS:
        assert found >= 0.05 - margin


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CONTINUOUS))
def test_type_one_error_of_continuous_tests(name: str, report: Callable[[str], None]) -> None:
    """Between .04 and .06 over 20,000 data sets, and the interval covers accordingly."""
    found, covered = _rates(CONTINUOUS[name], 20_000)
    report(f"{name}: type-I error {found:.4f}, coverage {covered:.4f}")
    assert 0.04 <= found <= 0.06
    assert covered == pytest.approx(1.0 - found)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(DISCRETE))
def test_type_one_error_of_exact_tests(name: str, report: Callable[[str], None]) -> None:
    """At most .05 and simulation error over 10,000 data sets; the size that is reached is printed."""
    found, covered = _rates(DISCRETE[name], 10_000)
    report(f"{name}: attained size {found:.4f}, coverage {covered:.4f}")
    assert found <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 10_000)
    assert covered >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_coverage_of_the_paired_interval(shift: float, report: Callable[[str], None]) -> None:
    """Tango's interval covers the true difference in 93 to 98 % of 10,000 data sets of 60 correlated pairs."""
    random = np.random.default_rng(11)
    cells = [0.4 - shift / 2, 0.1, 0.1 + shift, 0.4 - shift / 2]  # both, baseline only, treatment only, neither
    covered = 0
    for _, b, c, _ in random.multinomial(60, cells, size=10_000):
        interval = stats.tango_difference(int(b), int(c), 60)
        covered += interval.low <= shift <= interval.high
    report(f"shift {shift}: coverage {covered / 10_000:.4f}")
    assert 0.93 <= covered / 10_000 <= 0.98


@pytest.mark.slow
def test_type_one_error_of_the_bootstrap(report: Callable[[str], None]) -> None:
    """At most .06 over 2,000 data sets of 40 skewed pairs."""
    random = np.random.default_rng(5)
    runs = 2_000
    found = 0
    for _ in range(runs):
        x, y = random.exponential(size=40), random.exponential(size=40)
        found += stats.bootstrap_paired(x, y, resamples=400).verdict is Verdict.DIFFERENCE
    report(f"bootstrap: type-I error {found / runs:.4f}")
    assert found / runs <= 0.06 + 2 * math.sqrt(0.06 * 0.94 / runs)


@pytest.mark.slow
def test_type_one_error_of_the_bootstrap_of_independent_samples(report: Callable[[str], None]) -> None:
    """At most .06 over 2,000 data sets of 40 and 25 skewed scores with the same mean."""
    random = np.random.default_rng(6)
    runs = 2_000
    found = 0
    for _ in range(runs):
        x, y = random.exponential(size=40), random.gamma(2.0, 0.5, size=25)
        found += stats.bootstrap_independent(x, y, resamples=400).verdict is Verdict.DIFFERENCE
    report(f"bootstrap of independent samples: type-I error {found / runs:.4f}")
    assert found / runs <= 0.06 + 2 * math.sqrt(0.06 * 0.94 / runs)


def _of_all(columns: list[np.ndarray], *, paired: bool = False) -> Omnibus:
    return omnibus_test({str(i): column.astype(float) for i, column in enumerate(columns)}, paired=paired)


def _welch_groups(random: Random) -> Omnibus:
    return _of_all([random.normal(scale=s, size=n) for n, s in ((10, 1.0), (20, 3.0), (15, 2.0), (12, 1.0))])


def _friedman(random: Random) -> Omnibus:
    return _of_all(list(random.normal(size=(4, 20)) + random.normal(size=20)), paired=True)


def _cochran(random: Random) -> Omnibus:
    hard = random.random(60)
    return _of_all([random.random(60) < hard for _ in range(4)], paired=True)


def _mid_p(random: Random) -> TestResult:
    hard = random.random(100)
    return stats.compare_paired(random.random(100) < hard, random.random(100) < hard, test="mcnemar_midp")


NEW_CONTINUOUS: dict[str, Callable[[Random], Found]] = {
    "one-sample t": lambda random: stats.one_sample(random.normal(size=10), 0.0),
    "Welch, 3 against 30 with a quarter of the spread": lambda random: stats.compare(
        random.normal(size=3), random.normal(scale=0.25, size=30)
    ),
    "Welch's analysis of variance": _welch_groups,
    "Friedman": _friedman,
    "Wilcoxon": lambda random: stats.compare_paired(random.normal(size=25), random.normal(size=25), test="wilcoxon"),
    "Mann-Whitney": lambda random: stats.compare(random.normal(size=15), random.normal(size=20), test="mannwhitney"),
    "paired permutation, 12 pairs": lambda random: stats.permutation_paired(
        random.exponential(size=12), random.exponential(size=12)
    ),
    "permutation, 6 and 8": lambda random: stats.permutation_independent(
        random.exponential(size=6), random.exponential(size=8)
    ),
    "permutation, drawn": lambda random: stats.permutation_independent(
        random.exponential(size=30), random.exponential(size=20), resamples=200, seed=int(random.integers(1 << 32))
    ),
}
"""Default paths, and tests of ranks and arrangements that are near enough to continuous: between .04 and .06."""

NEW_DISCRETE: dict[str, Callable[[Random], Found]] = {
    "binomial": lambda random: stats.one_sample(random.random(60) < 0.3, 0.3),
    "sign": lambda random: stats.compare_paired(random.normal(size=40), random.normal(size=40), test="sign"),
    "Cochran's Q": _cochran,
    "Kruskal-Wallis of right and wrong": lambda random: _of_all([random.random(40) < 0.4 for _ in range(3)]),
    "Mann-Whitney with ties": lambda random: stats.compare(
        random.integers(0, 5, 12), random.integers(0, 5, 15), test="mannwhitney"
    ),
    "z of two proportions": lambda random: stats.compare(
        random.random(60) < 0.4, random.random(80) < 0.4, test="two_proportion_z"
    ),
    "McNemar, mid-p": _mid_p,
    "Brown-Forsythe, 10 groups of 3": lambda random: _of_all([random.normal(size=3) for _ in range(10)]),
    "Brown-Forsythe, 20 groups of 2": lambda random: _of_all([random.normal(size=2) for _ in range(20)]),
    "Brown-Forsythe, groups of 2, 3 and 4": lambda random: _of_all(
        [random.normal(scale=s, size=n) for n, s in ((2, 4.0), (3, 2.5), (4, 1.0))]
    ),
    "Welch, 2 against 100": lambda random: stats.compare(random.normal(size=2), random.normal(size=100)),
}
"""Discrete, or careful in such small samples: at most .06."""


def _share_found(draw: Callable[[Random], Found], runs: int) -> float:
    random = np.random.default_rng(20_261_206)
    return sum(draw(random).verdict is Verdict.DIFFERENCE for _ in range(runs)) / runs


@pytest.mark.parametrize("name", [*NEW_CONTINUOUS, *NEW_DISCRETE])
def test_type_one_error_of_further_tests_fast(name: str) -> None:
    """At most .05 and three standard errors of 250 runs; continuous ones not far below either."""
    margin = 3 * math.sqrt(0.05 * 0.95 / 250)
    found = _share_found({**NEW_CONTINUOUS, **NEW_DISCRETE}[name], 250)
    assert found <= 0.05 + margin
    if name in NEW_CONTINUOUS:
        assert found >= 0.05 - margin


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NEW_CONTINUOUS, *NEW_DISCRETE])
def test_type_one_error_of_further_tests(name: str, report: Callable[[str], None]) -> None:
    """At most .06 over 10,000 data sets, and at least .04 where the statistic is continuous; the rate is printed."""
    found = _share_found({**NEW_CONTINUOUS, **NEW_DISCRETE}[name], 10_000)
    report(f"{name}: type-I error {found:.4f}")
    assert found <= 0.06
    if name in NEW_CONTINUOUS:
        assert found >= 0.04


@pytest.mark.slow
def test_attainable_sizes_are_attained(report: Callable[[str], None]) -> None:
    """Fisher's test at fixed margins, McNemar's at fixed differing pairs: the rate over 20,000 is what was told."""
    random = np.random.default_rng(3)
    scores = np.repeat((0.0, 1.0), (24, 16))
    found, told = 0, None
    for _ in range(20_000):
        random.shuffle(scores)
        result = stats.compare(scores[:18], scores[18:])
        found, told = found + (result.verdict is Verdict.DIFFERENCE), result.attainable
    report(f"Fisher, 18 and 22 with 16 right: told {told:.4f}, found {found / 20_000:.4f}")
    assert told is not None
    assert found / 20_000 == pytest.approx(told, abs=4 * math.sqrt(told / 20_000))
    draws = random.binomial(25, 0.5, size=20_000)
    sizes = {int(c): stats.mcnemar(25 - int(c), int(c), 60) for c in set(draws.tolist())}
    found = sum(sizes[int(c)].verdict is Verdict.DIFFERENCE for c in draws)
    told = sizes[12].attainable
    report(f"McNemar, 25 differ: told {told:.4f}, found {found / 20_000:.4f}")
    assert told is not None
    assert found / 20_000 == pytest.approx(told, abs=4 * math.sqrt(told / 20_000))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Welch with Holm", "paired t with Holm", "Dunn with Holm", "Nemenyi", "Tukey"])
def test_family_wise_error(kind: str, report: Callable[[str], None]) -> None:
    """Any false finding among the pairs of several equal groups: at most .06 over 3,000 data sets (Tukey 1,000)."""
    random = np.random.default_rng(17)
    runs = 1_000 if kind == "Tukey" else 3_000
    found = sum(_any_pair(kind, random) for _ in range(runs)) / runs
    report(f"{kind}: family-wise error {found:.4f}")
    assert found <= 0.06 + 2 * math.sqrt(0.06 * 0.94 / runs)


def _any_pair(kind: str, random: Random) -> bool:
    if kind == "Tukey":  # with equal sizes the two outermost groups decide
        columns = {str(i): random.normal(size=12) for i in range(4)}
        order = sorted(columns, key=lambda label: columns[label].mean())
        pair = (order[0], order[-1])
        return posthoc_pair("tukey", columns, pair, why="", alpha=0.05, level=0.95).verdict is Verdict.DIFFERENCE
    table = random.normal(size=(4, 15)) + random.normal(size=15)
    by_item = kind in ("paired t with Holm", "Nemenyi")
    test = {"Dunn with Holm": "dunn", "Nemenyi": "nemenyi"}.get(kind, "auto")
    if not by_item:
        table = random.normal(size=(4, 15))
    groups = {str(i): dict(enumerate(row.tolist())) if by_item else row.tolist() for i, row in enumerate(table)}
    results = [one.result for one in stats.compare_groups(groups, Plan(tests=(test,))).contrasts]
    return any(isinstance(one, TestResult) and one.verdict is Verdict.DIFFERENCE for one in results)
