"""Loss curves in a real browser: their points are the data."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crucible.trace import Chain, Event
from crucible.trace.training.history import from_training_metrics

from .conftest import START, Open, until

pytestmark = pytest.mark.browser


def _training() -> Chain:
    chain = Chain("training", created_at=START)
    for model in ("small", "large"):
        for step in range(0, 50, 5):
            loss = 4 * math.exp(-step / (20 if model == "small" else 10)) + 0.5
            known = {"loss": loss, "step": step, "model": model}
            chain.add(Event.new("loss_computed", f"{model} {step}", "r", metadata=known, timestamp=START))
    chain.add(
        Event.new("epoch_completed", "e", "r", metadata={"epoch": 1, "loss": 0.7, "model": "small"}, timestamp=START)
    )
    chain.add(Event.new("loss_computed", "n", "r", metadata={"loss": math.nan, "step": 7}, timestamp=START))
    return chain


def test_points_are_the_losses_of_the_chain(visit: Open) -> None:
    """Each line passes through its losses at their steps, as the scale of the axes reads them."""
    chain = _training()
    page = visit(chain, "#view=loss").page
    chart = page.locator("figure", has_text="Loss by step")
    names = chart.locator(".toggle").all_inner_texts()
    assert names == ["small · loss", "large · loss", "no model · loss"]
    curves: list[list[list[float]]] = page.evaluate(
        "[...document.querySelectorAll('#pane-loss figure:first-child .plot .curve')]"
        ".map((path) => path.getAttribute('d').match(/[\\d.]+ [\\d.]+/g).map((p) => p.split(' ').map(Number)))"
    )
    ticks: dict[str, list[Any]] = page.evaluate(
        "[...document.querySelectorAll('#pane-loss figure:first-child .plot .tick')].reduce((found, tick) => {"
        "const isX = tick.getAttribute('text-anchor') === 'middle';"
        "const place = Number(tick.getAttribute(isX ? 'x' : 'y')) - (isX ? 0 : 4);"
        "found[isX ? 'x' : 'y'].push([Number(tick.textContent), place]);"
        "return found; }, { x: [], y: [] })"
    )

    def read(axis: str, place: float) -> float:
        (a, at_a), (b, at_b) = ticks[axis][0], ticks[axis][-1]
        return a + (place - at_a) * (b - a) / (at_b - at_a)

    assert len(curves) == 2
    for curve, model in zip(curves, ("small", "large"), strict=True):
        expected = [e.metadata for e in chain if e.metadata.get("model") == model and "step" in e.metadata]
        assert len(curve) == len(expected)
        for (x, y), known in zip(curve, expected, strict=True):
            assert read("x", x) == pytest.approx(known["step"], abs=0.1)
            assert read("y", y) == pytest.approx(known["loss"], abs=0.03)
    assert chart.locator(".axis-title").all_text_contents() == ["loss", "step"]
    assert "1 loss is no finite number and not drawn" in chart.inner_text()
    assert page.locator("figure", has_text="Loss by epoch").locator(".dot").count() >= 1


def test_values_are_read_by_keyboard_and_lead_to_their_event(visit: Open) -> None:
    """Arrows walk along a line and from line to line, the words follow, and Enter shows the event."""
    page = visit(_training(), "#view=loss").page
    plot = page.locator(".plot").first
    plot.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    words = page.locator("#pane-loss .readout").first
    assert words.inner_text() == "small · loss: 3.6152 at step 5 (event 2)"
    page.keyboard.press("ArrowDown")
    assert words.inner_text() == "large · loss: 2.9261 at step 5 (event 12)"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.index") == "11"


def test_values_are_read_by_pointer(visit: Open) -> None:
    """The point nearest to the pointer is told."""
    page = visit(_training(), "#view=loss").page
    dot = page.locator(".plot").first.locator(".dot").nth(3)
    box = dot.bounding_box()
    assert box
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert "at step 15 (event 4)" in page.locator("#pane-loss .readout").first.inner_text()


def test_filters_and_toggles_choose_what_is_drawn(visit: Open) -> None:
    """A line is hidden by its name, and only points of events that fit the filters are drawn."""
    page = visit(_training(), "#view=loss").page
    figure = page.locator("#pane-loss figure").first
    figure.get_by_role("button", name="large · loss").click()
    assert figure.locator(".plot .curve").count() == 1
    page.get_by_label("Search").fill("small 1")
    until(page, "document.querySelectorAll('#pane-loss figure:first-child .plot .dot').length === 2")


def test_a_chain_without_losses_has_no_such_view(visit: Open) -> None:
    """Nothing is drawn where nothing was measured."""
    chain = Chain("plain", created_at=START)
    chain.add(Event.new("decision_made", "a", "b", timestamp=START))
    page = visit(chain, "#view=loss").page
    assert not page.get_by_role("tab", name="Loss").is_visible()
    assert page.locator("#list").is_visible()


def _losses(*points: tuple[float, float]) -> Chain:
    chain = Chain("points", created_at=START)
    for step, loss in points:
        chain.add(Event.new("loss_computed", "l", "r", metadata={"loss": loss, "step": step}, timestamp=START))
    return chain


EXTREMES: list[list[tuple[float, float]]] = [
    [(1_700_000_000_000_000_000, 0.5)],
    [(number, -1e17 - 16 * number) for number in range(3)],
    [(1_700_000_000_000_000_000 + 256 * number, 0.5) for number in range(3)],
    [(-1e308, -1.7e308), (1e308, 1.7e308)],
    [(1.7e308, 1.7e308)],
    [(1, 1e-320), (2, 1e300)],
    [(0, 0.0), (1, 5e-324)],
    [(5e-324, -5e-324)],
]


@pytest.mark.parametrize("points", EXTREMES, ids=lambda points: f"{points[0]}")
def test_any_number_has_a_place(visit: Open, points: list[tuple[float, float]]) -> None:
    """Numbers beyond 2^53, of no extent, and at the ends of what a float holds are drawn inside the axes."""
    page = visit(_losses(*points), "#view=loss").page
    until(page, f"document.querySelectorAll('.plot .dot').length === {len(points)}")
    drawn = page.evaluate("document.querySelector('.plot').outerHTML")
    assert "NaN" not in drawn
    assert "Infinity" not in drawn
    assert page.locator(".plot .tick").count() in range(1, 40)
    places = page.locator(".plot .tick[text-anchor=middle]").all_text_contents()
    assert len(places) == len(set(places)) >= 1
    plot = page.locator(".plot").bounding_box()
    assert plot
    for dot in page.locator(".plot .dot").all():
        box = dot.bounding_box()
        assert box
        assert plot["x"] <= box["x"] <= plot["x"] + plot["width"]
        assert plot["y"] <= box["y"] <= plot["y"] + plot["height"]


def test_trainings_have_lines_and_names_of_their_own(visit: Open) -> None:
    """Two models trained in one chain are named after them; trainings that nothing else tells apart, by their start."""
    chain = Chain("two models", created_at=START)
    for model in ("resnet", "vit"):
        chain.extend(from_training_metrics([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.8}], model=model))
    toggles = visit(chain, "#view=loss").page.locator(".toggle").all_inner_texts()
    assert [name for name in toggles if "final" not in name] == ["resnet · loss", "vit · loss"]
    same = Chain("same", created_at=START)
    for _ in range(2):
        same.extend(from_training_metrics([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.8}], model="vit"))
    page = visit(same, "#view=loss").page
    names = [name for name in page.locator(".toggle").all_inner_texts() if "final" not in name]
    assert names == ["1. Training of vit started · loss", "5. Training of vit started · loss"]
    colors = page.evaluate(
        "[...document.querySelectorAll('.plot .curve')].map((each) => getComputedStyle(each).stroke)"
    )
    assert len(colors) == len(set(colors)) == 2


def test_each_measure_of_a_model_has_a_shape(visit: Open) -> None:
    """Validation, best validation and final loss, one point each, do not look the same in legend or plot."""
    chain = _training()
    known = {
        "model": "small",
        "final_loss": 0.5,
        "steps": 50,
        "validation": {"best_loss": 0.4, "best_step": 40},
        "validation_loss": 0.6,
        "loss_huber": 1,
    }
    for number, more in enumerate(({"step": 50}, {"step": 50, "loss": 1.0, "loss_type": "huber"})):
        named = {**known, **more} if number == 0 else {"model": "small", **more}
        chain.add(Event.new("metric_recorded", "m", "r", metadata=named, timestamp=START))
    page = visit(chain, "#view=loss").page
    shapes: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('#pane-loss figure:first-child .toggle')]"
        ".map((each) => [each.innerText, each.querySelector('.dot').getAttribute('d')])"
    )
    small = {name.removeprefix("small · "): shape for name, shape in shapes if name.startswith("small")}
    assert {"loss", "validation loss", "best validation loss", "final loss", "loss, huber"} <= small.keys()
    assert len(set(small.values())) == len(small)
    drawn = page.evaluate("[...document.querySelectorAll('.plot .dot')].map((each) => each.getAttribute('d'))")
    assert set(small.values()) <= set(drawn)
