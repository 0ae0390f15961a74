"""What the stage `evaluate` adds to its scores: classes told apart, and targets met or missed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import Field

from crucible import events
from crucible.data.classification import Classification, classify_answers, expected_classes, label_problem
from crucible.data.classification.telling import facts_of
from crucible.data.dataset import Dataset
from crucible.data.evaluating.result import EvalResult
from crucible.data.quality import QualityReport, assess, known_figures, measured
from crucible.errors import DataError
from crucible.ir import Model, Seq, did_you_mean

__all__ = ["ClassOptions", "check_classes", "class_metrics", "quality_facts", "quality_problems", "told_classes"]


class ClassOptions(Model):
    """The answers are classes, to be counted by precision, recall and F1."""

    labels: Seq[str] | None = Field(
        default=None, min_length=1, description="The classes; default: those that the expected answers are."
    )
    field: str | None = Field(
        default=None, min_length=1, description="Field of a JSON answer that holds the class; default: its text."
    )


def quality_problems(
    scorers: tuple[str, ...], classes: ClassOptions | None, targets: dict[str, float] | None
) -> Iterator[tuple[str, str]]:
    """Yield what of the options could never be decided, as (path, what to do)."""
    if classes is not None and classes.labels is not None and len(set(classes.labels)) < len(classes.labels):
        yield "classes.labels", "names a class twice"
    elif classes is not None and (problem := label_problem(classes.labels or ())) is not None:
        yield "classes.labels", problem
    known = {*known_figures(scorers, classes=classes is not None)}
    other = {f"mean_{name}" for name in scorers} | {f"{name}_rate" for name in scorers}
    macro = {f"macro_{name}" for name in ("precision", "recall", "f1")} if classes is not None else set[str]()
    for name in targets or {}:
        if name in known | other | macro:
            continue
        asks_for_classes = name in known_figures((), classes=True) or name.startswith("macro_")
        hint = did_you_mean(name, sorted(known | other | macro))
        more = "; it is a figure of classes: add the option classes" if asks_for_classes else hint
        yield "quality_targets", f'"{name}" is not measured{more}; measured are: {", ".join(sorted(known))}'


def check_classes(classes: ClassOptions, dataset: Dataset) -> None:
    """Refuse expected answers that are no classes, before anything is asked.

    Raises:
        DataError: An expected answer is no class, or the classes cannot be told apart.
    """
    expected_classes(dataset, labels=classes.labels, field=classes.field)


def told_classes(
    classes: ClassOptions, dataset: Dataset, result: EvalResult, *, level: float, seed: int
) -> Classification:
    """Return how well the answers tell the classes of their items; of several answers to an item the first counts.

    Raises:
        DataError: No item has a class and an answer, or an expected answer is no class.
    """
    by_id = {item.id: item for item in dataset}
    first = [(by_id[each.id], each.output) for each in result.items if each.repeat == 0]
    items, outputs = [item for item, _ in first], [output for _, output in first]
    return classify_answers(items, outputs, labels=classes.labels, field=classes.field, level=level, seed=seed)


def class_metrics(label: str, found: Classification | None) -> dict[str, Any]:
    """Return the metrics that the run keeps of it."""
    return {} if found is None else {f"classification.{label}": facts_of(found)}


def quality_facts(
    label: str,
    result: EvalResult,
    classification: Classification | None,
    targets: dict[str, float] | None,
    *,
    fails: bool,
) -> dict[str, Any]:
    """Return how the evaluation stands with its targets, as metrics of the run, and say so.

    Raises:
        DataError: One is missed, and `fails`.
    """
    if not targets:
        return {}
    report = assess(targets, measured(result.summaries, classification))
    events.decision(
        report.summary,
        report.words(),
        metadata={"model": label, "missed": [each.metric for each in report.missed]},
    )
    if fails and not report.passed:
        where = f"; its scores are in {result.record}" if result.record else ""
        raise DataError(f"{label}: {report.summary}: {report.words()} (on_missed_target: fail){where}")
    return {f"quality.{label}": _facts(report)}


def _facts(report: QualityReport) -> dict[str, Any]:
    targets: list[dict[str, Any]] = []
    for each in report.assessments:
        fields: dict[str, Any] = msgspec.to_builtins(each)
        fields.pop("interval", None)  # it stands beside its figure
        targets.append(fields)
    return {
        "passed": report.passed,
        "summary": report.summary,
        "recommendations": list(report.recommendations),
        "targets": targets,
    }
