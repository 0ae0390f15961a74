"""Equivalence and non-inferiority: shown or not shown against a margin that the caller gives, and never "equal"."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats import EquivalenceResult, EquivalenceVerdict

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=60)
Y = X + RANDOM.normal(0.02, 0.3, size=60)
RIGHT = (RANDOM.random(400) < 0.7).astype(int)
ALSO = np.where(RANDOM.random(400) < 0.1, 1 - RIGHT, RIGHT)


def test_equivalence_is_shown_where_the_interval_lies_inside() -> None:
    """The 90 % interval lies within the margin: shown; with a tighter margin the same scores do not show it."""
    shown, not_shown = (stats.tost(X, Y, margin=margin, paired=True) for margin in (0.2, 0.05))
    assert shown.verdict is EquivalenceVerdict.EQUIVALENCE_SHOWN
    assert shown.interval.level == 0.9
    assert -0.2 < shown.interval.low < shown.interval.high < 0.2
    assert shown.wording.startswith("Equivalence within ±0.2 was shown: score of treatment minus baseline is ")
    assert not_shown.verdict is EquivalenceVerdict.EQUIVALENCE_NOT_SHOWN
    assert "Equivalence within ±0.05 was not shown" in not_shown.wording
    assert not_shown.wording.endswith("this does not show that they differ by more than the margin.")
    for result in (shown, not_shown):
        assert "equal" not in result.wording.lower()


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.2])
@pytest.mark.parametrize("kind", ["paired_ttest", "tango", "welch", "student", "newcombe"])
def test_p_value_and_interval_agree(kind: str, alpha: float) -> None:
    """For margins around the interval's ends: p is below alpha exactly where the interval at 1 - 2 alpha is inside."""
    x, y = (RIGHT, ALSO) if kind in ("tango", "newcombe") else (X, Y)
    fields: dict[str, Any] = {"test": kind, "alpha": alpha, "paired": kind in ("paired_ttest", "tango")}
    interval = stats.tost(x, y, margin=0.5, **fields).interval
    for end in (-interval.low, interval.high):
        for factor in (0.99999, 1.00001):
            margin = abs(end) * factor
            result = stats.tost(x, y, margin=margin, **fields)
            assert result.is_shown == (-margin < interval.low and interval.high < margin)
    low = stats.non_inferiority(x, y, margin=abs(interval.low) * 1.00001, **fields)
    assert low.is_shown == (interval.low < 0.0 or interval.low > 0.0)
    assert low.interval == interval


def test_a_difference_that_the_margin_allows_is_said() -> None:
    """Equivalent and different at once is possible, and the sentence says so."""
    result = stats.tost(X, X + 0.1 + RANDOM.normal(0.0, 0.05, size=60), margin=0.3, paired=True)
    assert result.is_shown
    assert "there is a difference, of a size that the margin allows" in result.wording


def test_non_inferiority_has_a_direction() -> None:
    """A treatment that scores lower is worse where higher is better, and better where lower is."""
    worse = X - 0.5 + RANDOM.normal(0.0, 0.2, size=60)
    accuracy = stats.non_inferiority(X, worse, margin=0.2, paired=True)
    loss = stats.non_inferiority(X, worse, margin=0.2, paired=True, higher_is_better=False)
    assert accuracy.verdict is EquivalenceVerdict.NON_INFERIORITY_NOT_SHOWN
    assert loss.verdict is EquivalenceVerdict.NON_INFERIORITY_SHOWN
    assert "non-inferior to baseline by a margin of 0.2 was not shown (higher is better)" in accuracy.wording
    assert "was shown (lower is better)" in loss.wording
    allowed = stats.non_inferiority(X, worse, margin=0.8, paired=True)
    assert allowed.wording.endswith("the interval excludes 0: it is worse, by less than the margin.")
    assert (accuracy.p_high, loss.p_low) == (None, None)


