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
from crucible.stats import TestResult, Verdict

Draw = Callable[[np.random.Generator], TestResult]


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
