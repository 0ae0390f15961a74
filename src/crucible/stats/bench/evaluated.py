"""Evaluated models on the same items, from the files of scores that evaluations left in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from crucible.errors import ContractError, StatsError
from crucible.ir import did_you_mean
from crucible.pipeline import Context
from crucible.stats.bench.announced import PREFIX, disagreement
from crucible.stats.bench.contrast import Sides
from crucible.stats.bench.plan import BenchOptions, Contrast
from crucible.stats.bench.scores import (
    FailurePolicy,
    Repeated,
    ScoredItem,
    check_same_items,
    failed_repeats,
    outcomes_of,
    read_items,
)
from crucible.stats.comparing.sides import pair_scores
from crucible.stats.wording import show_count

__all__ = ["failures_of", "sides_of"]


def sides_of(context: Context, options: BenchOptions, failures: FailurePolicy) -> list[Sides]:
    """Return both sides of each contrast, paired by item id.

    Raises:
        ContractError: A label was not evaluated, or two evaluations are not of the same items.
        StatsError: Items are on one side only, lack the metric, or failed under `abort`; with the contrast.
        StoreError: A file of scores cannot be read.
    """
    known = [name.removeprefix(PREFIX) for name in context.artifacts if name.startswith(PREFIX)]
    for label in options.labels:
        if label not in known:
            have = ", ".join(known) or "none"
            raise ContractError(f'no evaluation is labelled "{label}"{did_you_mean(label, known)}; evaluated: {have}')
    items = {label: read_items(context.artifact_path(f"{PREFIX}{label}")) for label in options.labels}
    return [_sides(one, items, options.metric_of(one), failures) for one in options.contrasts or ()]


def failures_of(context: Context, options: BenchOptions) -> FailurePolicy:
    """Return the policy that the stage was told, else the one that the evaluations have; `exclude` where none says.

    Raises:
        ContractError: The evaluations treat failed items differently.
    """
    if options.failures is not None:
        return FailurePolicy(options.failures)
    policies: dict[str, str] = {}
    for label in options.labels:
        for summary in _mapping(context.metrics.get(f"evaluate.{label}")).values():
            if "failures" in (found := _mapping(summary)):
                policies[label] = str(found["failures"])
    if message := disagreement(policies):
        raise ContractError(f"failures: {message}")
    return FailurePolicy(next(iter(policies.values()), FailurePolicy.EXCLUDE))


def _sides(asked: Contrast, items: dict[str, dict[str, ScoredItem]], metric: str, failures: FailurePolicy) -> Sides:
    names = (asked.baseline, asked.treatment)
    check_same_items(items[names[0]], items[names[1]], names)
    try:
        columns = [outcomes_of(items[label], metric, label, failures) for label in names]
        scores = pair_scores(columns[0], columns[1], failures, names)
    except StatsError as error:
        raise type(error)(f"{asked.treatment} vs {asked.baseline} on {metric}: {error}") from error
    if lost := sum(failed_repeats(items[label], metric) for label in names):
        clauses = filter(None, (scores.failures, _repeats_that_failed(lost, failures)))
        scores = msgspec.structs.replace(scores, failures=" and ".join(clauses))
    repeated = any(isinstance(item, Repeated) for label in names for item in items[label].values())
    return Sides(*names, metric, scores, paired=True, is_share=not repeated)


def _repeats_that_failed(lost: int, failures: FailurePolicy) -> str:
    if failures is FailurePolicy.ZERO:
        fates = "counts as 0 in the mean of its item", "count as 0 in the means of their items"
    else:
        fates = "was left out", "were left out"
    return show_count(lost, f"repeat of an item failed and {fates[0]}", f"repeats of items failed and {fates[1]}")


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
