"""Are groups treated alike: `assess` is the front door, usable alone with columns that a caller has.

The counting is that of fairlearn's MetricFrame, and a test holds it to that. Intervals, tests and what is undefined
come from `crucible.stats` instead, for fairlearn (0.15) has bootstrap quantiles only, of zero width where every answer
is right, no test, and 0.0 for a rate of nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, cast

import msgspec

from crucible.data.fairness.gaps import gaps_of, rates_of
from crucible.data.fairness.measures import BINARY_METRICS, METRICS, Subject, columns_of, known_metric
from crucible.data.fairness.result import FairnessResult, Gap, MetricFinding, worst
from crucible.data.fairness.rules import FairnessRules, Judgement
from crucible.errors import DataError

__all__ = ["assess", "assess_subjects"]


def assess(
    groups: Sequence[Hashable],
    *,
    predictions: Sequence[Any] | None = None,
    labels: Sequence[Any] | None = None,
    scores: Sequence[float | None] | None = None,
    metrics: Sequence[str] | None = None,
    rules: FairnessRules | None = None,
) -> FairnessResult:
    """Compare groups by what was predicted, what is right, or how it was scored; item by item in the same order.

    Args:
        groups: The group of each item; a tuple for several fields at once. Any number of groups.
        predictions: Whether each answer is the positive one: true, false, 1 or 0; None where there is no answer.
        labels: Whether the positive answer is right, given the same way.
        scores: A finite number each; None where there is no score.
        metrics: `demographic_parity`, `equalized_odds`, `equal_opportunity`, `predictive_parity`, `accuracy`, `score`;
            None: all that the columns allow.
        rules: How to compare; None: no limit, so that gaps are reported and none is judged.

    Raises:
        DataError: The columns are not equally long, a value is not what it should be, a metric is unknown or needs a
            column that is not given, or there are too many groups.
        MissingExtra: scipy is not installed.
    """
    n = len(groups)
    for name, column in (("predictions", predictions), ("labels", labels), ("scores", scores)):
        if column is not None and len(column) != n:
            raise DataError(f"{name} has {len(column)} values for {n} groups; give one for each item")
    subjects = [
        Subject(
            _label(group),
            None if predictions is None else _binary(predictions[i], f"predictions[{i}]"),
            None if labels is None else _binary(labels[i], f"labels[{i}]"),
            None if scores is None else _score(scores[i], f"scores[{i}]"),
        )
        for i, group in enumerate(groups)
    ]
    return assess_subjects(subjects, _asked(metrics, predictions, labels, scores), rules or FairnessRules())


def assess_subjects(subjects: Sequence[Subject], metrics: Sequence[str], rules: FairnessRules) -> FairnessResult:
    """Compare groups of items.

    Args:
        subjects: The items.
        metrics: Names of metrics, at least one.
        rules: How to compare.

    Raises:
        DataError: There are too many groups.
        MissingExtra: scipy is not installed.
    """
    sizes: dict[str, int] = {}
    for one in subjects:
        sizes[one.group] = sizes.get(one.group, 0) + 1
    if len(sizes) > rules.max_groups:
        few = ", ".join(list(sizes)[:3])
        raise DataError(
            f"{len(sizes)} groups ({few} …), and at most {rules.max_groups} are compared: group by a field with fewer "
            "values, or raise max_groups"
        )
    measures = list(dict.fromkeys(measure for name in metrics for measure in METRICS[name]))
    measured = {measure: columns_of(measure, subjects) for measure in measures}
    rates = [rate for measure, columns in measured.items() for rate in rates_of(measure, columns, rules)]
    gaps = gaps_of(measured, rates, rules)
    partial = FairnessResult(rules, sizes, tuple(rates), tuple(gaps), ())
    findings = tuple(_finding(name, partial) for name in metrics)
    return msgspec.structs.replace(partial, findings=findings)


def _finding(metric: str, result: FairnessResult) -> MetricFinding:
    rules, gaps = result.rules, result.gaps_of(metric)
    if not gaps:
        why = _too_few(metric, result)
        return MetricFinding(metric, Judgement.NOT_JUDGED, None, f"{metric} was not judged: {why}.")
    judgement = worst([each.judgement for each in gaps])
    gap = max((each for each in gaps if each.judgement is judgement), key=lambda each: _size(each, rules))
    told = gap.shown(rules.limit_as, rules.alpha)
    if rules.threshold is None:
        return MetricFinding(metric, judgement, gap, f"{metric}: the largest gap is {told}; no limit was set.")
    limit = f"the limit of {rules.threshold:g} for a {rules.limit_as}"
    sentence = {
        Judgement.CLEAR: f"a clear violation was found: {told}; all of the interval lies beyond {limit}",
        Judgement.POSSIBLE: f"a possible violation: {told}; it lies beyond {limit}, the interval reaches back",
        Judgement.NONE_FOUND: f"no violation found: {told}; the interval reaches beyond {limit}: no proof of parity",
        Judgement.WITHIN: f"within the limit: {told}; the interval of every gap keeps {limit}",
        Judgement.NOT_JUDGED: f"not judged: {gap.note or told}",
    }[judgement]
    return MetricFinding(metric, judgement, gap, f"{metric}: {sentence}{_left_out(metric, result)}.")


def _size(gap: Gap, rules: FairnessRules) -> float:
    if rules.threshold is not None and rules.limit_as == "ratio" and gap.ratio is not None:
        return -gap.ratio
    return abs(gap.difference or 0.0)


def _left_out(metric: str, result: FairnessResult) -> str:
    small = dict.fromkeys(one.group for one in result.rates if one.measure in METRICS[metric] and not one.judged)
    return f"; too small to be judged: {', '.join(small)}" if small else ""


def _too_few(metric: str, result: FairnessResult) -> str:
    if len(result.sizes) < 2:
        alone = f"one group, {next(iter(result.sizes))}" if result.sizes else "no items"
        return f"{alone}, and a comparison needs two"
    needed = result.rules.min_group_size
    notes = [f"{one.group} has {one.n}" for one in result.rates if one.measure in METRICS[metric] and not one.judged]
    return f"fewer than two groups have {needed} items under the fraction ({', '.join(notes)})"


def _asked(metrics: Sequence[str] | None, *columns: Sequence[Any] | None) -> list[str]:
    predictions, labels, scores = columns
    if metrics is None:
        binary = [name for name in BINARY_METRICS if labels is not None or name == "demographic_parity"]
        found = (binary if predictions is not None else []) + (["score"] if scores is not None else [])
        if not found:
            raise DataError("nothing to compare: give predictions (and labels), or scores")
        return found
    for name in map(known_metric, metrics):
        missing = (
            "scores"
            if name == "score" and scores is None
            else "predictions"
            if name != "score" and predictions is None
            else "labels"
            if name not in ("score", "demographic_parity") and labels is None
            else None
        )
        if missing:
            raise DataError(f"{name} needs {missing}")
    if not metrics:
        raise DataError("metrics is empty: name at least one, or leave it out")
    return list(dict.fromkeys(metrics))


def _label(group: Hashable) -> str:
    return " & ".join(map(str, cast("tuple[Any, ...]", group))) if isinstance(group, tuple) else str(group)


def _binary(value: Any, place: str) -> bool | None:
    if value is None:
        return None
    if isinstance(value, str) or value not in (0, 1):
        raise DataError(f"{place} must be true, false, 1, 0 or None, got {value!r}")
    return bool(value)


def _score(value: Any, place: str) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise DataError(f"{place} must be a finite number or None, got {value!r}")
    return number
