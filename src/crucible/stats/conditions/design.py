"""From conditions to a test that fits how they were measured: paired by item, repeats within items, clusters of items.

Several measurements of one item are not several items: the test is made of item means. Where items resemble others of
their cluster, its standard error is that of clusters; where the same prompts were put to many items, that of both. What
was chosen, and what became of every measurement, stands in the result.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from crucible.errors import StatsError, TooFewSamples
from crucible.stats.bench.scores import FailurePolicy
from crucible.stats.comparing.independent import compare
from crucible.stats.comparing.matching import (
    Unmatched,
    check_same_questions,
    common_clusters,
    left_out,
    unmatched_items,
)
from crucible.stats.comparing.paired import compare_paired
from crucible.stats.conditions.clustered_contrast import clustered_independent, clustered_paired
from crucible.stats.conditions.crossed import crossed_cells, crossed_paired, takes_prompts
from crucible.stats.conditions.observations import Condition, policy_of
from crucible.stats.correction import correct
from crucible.stats.extra import needs_stats
from crucible.stats.intervals.level import level_of
from crucible.stats.names import canonical_correction
from crucible.stats.parameters import check_fields, takes_numbers
from crucible.stats.result import TestResult

__all__ = ["Design", "Unmatched", "compare_all", "compare_conditions"]


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """How conditions are compared.

    Args:
        failures: What a failed measurement counts as: `exclude`, `zero`, or `abort`.
        test: `auto`, or the name of a test, to force it.
        alpha: Type-I error rate of each verdict, after correction.
        level: Level of the intervals; None: 1 - alpha.
        unmatched: `refuse` items that only one side has, or `drop` them and say how many.
        correction: For there being several comparisons.
        all_pairs: Whether every pair is compared; False: each condition with the first.
    """

    failures: FailurePolicy | str = FailurePolicy.EXCLUDE
    test: str = "auto"
    alpha: float = 0.05
    level: float | None = None
    unmatched: Unmatched | str = Unmatched.REFUSE
    correction: str = "holm"
    all_pairs: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no number in the place of one."""
        check_fields(self)

    @property
    def interval_level(self) -> float:
        """Level of the intervals: what was asked for, else 1 - alpha."""
        return level_of(self.alpha, self.level)


@takes_numbers
def compare_conditions(
    baseline: Condition,
    treatment: Condition,
    *,
    failures: FailurePolicy | str = FailurePolicy.EXCLUDE,
    test: str = "auto",
    alpha: float = 0.05,
    level: float | None = None,
    unmatched: Unmatched | str = Unmatched.REFUSE,
) -> TestResult:
    """Compare two conditions by the test that fits how they were measured.

    The rule: items with ids are paired by id, and each item counts once, with the mean of its repeats and prompts; then
    the rule of `compare_paired` holds (right or wrong, measured once: McNemar's exact test; otherwise the paired
    t-test). Items in clusters: a t-test of the paired differences whose standard error is that of the clusters. The
    same prompts for many items: a t-test whose standard error is that of items (or clusters) and prompts. Items without
    ids: independent samples, by the rule of `compare`.

    Args:
        baseline: What is compared against.
        treatment: What is compared.
        failures: What a failed measurement counts as: `exclude`, `zero`, or `abort`.
        test: `auto`, or the name of a test for this design, to force it; one of item means, such as `paired_ttest`,
            speaks of these prompts alone.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals; None: 1 - alpha.
        unmatched: `refuse` items that only one side has, or `drop` them and say how many.

    Returns:
        The result; treatment minus baseline. `counts` holds attempted, scored, failed and skipped measurements of both.

    Raises:
        StatsError: The conditions do not hold the same items, or the test does not fit.
        TooFewSamples: Fewer than two items are left.
        DegenerateSample: The scores do not vary where the test needs it.
    """
    level = level_of(alpha, level)
    policy = policy_of(failures)
    if unmatched not in tuple(Unmatched):
        raise StatsError(f'unknown way with unmatched items "{unmatched}"; known: {", ".join(Unmatched)}')
    design = Design(failures=policy, test=test, alpha=alpha, level=level, unmatched=unmatched)
    if baseline.by_item != treatment.by_item:
        named, unnamed = (baseline, treatment) if baseline.by_item else (treatment, baseline)
        raise StatsError(
            f"{named.label} has item ids and {unnamed.label} has none: give ids to both, so that the same items are "
            "paired, or compare both as independent samples"
        )
    return (_paired if baseline.by_item else _independent)(baseline, treatment, design)


