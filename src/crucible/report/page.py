"""The report as one HTML file: no script, no request to anywhere, a policy that forbids both.

Only draws; what a table or a sentence says is decided elsewhere. Every text passes through `markup.escape`. Charts
stand in the page twice, drawn for a wide and for a narrow screen, and the style sheet shows one of them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib import resources

from crucible.report import number, wording
from crucible.report.answers import clip
from crucible.report.findings import Contrast, Unit
from crucible.report.forest_chart import Estimate, ForestAxis, difference_estimates, forest_chart, score_estimates
from crucible.report.glossary import ABSENT_NOTE, SYNTHETIC_NOTE, terms
from crucible.report.html_table import bullets, html_table
from crucible.report.loss_chart import loss_chart
from crucible.report.outline import Section, SectionKey, sections
from crucible.report.results import Results, SampleItem
from crucible.stats.rendering.markup import Markup, element

__all__ = ["render_html"]

_WIDTHS = (920, 360)  # px; each chart is drawn for a wide and for a narrow screen


def render_html(results: Results) -> str:
    """Return the whole page."""
    style = _style()
    drawn = [(section, body) for section in sections(results) if (body := _section(section, results)) is not None]
    title = f"{results.experiment_id} · Crucible report" + (f" · {wording.SYNTHETIC}" if results.synthetic else "")
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Markup(style)),
    ]
    main = element("main", *(body for _, body in drawn))
    body = [_header(results, [section for section, _ in drawn]), main, _footer(results)]
    page = element("html", element("head", *head), element("body", *body), lang="en")
    return f"<!doctype html>\n{page}\n"


@cache
def _style() -> str:
    return resources.files("crucible.report").joinpath("page.css").read_text(encoding="utf-8")


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _section(section: Section, results: Results) -> Markup | None:
    before = _BEFORE.get(section.key, _nothing)(results)
    after = _AFTER.get(section.key, _nothing)(results)
    parts = [*before, *map(html_table, section.tables), *after]
    if not parts:
        return None
    heading = element("h2", section.title, id=section.key)
    return element("section", heading, *parts, aria_labelledby=section.key)


def _header(results: Results, drawn: list[Section]) -> Markup:
    parts = [
        element("p", "Experiment report", class_="kicker"),
        element("h1", results.experiment_id),
        *([element("p", results.description, class_="lead")] if results.description else []),
        element("p", wording.tool_line(results), class_="quiet"),
    ]
    if results.synthetic:
        words = element("p", element("strong", wording.SYNTHETIC), SYNTHETIC_NOTE)
        parts.append(element("div", words, class_="stamp", role="note", aria_label="Synthetic data"))
    names = [*((section.key, section.title) for section in drawn), ("terms", "Terms")]
    links = [element("li", element("a", title, href=f"#{key}")) for key, title in names]
    parts.append(element("nav", element("ul", *links), aria_label="Sections"))
    return element("header", *parts)


def _footer(results: Results) -> Markup:
    entries = [part for term, meaning in terms(results) for part in (element("dt", term), element("dd", meaning))]
    heading = element("h2", "Terms", id="terms")
    words = [element("dl", *entries, class_="terms")] if entries else []
    return element("footer", heading, *words, element("p", ABSENT_NOTE, class_="quiet"))


def _verdict(results: Results) -> list[Markup]:
    groups = [element("p", wording.tied(sentence)) for sentence in wording.group_sentences(results)]
    return [*groups, *(_contrast(contrast) for contrast in results.contrasts), *_cautions(results)]


def _cautions(results: Results) -> list[Markup]:
    if not results.cautions:
        return []
    return [element("h3", wording.CAUTIONS), element("ul", *(element("li", line) for line in results.cautions))]


def _contrast(contrast: Contrast) -> Markup:
    class_ = "verdict is-difference" if contrast.verdict == "difference" else "verdict"
    name = [element("p", contrast.name, class_="kicker")] if wording.is_named(contrast) else []
    return element(
        "div", *name, element("h3", contrast.headline), element("p", wording.tied(contrast.sentence)), class_=class_
    )


def _forests(results: Results) -> list[Markup]:
    figures: list[Markup] = []
    scorers = dict.fromkeys(score.scorer for evaluation in results.evaluations for score in evaluation.scores)
    for index, scorer in enumerate(sorted(scorers, key=lambda name: name != results.metric)):
        found = [s for e in results.evaluations for s in e.scores if s.scorer == scorer]
        unit: Unit = "fraction" if any(score.unit == "fraction" for score in found) else "value"
        axis = ForestAxis(f"{scorer} by model", f"{scorer}, %" if unit == "fraction" else scorer, unit)
        zeroed = ", failed ones counted as 0" if any(score.zeroed for score in found) else ""
        span = number.interval_words(score.interval for score in found)
        caption = f"Dot: mean over the scored items{zeroed}; line: its {span}."
        figures += _forest(score_estimates(results, scorer), axis, caption, f"forest-{index}", results)
    metrics = list(dict.fromkeys(contrast.metric for contrast in results.contrasts))
    for index, metric in enumerate(metrics):
        contrasts = [contrast for contrast in results.contrasts if contrast.metric == metric]
        unit = contrasts[0].unit
        words = "percentage points" if unit == "fraction" else metric or "score"
        where = f" in {metric}" if len(metrics) > 1 else ""
        name = f"Differences{where}, treatment minus baseline"
        axis = ForestAxis(name, f"difference, {words}", unit, is_difference=True)
        span = number.interval_words(contrast.interval for contrast in contrasts)
        caption = f"Dot: the difference, hollow where none was found; line: its {span}."
        figures += _forest(difference_estimates(contrasts), axis, caption, f"differences-{index}", results)
    return figures


def _forest(rows: list[Estimate], axis: ForestAxis, caption: str, key: str, results: Results) -> list[Markup]:
    stamp = wording.SYNTHETIC if results.synthetic else ""
    charts = [forest_chart(rows, axis, width=w, key=f"{key}-{w}", stamp=stamp) for w in _WIDTHS]
    return _figure(charts, axis.name, caption)


def _figure(charts: list[Markup | None], title: str, caption: str) -> list[Markup]:
    drawn = [chart for chart in charts if chart is not None]
    words = element("figcaption", element("strong", f"{title}."), f" {caption}")
    return [element("figure", *drawn, words)] if drawn else []


def _curves(results: Results) -> list[Markup]:
    stamp = wording.SYNTHETIC if results.synthetic else ""
    charts = [loss_chart(results.training, width=w, key=f"loss-{w}", stamp=stamp) for w in _WIDTHS]
    return _figure(charts, "Training loss by step", wording.loss_caption(results))


def _answers(results: Results) -> list[Markup]:
    if results.samples is None or not results.samples.items:
        return []
    return [element("p", results.samples.rule, class_="quiet"), *map(_item, results.samples.items)]


def _item(item: SampleItem) -> Markup:
    rows = [("Input", item.input, ""), ("Expected", item.expected, "")]
    rows += [(answer.label, wording.answer_text(answer), wording.score_line(answer)) for answer in item.answers]
    drawn = [_answer_row(name, text, note) for name, text, note in rows if text is not None]
    body = element("tbody", *drawn, role="rowgroup")
    caption = element("caption", f"Item {item.id}")
    return element("div", element("table", caption, body, role="table"), class_="table stacked answers item")


def _answer_row(name: str, text: str, note: str) -> Markup:
    words = element("pre", clip(text), class_="wrapped", dir="auto")
    under = element("span", note, class_="note") if note else Markup()
    head = element("th", name, scope="row", role="rowheader")
    return element("tr", head, element("td", words, under, role="cell"), role="row")


def _document(results: Results) -> list[Markup]:
    if not results.configuration:
        return []
    return [element("h3", wording.DOCUMENT), _scrolling(wording.document_text(results), "The experiment document")]


def _scrolling(text: str, label: str) -> Markup:
    return element("pre", text, class_="tall", tabindex=0, role="region", aria_label=label)


def _command(results: Results) -> list[Markup]:
    if not results.provenance.command:
        return []
    command = element("code", results.provenance.command)
    return [
        element("p", "Run this where the experiment's files are; one click selects the whole command."),
        element("pre", command, class_="command wrapped", tabindex=0, role="region", aria_label="Command"),
    ]


def _missing(results: Results) -> list[Markup]:
    return [bullets(results.missing)] if results.missing else []


def _nothing(_results: Results) -> list[Markup]:
    return []


_BEFORE: dict[SectionKey, Callable[[Results], list[Markup]]] = {
    "verdict": _verdict,
    "scores-and-differences": _forests,
    "training-loss": _curves,
    "answers": _answers,
    "reproduce": _command,
    "missing": _missing,
}
_AFTER: dict[SectionKey, Callable[[Results], list[Markup]]] = {"configuration": _document}
