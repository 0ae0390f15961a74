"""The last minute, five minutes and hour."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import StatsError
from crucible.telemetry.streaming import STANDARD_SPANS_S, SlidingWindow, WindowSummary

SECOND = 1_000_000_000
T0 = 1_795_000_200 * SECOND  # a multiple of 60 s and of 300 s


def filled(events: list[tuple[float, float]]) -> SlidingWindow:
    """Return windows over events of (seconds after T0, value)."""
    window = SlidingWindow()
    for after_s, value in events:
        window.add(T0 + round(after_s * SECOND), value)
    return window


def minute(window: SlidingWindow, after_s: float) -> WindowSummary:
    """Return the one-minute window at a time."""
    return window.read(T0 + round(after_s * SECOND))[0]


def test_there_are_three_spans() -> None:
    """A minute, five minutes and an hour, in that order."""
    assert [window.span_s for window in SlidingWindow().read(T0)] == list(STANDARD_SPANS_S) == [60, 300, 3600]


def test_figures_of_a_window() -> None:
    """Count, sum, mean, extremes; the rate is over what can have events: from the first second to the present one."""
    summary = minute(filled([(0.0, 4.0), (1.5, 2.0), (9.0, 6.0)]), 9.5)
    assert (summary.count, summary.sum, summary.mean) == (3, 12.0, 4.0)
    assert (summary.min, summary.max) == (2.0, 6.0)
    assert (summary.covered_s, summary.rate_per_s, summary.sum_per_s) == (10.0, 0.3, 1.2)


def test_nothing_is_none() -> None:
    """Without an event there is no rate; with one long ago there is a rate of 0, and no mean."""
    empty = minute(SlidingWindow(), 0.0)
    assert (empty.count, empty.sum, empty.mean, empty.min, empty.max) == (0, 0.0, None, None, None)
    assert (empty.covered_s, empty.rate_per_s, empty.sum_per_s) == (0.0, None, None)
    idle = minute(filled([(0.0, 1.0)]), 600.0)
    assert (idle.count, idle.mean, idle.rate_per_s, idle.sum_per_s) == (0, None, 0.0, 0.0)


def test_edges_are_half_open() -> None:
    """A window is the bucket of now and 59 before: an event of second 0 is in it through second 59."""
    window = filled([(0.0, 1.0)])
    inside, outside = minute(window, 59.999), minute(window, 60.0)
    assert (inside.since_ns, inside.until_ns, inside.count) == (T0, T0 + 60 * SECOND, 1)
    assert (outside.since_ns, outside.until_ns, outside.count) == (T0 + SECOND, T0 + 61 * SECOND, 0)
    last_of_second = filled([(0.999999999, 1.0)])
    assert minute(last_of_second, 59.999).count == 1
    assert minute(last_of_second, 60.0).count == 0


def test_coarser_buckets_leave_as_a_whole() -> None:
    """The hour has buckets of a minute, so it covers more than 59 minutes and at most 60."""
    window = filled([(0.0, 1.0), (59.0, 1.0)])
    assert window.read(T0 + 3599 * SECOND)[2].count == 2
    assert window.read(T0 + 3600 * SECOND)[2].count == 0
    five = window.read(T0 + 299 * SECOND)[1]
    assert (five.count, five.covered_s, five.until_ns - five.since_ns) == (2, 300.0, 300 * SECOND)


def test_late_events_count_in_their_own_time() -> None:
    """Within the window they are added to their bucket; before it they are in none."""
    window = filled([(100.0, 1.0), (90.0, 2.0), (30.0, 4.0), (-4000.0, 8.0)])
    assert minute(window, 100.0).sum == 3.0
    assert window.read(T0 + 100 * SECOND)[1].sum == 7.0
    assert window.read(T0 + 100 * SECOND)[2].sum == 7.0


def test_late_events_after_an_hour_full_of_buckets() -> None:
    """Where the earliest buckets were dropped already, a later event of their time is dropped too."""
    window = filled([(60.0 * i, 1.0) for i in range(200)])
    now = T0 + 199 * 60 * SECOND
    before = window.read(now)
    window.add(T0, 100.0)
    window.add(T0 + 190 * 60 * SECOND, 5.0)
    assert window.read(now)[2].sum == before[2].sum + 5.0


def test_events_of_the_future_wait_for_their_time() -> None:
    """A clock that is a year ahead neither counts now nor pushes anything out."""
    window = filled([(float(i), 1.0) for i in range(30)])
    year = 365 * 86_400
    window.add(T0 + year * SECOND, 50.0)
    for i in range(30, 60):
        window.add(T0 + i * SECOND, 1.0)
    assert minute(window, 59.0).sum == 60.0
    assert minute(window, year).sum == 50.0


def test_memory_is_bounded() -> None:
    """Days of events, in order, backwards and from two clocks: 120 buckets a span and a few open seconds."""
    window = SlidingWindow()
    for i in range(30_000):
        window.add(T0 + i * 7 * SECOND, 1.0)
        window.add(T0 - i * 7 * SECOND, 1.0)
    assert all(len(ring.buckets) <= 120 for ring in window._rings)
    assert len(window._open) <= 8


def test_what_is_not_finite_is_counted_apart() -> None:
    """It is in no window, and makes none."""
    window = filled([(0.0, math.nan), (0.0, math.inf), (0.0, -math.inf)])
    assert (window.not_finite, window.first_s) == (3, None)
    window.add(T0, 2.0)
    assert minute(window, 0.0).sum == 2.0


EVENTS = st.lists(st.tuples(st.floats(0, 4000), st.floats(-1e6, 1e6)), max_size=60)


@given(EVENTS, st.floats(0, 5000))
def test_windows_hold_what_a_list_would(events: list[tuple[float, float]], now_s: float) -> None:
    """Whatever the order of arrival: exactly the events from `since_ns` up to, and without, `until_ns`."""
    window = filled(events)
    for summary in window.read(T0 + round(now_s * SECOND)):
        held = [v for s, v in events if summary.since_ns <= T0 + round(s * SECOND) < summary.until_ns]
        assert summary.count == len(held)
        assert summary.sum == pytest.approx(math.fsum(held), rel=1e-12, abs=1e-8)
        assert summary.min == min(held, default=None)
        assert summary.max == max(held, default=None)


@given(EVENTS, EVENTS, st.floats(0, 5000))
def test_merged_parts_are_the_whole(a: list[tuple[float, float]], b: list[tuple[float, float]], now_s: float) -> None:
    """And the part that was merged in stays as it was."""
    one, two, whole = filled(a), filled(b), filled(a + b)
    now_ns = T0 + round(now_s * SECOND)
    before = two.read(now_ns)
    one.merge(two)
    assert two.read(now_ns) == before
    for got, expected in zip(one.read(now_ns), whole.read(now_ns), strict=True):
        assert (got.count, got.min, got.max, got.covered_s) == (
            expected.count,
            expected.min,
            expected.max,
            expected.covered_s,
        )
        assert got.sum == pytest.approx(expected.sum, rel=1e-12, abs=1e-8)


def test_batches_of_a_second_are_a_stream() -> None:
    """`add_many` and `add_times` say the same as adding one by one."""
    one, many, times = SlidingWindow(), SlidingWindow(), SlidingWindow()
    for _ in range(5):
        one.add(T0, 1.0)
    many.add_many(T0 // SECOND, [1.0] * 5)
    times.add_times(T0 // SECOND, 1.0, 5)
    times.add_times(T0 // SECOND + 1, 1.0, 0)
    assert one.read(T0) == many.read(T0) == times.read(T0)


def test_rates_can_be_told_when_the_stream_began() -> None:
    """Ten costs a minute after a minute without: 10 in 60 s, not 10 in a second."""
    window = filled([(59.0, 1.0)] * 10)
    now = T0 + 59 * SECOND
    assert window.read(now)[0].rate_per_s == 10.0
    assert window.read(now, first_s=T0 // SECOND)[0].rate_per_s == pytest.approx(10 / 60)


def test_sums_beyond_a_float_are_infinite() -> None:
    """Rather than an error, and NaN where they go both ways."""
    assert minute(filled([(0.0, 1.7e308), (1.0, 1.7e308)]), 1.0).sum == math.inf
    both = filled([(0.0, 1.7e308), (0.0, 1.7e308), (1.0, -1.7e308), (1.0, -1.7e308)])
    assert math.isnan(minute(both, 1.0).sum)


@pytest.mark.parametrize("span", [0, -60, 59, 90])
def test_spans_are_multiples_of_a_minute(span: int) -> None:
    """So that they divide into 60 buckets of whole seconds; other spans do not merge."""
    with pytest.raises(StatsError, match="multiple of 60"):
        SlidingWindow([span])
    with pytest.raises(StatsError, match="same spans"):
        SlidingWindow().merge(SlidingWindow([120]))


def test_a_summary_as_plain_data() -> None:
    """With its rates."""
    told = minute(filled([(0.0, 3.0)]), 0.0).to_dict()
    assert (told["span_s"], told["count"], told["rate_per_s"], told["sum_per_s"]) == (60, 1, 1.0, 3.0)
