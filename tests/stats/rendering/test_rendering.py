"""Results as Markdown, LaTeX, HTML and JSON: everything shown, everything escaped, nothing made up."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright import sync_api as playwright

from crucible import stats
from crucible.ir import Interval
from crucible.stats import StatsError, TestResult
from crucible.stats.rendering import to_html, to_json, to_latex, to_markdown
from crucible.stats.rendering.latex_text import escape_latex
from crucible.stats.rendering.markdown_text import escape_markdown
from crucible.stats.rendering.markup import visible

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a|b",
    "line\nbreak",
    "\\input{/etc/passwd}",
    "50% & $x_1^2$ #{}~",
    "*bold* [link](http://a.example) `code`",
    "- item",
    "\u202eevil\x00",
    "naïve 模型 🦆",
]
anything = st.text(st.characters(codec=None, exclude_categories=[]), max_size=30)


def compared(shift: float = 0.1, **names: Any) -> TestResult:
    """Compare twelve paired scores that rise by about `shift`."""
    base = [0.1, 0.5, 0.3, 0.9, 0.4, 0.2, 0.8, 0.7, 0.6, 0.35, 0.55, 0.15]
    treated = [x + shift + (0.03 if i % 3 else -0.04) for i, x in enumerate(base)]
    return msgspec.structs.replace(stats.compare_paired(base, treated), **names)


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self._open = False
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element; a cell begins."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("td", "th", "caption", "p", "li"):
            self.cells.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        if tag in ("td", "th", "caption", "p", "li"):
            self._open = False

    def handle_data(self, data: str) -> None:
        """Note the text of a cell."""
        if self._open:
            self.cells[-1] += data


def test_markdown_of_one_result_shows_every_number() -> None:
    """The sentence first, then each fact as the result has it, then what has to hold and how it was made."""
    result = compared(baseline="old", treatment="new", metric="f1")
    text = to_markdown(result)
    assert text.startswith(escape_markdown(result.wording))
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE))
    assert rows["Mean of new"] == f"{result.treatment_mean:.4g}"
    assert rows["Mean of old"] == f"{result.baseline_mean:.4g}"
    assert rows["Difference, 95 % interval"] == "+0.107 (+0.085 to +0.129)"
    assert result.interval.low == pytest.approx(0.085, abs=5e-4)
    assert rows["Degrees of freedom"] == "11"
    assert rows["n"] == "12 pairs"
    assert rows["Verdict at alpha = 0.05"] == "difference found"
    assert rows["p"] == "< 0.0001"
    for line in (*result.assumptions, result.method):
        assert escape_markdown(line) in text
    assert f"numpy {result.versions['numpy']}" in text


def test_level_and_alpha_come_from_the_result() -> None:
    """Nothing is hard-coded: another level, another alpha, another count stand there as they are."""
    base = [0.1, 0.5, 0.3, 0.9, 0.4]
    result = stats.compare_paired(base, [0.2, 0.4, 0.5, 0.9, 0.3], alpha=0.01, level=0.9)
    text = to_markdown(result)
    assert "90 % interval" in text
    assert "alpha = 0.01" in text
    assert "95 %" not in text
    assert "0.05" not in text.replace("0.050", "")


def test_several_comparisons_are_one_table_and_corrected() -> None:
    """Three uncorrected results: one row each, Holm's p-values beside the others, and the verdict is of those."""
    results = [compared(0.1, treatment="a"), compared(0.01, treatment="b"), compared(-0.004, treatment="c")]
    told = json.loads(to_json(results))
    expected = stats.correct([one.p for one in results], "holm")
    assert [one["p_adjusted"] for one in told] == pytest.approx(expected, rel=1e-12)
    assert {one["correction"] for one in told} == {"holm"}
    assert [one["comparisons"] for one in told] == [3, 3, 3]
    text = to_markdown(results)
    assert "| p | p (Holm) | Difference found |" in text
    assert text.count("\n| :--") == 1
    assert "Holm correction for 3 comparisons." in text
    assert len(re.findall(r"^\| [abc] − baseline ", text, re.MULTILINE)) == 3


