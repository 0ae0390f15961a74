"""What the stages before a comparison say that they will leave: labels, scorers, policies for failures.

Read from the document alone, so that a mistyped label is found before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from crucible.ir import Experiment, did_you_mean
from crucible.pipeline import announced, current_registry
from crucible.stats.bench.plan import BenchOptions

__all__ = ["PREFIX", "Evaluation", "disagreement", "evaluations_before", "problems", "read_evaluations"]

PREFIX = "scores."
"""What the names of scores begin with; the label follows."""


class Evaluation(msgspec.Struct, frozen=True):
    """Scores that the document asks for.

    Args:
        scorers: Metrics that they will have; None where the stage does not say.
        failures: Policy for failed items; None where the stage does not say.
    """

    scorers: tuple[str, ...] | None = None
    failures: str | None = None


def evaluations_before(experiment: Experiment, stage: str) -> dict[str, Evaluation] | None:
    """Return the scores that will be there before the first enabled `stage`, by label.

    Returns:
        None where a stage before it does not say what it leaves.
    """
    places = [i for i, entry in enumerate(experiment.pipeline) if entry.enabled and entry.name == stage]
    left = announced(experiment, current_registry(), places[0] if places else len(experiment.pipeline))
    return None if left is None else read_evaluations(left)


def read_evaluations(left: Mapping[str, Any]) -> dict[str, Evaluation]:
    """Return the scores among what stages leave, such as `{"scores.base": {"scorers": ["f1"]}}`, by label."""
    return {name.removeprefix(PREFIX): _read(told) for name, told in left.items() if name.startswith(PREFIX)}


def problems(options: BenchOptions, evaluations: Mapping[str, Evaluation]) -> list[tuple[str, str]]:
    """Return labels and metrics that no evaluation will have, and policies that disagree, as (path, message)."""
    found: list[tuple[str, str]] = []
    for i, contrast in enumerate(options.contrasts or ()):
        metric, place = options.metric_of(contrast), f"contrasts[{i}].metric" if contrast.metric else "metric"
        for side, label in (("baseline", contrast.baseline), ("treatment", contrast.treatment)):
            if label not in evaluations:
                have = ", ".join(evaluations) or "none"
                hint = did_you_mean(label, evaluations)
                message = f'no evaluation before this stage is labelled "{label}"{hint}; they are: {have}'
                found.append((f"contrasts[{i}].{side}", message))
            elif (scorers := evaluations[label].scorers) is not None and metric not in scorers:
                hint = did_you_mean(metric, scorers)
                message = f'the evaluation "{label}" does not score "{metric}"{hint}; it scores: {", ".join(scorers)}'
                found.append((place, message))
    told = {label: evaluations[label].failures for label in options.labels if label in evaluations}
    policies = {label: policy for label, policy in told.items() if policy is not None}
    if options.failures is None and (message := disagreement(policies)):
        found.append(("failures", message))
    return list(dict.fromkeys(found))


def disagreement(policies: Mapping[str, str]) -> str:
    """Return what to do where evaluations treat failed items differently; empty if they agree."""
    if len(set(policies.values())) < 2:
        return ""
    listed = ", ".join(f"{label}: {policy}" for label, policy in policies.items())
    return (
        f"the evaluations treat failed items differently ({listed}); choose exclude, zero or abort for the comparison"
    )


def _read(told: object) -> Evaluation:
    facts: Mapping[str, Any] = cast("Mapping[str, Any]", told) if isinstance(told, Mapping) else {}
    scorers, failures = facts.get("scorers"), facts.get("failures")
    return Evaluation(
        None if scorers is None else tuple(map(str, scorers)), None if failures is None else str(failures)
    )
