"""Sentences that every format of a report says alike: captions, scores of an answer, headings of sections."""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from crucible.report import _reading as reading
from crucible.report import loss_curves as curves
from crucible.report import number
from crucible.report.findings import Contrast
from crucible.report.results import Answer, Results

__all__ = [
    "CAUTIONS",
    "DOCUMENT",
    "NOT_TESTED",
    "SYNTHETIC",
    "answer_text",
    "document_text",
    "group_sentences",
    "is_named",
    "loss_caption",
    "outcome_text",
    "role_words",
    "score_line",
    "tied",
    "tool_line",
]

SYNTHETIC = "SYNTHETIC DATA"
"""Stamp of a report on data that a generator made."""

NOT_TESTED = "No difference was tested in this run, so nothing here says that one is real."
"""The verdict of a run without a comparison."""

CAUTIONS = "Before you rely on these results"
"""Heading of the cautions."""

DOCUMENT = "The experiment document, defaults included, empty fields left out"
"""Heading of `document_text`."""


def group_sentences(results: Results) -> list[str]:
    """Return what the tests of all groups at once found, or that nothing was tested at all."""
    found = [test.wording or f"{test.test}: no sentence was recorded." for test in results.group_tests]
    return found or ([] if results.contrasts else [NOT_TESTED])


def is_named(contrast: Contrast) -> bool:
    """Tell whether a contrast has a name that says more than its two labels do."""
    pair = {f"{contrast.treatment} {word} {contrast.baseline}" for word in ("vs", "against", "-")}
    return contrast.name.removesuffix(f" on {contrast.metric}") not in pair


def tied(text: str) -> str:
    """Return `text` with no line end between a number and its unit, nor between p and its value."""
    return re.sub(r"(?<=\bp) ([<>=]) (?=\d)|(?<=[\d%]) (?=points|items|interval)", _no_break, text)


def _no_break(match: re.Match[str]) -> str:
    return match.group().replace(" ", "\N{NO-BREAK SPACE}")


def loss_caption(results: Results) -> str:
    """Return what the lines and markers of the loss chart are."""
    window = curves.mean_window(results.training)
    line = f"Faint lines: every step; strong lines: mean of {window} steps." if window > 1 else "Lines: every step."
    if any(curves.validations(model) for model in results.training):
        line += " Markers: loss on the validation items."
    if any(curves.kept_step(model) is not None for model in results.training):
        line += " Ring: the checkpoint that was kept and evaluated."
    if curves.is_logarithmic(results.training):
        line += " The loss axis is logarithmic."
    return line


def answer_text(answer: Answer) -> str:
    """Return an answer, or words in brackets where there is none or it is empty."""
    if answer.output is None:
        return "[no answer recorded]"
    return answer.output or "[empty answer]"


def score_line(answer: Answer) -> str:
    """Return every scorer's outcome for one answer, such as `exact_match 1, field_f1 1`."""
    return ", ".join(f"{name} {outcome_text(outcome)}" for name, outcome in answer.scores.items())


def outcome_text(outcome: dict[str, Any]) -> str:
    """Return one outcome: the value, or why there is none."""
    if outcome.get("kind") == "scored":
        return number.number(reading.real(outcome.get("value")))
    if outcome.get("kind") == "failed":
        return f"failed ({outcome.get('error', 'no reason recorded')})"
    if outcome.get("kind") == "skipped":
        return f"skipped ({outcome.get('reason', 'no reason recorded')})"
    return number.ABSENT


def role_words(role: str | None) -> str:
    """Return the items of one part of the data in words, such as `training items`."""
    return f"{'training' if role == 'train' else role or 'evaluated'} items"


def tool_line(results: Results) -> str:
    """Return who made the report and for which run."""
    version = results.provenance.versions.get("crucible")
    tool = f"Crucible {version}" if version else "Crucible"
    return f"{tool} · run {results.run_id}" if results.run_id else tool


def document_text(results: Results) -> str:
    """Return the experiment document as YAML, without its empty fields."""
    return yaml.safe_dump(
        _without_empty(results.configuration), sort_keys=False, allow_unicode=True, width=100
    ).rstrip()


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _without_empty(inner) for key, inner in fields.items() if inner not in (None, {}, [])}
    return [_without_empty(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value
