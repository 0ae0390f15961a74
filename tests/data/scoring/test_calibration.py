from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.data import DataError
from crucible.data.scoring import brier, calibration_error, ece

# Values of the package uncertainty-calibration 0.1.4 (Kumar et al.): its `get_equal_bins`, `plugin_ce(power=1)` and
# `unbiased_square_ce`; Brier score by scikit-learn 1.9.1.
CONFIDENCES = [0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98]
CORRECT = [0, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 1]
L1, DEBIASED, BRIER = 0.3, 0.025972222222222202, 0.3201666666666667


def test_equal_mass_error_is_that_of_the_authors_package() -> None:
    """Plain and debiased."""
    assert ece(CONFIDENCES, CORRECT, bins=3, binning="mass").value == pytest.approx(L1, rel=1e-12)
    found = calibration_error(CONFIDENCES, CORRECT, bins=3)
    assert found.value == pytest.approx(math.sqrt(max(0.0, DEBIASED)), rel=1e-12)
    assert [each.n for each in found.bins] == [4, 4, 4]


def test_equal_width_error_is_the_published_one() -> None:
    """0.29 in the documentation of torchmetrics' `binary_calibration_error` (two bins, l1)."""
    found = ece([0.25, 0.25, 0.55, 0.75, 0.75], [0, 0, 1, 1, 1], bins=2)
    assert found.value == pytest.approx(0.29, abs=1e-12)
    assert [(each.n, each.confidence, each.accuracy) for each in found.bins] == [
        (2, 0.25, 0.0),
        (3, pytest.approx(2.05 / 3), 1.0),
    ]


def test_certainty_has_a_bin() -> None:
    """1.0 is in the last bin and 0.0 in the first; the predecessor lost the former (spec/reliability.md 3.6-4)."""
    found = ece([0.0, 1.0], [0, 1], bins=10)
    assert [(each.low, each.high, each.n) for each in found.bins] == [(0.0, 0.1, 1), (0.9, 1.0, 1)]
    assert found.value == 0.0


def test_chance_alone_shows_an_error_and_the_floor_says_how_much() -> None:
    """A calibrated model is not suspect; one that is always too sure is."""
    draw = random.Random(7)
    confidences = [draw.random() for _ in range(400)]
    fair = ece(confidences, [draw.random() < each for each in confidences], resamples=300)
    assert 0 < fair.floor < 0.1
    assert fair.p > 0.01
    sure = ece([0.95] * 200, [place % 2 == 0 for place in range(200)], resamples=300)
    assert sure.value == pytest.approx(0.45)
    assert sure.p == pytest.approx(1 / 301)
    assert sure.interval is not None
    assert sure.interval.low < 0.45 < sure.interval.high


def test_the_debiased_error_of_a_calibrated_model_is_near_zero_on_average() -> None:
    """Where the plain one is not."""
    draw = random.Random(3)
    plain, debiased = [], []
    for _ in range(25):
        confidences = [draw.random() for _ in range(150)]
        correct = [draw.random() < each for each in confidences]
        plain.append(ece(confidences, correct, binning="mass", resamples=100).value)
        debiased.append(calibration_error(confidences, correct, resamples=100).value)
    assert sum(debiased) < 0.6 * sum(plain)


def test_equal_confidences_stay_in_one_bin() -> None:
    """Else the error would depend on the order of the answers."""
    confidences, correct = [0.7] * 10 + [0.9] * 2, [1] * 6 + [0] * 4 + [1, 0]
    found = ece(confidences, correct, bins=6, binning="mass")
    assert [each.n for each in found.bins] == [10, 2]
    again = ece(confidences[::-1], correct[::-1], bins=6, binning="mass")
    assert [each.n for each in again.bins] == [10, 2]
    assert again.value == pytest.approx(found.value, rel=1e-12)


def test_one_answer_has_a_value_and_no_interval() -> None:
    """An interval of no width would claim what one answer cannot show."""
    found = ece([0.8], [1])
    assert (found.value, found.interval, found.n) == (pytest.approx(0.2), None, 1)