def test_results_that_are_corrected_come_as_they_are() -> None:
    """What compare_groups corrected is not corrected twice, and another correction can be named."""
    results = [compared(0.1), compared(0.01)]
    by_bonferroni = json.loads(to_json(results, correction="bonferroni"))
    again = [TestResult.from_dict(one) for one in by_bonferroni]
    assert json.loads(to_json(again, correction="holm")) == by_bonferroni


def test_uncorrected_results_say_so() -> None:
    """With `none` the table says that several p-values stand there uncorrected; a lone one needs no such words."""
    text = to_markdown([compared(0.1), compared(0.01)], correction="none")
    assert "The p-values are not corrected for there being 2 comparisons." in text
    assert "p (" not in text.replace("p (95", "")
    assert "not corrected" not in to_markdown(compared())


def test_partly_corrected_results_are_counted() -> None:
    """A mixture is left alone, and how many are not corrected is said."""
    half = msgspec.structs.replace(compared(0.1), p_adjusted=0.01, correction="holm", comparisons=2)
    assert "1 of the 2 p-values are not corrected" in to_markdown([half, compared(0.01)])


def test_no_difference_is_not_worded_as_equality() -> None:
    """No format adds a word that the result did not say."""
    result = stats.compare_paired([0, 1, 0, 1, 1, 0, 0, 1], [1, 1, 0, 1, 0, 0, 0, 1])
    for text in (to_markdown(result), to_html(result), to_latex(result)):
        assert "no difference found" in text
        for word in ("equal to", "identical", "no effect", "are the same"):
            assert word not in text


def test_groups_have_all_their_tables() -> None:
    """Each group, the test of all at once, the corrected pairs, and a sentence for every test."""
    columns = {
        "old": [2.13, 2.46, 2.63, 2.95, 3.25, 2.32],
        "new": [2.30, 1.84, 1.96, 1.90, 2.28, 2.42],
        "tiny": [1.11, 1.42, 1.38, 1.02, 1.75, 1.29],
    }
    found = stats.compare_groups(columns)
    text = to_markdown(found)
    for caption in ("**Groups**", "**All groups at once**", "**Comparisons**"):
        assert caption in text
    assert text.count("p (Holm)") == 1
    sentences = [one.wording for one in (*found.omnibus, *found.contrasts)]
    for sentence in sentences:
        assert f"- {escape_markdown(sentence)}\n" in text
    markup = Reader(to_html(found))
    assert markup.tags.count("table") == 3
    assert "tiny − old" in markup.cells


def test_what_was_not_tested_says_why() -> None:
    """A contrast without a test is a row that says so, and its reason is told."""
    found = stats.compare_groups({"a": {"1": 1.0, "2": 0.0}, "b": {"1": 1.0, "3": 1.0}})
    text = to_markdown(found)
    assert "not tested" in text
    assert escape_markdown(found.contrasts[0].wording) in text


class Planned(msgspec.Struct, frozen=True):
    """A result of a kind that the renderers have never heard of."""

    design: str
    n: int
    power: float
    interval: Interval
    unreached: float | None
    curve: tuple[dict[str, float], ...]
    wording: str = "Forty items find a difference of 0.3 in four of five cases."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return msgspec.to_builtins(self)


def test_any_struct_with_a_sentence_and_fields_is_shown() -> None:
    """A sibling needs only `wording` and `to_dict`: scalars are facts, an interval has its level, a list is a table."""
    planned = Planned(
        "paired",
        40,
        0.8,
        Interval(0.75, 0.85, 0.99, "simulated"),
        None,
        ({"n": 20, "power": 0.5}, {"n": 40, "power": 0.8}),
    )
    text = to_markdown(planned)
    assert text.startswith("Forty items find")
    assert "| Power | 0.8 |" in text
    assert "| Interval | 0.75 to 0.85 (99 %) |" in text
    assert "| n | Power |\n| --: | --: |\n| 20 | 0.5 |\n| 40 | 0.8 |" in text
    assert "Unreached" not in text
    assert json.loads(to_json(planned))["power"] == 0.8


