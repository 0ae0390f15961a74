"""The methods: their formulas, constants, warm-up, numbers that are none, live and whole."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import SpecError, SpecErrors
from crucible.telemetry.anomalies import (
    METHOD_ALIASES,
    METHODS,
    Anomaly,
    At,
    Cusum,
    Ewma,
    Iqr,
    Method,
    ModifiedZ,
    SeasonalNaive,
    ZScore,
    canonical_method,
    detect,
    method,
)

CAUSAL = [Ewma(), Cusum(), SeasonalNaive(period=7)]
WINDOWED = [ZScore(), ModifiedZ(), Iqr()]
ALL = [*WINDOWED, *CAUSAL]


def name_of(value: Any) -> str | None:
    """Name a method in the ids of tests."""
    return value.name if isinstance(value, Method) else None


def live(chosen: Method, values: list[float]) -> list[Anomaly]:
    """Return what a detector finds in the values one by one."""
    detector = chosen.detector()
    return [anomaly for value in values if (anomaly := detector.update(value)) is not None]


def noise(count: int, seed: int = 1) -> list[float]:
    """Return normal noise around 5."""
    rng = random.Random(seed)
    return [rng.gauss(5, 1) for _ in range(count)]


def both(chosen: Method, values: list[float]) -> tuple[list[int], list[int]]:
    """Return the places that are flagged in the whole sequence, and live."""
    return [each.index for each in chosen.detect(values)], [each.index for each in live(chosen, values)]


# --- the formulas ---


def test_the_z_score_is_the_textbook_s() -> None:
    """Distance from the mean over the standard deviation with n - 1, beyond 3."""
    values = [*noise(40), 15.0]
    (found,) = ZScore().detect(values)
    mean, sigma = statistics.fmean(values), statistics.stdev(values)
    assert (found.index, found.method, found.direction) == (40, "z_score", "up")
    assert found.score == pytest.approx((15 - mean) / sigma)
    assert found.expected == pytest.approx((mean - 3 * sigma, mean + 3 * sigma))


def test_one_outlier_in_ten_values_cannot_have_a_z_score_of_3() -> None:
    """It raises the standard deviation that it is measured by: (n - 1) / sqrt(n) is the most."""
    few = ZScore(min_samples=3)
    assert few.detect([0.0] * 9 + [1e6]) == []
    assert [each.index for each in few.detect([0.0] * 10 + [1e6])] == [10]


def test_the_modified_z_is_that_of_iglewicz_and_hoaglin() -> None:
    """0.6745 |x - median| / MAD, beyond 3.5."""
    values = [*noise(40), -3.0]
    (found,) = [each for each in ModifiedZ().detect(values) if each.index == 40]
    centre = statistics.median(values)
    mad = statistics.median(abs(value - centre) for value in values)
    assert found.score == pytest.approx(0.6745 * abs(-3 - centre) / mad)
    assert found.direction == "down"
    assert found.expected[0] == pytest.approx(centre - 3.5 * mad / 0.6745)


def test_the_fences_are_tukey_s() -> None:
    """1.5 interquartile ranges outside of the quartiles."""
    values = [float(value) for value in range(1, 21)] + [60.0]
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    (found,) = Iqr().detect(values)
    assert found.expected == pytest.approx((lower - 1.5 * (upper - lower), upper + 1.5 * (upper - lower)))
    assert found.score == pytest.approx((60 - upper) / (upper - lower))


def test_ewma_follows_its_recurrences() -> None:
    """|x - mean| > k sqrt(variance) with both from before x; then both learn from x."""
    values = noise(300, seed=2)
    values[200] = 14.0
    mean, variance = statistics.fmean(values[:30]), statistics.variance(values[:30])
    expected: list[tuple[int, float]] = []
    for index in range(30, 300):
        change = values[index] - mean
        if abs(change) > 3 * math.sqrt(variance):
            expected.append((index, abs(change) / math.sqrt(variance)))
        variance = 0.1 * change**2 + 0.9 * variance
        mean = 0.1 * values[index] + 0.9 * mean
    found = Ewma(smoothing=0.1, threshold=3, min_samples=30).detect(values)
    assert [each.index for each in found] == [index for index, _ in expected]
    assert [each.score for each in found] == pytest.approx([score for _, score in expected])
    assert 200 in [each.index for each in found]


def test_cusum_adds_up_and_tells_where_the_change_began() -> None:
    """Both sums follow Page's recurrences; after an alarm the next values are the new baseline."""
    base = [4.0, 6.0] * 25
    centre, sigma = 5.0, 1 / 0.6745
    values = [*base, *[5.0] * 10, *[8.0] * 40]
    (found,) = Cusum().detect(values)
    z = (8 - centre) / sigma
    needed = math.floor(8 / (z - 0.75)) + 1
    assert found.index == 60 + needed - 1
    assert found.score == pytest.approx(needed * (z - 0.75))
    assert (found.since, found.direction) == (60, "up")
    assert found.expected == pytest.approx((centre - 0.75 * sigma, centre + 0.75 * sigma))
    assert [each.direction for each in Cusum().detect([-value for value in values])] == ["down"]


