"""The Markdown report parses into what it says, whatever the texts in it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from crucible.pipeline import Context
from crucible.report import build_results, render
from crucible.report.markdown import fence
from crucible.stats.rendering.markdown_text import escape_markdown
from crucible.stats.rendering.markup import visible

GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])
anything = st.text(st.characters(codec=None, exclude_categories=[]))
nasty = st.text(st.sampled_from("|`*_~[]()<>#&!\\\n\r\t -+=.:/1ab$\u202e\x00ü"))


def shown(tokens: list[Token] | None) -> str:
    """Return the text of inline tokens."""
    return "".join(token.content for token in tokens or [] if token.type in ("text", "text_special", "code_inline"))


def kinds(markdown: str) -> set[str]:
    """Return the types of all tokens, inline ones included."""
    tokens = GFM.parse(markdown)
    return {token.type for token in tokens} | {child.type for token in tokens for child in token.children or []}


def one_line(text: str) -> str:
    """Return a text as a line of the report shows it."""
    return visible(text).replace("\n", " ⏎ ").replace("\t", " ").strip()


@given(st.one_of(anything, nasty))
def test_any_text_fits_a_table_cell(text: str) -> None:
    """A cell shows the text and nothing else: no second column, no markup, no second row."""
    tokens = GFM.parse(f"| a | b |\n| :-- | --: |\n| {escape_markdown(text)} | 1 |")
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 4
    assert shown(cells[2].children) == one_line(text)
    assert {child.type for child in cells[2].children or []} <= {"text", "text_special"}
    assert cells[3].content == "1"


@given(st.one_of(anything, nasty))
def test_any_text_is_one_paragraph(text: str) -> None:
    """A description that looks like a list, a heading or a rule stays a paragraph."""
    markdown = render({"experiment_id": "x", "description": text}, "markdown")
    paragraph = markdown.split("\n\n")[1]
    tokens = GFM.parse(paragraph)
    if one_line(text):
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        assert shown(tokens[1].children) == one_line(text)


@given(st.one_of(anything, nasty))
def test_nothing_closes_a_fence(text: str) -> None:
    """A block of code ends where the text ends."""
    tokens = GFM.parse(fence(text) + "\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == visible(text) + "\n"


def test_escapes_only_what_acts() -> None:
    """Ordinary words and numbers stay readable unrendered."""
    for plain in ("exact_match", "p < 0.0001", "+70.7 points", "R&D, 50% (n = 3)", "a-b: c.d!", "−4.4 to +17.7"):
        assert escape_markdown(plain) == plain
    assert escape_markdown("see https://x.y or www.x.y") == "see https\\://x.y or www\\.x.y"


def test_report_has_every_part(whole_run: Context) -> None:
    """Verdict, stamp, tables, curves, answers, provenance and terms are all there, with the numbers of the run."""
    markdown = render(build_results(whole_run), "markdown")
    headings = [line for line in markdown.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Verdict",
        "## Scores and differences",
        "## Training",
        "## Sample answers",
        "## Data",
        "## Configuration",
        "## Reproduce",
        "## Terms",
    ]
    assert markdown.startswith("# quickstart\n\n> **SYNTHETIC DATA**")
    assert markdown.index("rank16 scores higher than base") < markdown.index("| exact_match | base | 0.0% |")
    assert "base against itself: no difference found" in markdown
    assert "| exact_match | rank16 | 68.2% | 60.4% to 75.2% (Wilson score) | 150 | 148 | 2 | 0 |" in markdown
    assert "a9" * 32 in markdown
    assert "```sh\ncrucible run examples/quickstart.yaml --set training_config.seed=0\n```" in markdown
    assert "rank16  ▆" in markdown or "rank16  █" in markdown or "rank16  ▇" in markdown
    assert not {"html_block", "html_inline", "image", "link_open"} & kinds(markdown)


def test_tables_have_as_many_cells_as_columns(whole_run: Context) -> None:
    """No row of any table is wider or narrower than its head."""
    lines = render(build_results(whole_run), "markdown").splitlines()
    widths = [line.count(" | ") for line in lines if line.startswith("|")]
    heads = [i for i, line in enumerate(lines) if line.startswith(("| :--", "| --:"))]
    assert len(heads) >= 10
    assert widths
    for head in heads:
        end = next(i for i in range(head, len(lines)) if not lines[i].startswith("|"))
        assert {lines[i].count(" | ") for i in range(head - 1, end)} == {lines[head].count(" | ")}


def hostile(value: Any, text: str) -> Any:
    """Return plain data with every text, keys of open mappings included, made hostile."""
    if isinstance(value, str):
        return text
    if isinstance(value, dict):
        return {key: inner if key == "unit" else hostile(inner, text) for key, inner in value.items()}
    return [hostile(inner, text) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("format_", ["markdown", "html"])
@pytest.mark.parametrize(
    "text",
    ["</pre><script>alert(1)</script>", "| a | b |\n|---|---|", "```\n# owned\n```", "![x](http://evil/x.png)",
     "<img src=x onerror=alert(1)>", "`; DROP", "\ud800\x00\u202e", "]]><!--", "javascript:alert(1)"],
)  # fmt: skip
def test_hostile_texts_everywhere(whole_run: Context, format_: str, text: str) -> None:
    """A report whose every text is hostile still holds no foreign markup, and can be encoded."""
    results = copy.deepcopy(build_results(whole_run))
    for key in ("experiment_id", "description", "cautions", "evaluations", "training", "samples", "datasets", "data",
                "configuration", "provenance", "other", "missing"):  # fmt: skip
        results[key] = hostile(results[key], text)
    results["provenance"]["versions"] = {text: text}
    results["other"] = {text: [text]}
    for contrast in results["contrasts"]:
        for key in ("baseline", "treatment", "metric", "headline", "sentence", "method", "test"):
            contrast[key] = text
        contrast["assumptions"] = [text]
        contrast["effect"]["name"] = text
    report = render(results, format_)
    report.encode("utf-8")
    if format_ == "markdown":
        assert not {"html_block", "html_inline", "image", "link_open"} & kinds(report)
    else:
        assert "<script" not in report
        assert "<img" not in report


def test_a_run_of_nothing_says_so() -> None:
    """A report without any part is short and claims nothing."""
    markdown = render({}, "markdown")
    assert "No difference was tested in this run, so nothing here says that one is real." in markdown
    assert "SYNTHETIC" not in markdown


def test_loss_curves_share_a_scale() -> None:
    """The flat curve of a good model is low beside the curve of a bad one; gaps stay empty."""
    points = [{"step": step, "loss": 4.0} for step in range(1, 49)]
    low = [{"step": step, "loss": 0.3} for step in (1, 48)]
    training = [{"model": "bad", "history": points}, {"model": "good", "history": low}, {"model": "none"}]
    markdown = render({"training": training}, "markdown")
    assert "loss, nats per answer token: 0 to 4; steps 0 to 48" in markdown
    assert "bad   ████" in markdown
    line = next(line for line in markdown.splitlines() if line.startswith("good"))
    assert set(line.removeprefix("good").strip()) == {"▁", " "}


@pytest.mark.parametrize(
    ("losses", "title"),
    [([4.0, 0.04], ": 0.04 to 4 (log scale); steps 0 to 2"), ([0.0], ": 0 to 1; steps 0 to 1"), ([-1.0], ": −1 to 0;"),
     ([3.0, 3.0], ": 0 to 3;")],
)  # fmt: skip
def test_the_scale_of_loss_curves_is_said(losses: list[float], title: str) -> None:
    """Losses far apart are drawn by their logarithm; odd ones do not break the report."""
    history = [{"step": step, "loss": loss, "validation_loss": loss} for step, loss in enumerate(losses, start=1)]
    assert title in render({"training": [{"model": "a", "history": history}]}, "markdown")


def test_an_item_without_expected_answer() -> None:
    """What an item does not have is not shown."""
    markdown = render({"samples": {"rule": "All.", "items": [{"id": "a", "input": "question"}]}}, "markdown")
    assert "Input:" in markdown
    assert "Expected:" not in markdown
