"""Charts show what was recorded, on axes with round numbers."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.ir import Interval
from crucible.report.axis import Scale, log_ticks, nice_ticks, tick_texts
from crucible.report.findings import Contrast, Evaluation, Score
from crucible.report.forest_chart import Estimate, ForestAxis, difference_estimates, forest_chart, score_estimates
from crucible.report.loss_chart import loss_chart
from crucible.report.loss_curves import describe, is_logarithmic, mean_window, running_means
from crucible.report.results import LossPoint, Results, Training

ACCURACY = ForestAxis("exact_match by model", "exact_match, %", "fraction")
GAP = ForestAxis("Differences", "difference, percentage points", "fraction", is_difference=True)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_enclose_the_values_in_even_steps(low: float, span: float) -> None:
    """Ticks are few, even, and reach from below the smallest to above the largest value."""
    ticks = nice_ticks(low, low + span)
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert 2 <= len(ticks) <= 9
    assert ticks[0] <= low + 1e-6 * span
    assert ticks[-1] >= low + span - 1e-6 * span
    assert max(steps) - min(steps) <= 1e-6 * max(*steps, abs(low))


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [(0, 100, ["0", "20", "40", "60", "80", "100"]), (0, 4.3, ["0", "1", "2", "3", "4", "5"]),
     (0, 0.9, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]), (3, 3, ["3.0", "3.2", "3.4", "3.6", "3.8", "4.0"]),
     (0, 4000, ["0", "1,000", "2,000", "3,000", "4,000"])],
)  # fmt: skip
def test_ticks_are_round(low: float, high: float, texts: list[str]) -> None:
    """Ticks are whole multiples of 1, 2, 2.5 or 5, with only the decimals they need."""
    assert tick_texts(nice_ticks(low, high)) == texts


def test_signed_ticks() -> None:
    """Ticks of differences carry their sign, zero does not."""
    assert tick_texts([-20.0, 0.0, 20.0], signed=True) == ["−20", "0", "+20"]
    assert tick_texts([-0.0, 1.0]) == ["0", "1"]


def test_a_scale_maps_ends_to_ends() -> None:
    """The low end of the values is the start pixel."""
    scale = Scale(0, 10, 100, 0)
    assert (scale(0), scale(5), scale(10)) == (100, 50, 0)


def history(count: int, loss: float = 1.0) -> list[LossPoint]:
    """Return a flat history."""
    return [LossPoint(step, loss) for step in range(1, count + 1)]


def test_no_loss_no_chart() -> None:
    """A training without recorded losses draws nothing."""
    assert loss_chart([Training("a")], width=900, key="x") is None
    assert loss_chart([Training("a", history=[LossPoint(1)])], width=900, key="x") is None


def test_loss_chart_marks_validation_and_the_kept_checkpoint() -> None:
    """Validation losses are markers of a shape per model, and one ring marks the kept step."""
    first = Training("one", {"kept_step": 2}, history=[LossPoint(1, 3.0, 2.0), LossPoint(2, 1.0, 1.5)])
    others = [Training(name, history=[LossPoint(2, 1.0, 1.0)]) for name in ("two", "three", "four")]
    chart = loss_chart([first, *others], width=900, key="x") or ""
    drawn = chart[chart.index("optimiser step") :]
    assert drawn.count('class="kept"') == 1
    assert drawn.count('<circle cx="') - drawn.count('class="kept"') - drawn.count('class="dot') == 2
    assert len(re.findall(r'<polygon [^>]*class="marker series-[123]"', drawn)) == 3
    assert drawn.count('class="dot line') == 3
    assert all(f">{name}</text>" in chart for name in ("one", "two", "three", "four", "validation loss"))


def test_a_long_history_is_thinned_without_hiding_a_spike() -> None:
    """Ten thousand steps make a small picture that still shows the one step that went wrong."""
    points = history(10_000)
    points[5_000] = LossPoint(5_001, 50.0)
    chart = loss_chart([Training("long", history=points)], width=900, key="x") or ""
    assert len(chart) < 40_000
    raw = re.search(r'<polyline points="([^"]*)" class="raw', chart)
    assert raw
    tops = [float(pair.split(",")[1]) for pair in raw[1].split()]
    bottom, top = max(tops), min(tops)
    assert bottom - top > 200


def test_many_models_differ_without_colour() -> None:
    """Twelve models differ in colour and dash together, long names are shortened, and the legend wraps."""
    models = [Training(f"model {index} " + "x" * 60 * (index == 3), history=history(3)) for index in range(12)]
    chart = loss_chart(models, width=360, key="x") or ""
    pairs = re.findall(r'<polyline points="[^"]*"(?: stroke-dasharray="([^"]*)")? class="line (series-\d)"', chart)
    assert len(set(pairs)) == 12
    assert "…</text>" in chart
    assert 'class="chart narrow"' in chart


def test_descriptions_in_words() -> None:
    """The description says what the picture shows."""
    full = Training("a", {"kept_step": 2}, history=[LossPoint(1, 3.0), LossPoint(2, 1.0, 1.25)])
    assert describe([full]) == (
        "a: loss 3.000 at step 1, 1.000 at step 2; lowest validation loss 1.250 at step 2; kept step 2."
    )
    assert describe([Training("b", history=[LossPoint(4, None, 1.5)])]) == (
        "b: lowest validation loss 1.500 at step 4."
    )
    assert mean_window([]) == 1
    assert mean_window([Training("a", history=history(400))]) == 11


def test_forest_of_scores_spans_all_of_the_scale() -> None:
    """Accuracies are drawn from 0 to 100 %, so that a small gap looks small."""
    rows = [
        Estimate("base", 0.5, Interval(0.4, 0.6, 0.95, "Wilson score"), "50%"),
        Estimate("x", None, None, "nothing"),
    ]
    chart = forest_chart(rows, ACCURACY, width=900, key="f") or ""
    assert ">0</text>" in chart
    assert ">100</text>" in chart
    assert chart.count('class="estimate"') == 1
    assert chart.count('class="interval"') == 3
    assert 'class="zero"' not in chart
    assert '<desc id="f-desc">base: 50%; x: nothing.</desc>' in chart


def test_forest_of_differences_has_a_zero_line_and_hollow_dots() -> None:
    """Zero is always in view, and a difference that was not found is drawn hollow."""
    contrasts = [
        Contrast("a", "base", "tuned", difference=0.7, interval=Interval(0.6, 0.8, 0.95, "Tango score"),
                 verdict="difference", unit="fraction"),
        Contrast("b", "base", "other", difference=0.6, verdict="no_difference_found", unit="fraction"),
        Contrast("c", "base", "none"),
    ]  # fmt: skip
    rows = difference_estimates(contrasts)
    assert [row.text for row in rows] == ["+70.0 (+60.0 to +80.0)", "+60.0 points", "not tested"]
    for width in (900, 360):
        chart = forest_chart(rows, GAP, width=width, key="f", stamp="SYNTHETIC DATA") or ""
        assert chart.count('class="zero"') == 1
        assert chart.count("hollow") == 1
        assert ">0</text>" in chart
        assert "SYNTHETIC DATA" in chart


def test_forest_of_plain_scores_has_its_own_scale() -> None:
    """A score that is no fraction is drawn between its own ends, one value alone included."""
    axis = ForestAxis("bleu by model", "bleu", "value")
    chart = forest_chart([Estimate("a" * 80, 12.5, None, "12.5")], axis, width=360, key="f") or ""
    assert ">12.5</text>" in chart
    assert re.search(">a+…a+</text>", chart)  # the middle goes, not the end
    assert forest_chart([Estimate("a", None, None, "—")], axis, width=360, key="f") is None


def test_score_rows() -> None:
    """One row a model, with the numbers in words."""
    scores = [Score("em", 0.25, Interval(0.2, 0.3, 0.95, "Wilson score"), unit="fraction"), Score("bleu", 3.0)]
    results = Results(evaluations=[Evaluation("base", scores), Evaluation("tuned", [Score("em")])])
    assert [row.text for row in score_estimates(results, "em")] == ["25.0% (20.0% to 30.0%)", "nothing scored"]
    assert [row.text for row in score_estimates(results, "bleu")] == ["3"]


def test_running_means_do_not_lag() -> None:
    """The mean is taken around each step, so a straight line stays where it is."""
    line = [(float(step), float(step)) for step in range(9)]
    assert running_means(line, 5)[2:-2] == line[2:-2]
    assert running_means(line, 1) == line
    assert running_means(line, 5)[0] == (0.0, 1.0)


def test_losses_far_apart_are_drawn_by_their_logarithm() -> None:
    """Where an axis from zero would hide the small losses, it is logarithmic and says so."""
    wide = Training("a", history=[LossPoint(1, 4.0), LossPoint(2, 0.04)])
    assert is_logarithmic([wide])
    assert not is_logarithmic([Training("a", history=[LossPoint(1, 4.0), LossPoint(2, 0.4)])])
    assert not is_logarithmic([Training("a", history=[LossPoint(1, 4.0), LossPoint(2, 0.0)])])
    chart = loss_chart([wide], width=900, key="x") or ""
    assert "log scale</text>" in chart
    assert all(f">{tick}</text>" in chart for tick in ("0.02", "0.1", "1", "5"))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.048, 3.7, [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]), (1, 100, [1, 2, 5, 10, 20, 50, 100]),
     (0.002, 30, [0.001, 0.01, 0.1, 1, 10, 100])],
)  # fmt: skip
def test_logarithmic_ticks(low: float, high: float, ticks: list[float]) -> None:
    """Ticks are 1, 2 and 5 times powers of ten, or the powers alone where there are many."""
    assert log_ticks(low, high) == ticks
    scale = Scale(ticks[0], ticks[-1], 0, 1, is_log=True)
    assert (scale(ticks[0]), round(scale(ticks[-1]), 9)) == (0, 1)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (1e-320, 9e-320),
        (5e-324, 5e-324),
        (-1e308, 1e308),
        (1.5e308, 1.7e308),
        (1e300, 1e300),
        (0.0, 1e-291),
        (1e16, 1e16),
    ],
)
def test_an_axis_of_the_smallest_and_largest_numbers(low: float, high: float) -> None:
    """Even where numbers have no tenth, or their difference none, there are ticks, and places for the values."""
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 10
    assert ticks == sorted(set(ticks))
    assert len(tick_texts(ticks)) == len(ticks)
    assert max(map(len, tick_texts(ticks, signed=True))) < 15
    places = [Scale(ticks[0], ticks[-1], 0.0, 100.0)(value) for value in (low, high)]
    assert all(0 <= place <= 100 for place in places)
    rows = [Estimate("a", low, Interval(low, high, 0.95, "t"), "x")]
    for is_difference in (True, False):
        assert forest_chart(rows, ForestAxis("n", "t", "value", is_difference), width=900, key="k") is not None


def test_a_logarithmic_axis_of_the_smallest_numbers() -> None:
    """What is below all powers of ten stands at the start."""
    ticks = log_ticks(5e-324, 1e-280)
    scale = Scale(ticks[0], ticks[-1], 0.0, 100.0, is_log=True)
    assert (scale(5e-324), scale(1e-280)) == (0.0, 100.0)


def test_of_a_difference_both_names_are_shortened() -> None:
    """Each keeps its start and its end, and a short one is left as it is."""
    axis = ForestAxis("n", "t", "value", is_difference=True)
    for treatment, baseline in (("a" * 50 + "-x", "b" * 50 + "-y"), ("a" * 50 + "-x", "b-y"), ("a-x", "b" * 50 + "-y")):
        contrast = Contrast(name="c", baseline=baseline, treatment=treatment, difference=1.0)
        chart = forest_chart(difference_estimates([contrast]), axis, width=920, key="k") or ""
        assert re.search(r">a+…?a*-x \N{MINUS SIGN} b+…?b*-y</text>", chart)