def test_a_stored_result_is_shown_like_the_live_one() -> None:
    """What `to_dict` returned can be told in place of the result."""
    result = compared()
    assert to_html(result.to_dict()) == to_html(result)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_labels_can_only_be_shown(text: str) -> None:
    """In HTML no element or attribute comes of a label, in Markdown no cell, in JSON it comes back as it was."""
    result = compared(baseline=text, treatment=f"{text} 2", metric=text, failures=text)
    plain = Reader(to_html(compared(failures="x")))
    markup = Reader(to_html(result))
    assert markup.tags == plain.tags
    assert markup.attributes == plain.attributes or [name for name, _ in markup.attributes] == [
        name for name, _ in plain.attributes
    ]
    assert any(visible(text) in cell for cell in markup.cells)
    rows = [line for line in to_markdown([result, result]).splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert json.loads(to_json(result))["baseline"] == text


@settings(deadline=None)
@given(anything)
def test_any_label_survives_every_format(text: str) -> None:
    """Whatever a label is, every format can be encoded, HTML holds it as text, and LaTeX stays balanced."""
    result = compared(baseline=text)
    for written in (to_markdown(result), to_html(result), to_latex(result), to_json(result)):
        written.encode("utf-8")
    assert any(visible(text).strip() in cell for cell in Reader(to_html(result)).cells)
    body = re.sub(r"\\[\\{}]", "", escape_latex(text))
    assert body.count("{") == body.count("}")


def test_html_is_a_fragment_that_asks_for_nothing() -> None:
    """One div with headed tables: rows and columns have scopes, and no address, script or handler stands in it."""
    markup = to_html([compared(0.1), compared(0.01)])
    reader = Reader(markup)
    assert markup.startswith('<div class="crucible-told">')
    assert markup.endswith("</div>\n")
    scopes = [value for name, value in reader.attributes if name == "scope"]
    assert scopes.count("row") == 2
    assert scopes.count("col") == reader.tags.count("th") - 2 > 5
    for word in ("http", "url(", "@import", "<script", "src=", "href", " on"):
        assert word not in markup.replace(" on score", "").replace(" on the", "")


def test_latex_has_booktabs_rules_and_balanced_environments() -> None:
    """Every begin has its end, and the rules are those of booktabs."""
    written = to_latex([compared(0.1), compared(0.01)])
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert rule in written
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", written) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended)
    assert r"\usepackage{booktabs}" in written


def test_a_wide_latex_table_goes_on_below_itself() -> None:
    """Every part repeats the first column, and no part is wider than a line of text."""
    results = [compared(0.1, treatment="a-model-with-a-name"), compared(0.01, treatment="another-model", metric="f1")]
    written = to_latex(results)
    assert written.count(r"\begin{tabular}") > 1
    assert written.count("Comparison &") == written.count(r"\begin{tabular}")


def compile_latex(folder: Path, body: str) -> str:
    """Compile a document with the tables in it, and return the log."""
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("no pdflatex on the PATH: apt-get install texlive-latex-recommended")
    document = "\\documentclass{article}\\usepackage{booktabs}\\usepackage{array}\n\\begin{document}\n"
    (folder / "a.tex").write_text(f"{document}{body}\n\\end{{document}}\n", encoding="utf-8")
    done = subprocess.run(
        [program, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "a.tex"],
        cwd=folder,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    return (folder / "a.log").read_text(encoding="utf-8", errors="replace")


def test_latex_compiles_whatever_the_labels(tmp_path: Path) -> None:
    """A real pdflatex takes one result, several, and groups with hostile names, and no line is too wide by much."""
    hostile = [compared(0.1, treatment=text, metric=text[:8]) for text in HOSTILE]
    groups = stats.compare_groups({"a_1": [1.0, 2, 3, 5], "b&c": [2.0, 3, 4, 9], "d%": [1.0, 1, 2, 2]})
    log = compile_latex(tmp_path, "\n".join([to_latex(compared()), to_latex(hostile), to_latex(groups)]))
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert all(points < 15 for points in wide), wide
    assert "passwd" not in re.sub(r"textbackslash.*", "", log)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1100, 420])
