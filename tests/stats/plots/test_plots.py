"""Pictures: what is drawn is what was measured; no window and no setting of the user's takes part."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
import numpy as np
import pytest
from matplotlib.figure import Figure

from crucible import stats
from crucible.errors import MissingExtra, StatsError, StoreError, TooFewSamples
from crucible.ir import Failed
from crucible.stats import TestResult, plots
from crucible.stats.conditions.observations import condition_of_scores
from crucible.stats.plots.canvas import FALL, QUIET, RISE, drawable

OLD = {f"q{i}": x for i, x in enumerate([0.1, 0.5, 0.3, 0.9, 0.4, 0.2, 0.8, 0.7, 0.6, 0.35])}
NEW = {
    key: x + d for (key, x), d in zip(OLD.items(), [0.2, 0.0, -0.1, 0.3, 0.1, 0.0, 0.25, 0.15, 0.3, 0.1], strict=True)
}


def drawn(figure: Figure, gid: str) -> Any:
    """Return the one artist that goes by a name."""
    (found,) = [artist for axes in figure.axes for artist in axes.get_children() if artist.get_gid() == gid]
    return found


def words(figure: Figure) -> str:
    """Return all text of a figure, on one line each."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def compared(name: str, shift: float = 0.1, n: int = 20) -> TestResult:
    """Compare made-up paired scores."""
    random = np.random.default_rng(n)
    base = random.random(n)
    result = stats.compare_paired(base, base + shift + random.normal(scale=0.05, size=n))
    return msgspec.structs.replace(result, treatment=name)


def test_paired_differences_draws_each_item_and_the_mean() -> None:
    """A dot an item at its sorted difference, coloured by direction with ties apart; mean and interval of the test."""
    figure = plots.paired_differences(OLD, NEW)
    expected = sorted(NEW[key] - OLD[key] for key in OLD)
    dots = drawn(figure, "dots")
    assert np.asarray(dots.get_offsets())[:, 1] == pytest.approx(expected)
    assert np.asarray(dots.get_offsets())[:, 0] == pytest.approx(range(1, 11))
    colours = [mpl.colors.to_hex(colour) for colour in dots.get_facecolors()]
    assert colours == [FALL.lower(), QUIET, QUIET, *[RISE.lower()] * 7]
    result = stats.compare_paired(OLD, NEW)
    assert drawn(figure, "mean").get_ydata()[0] == pytest.approx(result.difference)
    span = drawn(figure, "interval")
    low = span.get_y()
    assert (low, low + span.get_height()) == pytest.approx((result.interval.low, result.interval.high))
    assert "rise: 7, fall: 1, tie: 2" in words(figure)
    assert "paired t-test" in words(figure)


def test_paired_differences_takes_conditions_and_their_failures() -> None:
    """Items without a score on both sides are not drawn, and labels and metric come from the conditions."""
    base = condition_of_scores("v1", {**OLD, "q0": Failed("timeout")}, metric="f1")
    figure = plots.paired_differences(base, condition_of_scores("v2", NEW, metric="f1"))
    assert len(drawn(figure, "dots").get_offsets()) == 9
    assert "v2 − v1, item by item" in words(figure)
    assert "difference in f1" in words(figure)


def test_many_items_are_drawn_as_a_surface() -> None:
    """Above 300 items there is no dot each, and every item still counts in the words."""
    random = np.random.default_rng(1)
    base = {str(i): float(x) for i, x in enumerate(random.normal(size=1000))}
    figure = plots.paired_differences(base, {key: x + float(random.normal(0.1)) for key, x in base.items()})
    assert not [one for axes in figure.axes for one in axes.get_children() if one.get_gid() == "dots"]
    assert "1000 items, by difference" in words(figure)


def test_a_comparison_that_was_made_is_drawn_as_it_is() -> None:
    """Corrected p-value and interval of the given result stand in the picture, not of a new one."""
    result = msgspec.structs.replace(
        stats.compare_paired(OLD, NEW, level=0.8), p_adjusted=0.031, correction="holm", comparisons=3
    )
    text = words(plots.paired_differences(OLD, NEW, result=result))
    assert "80 % interval" in text
    assert "p = 0.0310 (holm, 3 comparisons)" in text