def test_mirroring() -> None:
    """Swapping the columns swaps the two one-sided p-values, for every test."""
    for kind in ("paired_ttest", "welch", "student"):
        there, back = (stats.tost(*c, margin=0.1, test=kind, paired=kind == "paired_ttest") for c in ((X, Y), (Y, X)))
        assert (there.p_low, there.p_high) == pytest.approx((back.p_high, back.p_low), rel=1e-9)
    for kind in ("tango", "newcombe"):
        there, back = (
            stats.tost(*c, margin=0.1, test=kind, paired=kind == "tango") for c in ((RIGHT, ALSO), (ALSO, RIGHT))
        )
        assert (there.p_low, there.p_high) == pytest.approx((back.p_high, back.p_low), rel=1e-9)


@pytest.mark.parametrize(
    ("columns", "fields", "test"),
    [
        ((X, Y), {"paired": True}, "paired_ttest"),
        ((X, Y), {}, "welch"),
        ((RIGHT, ALSO), {"paired": True}, "tango"),
        ((RIGHT, ALSO), {}, "newcombe"),
        ((RIGHT, ALSO), {"is_share": False}, "welch"),
        (({"a": 0, "b": 1, "c": 1}, {"c": 1, "b": 1, "a": 1}), {}, "tango"),
    ],
)
def test_the_written_rule(columns: tuple[Any, Any], fields: dict[str, Any], test: str) -> None:
    """Mappings are paired by id; 0 and 1 go to score tests, others to t-tests; `method` says why."""
    result = stats.tost(*columns, margin=0.4, **fields)
    assert result.test == test
    assert "chosen because" in result.method
    forced = stats.tost(*columns, margin=0.4, test=test, **fields)
    assert "named by the caller" in forced.method
    assert forced.p == result.p


def test_a_result_is_json() -> None:
    """Plain JSON data and back, verdict and wording included."""
    result = stats.non_inferiority(X, Y, margin=0.2, paired=True)
    data = json.loads(json.dumps(result.to_dict()))
    assert EquivalenceResult.from_dict(data) == result
    assert data["verdict"] == "non_inferiority_shown"
    assert data["wording"] == result.wording
    assert data["margin"] == 0.2


def test_columns_that_agree_everywhere() -> None:
    """Right or wrong: the score tests keep an honest width, so that few items that agree show nothing, and many do."""
    few = stats.tost([0, 1] * 5, [0, 1] * 5, margin=0.05, paired=True)
    many = stats.tost([0, 1] * 500, [0, 1] * 500, margin=0.05, paired=True)
    assert (few.is_shown, many.is_shown) == (False, True)
    assert few.interval.high > 0.2
    all_right = stats.tost([1] * 300, [1] * 300, margin=0.05)
    assert all_right.is_shown
    assert not stats.tost([1] * 5, [1] * 5, margin=0.05).is_shown