@pytest.mark.parametrize(
    ("confidences", "correct", "message"),
    [
        ([], [], "one verdict a confidence; got 0 confidences, 0 verdicts"),
        ([0.5], [], "got 1 confidences, 0 verdicts"),
        ([1.5], [1], r"confidences\[0\] is 1.5, expected a number from 0 to 1"),
        ([0.5, float("nan")], [1, 0], r"confidences\[1\] is nan"),
        (["0.5"], [1], r"confidences\[0\] is '0.5'"),
        ([0.5], [0.5], r"correct\[0\] is 0.5, expected True or False"),
        ([0.5], ["yes"], r"correct\[0\] is 'yes'"),
    ],
)
def test_what_is_no_confidence_or_no_verdict_is_refused(confidences: object, correct: object, message: str) -> None:
    """By its place."""
    for measure in (ece, calibration_error, brier):
        with pytest.raises(DataError, match=message):
            measure(confidences, correct)  # type: ignore[operator]


@pytest.mark.parametrize("options", [{"bins": 0}, {"resamples": 10}, {"level": 1.0}, {"binning": "depth"}])
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    """The message says what is needed."""
    with pytest.raises(DataError, match="at least 1 bin, 100 resamples"):
        ece([0.5], [1], **options)  # type: ignore[arg-type]


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    """Its documentation's example, 0.0375, and ours."""
    assert brier([0.1, 0.9, 0.8, 0.3], [0, 1, 1, 0]).score == pytest.approx(0.0375, rel=1e-12)
    assert brier(CONFIDENCES, CORRECT).score == pytest.approx(BRIER, rel=1e-12)


def test_murphys_parts_of_a_forecast_in_classes() -> None:
    """Worked by hand: 10 answers at 0.8 of which 6 are right, 10 at 0.2 of which 3 are."""
    found = brier([0.8] * 10 + [0.2] * 10, [1] * 6 + [0] * 4 + [1] * 3 + [0] * 7)
    assert found.reliability == pytest.approx((0.2**2 + 0.1**2) / 2)
    assert found.resolution == pytest.approx((0.15**2 + 0.15**2) / 2)
    assert found.uncertainty == pytest.approx(0.45 * 0.55)
    assert found.score == pytest.approx(found.reliability - found.resolution + found.uncertainty)
    assert found.skill == pytest.approx(1 - found.score / found.uncertainty)
    assert (found.groups, found.n) == (2, 20)


def test_a_brier_score_that_does_not_vary_has_no_interval() -> None:
    """Nor has one answer a skill."""
    found = brier([1.0], [1])
    assert (found.score, found.interval, found.skill) == (0.0, None, None)
    with pytest.raises(DataError, match="at least 1 bin, got 0"):
        brier([0.5], [1], bins=0)


answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30)


@given(answers, st.none() | st.integers(1, 12))
def test_the_parts_add_up(rows: list[tuple[float, bool]], bins: int | None) -> None:
    """Whatever the groups."""
    found = brier(*zip(*rows, strict=True), bins=bins)
    parts = found.reliability - found.resolution + found.uncertainty + found.within
    assert parts == pytest.approx(found.score, abs=1e-12)
    assert 0 <= found.score <= 1


@settings(max_examples=40)
@given(answers, st.integers(1, 12), st.sampled_from(["width", "mass"]))
def test_the_error_is_the_mean_gap_of_its_own_bins(rows: list[tuple[float, bool]], bins: int, binning: str) -> None:
    """Every answer is in one bin."""
    found = ece(*zip(*rows, strict=True), bins=bins, binning=binning, resamples=100)  # type: ignore[arg-type]
    assert sum(each.n for each in found.bins) == len(rows)
    gap = sum(each.n * abs(each.confidence - each.accuracy) for each in found.bins) / len(rows)
    assert found.value == pytest.approx(gap, abs=1e-12)
    assert 0 <= found.value <= 1
