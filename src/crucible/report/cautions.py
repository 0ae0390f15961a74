"""What a reader has to know before relying on the scores: counted facts of the run, in words, worst first."""

from __future__ import annotations

from collections.abc import Iterator

from crucible.report import _reading as reading
from crucible.report import number, wording
from crucible.report.findings import Evaluation
from crucible.report.results import Results, Training

__all__ = ["cautions"]

_FOUND = {"data_checks": ("issues", "missing_required"), "guardrails": ("violations",)}
_NOUNS = {"data_checks": "issue", "guardrails": "violation"}


def cautions(results: Results) -> list[str]:
    """Return one sentence for each thing that could mislead; empty if the run recorded none."""
    found = [*_memorised(results), *_overlap(results), *_checks(results)]
    for evaluation in results.evaluations:
        found += _evaluation(evaluation)
    for training in results.training:
        found += _training(training)
    return found


def _memorised(results: Results) -> Iterator[str]:
    trained = {training.model: reading.text(training.facts.get("dataset_role")) for training in results.training}
    for evaluation in results.evaluations:
        role = reading.text(evaluation.generation.get("dataset_role"))
        model = reading.text(evaluation.generation.get("model")) or evaluation.label
        if role is not None and trained.get(model) == role:
            which = model if model == evaluation.label else f"{evaluation.label} ({model})"
            items = wording.role_words(role)
            yield f"{which} was trained on the {items} and is evaluated on them: its scores may show memory, not skill."


def _overlap(results: Results) -> Iterator[str]:
    overlap = reading.whole(results.data.get("overlap"))
    if not overlap or results.data.get("on_overlap") == "drop":
        return
    items = next((reading.whole(part.facts.get("items")) for part in results.datasets if part.role == "test"), None)
    of = f" of {number.count(items)}" if items is not None else ""
    yield f"{number.count(overlap)}{of} test items are also training items: scores on them may show memory, not skill."


def _checks(results: Results) -> Iterator[str]:
    for name, value in results.other.items():
        facts = reading.mapping(value)
        kind = name.partition(".")[0]
        found = next((count for key in _FOUND.get(kind, ()) if (count := reading.whole(facts.get(key)))), 0)
        total = reading.whole(facts.get("total"))
        among = f" among {number.count(total)} items" if total is not None else ""
        if found:
            yield f"{name}: {number.count(found)} {_NOUNS[kind]}{'' if found == 1 else 's'}{among}."
        if kind in _FOUND:
            yield from (
                f"{name}: {line}." for line in map(reading.text, reading.listing(facts.get("cautions"))) if line
            )


def _evaluation(evaluation: Evaluation) -> Iterator[str]:
    for score in evaluation.scores:
        if score.failed:
            of = f" of {number.count(score.attempted)}" if score.attempted is not None else ""
            what = f"count as 0 in {score.scorer}" if score.zeroed else f"have no {score.scorer}"
            yield f"{evaluation.label}: {number.count(score.failed)}{of} items failed and {what}."
    facts = evaluation.generation
    items = reading.whole(facts.get("items"))
    of = f" of {number.count(items)}" if items is not None else ""
    if cut := reading.whole(facts.get("cut_answers")):
        limit = reading.whole(facts.get("max_tokens"))
        at = f" at {number.count(limit)} tokens" if limit is not None else ""
        yield f"{evaluation.label}: {number.count(cut)}{of} answers were cut off{at}."
    if truncated := reading.whole(facts.get("truncated_prompts")):
        yield f"{evaluation.label}: {number.count(truncated)}{of} prompts were cut to fit the model's window."


def _training(training: Training) -> Iterator[str]:
    if truncated := reading.whole(training.facts.get("truncated")):
        yield f"{training.model}: {number.count(truncated)} training items were cut to fit the model's window."
    if refused := reading.whole(training.facts.get("refused")):
        yield f"{training.model}: {number.count(refused)} training items were left out, too long for the window."
