"""A table of models by metrics in which a rank is a finding, not the order of two means.

Models are compared item by item, with a correction for there being several. Those that cannot be told apart from the
best share its rank; the best of the others leads the next rank, and so on. A shared rank does not mean that models are
equal.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

import msgspec

from crucible.data.evaluating.result import EvalResult
from crucible.data.evaluating.standings import Leaderboard, Standing
from crucible.data.summary import Counts, summarise_items
from crucible.errors import DataError, StatsError
from crucible.ir import did_you_mean
from crucible.stats import TestResult, Verdict, canonical_correction, correct
from crucible.stats.conditions.design import Design, compare_conditions
from crucible.stats.conditions.observations import Condition, policy_of

__all__ = ["Leaderboard", "Standing", "leaderboard"]

Tested = tuple[str, tuple[str, str], TestResult]
"""Metric, labels, and what comparing them found."""


def leaderboard(
    results: Mapping[str, EvalResult] | Sequence[EvalResult],
    metrics: Sequence[str] | None = None,
    *,
    lower: Collection[str] = (),
    design: Design | None = None,
) -> Leaderboard:
    """Rank models that were evaluated on the same items.

    Args:
        results: Evaluations by label, or a list of them, which go by their model's name; at least one.
        metrics: Scorers to show; default: all that every evaluation has.
        lower: Metrics of which less is better, such as a loss.
        design: How to compare: the policy for failures, alpha, level, correction, unmatched items; the defaults of
            `stats.Design` if absent. All pairs of models on all metrics are corrected together.

    Raises:
        DataError: There is no evaluation or no metric, two have one label, or a metric is unknown.
        StatsError: Two evaluations are not of the same items, or a measurement failed under `abort`.
        MissingExtra: scipy or statsmodels is not installed.
    """
    named = _named(results)
    chosen = _metrics(named, metrics, lower)
    design = design or Design()
    found: list[Tested] = []
    untold: list[str] = []
    conditions = {name: [result.condition(name, label=label) for label, result in named.items()] for name in chosen}
    for name in chosen:
        for one, other in itertools.combinations(conditions[name], 2):
            tested = _compared(one, other, design)
            if isinstance(tested, str):
                untold.append(tested)
            else:
                found.append((name, (one.label, other.label), tested))
    tests = _corrected(found, canonical_correction(design.correction))
    apart = {(name, frozenset(pair)) for name, pair, tested in tests if tested.verdict is Verdict.DIFFERENCE}
    standings: list[Standing] = []
    for name in chosen:
        means = [_standing(condition, name, design) for condition in conditions[name]]
        standings += _ranked(means, {pair for metric, pair in apart if metric == name}, is_lower=name in lower)
    order = [one.model for one in standings if one.metric == chosen[0]]
    return Leaderboard(
        models=tuple(order),
        metrics=chosen,
        lower=tuple(name for name in chosen if name in lower),
        standings=tuple(standings),
        comparisons=tuple(tested for *_, tested in tests),
        not_compared=tuple(untold),
        alpha=design.alpha,
        correction=design.correction,
        failures=policy_of(design.failures).value,
    )


def _named(results: Mapping[str, EvalResult] | Sequence[EvalResult]) -> dict[str, EvalResult]:
    if isinstance(results, Mapping):
        named = dict(results)
    else:
        labels = [result.model for result in results]
        if twice := [label for place, label in enumerate(labels) if label in labels[:place]]:
            raise DataError(f'two evaluations are of "{twice[0]}"; give them as a mapping from label to evaluation')
        named = dict(zip(labels, results, strict=True))
    if not named:
        raise DataError("there is no evaluation to rank")
    return named


def _metrics(named: Mapping[str, EvalResult], asked: Sequence[str] | None, lower: Collection[str]) -> tuple[str, ...]:
    first, *others = named.values()
    shared = [name for name in first.summaries if all(name in other.summaries for other in others)]
    chosen = tuple(shared if asked is None else asked)
    for name in (*chosen, *lower):
        if name not in shared:
            known = ", ".join(shared) or "none"
            raise DataError(
                f'not every evaluation was scored by "{name}"{did_you_mean(name, shared)}; all were by: {known}'
            )
    if not chosen:
        raise DataError("the evaluations have no scorer in common: score all models by the same ones")
    return chosen


def _compared(one: Condition, other: Condition, design: Design) -> TestResult | str:
    """Return the test of two models, or why too little was scored to make one."""
    kept = one.item_means(design.failures).keys() & other.item_means(design.failures).keys()
    if len(kept) < 2:
        return f"{one.label} and {other.label} were not compared by {one.metric}: {len(kept)} items have both scores."
    try:
        return compare_conditions(
            one,
            other,
            failures=design.failures,
            test=design.test,
            alpha=design.alpha,
            level=design.interval_level,
            unmatched=design.unmatched,
        )
    except StatsError as error:
        raise type(error)(f"{other.label} against {one.label} by {one.metric}: {error}") from error


def _corrected(found: Sequence[Tested], correction: str) -> list[Tested]:
    """Return tests with p-values that are corrected for all of them, where there are several."""
    if len(found) < 2 or correction == "none":
        return list(found)
    adjusted = correct([tested.p for *_, tested in found], correction)
    return [
        (name, pair, msgspec.structs.replace(tested, p_adjusted=p, correction=correction, comparisons=len(found)))
        for (name, pair, tested), p in zip(found, adjusted, strict=True)
    ]


def _standing(condition: Condition, metric: str, design: Design) -> Standing:
    values, counts = list(condition.item_means(design.failures).values()), condition.counts
    summary = summarise_items(
        values,
        Counts(counts.scored, counts.failed, counts.skipped),
        failures=policy_of(design.failures),
        level=design.interval_level,
        bounds=None,
    )
    return Standing(
        condition.label,
        metric,
        None,
        1,
        summary.mean,
        summary.interval,
        len(values),
        counts.attempted,
        counts.scored,
        counts.failed,
        counts.skipped,
    )


def _ranked(means: Sequence[Standing], apart: set[frozenset[str]], *, is_lower: bool) -> list[Standing]:
    """Return standings with ranks, the best first; the order inside a rank is that of the means."""
    left = [one for one in means if one.mean is not None]
    left.sort(key=lambda one: (one.mean or 0.0) * (1 if is_lower else -1))
    done: list[Standing] = []
    while left:
        leader = left[0]
        group = [one for one in left if one is leader or frozenset((one.model, leader.model)) not in apart]
        done += [msgspec.structs.replace(one, rank=len(done) + 1, tied=len(group)) for one in group]
        left = [one for one in left if one not in group]
    return done + [one for one in means if one.mean is None]
