"""Several groups of scores that a caller has: `compare_groups` is the front door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import msgspec

from crucible.errors import StatsError
from crucible.stats.bench.column import column_of_scores
from crucible.stats.bench.contrast import PAIR_TESTS, Plan
from crucible.stats.extra import needs_stats
from crucible.stats.groups.comparison import GroupComparison, compare_columns, unknown_group
from crucible.stats.groups.omnibus import OMNIBUS_TESTS
from crucible.stats.groups.posthoc import POSTHOC_TESTS
from crucible.stats.names import canonical_correction, canonical_effect, canonical_test
from crucible.stats.sample import Scores, check_rates

__all__ = ["GROUP_TESTS", "compare_groups", "pairs_of"]

GROUP_TESTS = (*PAIR_TESTS, *OMNIBUS_TESTS, "posthoc", *POSTHOC_TESTS)
"""Canonical names of the tests that groups can be compared by."""


@needs_stats
def compare_groups(
    groups: Mapping[str, Scores],
    plan: Plan | None = None,
    *,
    baseline: str | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> GroupComparison:
    """Compare groups of scores with each other.

    Groups that are mappings with the same item ids are compared item by item; lists, and mappings with different ids,
    are independent of each other. Three groups or more get a test of all at once first. The pairs are corrected for
    each other. A test that does not apply is in the result with its reason.

    The rule of the pairs of three groups or more: the tests of pairs that the plan names. Where it names tests of all
    groups only, and all pairs are compared, the one that goes with the first of them: Tukey's after `anova`, Games and
    Howell's after `welch_anova`, Dunn's after `kruskal`, Nemenyi's after `friedman`, McNemar's after `cochran_q`.
    Otherwise each pair as by `compare`. `posthoc` asks for the test that goes with the test of all groups that the
    written rule chooses.

    Args:
        groups: Scores by label, in the order of the report; each a list, or a mapping of scores by item id.
        plan: How to compare; None: by the written rules, at alpha .05, with Holm's correction.
        baseline: Label of the group that all others are compared with; None: all pairs, the earlier is the baseline.
        pairs: Labels of baseline and treatment of each comparison, in place of `baseline`.

    Raises:
        StatsError: A score is no finite number, a label or a word of the plan is unknown, some groups are by id and
            others are not, or a pair is of one group or comes twice.
    """
    columns = [column_of_scores(label, scores) for label, scores in groups.items()]
    chosen = pairs_of(list(groups), baseline) if pairs is None else _once(pairs)
    return compare_columns(columns, _checked(plan or Plan()), chosen)


def pairs_of(labels: Sequence[str], baseline: str | None) -> list[tuple[str, str]]:
    """Return which labels are compared, as (baseline, treatment): each with `baseline`, or all pairs in order.

    Raises:
        StatsError: No label is called `baseline`.
    """
    if baseline is None:
        return list(combinations(labels, 2))
    if baseline not in labels:
        raise StatsError(unknown_group(baseline, labels))
    return [(baseline, label) for label in labels if label != baseline]


def _once(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs.

    Raises:
        StatsError: One is of a group and itself, or two are of the same groups, which would be corrected for.
    """
    seen: set[frozenset[str]] = set()
    for one in pairs:
        if len(both := frozenset(one)) < 2:
            raise StatsError(f'pairs compares "{one[0]}" with itself: name two groups')
        if both in seen:
            raise StatsError(f'pairs names "{one[0]}" and "{one[1]}" twice: once is enough, and each is corrected for')
        seen.add(both)
    return list(pairs)


def _checked(plan: Plan) -> Plan:
    """Return the plan in canonical words."""
    check_rates(plan.alpha, plan.interval_level)
    tests = tuple(dict.fromkeys(map(canonical_test, plan.tests))) or ("auto",)
    for test in tests:
        if test not in GROUP_TESTS:
            raise StatsError(f'test "{test}" is not available for groups; available: {", ".join(GROUP_TESTS)}')
    effect = None if plan.effect is None else canonical_effect(plan.effect)
    correction = canonical_correction(plan.correction)
    return msgspec.structs.replace(plan, tests=tests, correction=correction, effect=effect)