def test_cusum_does_not_take_a_spike_for_a_change() -> None:
    """What one value can add is limited, so that a spike of any height stays below the threshold."""
    values = noise(200)
    values[120] = 1e9
    assert 120 not in [each.index for each in Cusum().detect(values)]


def test_the_seasonal_forecast_is_the_value_of_one_season_ago() -> None:
    """A break is flagged once and does not echo in the next season."""
    season = [0.0, 3.0, 9.0, 4.0, 1.0, 2.0, 2.0]
    rng = random.Random(3)
    values = [season[place % 7] + rng.gauss(0, 0.1) for place in range(300)]
    values[150] = 9.0
    found = SeasonalNaive(period=7, threshold=6).detect(values)
    assert [each.index for each in found] == [150]
    assert found[0].expected[0] < season[150 % 7] < found[0].expected[1]


def test_a_new_season_is_learned_in_two() -> None:
    """A level that stays is flagged for two seasons, and is normal from the third on."""
    values = [float(place % 5) for place in range(200)] + [float(place % 5) + 50 for place in range(200)]
    flagged, _ = both(SeasonalNaive(period=5), values)
    assert flagged == list(range(200, 210))


# --- constants ---


@pytest.mark.parametrize("chosen", ALL, ids=name_of)
@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e-9, 3e9, 1e-320, 1e300])
def test_nothing_is_flagged_in_a_constant(chosen: Method, value: float) -> None:
    """Whatever the constant, live and whole."""
    assert both(chosen, [value] * 400) == ([], [])


@pytest.mark.parametrize("chosen", ALL, ids=name_of)
def test_the_rounding_of_a_constant_is_no_anomaly(chosen: Method) -> None:
    """A value off by one unit in the last place, as sums in another order give it, is no jump."""
    values = [0.3] * 300
    values[250] = 0.1 + 0.2
    assert values[250] != 0.3
    assert both(chosen, values) == ([], [])


@pytest.mark.parametrize("chosen", [each for each in ALL if each.name != "cusum"], ids=name_of)
@pytest.mark.parametrize("jump", [1e-3, -1.0, 1e6])
def test_the_one_jump_of_a_constant_is_flagged(chosen: Method, jump: float) -> None:
    """The rule for a spread of 0: the mean absolute deviation, or 1e-12 of the values' size, takes its place."""
    values = [5.0] * 300
    values[250] += jump
    assert both(chosen, values) == ([250], [250])
    (found,) = chosen.detect(values)
    assert math.isfinite(found.score)
    assert found.direction == ("up" if jump > 0 else "down")


def test_cusum_flags_the_lasting_change_of_a_constant_once() -> None:
    """At its third value, and no jump that does not last."""
    assert both(Cusum(), [5.0] * 100 + [6.0] + [5.0] * 100) == ([], [])
    assert both(Cusum(), [5.0] * 100 + [5.001] * 100) == ([102], [102])


# --- numbers that are none ---


@pytest.mark.parametrize("chosen", ALL, ids=name_of)
def test_what_is_no_number_is_flagged_and_not_learned_from(chosen: Method) -> None:
    """NaN and infinities are `non_finite`, critical; what is found in the rest is what is found without them."""
    values = noise(300)
    values[200] = 30.0
    rotten = list(values)
    for place, bad in ((0, math.nan), (40, math.inf), (150, -math.inf)):
        rotten[place] = bad
    for found in (chosen.detect(rotten), live(chosen, rotten)):
        bad = [each for each in found if each.method == "non_finite"]
        assert [(each.index, each.direction, each.severity) for each in bad] == [
            (0, "none", "critical"),
            (40, "up", "critical"),
            (150, "down", "critical"),
        ]
        assert all(math.isfinite(each.score) for each in found if each.method != "non_finite")
        if chosen.name != "cusum":
            assert 200 in [each.index for each in found if each.method == chosen.name]


