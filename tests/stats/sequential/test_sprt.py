"""Wald's sequential test decides by itself, with both errors held and its expected length known exactly."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from crucible.errors import StatsError
from crucible.stats import Sprt, SprtDecision


def test_it_decides_and_stays() -> None:
    """Fifteen wins in a row decide for the alternative; a score after that is an error, `update` leaves it unread."""
    test = Sprt(alternative=0.75)
    test.update([1] * 50)
    assert test.decision is SprtDecision.ALTERNATIVE
    assert test.stop
    assert test.n == math.ceil(math.log(20) / math.log(1.5))
    with pytest.raises(StatsError, match="decided for the alternative after 8"):
        test.add(1)
    assert test.wording == (
        "After 8 of 8, decided for a rate of 0.75 over 0.5 (Wald's sequential test, alpha = 0.05, beta = 0.2)."
    )


def test_pairs() -> None:
    """Pairs that agree are ties; the others count for the one that is right."""
    test = Sprt(alternative=0.7).update([1, 0, 1, 0, 1], [1, 1, 1, 0, 0])
    assert (test.successes, test.failures, test.ties) == (1, 1, 3)
    assert test.decision is SprtDecision.GO_ON
    assert test.wording.startswith("After 1 of 2 (3 pairs that agree left out), undecided between a rate of 0.5 and")
    lost = Sprt(alternative=0.7).update([1] * 20, [0] * 20)
    assert lost.decision is SprtDecision.NULL


def test_an_alternative_below_the_null() -> None:
    """It may ask whether a rate is lower."""
    assert Sprt(null=0.5, alternative=0.3).update([0] * 50).decision is SprtDecision.ALTERNATIVE
    assert Sprt(null=0.5, alternative=0.3).update([1] * 50).decision is SprtDecision.NULL


@pytest.mark.parametrize("bounds", ["held", "wald"])
@pytest.mark.parametrize(("null", "alternative", "alpha", "beta"), [(0.5, 0.65, 0.05, 0.2), (0.1, 0.3, 0.02, 0.03)])
def test_both_errors_are_held(bounds: Any, null: float, alternative: float, alpha: float, beta: float) -> None:
    """`held` keeps each error at most as asked, exactly; Wald's bounds keep their sum, and decide sooner."""
    test = Sprt(null=null, alternative=alternative, alpha=alpha, beta=beta, bounds=bounds)
    wrong = test.outlook(null).finds_alternative
    missed = 1.0 - test.outlook(alternative).finds_alternative
    assert wrong + missed <= alpha + beta
    if bounds == "held":
        assert wrong <= alpha
        assert missed <= beta
    wald = Sprt(null=null, alternative=alternative, alpha=alpha, beta=beta, bounds="wald")
    assert wald.outlook(null).expected_n <= test.outlook(null).expected_n


def test_the_outlook_agrees_with_runs() -> None:
    """4,000 runs at a rate between the two: as many findings and trials as the exact outlook says (seed 9)."""
    random = np.random.default_rng(9)
    runs, found, trials = 4_000, 0, 0
    for _ in range(runs):
        test = Sprt(alternative=0.75).update(random.random(400) < 0.6)
        found += test.decision is SprtDecision.ALTERNATIVE
        trials += test.n
    outlook = Sprt(alternative=0.75).outlook(0.6)
    assert found / runs == pytest.approx(outlook.finds_alternative, abs=4 * math.sqrt(0.25 / runs))
    assert trials / runs == pytest.approx(outlook.expected_n, rel=0.05)


def test_the_outlook_is_near_walds_approximation() -> None:
    """Wald (1945), section 4: the mean number of trials without excess over the bounds; it is a bit more."""
    test = Sprt(null=0.5, alternative=0.55, bounds="wald")
    low, high = math.log(0.2 / 0.95), math.log(0.8 / 0.05)
    step = 0.5 * math.log(0.55 / 0.5) + 0.5 * math.log(0.45 / 0.5)
    approximate = (0.05 * high + 0.95 * low) / step
    assert approximate < test.outlook(0.5).expected_n < 1.1 * approximate


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_the_outlook_at_the_ends(rate: float) -> None:
    """Without chance the test takes the same number of trials each time."""
    test = Sprt(alternative=0.75)
    outlook = test.outlook(rate)
    assert outlook.finds_alternative == rate
    assert outlook.expected_n == Sprt(alternative=0.75).update([rate] * 100).n


def test_a_state_is_json_and_goes_on() -> None:
    """Put away and taken up again, it goes on where it stood."""
    test = Sprt(alternative=0.6, alpha=0.01, bounds="wald").update([1, 0, 1], [0, 1, 1])
    again = Sprt.from_dict(json.loads(json.dumps(test.to_dict())))
    assert again.to_dict() == test.to_dict()
    assert (again.log_ratio, again.decision) == (test.log_ratio, test.decision)
    with pytest.raises(StatsError, match="not the whole state"):
        Sprt.from_dict({"kind": "sprt"})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"alternative": 0.5}, "no number of scores tells them apart"),
        ({"alternative": 1.0}, "alternative must lie between 0 and 1"),
        ({"alternative": 0.6, "alpha": 0.0}, "alpha must lie between 0 and 1"),
        ({"alternative": 0.6, "alpha": 0.6, "beta": 0.6}, "sum up below 1"),
        ({"alternative": 0.6, "bounds": "loose"}, "bounds"),
        ({"alternative": math.nan}, "alternative must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, Any], message: str) -> None:
    """Two rates that are one, and errors that are no probabilities."""
    with pytest.raises(StatsError, match=message):
        Sprt(**asked)


@pytest.mark.parametrize("scores", [(0.5,), (math.nan,), (0, 1, 1), (0, 2)])
def test_scores_that_are_neither_0_nor_1(scores: tuple[float, ...]) -> None:
    """A score is right or wrong; a rate out of range has no outlook; two columns are as long as each other."""
    with pytest.raises(StatsError, match="one score of 0 or 1"):
        Sprt(alternative=0.6).add(*scores)
    with pytest.raises(StatsError, match="rate must lie from 0 to 1"):
        Sprt(alternative=0.6).outlook(1.5)
    with pytest.raises(StatsError, match="same items"):
        Sprt(alternative=0.6).update([1, 0], [1])


@pytest.mark.parametrize("changed", [{"successes": "x"}, {"failures": -3}, {"bounds": "loose"}, {"alpha": 2.0}])
def test_a_state_that_is_none_is_refused(changed: dict[str, object]) -> None:
    """Counts are whole and at least 0."""
    with pytest.raises(StatsError):
        Sprt.from_dict(Sprt(alternative=0.7).to_dict() | changed)
