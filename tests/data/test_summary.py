from __future__ import annotations

import math
import sys

import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.data import summarise
from crucible.errors import MissingExtra
from crucible.ir import Failed, Interval, Scored, Skipped
from crucible.stats.bench.scores import FailurePolicy


def test_zeros_and_ones_get_wilsons_interval() -> None:
    """The interval of `stats`, on the items that were scored."""
    found = summarise([Scored(1.0)] * 7 + [Scored(0.0)] * 3)
    assert (found.attempted, found.scored, found.failed, found.skipped) == (10, 10, 0, 0)
    assert found.mean == 0.7
    assert found.interval == stats.wilson(7, 10)


def test_other_scores_get_students_interval() -> None:
    """As scipy computes it."""
    values = [0.2, 0.9, 0.4, 1.0, 0.0]
    found = summarise([Scored(value) for value in values], level=0.9)
    expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert found.interval is not None
    assert (found.interval.level, found.interval.method) == (0.9, "Student's t")
    assert math.isclose(found.interval.low, expected.low, rel_tol=1e-12)
    assert math.isclose(found.interval.high, expected.high, rel_tol=1e-12)


def test_an_interval_is_clipped_to_the_scores_that_are_possible() -> None:
    """Only where it leaves them, and the method says so; a score outside the range is not argued away."""
    scores = [Scored(value) for value in (1.0, 1.0, 0.9, 1.0, 0.5)]
    free, clipped = summarise(scores).interval, summarise(scores, bounds=(0.0, 1.0)).interval
    assert free is not None
    assert (round(free.low, 2), round(free.high, 2)) == (0.61, 1.15)
    assert clipped == Interval(free.low, 1.0, 0.95, "Student's t, clipped to [0, 1]")
    assert summarise(scores, bounds=(-1.0, 2.0)).interval == free
    assert summarise(scores, bounds=(0.6, 1.0)).interval == free


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], []])
def test_where_no_interval_exists_there_is_none(values: list[float]) -> None:
    """One score, or scores that do not vary, say nothing about spread; no width of zero is made up."""
    assert summarise([Scored(value) for value in values]).interval is None


def test_failures_are_counted_and_left_out_of_the_mean() -> None:
    """The default policy; skipped items are not attempted."""
    found = summarise([Scored(1.0), Failed("x"), Skipped("y"), Scored(0.0)])
    assert (found.attempted, found.scored, found.failed, found.skipped) == (3, 2, 1, 1)
    assert found.mean == 0.5


def test_failures_can_count_as_zero() -> None:
    """Then they are in the mean and in the interval; the policy is written beside them."""
    found = summarise([Scored(1.0), Failed("x"), Skipped("y")], failures=FailurePolicy.ZERO)
    assert (found.mean, found.interval, found.failures) == (0.5, stats.wilson(1, 2), "zero")


def test_without_any_score_there_is_no_mean() -> None:
    """Never a 0."""
    found = summarise([Failed("x"), Skipped("y")])
    assert (found.mean, found.interval, found.attempted) == (None, None, 1)


def test_a_summary_is_plain_json_values() -> None:
    """As metrics want it."""
    assert summarise([Scored(1.0)]).to_dict() == {
        "attempted": 1,
        "scored": 1,
        "failed": 0,
        "skipped": 0,
        "mean": 1.0,
        "interval": {"low": stats.wilson(1, 1).low, "high": 1.0, "level": 0.95, "method": "Wilson score"},
        "failures": "exclude",
    }


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exact command."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtra, match=r"crucible-ml\[stats\]"):
        summarise([Scored(0.5), Scored(0.25)])