@pytest.mark.parametrize("chosen", WINDOWED, ids=name_of)
def test_a_sequence_without_its_numbers_that_are_none_is_judged_the_same(chosen: Method) -> None:
    """The places shift, the scores do not."""
    values = [*noise(100), 20.0]
    with_nan = [math.nan, *values]
    clean = [(each.index + 1, each.score) for each in chosen.detect(values)]
    assert [(each.index, each.score) for each in chosen.detect(with_nan) if each.method != "non_finite"] == clean


def test_seasons_stay_in_step_over_a_number_that_is_none() -> None:
    """A NaN takes its place in the season, so that nothing after it is compared with the wrong hour."""
    values = [float(place % 5) * 10 for place in range(200)]
    values[100] = math.nan
    values[3] = math.nan
    assert [(each.index, each.method) for each in SeasonalNaive(period=5).detect(values)] == [
        (3, "non_finite"),
        (100, "non_finite"),
    ]


@pytest.mark.parametrize("chosen", ALL, ids=name_of)
@given(values=st.lists(st.floats(), max_size=120))
@settings(deadline=None)
def test_no_sequence_of_floats_raises(chosen: Method, values: list[float]) -> None:
    """NaN, infinities, subnormal and huge values: scores are never NaN, and always beyond the threshold."""
    for found in (chosen.detect(values), live(chosen, values)):
        assert all(each.score > each.threshold for each in found)
        assert all(each.expected[0] <= each.expected[1] for each in found)


# --- live and whole ---


@pytest.mark.parametrize(
    "chosen", [Ewma(min_samples=5), Cusum(min_samples=5), SeasonalNaive(period=3, min_samples=5)], ids=name_of
)
@given(values=st.lists(st.one_of(st.floats(-10, 10), st.floats()), max_size=150))
@settings(deadline=None)
def test_a_causal_method_finds_the_same_live_and_whole(chosen: Method, values: list[float]) -> None:
    """EWMA, CUSUM and seasonal-naive look only back, so that `detect` is what a detector finds one by one."""
    assert chosen.is_causal
    assert [repr(each) for each in chosen.detect(values)] == [repr(each) for each in live(chosen, values)]


@pytest.mark.parametrize("chosen", [ModifiedZ(min_samples=5, window=12), Iqr(min_samples=5, window=12)], ids=name_of)
@given(values=st.lists(st.floats(-10, 10), max_size=60))
@settings(deadline=None)
def test_a_windowed_method_judges_a_value_by_its_window(chosen: Method, values: list[float]) -> None:
    """A detector says of a value what `detect` says of it as the last of the window; the score is the very same."""
    detector = chosen.detector()
    for place, value in enumerate(values):
        found = detector.update(value)
        window = values[max(0, place - 11) : place + 1]
        last = [each for each in chosen.detect(window) if each.index == len(window) - 1]
        assert [found.score] == [each.score for each in last] if found else not last


def test_the_z_score_judges_a_value_by_its_window() -> None:
    """As above, but for rounding: mean and variance are updated, not computed anew."""
    chosen = ZScore(min_samples=12, window=25)
    values = noise(500, seed=9)
    values[100], values[300] = 30.0, -20.0
    found = {each.index: each.score for each in live(chosen, values)}
    for place in range(11, 500):
        window = values[max(0, place - 24) : place + 1]
        last = [each.score for each in chosen.detect(window) if each.index == len(window) - 1]
        assert ([found[place]] if place in found else []) == pytest.approx(last)
    assert {100, 300} <= set(found)


@pytest.mark.parametrize("chosen", ALL, ids=name_of)
def test_nothing_is_flagged_while_a_detector_warms_up(chosen: Method) -> None:
    """Fewer than `min_samples` finite values flag nothing, however far apart they are."""
    values = [(-10.0) ** place for place in range(chosen.min_samples - 1)]
    assert both(chosen, values) == ([], [])


