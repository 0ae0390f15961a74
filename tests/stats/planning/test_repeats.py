"""Items times repeats: repeats only shrink the noise within items, and the design says how far that goes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crucible import stats
from crucible.errors import StatsError, TooFewSamples
from crucible.stats.planning import Repeats


def test_repeats_help_down_to_a_floor() -> None:
    """Each doubling of repeats saves fewer items, and no number of them gets below repeats without end."""
    sizes = [
        stats.sample_size("repeats", between_variance=1 / 9, within_variance=1 / 6, repeats=k, effect=0.03).n
        for k in (1, 2, 4, 8, 16, math.inf)
    ]
    assert sizes == [3878, 2425, 1698, 1335, 1153, 971]


def test_one_repeat_is_the_paired_test() -> None:
    """With the variance of a single difference, n items are n pairs."""
    design = Repeats(between_variance=0.1, within_variance=0.2)
    assert stats.power(design, n=50, effect=0.2).power == pytest.approx(
        stats.power("paired", n=50, effect=0.2, sd=math.sqrt(0.5)).power, rel=1e-12
    )


def test_wording_names_items_and_repeats() -> None:
    """The sentence says how many of which; without end, no number of repeats is named."""
    design = Repeats(between_variance=0.1, within_variance=0.2, repeats=4)
    assert stats.power(design, n=50, effect=0.2).wording.startswith("With 50 items of 4 repeats, the power")
    endless = Repeats(between_variance=0.1, within_variance=0.2, repeats=math.inf)
    assert stats.power(endless, n=50, effect=0.2).wording.startswith("With 50 items, the power")


def test_simulated_scores_agree() -> None:
    """1,500 drawn data sets of 30 items times 3 repeats, tested on item means: the power within simulation error."""
    design = Repeats(between_variance=0.2, within_variance=0.6, repeats=3)

    def draw(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        level = random.normal(size=30)
        apart = 0.35 + random.normal(scale=math.sqrt(0.2), size=30)
        noise = random.normal(scale=math.sqrt(0.6), size=(2, 30, 3)).mean(axis=2)
        return level + noise[0], level + apart + noise[1]

    simulated = stats.simulated_power(draw, stats.compare_paired, simulations=1_500, level=0.999)
    exact = stats.power(design, n=30, effect=0.35).power
    assert simulated.interval is not None
    assert simulated.interval.low <= exact <= simulated.interval.high


def test_a_pilot_shows_the_variances() -> None:
    """A pilot of 4,000 items times 3 repeats gives back the variances that it was drawn with."""
    random = np.random.default_rng(3)
    level, apart = random.normal(size=4_000), random.normal(scale=math.sqrt(0.3), size=4_000)
    sides = [
        {
            f"q{i}": list(row)
            for i, row in enumerate((level + move)[:, None] + random.normal(scale=math.sqrt(0.5), size=(4_000, 3)))
        }
        for move in (0.0, apart)
    ]
    design = stats.repeats_from_pilot(*sides, repeats=5)
    assert design.between_variance == pytest.approx(0.3, rel=0.1)
    assert design.within_variance == pytest.approx(0.5, rel=0.05)
    assert design.repeats == 5


def test_a_pilot_without_items_that_differ_has_no_variance_between() -> None:
    """An estimate below 0 is taken as 0, and all that is left is the noise within."""
    random = np.random.default_rng(1)
    sides = [{f"q{i}": list(random.normal(size=4)) for i in range(8)} for _ in range(2)]
    sides[1] = {item: [score + 1e-3 for score in scores] for item, scores in sides[0].items()}
    design = stats.repeats_from_pilot(*sides)
    assert design.between_variance == 0.0
    assert design.within_variance > 0.5


@pytest.mark.parametrize(
    ("baseline", "treatment", "error", "message"),
    [
        ({"a": [0, 1]}, {"a": [0, 1]}, TooFewSamples, "at least 2 items, got 1"),
        ({"a": [0, 1], "b": [1]}, {"a": [0, 1], "b": [1, 0]}, TooFewSamples, "'b' needs at least 2 repeats"),
        ({"a": [0, 1], "b": [1, 0]}, {"a": [0, 1], "c": [1, 0]}, StatsError, "only one has 'b', 'c'"),
        ({"a": [0, 1], "b": [1, math.nan]}, {"a": [0, 1], "b": [1, 0]}, StatsError, r"baseline\['b'\]"),
        ({"a": [1, 1], "b": [1, 1]}, {"a": [1, 1], "b": [1, 1]}, StatsError, "would not vary at all"),
    ],
)
def test_pilots_that_say_nothing(
    baseline: dict[str, list[float]], treatment: dict[str, list[float]], error: type[Exception], message: str
) -> None:
    """Too few items or repeats, items on one side only, NaN, and scores that never vary are errors that say which."""
    with pytest.raises(error, match=message):
        stats.repeats_from_pilot(baseline, treatment)
