"""What a document's `evaluate` stages will leave for its `bench` stage: labels, scorers, policies for failures.

Read from the document alone, so that a mistyped label is found before anything is trained. Where a stage that this
module does not know stands before the comparison, it may leave scores too, and nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from crucible.ir import Experiment, StageDef, did_you_mean
from crucible.stats.plan import BenchOptions

__all__ = ["Announced", "announced", "disagreement", "problems"]

_KNOWN = frozenset({"validate", "data_load", "supervised_train", "train", "evaluate", "bench", "report"})


class Announced(msgspec.Struct):
    """One evaluation that the document asks for.

    Args:
        scorers: Metrics that its scores will have.
        failures: Its policy for failed items.
    """

    scorers: tuple[str, ...]
    failures: str


def announced(experiment: Experiment, stage: str = "bench") -> dict[str, Announced] | None:
    """Return the evaluations that come before the first enabled `stage`, by label.

    Returns:
        None where the document does not tell: it has no `evaluate` stage, or another stage may leave scores as well.
    """
    enabled = [definition for definition in experiment.pipeline if definition.enabled]
    before = enabled[: next((i for i, definition in enumerate(enabled) if definition.name == stage), len(enabled))]
    if all(definition.name != "evaluate" for definition in enabled) or any(d.name not in _KNOWN for d in before):
        return None
    found: dict[str, Announced] = {}
    for definition in before:
        if definition.name == "evaluate":
            label, evaluation = _read(definition)
            found.setdefault(label, evaluation)
    return found


def problems(options: BenchOptions, evaluations: dict[str, Announced]) -> list[tuple[str, str]]:
    """Return labels and metrics that no evaluation will have, and policies that disagree, as (path, message)."""
    found: list[tuple[str, str]] = []
    for i, contrast in enumerate(options.contrasts):
        metric, place = options.metric_of(contrast), f"contrasts[{i}].metric" if contrast.metric else "metric"
        for side, label in (("baseline", contrast.baseline), ("treatment", contrast.treatment)):
            if label not in evaluations:
                have = ", ".join(evaluations) or "none"
                hint = did_you_mean(label, evaluations)
                message = f'no evaluation before this stage is labelled "{label}"{hint}; they are: {have}'
                found.append((f"contrasts[{i}].{side}", message))
            elif metric not in (scorers := evaluations[label].scorers):
                hint = did_you_mean(metric, scorers)
                message = f'the evaluation "{label}" does not score "{metric}"{hint}; it scores: {", ".join(scorers)}'
                found.append((place, message))
    policies = {label: evaluations[label].failures for label in options.labels if label in evaluations}
    if options.failures is None and (message := disagreement(policies)):
        found.append(("failures", message))
    return list(dict.fromkeys(found))


def disagreement(policies: dict[str, str]) -> str:
    """Return what to do where evaluations treat failed items differently; empty if they agree."""
    if len(set(policies.values())) < 2:
        return ""
    listed = ", ".join(f"{label}: {policy}" for label, policy in policies.items())
    return (
        f"the evaluations treat failed items differently ({listed}); choose exclude, zero or abort for the comparison"
    )


def _read(definition: StageDef) -> tuple[str, Announced]:
    """Return label and content of an `evaluate` stage; a value of a wrong type is for that stage to refuse."""
    options = definition.options or {}
    label = options.get("label") or options.get("model") or "base"
    scorers: Any = options.get("scorers")
    names = cast("Iterable[Any]", scorers) if isinstance(scorers, list | tuple) else ("exact_match",)
    return str(label), Announced(tuple(map(str, names)), str(options.get("failures") or "exclude"))
