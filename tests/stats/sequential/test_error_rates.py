"""However often one looks: what is true is left out, or wrongly denied, at most as often as alpha says.

Every data set is looked at after each score. The fast tests are small and their bounds are those of the simulation's
own error; the slow ones have 10,000 data sets and print what they measured, power included.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from crucible import stats
from crucible.stats import BoundedSequence, ConfidenceSequence, MeanSequence, PairedWins

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, ...]]


class Case(NamedTuple):
    """A sequence, what it looks at, and what is true of that."""

    make: Callable[[], ConfidenceSequence]
    draw: Draw
    truth: float


def _pairs(shift: float) -> Draw:
    def draw(random: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        hard = random.random(n)
        return (random.random(n) < hard).astype(float), (random.random(n) < hard + shift).astype(float)

    return draw


NULLS = {
    "mean_normal": Case(lambda: MeanSequence(tuned_for=100), lambda r, n: (r.normal(size=n),), 0.0),
    "mean_pairs": Case(MeanSequence, _pairs(0.0), 0.0),
    "bounded_right_or_wrong": Case(
        lambda: BoundedSequence(null=0.3), lambda r, n: ((r.random(n) < 0.3).astype(float),), 0.3
    ),
    "bounded_graded": Case(lambda: BoundedSequence(null=0.8), lambda r, n: (r.beta(8, 2, size=n),), 0.8),
    "paired_wins": Case(PairedWins, _pairs(0.0), 0.5),
}
EFFECTS = {
    "mean_normal": Case(MeanSequence, lambda r, n: (r.normal(0.2, 1.0, size=n),), 0.2),
    "bounded_graded": Case(lambda: BoundedSequence(null=0.7), lambda r, n: (r.beta(7.4, 2.6, size=n),), 0.74),
    "paired_wins": Case(PairedWins, _pairs(0.15), math.nan),
}


def _rates(case: Case, runs: int, n: int) -> tuple[float, float, float]:
    """Share of data sets stopped at any look; of those whose interval ever left the truth out; mean n at the stop."""
    random = np.random.default_rng(20_250_101)
    stopped = missed = 0
    length = 0.0
    for _ in range(runs):
        sequence = case.make()
        ends = n
        for i, scores in enumerate(zip(*case.draw(random, n), strict=True)):
            if sequence.add(*map(float, scores)).stop and ends == n:
                ends = i + 1
        interval = sequence.interval
        stopped += sequence.stop
        torn = "nothing in common" in interval.method
        missed += torn or not interval.low <= case.truth <= interval.high
        length += ends / runs
    return stopped / runs, missed / runs, length


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print what was measured, past pytest's capture."""

    def show(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    return show


@pytest.mark.parametrize("name", [name for name in NULLS if name != "paired_wins"])  # 8 s; the slow one has it
def test_peeking_does_not_find_what_is_not_there_fast(name: str) -> None:
    """1,000 data sets (of betting 150), looked at after each of 80 scores: at most .05 and three standard errors."""
    runs = 150 if name.startswith("bounded") else 1_000
    found, missed, _ = _rates(NULLS[name], runs, 80)
    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found <= limit
    assert missed <= limit


def test_an_ordinary_test_that_is_looked_at_does() -> None:
    """What all this is for: a t-test looked at after each of 150 scores finds a difference in far more than 5 %."""
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 150))
    n = np.arange(10, 151)
    sums, squares = np.cumsum(x, axis=1)[:, 9:], np.cumsum(x**2, axis=1)[:, 9:]
    t = (sums / n) / np.sqrt((squares - sums**2 / n) / (n - 1) / n)
    assert float((np.abs(t) > 2.26).any(axis=1).mean()) > 0.15


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NULLS)
def test_peeking_does_not_find_what_is_not_there(name: str, report: Callable[[str], None]) -> None:
    """10,000 data sets, looked at after each of 300 scores: at most .05 and simulation error; coverage too."""
    found, missed, _ = _rates(NULLS[name], 10_000, 300)
    report(f"{name}: ever stopped under the null {found:.4f}, truth ever left out {missed:.4f}")
    limit = 0.05 + 2 * math.sqrt(0.05 * 0.95 / 10_000)
    assert found <= limit
    assert missed <= limit


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", EFFECTS)
def test_power_of_looking(name: str, report: Callable[[str], None]) -> None:
    """A real effect is found in most of 1,000 data sets of at most 600 scores; how often and how soon is printed."""
    found, _, length = _rates(EFFECTS[name], 1_000, 600)
    report(f"{name}: power {found:.3f}, mean n at the stop {length:.0f} of 600")
    assert found > 0.5


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_skewed_scores_are_where_the_mean_sequence_is_asymptotic(report: Callable[[str], None]) -> None:
    """Exponential scores, looked at from the first on: above .05 for tuning to small n, and less so for larger n."""
    rates = []
    for tuned_for in (50, 500, 5_000):
        case = Case(
            lambda tuned_for=tuned_for: MeanSequence(null=1.0, tuned_for=tuned_for),
            lambda r, n: (r.exponential(size=n),),
            1.0,
        )
        found, missed, _ = _rates(case, 2_000, 500)
        report(f"mean of exponential scores, tuned_for={tuned_for}: ever stopped {found:.4f}, left out {missed:.4f}")
        rates.append(found)
    assert rates[0] > rates[1] > rates[2]
    assert rates[1] <= 0.06


@pytest.mark.slow
def test_the_difference_of_paired_wins_covers_at_every_look(report: Callable[[str], None]) -> None:
    """2,000 data sets of 300 pairs with a true difference of .1: its interval holds it in 95 %."""
    random = np.random.default_rng(7)
    missed = 0
    for _ in range(2_000):
        kinds = random.choice(3, size=300, p=[0.7, 0.1, 0.2])  # agree, baseline only, treatment only
        sequence = PairedWins()
        out = False
        for i, kind in enumerate(kinds):
            sequence.add(float(kind == 1), float(kind == 2))
            if i % 10 == 9:
                interval = sequence.difference
                out |= not interval.low <= 0.1 <= interval.high
        missed += out
    report(f"paired_wins.difference: ever left out {missed / 2_000:.4f}")
    assert missed / 2_000 <= 0.05


@pytest.mark.slow
def test_equivalence_is_not_shown_where_it_is_not(report: Callable[[str], None]) -> None:
    """At a true difference of the margin, they are shown in at most 5 % of 10,000 data sets."""
    random = np.random.default_rng(3)
    runs = 10_000
    tost = worse = shares = 0
    for _ in range(runs):
        x = random.normal(size=40)
        y = x + random.normal(-0.3, 0.5, size=40)
        tost += stats.tost(x, y, margin=0.3, paired=True).is_shown
        worse += stats.non_inferiority(x, y, margin=0.3, paired=True).is_shown
        kinds = random.choice(3, size=150, p=[0.75, 0.175, 0.075])
        shares += stats.non_inferiority(kinds == 1, kinds == 2, margin=0.1, paired=True).is_shown
    rates = [count / runs for count in (tost, worse, shares)]
    report("shown at the margin: TOST {:.4f}, non-inferiority {:.4f}, of paired shares (Tango) {:.4f}".format(*rates))
    assert rates[0] <= 0.055
    assert 0.045 <= rates[1] <= 0.055
    assert rates[2] <= 0.06  # a score interval aims at its level and does not guarantee it