def test_html_in_a_browser(chromium: str, tmp_path: Path, width: int) -> None:
    """Nothing is asked for, nothing complained of; the page never scrolls sideways, a wide table does inside itself."""
    body = to_html([compared(0.1, treatment="a" * 60), compared(0.01, metric="f1")]) + to_html(compared())
    path = tmp_path / "told.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{body}", encoding="utf-8")
    requests: list[str] = []
    messages: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_role("table", name="2 comparisons").is_visible()
        assert page.get_by_role("rowheader", name="Effect").is_visible()
        page.locator("summary").first.click()
        assert page.get_by_text("Each interval holds for its comparison alone.").is_visible()
        browser.close()
    assert requests == [path.as_uri()]
    assert messages == []


def test_json_reads_back() -> None:
    """One object of one line, or indented; `from_dict` returns the same result."""
    result = compared(metric="Ünïcode \ud800")
    text = to_json(result)
    assert text.count("\n") == 0
    assert TestResult.from_dict(json.loads(text)) == result
    assert to_json(result, indent=1).count("\n") > 10


def test_numbers_that_json_has_no_word_for_are_refused() -> None:
    """NaN is an error and never a null."""
    with pytest.raises(StatsError, match="cannot be written as JSON"):
        to_json({"wording": "x", "p": float("nan")})


def test_nothing_to_tell_is_an_error() -> None:
    """An empty list, a thing without fields, and an unknown correction are named."""
    with pytest.raises(StatsError, match="the list is empty"):
        to_markdown([])
    with pytest.raises(StatsError, match="a int cannot be told"):
        to_markdown(3)  # type: ignore[arg-type]
    with pytest.raises(StatsError, match='unknown correction "hulm"'):
        to_html([compared(), compared(0.2)], correction="hulm")


def test_a_caption_of_ones_own() -> None:
    """The first table is called as the caller says."""
    assert "**Table for the paper**" in to_markdown([compared(), compared(0.2)], caption="Table for the paper")
    assert r"\caption{Table \& more}" in to_latex(compared(), caption="Table & more")


def test_counts_of_both_sides_have_a_table_of_their_own() -> None:
    """Attempted, scored, failed and skipped stand by condition, not in one long line."""
    counts = {f"{side}_{kind}": n for side in ("baseline", "treatment") for kind, n in
              (("attempted", 12), ("scored", 11), ("failed", 1), ("skipped", 0))}  # fmt: skip
    result = compared(baseline="old", treatment="new")
    text = to_markdown(msgspec.structs.replace(result, counts={**result.counts, **counts}))
    assert "| Condition | Attempted | Scored | Failed | Skipped |" in text
    assert "| old | 12 | 11 | 1 | 0 |" in text
    assert "baseline attempted" not in text


def test_a_notebook_shows_results_as_tables() -> None:
    """Jupyter asks for HTML or Markdown of what a cell returns: it gets what `to_html` and `to_markdown` write."""
    result = compared()
    groups = stats.compare_groups({"a": [1.0, 2.0, 3.0], "b": [2.0, 3.5, 4.0], "c": [1.0, 1.5, 2.0]})
    for one in (result, groups, groups.omnibus[0], stats.tost([1.0, 2.0, 3.0], [1.5, 2.0, 3.5], margin=2.0)):
        assert one._repr_html_() == to_html(one)  # type: ignore[union-attr]
        assert one._repr_markdown_() == to_markdown(one)  # type: ignore[union-attr]


def test_equivalence_keeps_its_own_verdict() -> None:
    """A test against a margin is told in its own words, also beside a test of difference."""
    shown = stats.tost([1.0, 2.0, 3.0, 4.0], [1.1, 2.05, 2.9, 4.1], margin=1.0, paired=True)
    text = to_markdown([shown, compared()])
    assert "| equivalence shown |" in text
    assert "| difference found |" in text
    assert "Margin" in to_markdown(shown)
