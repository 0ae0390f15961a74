"""One calculation of calibration: pictures and scores give the same numbers of the same answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.data.scoring import brier, ece
from crucible.errors import StatsError, TooFewSamples
from crucible.stats import calibration, plots, wilson

answers = st.lists(st.tuples(st.sampled_from([i / 20 for i in range(21)]), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=40)
@given(answers, st.integers(1, 12))
def test_the_picture_and_the_scores_agree(rows: list[tuple[float, bool]], bins: int) -> None:
    """Error, bins and Brier score are the same to the last digit, edges of bins included."""
    confidences, right = zip(*rows, strict=True)
    drawn, scored = plots.reliability(confidences, right, bins=bins), ece(confidences, right, bins=bins, resamples=100)
    assert (drawn.ece, drawn.bins) == (scored.value, scored.bins)
    assert drawn.brier == brier(confidences, right).score == brier(confidences, right, bins=bins).score


def test_a_confidence_on_an_edge_is_in_the_lower_bin() -> None:
    """As Guo et al. (2017) define them, (low, high]; 0 is in the first."""
    found = plots.reliability([0.0, 0.5, 0.51, 1.0], [0, 1, 1, 1], bins=2)
    assert [(one.low, one.high, one.n, one.right) for one in found.bins] == [(0.0, 0.5, 2, 1), (0.5, 1.0, 2, 2)]
    assert found.bins[0].interval == wilson(1, 2)


def test_forecasts_are_read_strictly() -> None:
    """By place, and under the name that the caller gave the verdicts."""
    with pytest.raises(TooFewSamples, match="got 0 confidences, 0 verdicts"):
        calibration.forecasts([], [])
    with pytest.raises(StatsError, match=r"hits\[1\] is 2.0, expected True or False"):
        calibration.forecasts([0.5, 0.5], [1, 2], name="hits")