def compare_all(conditions: Sequence[Condition], design: Design | None = None) -> tuple[TestResult, ...]:
    """Compare every condition with the first, or all pairs of them, and correct for there being several.

    Args:
        conditions: The first is the baseline; at least two, with labels of their own.
        design: How to compare; the defaults of `Design` if absent.

    Returns:
        One result a comparison, in the order of the conditions; each says how many it was corrected for.

    Raises:
        StatsError: There are fewer than two conditions, two are called the same, or a pair cannot be compared.
    """
    design = design or Design()
    correction = canonical_correction(design.correction)
    labels = [condition.label for condition in conditions]
    if len(labels) < 2:
        raise StatsError(f"a comparison needs at least 2 conditions, got {len(labels)}")
    if twice := [label for i, label in enumerate(labels) if label in labels[:i]]:
        raise StatsError(f'two conditions are called "{twice[0]}": give each a label of its own')
    if design.all_pairs:
        pairs = list(itertools.combinations(conditions, 2))
    else:
        pairs = [(conditions[0], treatment) for treatment in conditions[1:]]
    results = [_named(one, other, design, several=len(pairs) > 1) for one, other in pairs]
    if len(results) == 1 or correction == "none":
        return tuple(results)
    adjusted = correct([result.p for result in results], correction)
    return tuple(
        msgspec.structs.replace(result, p_adjusted=p, correction=correction, comparisons=len(results))
        for result, p in zip(results, adjusted, strict=True)
    )


def _named(baseline: Condition, treatment: Condition, design: Design, *, several: bool) -> TestResult:
    try:
        return compare_conditions(
            baseline,
            treatment,
            failures=design.failures,
            test=design.test,
            alpha=design.alpha,
            level=design.interval_level,
            unmatched=design.unmatched,
        )
    except StatsError as error:
        if not several:
            raise
        raise type(error)(f"{treatment.label} against {baseline.label}: {error}") from error


@needs_stats
def _paired(baseline: Condition, treatment: Condition, design: Design) -> TestResult:
    check_same_questions(baseline, treatment)
    dropped = unmatched_items(baseline, treatment, design.unmatched)
    if takes_prompts(design.test) and (found := _crossed(baseline, treatment, design, dropped)):
        return found
    left, right = baseline.item_means(design.failures), treatment.item_means(design.failures)
    kept = [item for item in left if item in right]
    x, y = {item: left[item] for item in kept}, {item: right[item] for item in kept}
    common = len(set(baseline.items) & set(treatment.items))
    if len(kept) < 2:
        raise TooFewSamples(
            f"{len(kept)} of {common} items have a score on both sides, and a comparison needs at least 2; "
            f"{_tally(baseline)}; {_tally(treatment)}"
        )
    if clusters := common_clusters(baseline, treatment, kept):
        found = clustered_paired(x, y, clusters, test=design.test, alpha=design.alpha, level=design.interval_level)
    else:
        is_share = _are_shares(baseline, treatment, x, y)
        found = compare_paired(
            x, y, test=design.test, alpha=design.alpha, level=design.interval_level, is_share=is_share
        )
    return _told(found, baseline, treatment, design, [*dropped, *left_out(common, len(kept))])