@pytest.mark.parametrize("chosen", ALL, ids=name_of)
def test_the_memory_of_a_detector_is_bounded(chosen: Method) -> None:
    """However long the stream, no list or queue inside is longer than the window, the season or the warm-up."""
    detector = chosen.detector()
    for value in noise(3_000):
        detector.update(value)
    assert _longest(detector) <= 256


def _longest(thing: Any) -> int:
    inner = [getattr(thing, name, None) for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    sizes = [len(each) for each in inner if hasattr(each, "__len__") and not isinstance(each, str)]
    return max([0, *sizes, *(_longest(each) for each in inner if type(each).__module__.startswith("crucible."))])


# --- what an anomaly tells ---


def test_an_anomaly_tells_where_it_stands() -> None:
    """Step, time, event, metric and place go along, from `detect` and from a detector."""
    values = [*noise(30), 50.0]
    (found,) = detect(values, "mad", steps=range(0, 310, 10), timestamps_ns=range(31), metric="loss")
    assert (found.index, found.step, found.timestamp_ns, found.metric) == (30, 300, 30, "loss")
    detector = ModifiedZ().detector("loss", "a")
    last = [detector.update(value, At(place, None, f"e{place}")) for place, value in enumerate(values)][-1]
    assert last is not None
    assert (last.step, last.event_id, last.metric, last.group, last.value) == (30, "e30", "loss", "a", 50.0)
    assert last.to_dict()["expected"] == list(last.expected)


def test_severity_is_the_ratio_of_score_and_threshold() -> None:
    """From twice the threshold on it is critical."""
    values = [float(place % 11) for place in range(110)]  # median 5, MAD 3
    sigma = 3 / 0.6745
    found = ModifiedZ().detect([*values, 5 + 4 * sigma, 5 - 9 * sigma])
    assert [(each.severity, each.direction) for each in found] == [("warning", "up"), ("critical", "down")]


def test_steps_must_be_as_many_as_values() -> None:
    """Otherwise the error says which list, and how many came."""
    with pytest.raises(SpecError, match="steps must have one entry a value: 2, got 1") as caught:
        detect([1.0, 2.0], steps=[1])
    assert caught.value.path == "steps"


# --- the vocabulary ---


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("z_score", "z_score"),
        ("zscore", "z_score"),
        ("Z-Score", "z_score"),
        ("modified_z", "modified_z"),
        ("mad", "modified_z"),
        ("IQR", "iqr"),
        ("ewma", "ewma"),
        ("cusum", "cusum"),
        ("seasonal naive", "seasonal_naive"),
    ],
)
def test_a_method_goes_by_several_words(word: str, name: str) -> None:
    """One vocabulary, with aliases; case, hyphens and spaces do not matter."""
    assert canonical_method(word) == name


def test_every_alias_stands_for_a_method() -> None:
    """And every method for itself; options are of the method's own kind."""
    assert set(METHOD_ALIASES.values()) == set(METHODS)
    assert {name: METHOD_ALIASES[name] for name in METHODS} == {name: name for name in METHODS}
    assert isinstance(method("tukey", threshold=3.0), Iqr)


def test_an_unknown_method_is_an_error_with_a_guess() -> None:
    """Path, what was meant, what there is."""
    with pytest.raises(SpecError, match='unknown method "modifed_z"; did you mean "modified_z"') as caught:
        canonical_method("modifed_z", path="methods[1]")
    assert caught.value.path == "methods[1]"


def test_all_problems_of_options_come_at_once() -> None:
    """Ranges, types, unknown keys with a guess, and what only makes sense together."""
    with pytest.raises(SpecErrors) as caught:
        method("mad", threshhold=1, min_samples=1, window="x")
    assert {error.path for error in caught.value.errors} == {"threshhold", "min_samples", "window"}
    assert 'did you mean "threshold"' in str(caught.value)
    for wrong, said in (
        (lambda: Cusum(allowance=5.0), "clip must be above allowance (5)"),
        (lambda: method("seasonal_naive"), "period: period is required"),
    ):
        with pytest.raises(SpecErrors) as caught:
            wrong()
        assert said in str(caught.value)


def test_options_do_not_change() -> None:
    """They are frozen."""
    chosen = ModifiedZ()
    with pytest.raises(ValueError, match="frozen"):
        chosen.threshold = 1.0