def test_forest_draws_each_interval_and_marks_what_was_found() -> None:
    """A line from low to high and a dot at the difference; hollow where the corrected test found none."""
    results = [compared("a", 0.1), compared("b", 0.0), compared("c", -0.2)]
    figure = plots.forest(results)
    corrected = stats.correct([one.p for one in results])
    for row, (one, p) in enumerate(zip(results, corrected, strict=True)):
        assert drawn(figure, f"interval-{row}").get_xdata() == pytest.approx([one.interval.low, one.interval.high])
        dot = drawn(figure, f"difference-{row}")
        assert dot.get_xdata() == pytest.approx([one.difference])
        assert (dot.get_markerfacecolor() == "white") is (p >= 0.05)
    assert drawn(figure, "zero").get_xdata() == pytest.approx([0, 0])
    text = words(figure)
    assert "p after Holm correction for 3 comparisons." in text
    assert [one.get_text() for one in figure.axes[0].get_yticklabels()] == [f"{x} − baseline" for x in "abc"]


def test_forest_of_uncorrected_results_says_so() -> None:
    """With `none` nothing is corrected and the picture says it."""
    text = words(plots.forest([compared("a"), compared("b")], correction="none"))
    assert "p not corrected for there being 2 comparisons." in text


def test_ecdf_draws_the_share_at_or_below() -> None:
    """Each curve steps by the share of its items at each value, from 0 to 1, within a band of Massart's width."""
    figure = plots.ecdf([1.0, 2.0, 2.0, 4.0], [3.0, 5.0])
    first, second = (one for one in figure.axes[0].get_lines() if one.get_gid() == "curve")
    assert first.get_xdata()[1:-1] == pytest.approx([1, 2, 4])
    assert first.get_ydata() == pytest.approx([0, 0.25, 0.75, 1, 1])
    assert second.get_ydata() == pytest.approx([0, 0.5, 1, 1])
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_drawstyle() == "steps-post"
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == 1.0
    assert np.min(np.abs(band - (1 - np.sqrt(np.log(2 / 0.05) / 8)))) < 1e-12
    assert "baseline (n = 4)" in words(figure)


def test_ecdf_counts_what_failed() -> None:
    """A failed item is no zero in the curve and stands in the legend."""
    base = condition_of_scores("v1", {"a": 0.5, "b": Failed("timeout"), "c": 0.7})
    figure = plots.ecdf(base, [0.1, 0.2])
    assert "v1 (n = 2, 1 failed)" in words(figure)
    (curve, _) = (one for one in figure.axes[0].get_lines() if one.get_gid() == "curve")
    assert min(curve.get_xdata()[1:]) == 0.5


def test_reliability_by_hand() -> None:
    """Two bins counted by hand: shares, mean confidences, error and Brier score."""
    found = plots.reliability([0.1, 0.3, 0.8, 0.9, 1.0], [0, 1, 1, 0, 1], bins=2, label="m")
    low, high = found.bins
    assert (low.n, low.right, low.confidence, low.accuracy) == (2, 1, pytest.approx(0.2), 0.5)
    assert (high.n, high.right, high.confidence, high.accuracy) == (3, 2, pytest.approx(0.9), pytest.approx(2 / 3))
    assert found.ece == pytest.approx((2 * 0.3 + 3 * (0.9 - 2 / 3)) / 5)
    assert found.brier == pytest.approx((0.01 + 0.49 + 0.04 + 0.81 + 0.0) / 5)
    assert high.interval == stats.wilson(2, 3)
    assert found.to_dict()["wording"] == found.wording
    assert "5 answers in 2 bins" in found.wording


@pytest.mark.parametrize(
    ("confidences", "right", "bins", "message"),
    [
        ([0.5, 1.2], [0, 1], 10, r"confidences\[1\] is 1.2, expected a number from 0 to 1"),
        ([0.5, 0.6], [0, 0.5], 10, r"right\[1\] is 0.5, expected True or False \(1 or 0\)"),
        ([0.5], [0, 1], 10, "got 1 confidences, 2 verdicts"),
        ([0.5, 0.6], [0, 1], 0, "at least 1 bin"),
        ([float("nan")], [0], 10, "nan"),
        ([0.5], [1], "ten", "bins must be a whole number, got 'ten'"),
    ],
)
def test_reliability_refuses(confidences: list[float], right: list[float], bins: int, message: str) -> None:
    """What is no probability or no outcome is named."""
    with pytest.raises(StatsError, match=message):
        plots.reliability(confidences, right, bins=bins)


def test_nothing_to_calibrate() -> None:
    """No answers are too few."""
    with pytest.raises(TooFewSamples):
        plots.reliability([], [])