def test_a_difference_at_or_beyond_the_margin() -> None:
    """Nothing is shown: p is one half at the margin, and near 1 well beyond it."""
    at = stats.non_inferiority([1] * 50 + [0] * 50, [1] * 40 + [0] * 60, margin=0.1)
    assert at.p == pytest.approx(0.5, abs=1e-6)
    beyond = stats.tost([1] * 100, [0] * 100, margin=0.1)
    assert beyond.p > 0.999
    far = stats.tost(X, X + 40.0 + RANDOM.normal(0, 0.1, size=60), margin=0.1, paired=True)
    assert far.p == 1.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: stats.tost(X, Y, margin=0.0), StatsError, "margin must be a finite number above 0"),
        (lambda: stats.tost(X, Y, margin=-0.1), StatsError, "margin must be a finite number above 0"),
        (lambda: stats.tost(X, Y, margin=math.nan), StatsError, "margin must be a finite number above 0"),
        (lambda: stats.non_inferiority(X, Y, margin=math.inf), StatsError, "margin must be a finite number above 0"),
        (lambda: stats.tost(X, Y, margin=0.1, alpha=0.5), StatsError, "alpha of a one-sided test"),
        (lambda: stats.tost(X, Y, margin=0.1, alpha=0.0), StatsError, "alpha of a one-sided test"),
        (lambda: stats.tost(X, Y, margin=0.1, test="tnago"), StatsError, 'did you mean "tango"'),
        (lambda: stats.tost(X, Y, margin=0.1, test="tango"), StatsError, "not for scores of different items"),
        (lambda: stats.tost(X, Y, margin=0.1, test="welch", paired=True), StatsError, "not for scores of the same"),
        (
            lambda: stats.tost(X, Y, margin=0.1, test="tango", paired=True),
            StatsError,
            "needs scores that are all 0 or 1",
        ),
        (lambda: stats.tost(RIGHT, ALSO, margin=1.0), StatsError, "choose one below 1"),
        (lambda: stats.tost([0.1, math.nan], [0.2, 0.3], margin=0.1, paired=True), StatsError, "nan"),
        (lambda: stats.tost([0.1, math.inf], [0.2, 0.3], margin=0.1), StatsError, "inf"),
        (lambda: stats.tost([0.1, 0.2], [0.2], margin=0.1, paired=True), StatsError, "same items"),
        (lambda: stats.tost({"a": 0.1, "b": 1}, {"a": 0.1, "c": 1}, margin=0.1), StatsError, "only in"),
        (lambda: stats.tost([0.1], [0.2], margin=0.1, paired=True), TooFewSamples, "at least 2"),
        (lambda: stats.tost([], [], margin=0.1), TooFewSamples, "at least 2"),
        (
            lambda: stats.tost([0.1, 0.7], [0.1, 0.7], margin=0.1, paired=True),
            DegenerateSample,
            "all 2 differences are 0",
        ),
        (lambda: stats.tost([0.1, 0.7], [0.3, 0.9], margin=0.1, paired=True), DegenerateSample, "vary"),
        (lambda: stats.tost([0.3, 0.3], [0.3, 0.3], margin=0.1), DegenerateSample, "neither column varies"),
    ],
)
def test_bad_input(call: Callable[[], object], error: type[Exception], message: str) -> None:
    """A margin or alpha that is none, NaN, infinities, unequal pairs, too few, and no spread: each with what to do."""
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("scale", [1e-100, 1e-6, 1e6, 1e100])
def test_scale_does_not_matter(scale: float) -> None:
    """Scores and margin in another unit give the same p-values."""
    plain = stats.tost(X, Y, margin=0.1, paired=True)
    scaled = stats.tost(scale * X, scale * Y, margin=scale * 0.1, paired=True)
    assert scaled.p == pytest.approx(plain.p, rel=1e-9)


def test_a_corrected_result_is_judged_by_its_corrected_p() -> None:
    """Where several margins were tested together, the corrected p-value decides and is in the sentence."""
    result = stats.tost(X, Y, margin=0.12, paired=True)
    assert result.is_shown
    corrected = msgspec.structs.replace(result, p_adjusted=0.2, correction="holm", comparisons=4, failures="2 failed")
    assert not corrected.is_shown
    assert "p = 0.2000 after holm correction for 4 comparisons" in corrected.wording
    assert corrected.wording.endswith("; 2 failed.")


def test_what_lies_beyond_the_margin_is_said_to() -> None:
    """Not shown is no proof of a difference, but an interval that lies beyond the margin does show one."""
    low, high = [1, 2, 1, 2, 1.5, 1.2], [11, 12, 11, 12.3, 11, 12]
    assert stats.tost(low, high, margin=1.0).wording.endswith("; the whole interval lies beyond the margin.")
    worse = "; the whole interval lies beyond the margin, on the worse side."
    assert stats.non_inferiority(high, low, margin=1.0).wording.endswith(worse)
    assert stats.non_inferiority(low, high, margin=1.0, higher_is_better=False).wording.endswith(worse)
    assert "does not show that they differ" in stats.tost([1, 2, 3.0], [1, 2, 4.0], margin=0.1).wording