def _crossed(baseline: Condition, treatment: Condition, design: Design, dropped: list[str]) -> TestResult | None:
    """Return the comparison of items x prompts; None where they do not cross, or no two cells differ in how they do."""
    cells = crossed_cells(baseline, treatment, design.failures, design.unmatched)
    if (
        cells is None
        or len({y - x for x, y in zip(cells.baseline.values(), cells.treatment.values(), strict=True)}) < 2
    ):
        return None
    clusters = common_clusters(baseline, treatment, list(dict.fromkeys(item for item, _ in cells.baseline)))
    found = crossed_paired(cells.baseline, cells.treatment, clusters, alpha=design.alpha, level=design.interval_level)
    return _told(found, baseline, treatment, design, [*dropped, *cells.lost])


@needs_stats
def _independent(baseline: Condition, treatment: Condition, design: Design) -> TestResult:
    left, right = baseline.item_means(design.failures), treatment.item_means(design.failures)
    clusters = baseline.clusters, treatment.clusters
    if any(clusters):
        if not all(clusters):
            raise StatsError(f"only one of {baseline.label} and {treatment.label} says which cluster its items are in")
        found = clustered_independent(
            left, right, clusters, test=design.test, alpha=design.alpha, level=design.interval_level
        )
    else:
        repeated = baseline.has_repeats or treatment.has_repeats
        is_share = baseline.is_share and treatment.is_share and not repeated
        x, y = list(left.values()), list(right.values())
        found = compare(x, y, test=design.test, alpha=design.alpha, level=design.interval_level, is_share=is_share)
    items = len(baseline.items) + len(treatment.items)
    return _told(found, baseline, treatment, design, left_out(items, len(left) + len(right), of_pairs=False))


def _are_shares(baseline: Condition, treatment: Condition, x: Mapping[str, float], y: Mapping[str, float]) -> bool:
    """Return whether the scores are right or wrong; means of repeats are not, unless no t-test can be made of them."""
    if not (baseline.is_share and treatment.is_share):
        return False
    repeated = baseline.has_repeats or treatment.has_repeats
    return not repeated or len({y[item] - x[item] for item in x}) == 1


def _told(
    found: TestResult, baseline: Condition, treatment: Condition, design: Design, lost: Sequence[str]
) -> TestResult:
    """Return a result with names, counts of both sides, and what became of measurements that have no score."""
    sides = {"baseline": baseline.counts, "treatment": treatment.counts}
    counts = {f"{side}_{kind}": n for side, c in sides.items() for kind, n in msgspec.structs.asdict(c).items()}
    failed = sum(c.failed for c in sides.values())
    attempted = sum(c.attempted for c in sides.values())
    skipped = sum(c.skipped for c in sides.values())
    told: list[str] = []
    if failed:
        fate = "count as 0" if design.failures is FailurePolicy.ZERO else "were left out"
        told.append(f"{failed} of {attempted} measurements failed and {fate}")
    if skipped:
        told.append(f"{skipped} of {attempted + skipped} measurements were skipped on purpose")
    assumptions, method = list(found.assumptions), found.method
    is_crossed = found.name == "crossed_ttest"
    if baseline.has_repeats or treatment.has_repeats:
        means = "the means of item-prompt pairs" if is_crossed else "item means"
        method += f"; made of {means} ({_repeats(baseline)}, {_repeats(treatment)})"
    if not is_crossed and len({one.prompt for side in (baseline, treatment) for one in side.observations}) > 1:
        assumptions.append("the prompts are all there are of interest: no claim is made for others")
    metric = baseline.metric
    if metric != treatment.metric:
        assumptions.append(f"{metric} of {baseline.label} and {treatment.metric} of {treatment.label} measure the same")
        metric = f"{metric} / {treatment.metric}"
    return msgspec.structs.replace(
        found,
        baseline=baseline.label,
        treatment=treatment.label,
        metric=metric,
        counts={**found.counts, **counts},
        failures="; ".join([*told, *lost]),
        assumptions=tuple(assumptions),
        method=method,
    )


def _repeats(condition: Condition) -> str:
    counts = condition.counts
    measured = counts.attempted + counts.skipped
    return f"{measured} measurements of {counts.items} items of {condition.label}"


def _tally(condition: Condition) -> str:
    n = condition.counts
    return f"{condition.label}: {n.attempted} attempted, {n.scored} scored, {n.failed} failed, {n.skipped} skipped"
