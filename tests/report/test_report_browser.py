"""The HTML report in a real browser: it shows everything, complains of nothing and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from playwright import sync_api as playwright

from crucible.pipeline import Context, parse_options
from crucible.report import build_results, render
from crucible.stats.stages import BenchStage

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[playwright.Browser]:
    """Start Debian's chromium without a window."""
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(whole_run: Context, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the report of a whole run, and return its address."""
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(build_results(whole_run), "html"), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("width", [1100, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_in_a_browser(
    browser: playwright.Browser, address: str, scheme: Literal["light", "dark"], width: int
) -> None:
    """No message, no request but for the page itself, no sideways scrolling; verdict, tables and charts are visible."""
    messages: list[str] = []
    requests: list[str] = []
    view = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = view.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h3", has_text="rank16 scores higher than base").is_visible()
    assert page.get_by_role("table", name="Scores on the test items").is_visible()
    charts = page.locator("svg").all()
    assert [chart.is_visible() for chart in charts].count(True) == 4
    loss = page.get_by_role("img", name="Training loss by step").first
    assert loss.is_visible()
    box = loss.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 22, 26)")
    assert page.evaluate(TEXT_OUTSIDE_CHARTS) == []
    view.close()


@pytest.mark.parametrize("width", [1100, 400])
def test_a_run_of_checks_alone(browser: playwright.Browser, tmp_path: Path, leave: SimpleNamespace, width: int) -> None:
    """Without any score the checks are what is seen, long paths wrap, and terms that nothing uses are left out."""
    path = "/srv/" + "a-long-folder-name/" * 4 + "train.jsonl"
    issues = [{"index": i, "field": "expected", "problem": "is empty"} for i in range(3)]
    context = leave.start(tmp_path, outputs=None).merge_metrics(
        {
            "data_checks": {"total": 1200, "issues": 3, "by_kind": {"missing": 3}, "sources": [path], "kept": issues},
            "guardrails": {"total": 1200, "violations": 1, "by_rule": {"email": 1}},
            "data": {"train": {"source": path, "items": 2}, "test": {"source": path, "items": 1}},
        }
    )  # fmt: skip
    file = tmp_path / "report.html"
    file.write_text(render(build_results(context), "html"), encoding="utf-8")
    view = browser.new_context(viewport={"width": width, "height": 900})
    page = view.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(file.as_uri())
    assert messages == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_text("guardrails: 1 violation among 1,200 items.").is_visible()
    for name in ("Checks of the data", "Checks of the data: kept", "Guardrails"):
        assert page.get_by_role("table", name=name, exact=True).is_visible()
    assert page.locator("dl.terms").count() == 0
    view.close()


@pytest.mark.parametrize("width", [1100, 400])
def test_long_names_do_not_widen_the_page(
    browser: playwright.Browser, tmp_path: Path, leave: SimpleNamespace, width: int
) -> None:
    """Names of models and metrics wrap in tables and headings, and lose their middle in charts, never their end."""
    name = "meta-llama/Llama-3.1-8B-Instruct-lora-r16-alpha32-lr2e-4-epochs3-seed42-checkpoint-001500-merged-bf16"
    metric = "exact_match_after_normalisation_of_numbers_and_units"
    rows = [
        {"group": label, "value": value, "item": f"i{place}"}
        for label, shift in ((name, 0.0), (f"{name}-b", 0.5), ("c", 1.5))
        for place, value in enumerate([shift + 0.125, shift + 0.7, shift - 0.3, shift + 1.1])
    ]
    stage = BenchStage()
    context = leave.start(tmp_path, outputs=None).assign("bench_data", rows)
    context = stage.run(context, parse_options(stage, {"data_source": "assigns", "metric": metric}))
    context = context.put_metric("blob", {"A" * 300: "B" * 5000, "list": ["C" * 900]})
    file = tmp_path / "report.html"
    file.write_text(render(build_results(context), "html"), encoding="utf-8")
    view = browser.new_context(viewport={"width": width, "height": 900})
    page = view.new_page()
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tables = page.evaluate("[...document.querySelectorAll('table')].map(t => t.getBoundingClientRect().right)")
    assert tables
    assert max(tables) <= width
    assert page.evaluate(TEXT_OUTSIDE_CHARTS) == []
    heads = page.locator("thead th", has_text="Attempted").all()
    assert width < 500 or all(head.evaluate("e => e.getClientRects()[0].height < 60") for head in heads)
    labels = page.evaluate("[...document.querySelectorAll('svg .row')].map(text => text.textContent)")
    assert any(label.startswith("meta-llama") and label.endswith("bf16-b") for label in labels)
    view.close()


def test_print_is_light_and_whole(browser: playwright.Browser, address: str) -> None:
    """On paper the colours are those of light, long blocks are unrolled, and a PDF comes out."""
    view = browser.new_context(color_scheme="dark")
    page = view.new_page()
    page.goto(address)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('pre.tall')).maxHeight") == "none"
    assert page.pdf(format="A4").startswith(b"%PDF")
    view.close()


def test_one_click_selects_the_command(browser: playwright.Browser, address: str) -> None:
    """The reproduction command can be copied as a whole, without a script."""
    view = browser.new_context()
    page = view.new_page()
    page.goto(address)
    page.locator("pre.command").click()
    assert (
        page.evaluate("getSelection().toString()")
        == "crucible run examples/quickstart.yaml --set training_config.seed=0"
    )
    view.close()


TEXT_OUTSIDE_CHARTS = """
[...document.querySelectorAll('svg')].filter(svg => svg.checkVisibility()).flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
  }).map(text => text.textContent);
})
"""