def test_calibration_draws_shares_intervals_and_counts() -> None:
    """A dot and an interval for each bin that holds answers, bars with their counts, and the error in words."""
    random = np.random.default_rng(2)
    confidence = random.random(200)
    right = (random.random(200) < confidence).astype(float)
    found = plots.reliability(confidence, right)
    figure = plots.calibration(confidence, right, label="m")
    shares = drawn(figure, "shares")
    assert shares.get_xdata() == pytest.approx([one.confidence for one in found.bins])
    assert shares.get_ydata() == pytest.approx([one.accuracy for one in found.bins])
    ends = [segment[:, 1].tolist() for segment in drawn(figure, "intervals").get_segments()]
    assert ends == [pytest.approx([one.interval.low, one.interval.high]) for one in found.bins]
    assert [bar.get_height() for bar in figure.axes[1].patches] == [one.n for one in found.bins]
    assert f"ECE {found.ece:.3f}" in words(figure)
    assert "200 answers" in words(figure)


PICTURES = {
    "paired": lambda: plots.paired_differences(OLD, NEW),
    "forest": lambda: plots.forest([compared("a"), compared("b", 0.0)]),
    "ecdf": lambda: plots.ecdf(OLD, NEW),
    "calibration": lambda: plots.calibration([0.2, 0.9, 0.6], [0, 1, 1]),
}


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_same_picture_is_the_same_bytes(tmp_path: Path, kind: str) -> None:
    """Drawn and saved twice, in every format, no time and no chance is in the file."""
    first, second = (plots.save(PICTURES["forest"](), tmp_path / f"{i}.{kind}").read_bytes() for i in range(2))
    assert first == second
    assert b"Matplotlib" not in first.replace(b"Created with matplotlib", b"")


@pytest.fixture
def odd_settings() -> Iterator[None]:
    """Settings that a user may have, which would change every picture."""
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "axes.grid": True, "svg.hashsalt": "mine"}):
        yield


@pytest.mark.parametrize("name", PICTURES)
def test_settings_of_the_user_take_no_part(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    """The same bytes under other settings, and the settings are the user's again afterwards."""
    plain = plots.save(PICTURES[name](), tmp_path / "plain.svg").read_bytes()
    request.getfixturevalue("odd_settings")
    before = mpl.rcParams.copy()
    assert plots.save(PICTURES[name](), tmp_path / "odd.svg").read_bytes() == plain
    assert repr(mpl.rcParams.copy()) == repr(before)


def test_no_window_is_thought_of(tmp_path: Path) -> None:
    """Drawing and saving never import pyplot, which would look for a screen."""
    code = (
        "import sys; from crucible.stats import plots; "
        "plots.save(plots.ecdf([1.0, 2.0], [1.0, 3.0]), 'a.png'); "
        "assert not [name for name in sys.modules if 'pyplot' in name or 'tkinter' in name]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)


def test_threads_draw_the_same(tmp_path: Path) -> None:
    """Four threads at once draw what one draws."""
    expected = plots.save(PICTURES["ecdf"](), tmp_path / "one.svg").read_bytes()
    threads = [
        threading.Thread(target=lambda i=i: plots.save(PICTURES["ecdf"](), tmp_path / f"t{i}.svg")) for i in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [(tmp_path / f"t{i}.svg").read_bytes() == expected for i in range(4)] == [True] * 4


@pytest.mark.parametrize("label", ["$\\frac{", "a\nb", "\u202ex\x00", "模型 🦆", "x" * 300, "", "_hidden", "<&>"])
def test_hostile_labels_are_drawn_and_nothing_else(tmp_path: Path, label: str) -> None:
    """No mathematics, no missing sign and no warning come of a label, and a long one does not push the plot away."""
    result = msgspec.structs.replace(compared(label), baseline=label, metric=label)
    for figure in (plots.forest([result, compared("b")]), plots.paired_differences(OLD, NEW, result=result)):
        plots.save(figure, tmp_path / "a.png")
        width = figure.axes[0].get_position().width * figure.get_figwidth()
        assert width > 2.5


def test_what_the_font_lacks_stands_as_its_code() -> None:
    """Nothing vanishes."""
    assert drawable("模 ok") == "[U+6A21] ok"
    assert len(drawable("x" * 300)) == 90


def test_save_refuses_other_names(tmp_path: Path) -> None:
    """Only what is drawn the same everywhere; a folder that cannot be is an error of storing."""
    figure = PICTURES["ecdf"]()
    with pytest.raises(StatsError, match=r"\.svg, \.png or \.pdf, got \"a\.gif\""):
        plots.save(figure, tmp_path / "a.gif")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError):
        plots.save(figure, tmp_path / "file" / "a.svg")


def test_no_comparisons_is_an_error() -> None:
    """An empty forest is named."""
    with pytest.raises(StatsError, match="the list is empty"):
        plots.forest([])


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[plots\]'"):
        plots.ecdf([1.0, 2.0], [1.0, 3.0])
