"""Learning-rate schedules stay within [0, peak] and waste no step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.ir import LoraConfig
from crucible.train import learning_rate


def config(**changes: object) -> LoraConfig:
    """Return a configuration with peak rate 1."""
    return LoraConfig(base_model="x", learning_rate=1.0, **changes)  # type: ignore[arg-type]


def test_constant_is_the_peak_at_every_step() -> None:
    """Without a schedule the rate never changes."""
    assert {learning_rate(config(), step, 10) for step in range(1, 11)} == {1.0}


def test_linear_falls_in_equal_parts_and_ends_above_zero() -> None:
    """The last step still trains."""
    rates = [learning_rate(config(schedule="linear"), step, 4) for step in range(1, 5)]
    assert rates == [1.0, 0.75, 0.5, 0.25]


def test_cosine_is_at_half_in_the_middle() -> None:
    """Half a cosine from the peak: 1, then 1/2 half-way."""
    rates = [learning_rate(config(schedule="cosine"), step, 4) for step in range(1, 5)]
    assert rates[0] == 1.0
    assert rates[2] == pytest.approx(0.5)
    assert rates == sorted(rates, reverse=True)


def test_warm_up_starts_above_zero_and_reaches_the_peak() -> None:
    """Three steps of warm-up have a third, two thirds and all of the peak; the schedule begins after them."""
    rates = [learning_rate(config(schedule="linear", warmup_steps=3), step, 7) for step in range(1, 8)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0, 0.75, 0.5, 0.25])


@given(
    schedule=st.sampled_from(["constant", "linear", "cosine"]),
    warmup=st.integers(0, 50),
    step=st.integers(1, 200),
    total=st.integers(1, 100),
)
def test_no_schedule_leaves_zero_to_peak(schedule: str, warmup: int, step: int, total: int) -> None:
    """Whatever the step, also behind the last: never negative, never above the peak."""
    assert 0.0 <= learning_rate(config(schedule=schedule, warmup_steps=warmup), step, total) <= 1.0
