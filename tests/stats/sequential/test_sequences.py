"""Confidence sequences take scores as they come, keep what they learned, and can be put away and taken up again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from crucible import stats
from crucible.errors import StatsError
from crucible.stats import BoundedSequence, ConfidenceSequence, MeanSequence, PairedWins

Make = Callable[[], ConfidenceSequence]

KINDS = pytest.mark.parametrize(
    "make",
    [MeanSequence, lambda: BoundedSequence(null=0.0, low=-1.0), PairedWins],
    ids=["mean", "bounded", "paired_wins"],
)
RANDOM = np.random.default_rng(12)
BASELINE = (RANDOM.random(300) < 0.5).astype(float)
TREATMENT = (RANDOM.random(300) < 0.75).astype(float)


@KINDS
def test_before_the_first_score_nothing_is_known(make: Make) -> None:
    """The p-value is 1, nothing stops, the interval is all that can be."""
    sequence = make()
    assert (sequence.n, sequence.p, sequence.stop) == (0, 1.0, False)
    assert sequence.estimate == sequence.null
    assert sequence.interval.low <= sequence.null <= sequence.interval.high
    assert "was not shown to differ" in sequence.wording


@KINDS
def test_evidence_grows_and_stays(make: Make) -> None:
    """The p-value never rises and the interval never widens as scores come in; once stopped, always stopped."""
    sequence = make()
    p, low, high, stopped = 1.0, -math.inf, math.inf, False
    for scores in zip(BASELINE, TREATMENT, strict=True):
        sequence.add(*scores)
        assert sequence.p <= p
        assert low <= sequence.interval.low <= sequence.interval.high <= high
        assert sequence.stop or not stopped
        p, low, high, stopped = sequence.p, sequence.interval.low, sequence.interval.high, sequence.stop
    assert stopped
    assert sequence.interval.low > sequence.null
    assert "differs from" in sequence.wording


@KINDS
def test_it_stops_where_its_interval_leaves_the_null_out(make: Make) -> None:
    """The verdict of `stop` and that of the interval are one, at every n (to the grid of the betting sequence)."""
    sequence = make()
    for scores in zip(BASELINE, TREATMENT, strict=True):
        sequence.add(*scores)
        is_out = not sequence.interval.low <= sequence.null <= sequence.interval.high
        assert sequence.stop or not is_out
        if not isinstance(sequence, BoundedSequence):
            assert sequence.stop == is_out


@KINDS
def test_a_state_is_json_and_goes_on(make: Make) -> None:
    """Put away after 100 scores and taken up from JSON, it ends where one that was never put away does."""
    whole = make().update(BASELINE, TREATMENT)
    half = make().update(BASELINE[:100], TREATMENT[:100])
    again = ConfidenceSequence.from_dict(json.loads(json.dumps(half.to_dict())))
    assert type(again) is type(half)
    assert again.to_dict() == half.to_dict()
    again.update(BASELINE[100:], TREATMENT[100:])
    assert again.to_dict() == whole.to_dict()
    assert again.wording == whole.wording


@KINDS
def test_a_fresh_state_is_json(make: Make) -> None:
    """An interval without end is written as null, never as a number that JSON does not have."""
    state = json.loads(json.dumps(make().to_dict(), allow_nan=False))
    assert ConfidenceSequence.from_dict(state).to_dict() == make().to_dict()


@KINDS
@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers(make: Make, score: float) -> None:
    """NaN and infinities are refused with their place, and leave the state as it was."""
    sequence = make().update(BASELINE[:10], TREATMENT[:10])
    before = sequence.to_dict()
    with pytest.raises(StatsError, match="score 11 is"):
        sequence.add(score)
    assert sequence.to_dict() == before


@KINDS
def test_columns_of_different_length(make: Make) -> None:
    """Two columns must belong to the same items."""
    with pytest.raises(StatsError, match="same items"):
        make().update([0, 1, 1], [0, 1])
    with pytest.raises(StatsError, match="one score, or"):
        make().add(0, 1, 1)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0, math.nan])
def test_an_alpha_out_of_range(alpha: float) -> None:
    """Alpha is a probability; `alpha=5` is a mistake."""
    with pytest.raises(StatsError, match="alpha must lie between 0 and 1"):
        MeanSequence(alpha=alpha)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeanSequence(null=math.inf), "null must be a finite number"),
        (lambda: MeanSequence(tuned_for=0), "tuned_for must be at least 1"),
        (lambda: MeanSequence().add(1e200), "too large to square"),
        (lambda: BoundedSequence(low=1.0, high=1.0), "low < high"),
        (lambda: BoundedSequence(low=-math.inf), "low < high"),
        (lambda: BoundedSequence(null=1.5), "null must lie between the bounds"),
        (lambda: BoundedSequence().add(1.2), "score 1 is 1.2, outside the bounds 0 to 1"),
        (lambda: PairedWins(concentration=0.0), "concentration"),
        (lambda: PairedWins().add(0.5, 1.0), "scores must be 0 or 1"),
        (lambda: ConfidenceSequence.from_dict({"kind": "tarot"}), "unknown kind.*known: bounded, mean, paired_wins"),
        (lambda: ConfidenceSequence.from_dict({"kind": "mean"}), "not the whole state"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    """Each error says what came and what was expected."""
    with pytest.raises(StatsError, match=message):
        make()


def test_scores_that_never_vary_say_nothing_of_their_spread() -> None:
    """The mean of constant scores has no interval and no evidence, however many; one that differs begins it."""
    sequence = MeanSequence().update([0.3] * 500)
    assert (sequence.p, sequence.interval.low, sequence.interval.high) == (1.0, -math.inf, math.inf)
    assert "? to ?" in sequence.wording
    assert math.isfinite(sequence.add(0.4).interval.low)
    shifted = MeanSequence().update([1e9 + 0.1] * 50)
    assert shifted.p == 1.0


@pytest.mark.parametrize("scale", [1e-100, 1e-9, 1e9, 1e100])
def test_scale_does_not_matter(scale: float) -> None:
    """The mean sequence has the same p at any scale, and its interval scales along."""
    x = RANDOM.normal(0.3, 1.0, size=200)
    plain, scaled = MeanSequence().update(x), MeanSequence().update(scale * x)
    assert scaled.p == pytest.approx(plain.p, rel=1e-9)
    assert scaled.interval.low == pytest.approx(scale * plain.interval.low, rel=1e-9)


def test_a_mean_that_moves_is_said() -> None:
    """Where the intervals have nothing in common the newest stands, and the method says that earlier ones disagree."""
    random = np.random.default_rng(2)
    sequence = MeanSequence().update(random.normal(0.0, 0.1, size=300)).update(random.normal(9.0, 0.1, size=3_000))
    assert "earlier intervals have nothing in common with it" in sequence.interval.method
    assert sequence.interval.low <= sequence.estimate <= sequence.interval.high


def test_bounded_differences() -> None:
    """Differences of scores from 0 to 1 lie from -1 to 1; a sequence with these bounds takes pairs."""
    sequence = BoundedSequence(low=-1.0, high=1.0).update(BASELINE, TREATMENT)
    assert sequence.stop
    assert sequence.estimate == pytest.approx(float((TREATMENT - BASELINE).mean()))
    assert sequence.interval.low <= sequence.estimate <= sequence.interval.high


@pytest.mark.parametrize("scores", [[0.0] * 400, [1.0] * 400, [0.5] * 400])
def test_bounded_scores_that_never_vary(scores: list[float]) -> None:
    """All right, all wrong, all alike: an interval with a width, that holds the value, inside the bounds."""
    interval = BoundedSequence(null=0.25).update(scores).interval
    assert 0.0 <= interval.low <= scores[0] <= interval.high <= 1.0
    assert 0.0 < interval.high - interval.low < 0.2


def test_ties_change_neither_p_nor_the_share() -> None:
    """Pairs that agree count as pairs only, and narrow the interval of the difference."""
    short = PairedWins().update([0] * 9 + [1] * 2, [1] * 9 + [0] * 2)
    long = PairedWins().update([0] * 9 + [1] * 2 + [1] * 80, [1] * 9 + [0] * 2 + [1] * 80)
    assert (short.p, short.interval) == (long.p, long.interval)
    assert (short.n, long.n, long.ties) == (11, 91, 80)
    assert long.difference.high - long.difference.low < short.difference.high - short.difference.low
    assert long.difference.low <= 7 / 91 <= long.difference.high


def test_the_difference_of_no_pairs_is_anything() -> None:
    """Without pairs the difference may be -1 to 1; with 500 that agree it is close to 0 on either side."""
    empty = PairedWins()
    assert (empty.difference.low, empty.difference.high) == (-1.0, 1.0)
    agree = PairedWins().update([1] * 500, [1] * 500)
    assert agree.difference.low == pytest.approx(-agree.difference.high)
    assert 0.005 < agree.difference.high < 0.05


def test_exported_at_the_top() -> None:
    """`crucible.stats` has the names that the guides use."""
    for name in ("ConfidenceSequence", "MeanSequence", "BoundedSequence", "PairedWins", "Sprt", "SprtDecision"):
        assert name in stats.__all__


def test_what_a_bounded_sequence_speaks_of_unless_told() -> None:
    """No difference where the bounds are those of differences: two models that agree must never be stopped for."""
    bounds = (0.0, 1.0), (-1.0, 1.0), (1.0, 5.0)
    assert [BoundedSequence(low=low, high=high).null for low, high in bounds] == [0.5, 0.0, 3.0]
    assert not BoundedSequence(low=-1.0).update([0.5] * 200, [0.5] * 200).stop
