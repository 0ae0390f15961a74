"""What comparing several columns finds: a summary of each, one test of all, and corrected tests of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import msgspec

from crucible.errors import StatsError
from crucible.ir import did_you_mean
from crucible.stats.bench.column import Column, are_shares
from crucible.stats.bench.contrast import PAIR_TESTS, AllGroups, NotTested, Plan, Sides, contrast, untested
from crucible.stats.bench.family import Contrasted, family
from crucible.stats.bench.scores import FailurePolicy
from crucible.stats.comparing.sides import SideScores, pair_scores, unpaired_scores, values_of
from crucible.stats.extra import needs_stats
from crucible.stats.groups.omnibus import (
    OMNIBUS_TESTS,
    PAIRED_OMNIBUS,
    VARIANCE_EFFECTS,
    Omnibus,
    choose_omnibus,
    omnibus_test,
)
from crucible.stats.groups.posthoc import AFTER, POSTHOC_TESTS
from crucible.stats.groups.summary import GroupSummary, summarised
from crucible.stats.names import TEST_TITLES
from crucible.stats.plain_data import plain
from crucible.stats.sample import is_binary

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["GroupComparison", "compare_columns", "unknown_group"]

Values = Mapping[str, Mapping[str, float]]


class GroupComparison(msgspec.Struct, frozen=True):
    """What comparing groups found; every difference is treatment minus baseline.

    Args:
        groups: Each group by itself, in the order given.
        omnibus: Tests of all groups at once; empty where none was called for.
        contrasts: Pairs of groups, corrected for each other.
        not_tested: Why no pair was tested; empty if any was.
    """

    groups: tuple[GroupSummary, ...]
    omnibus: tuple[Omnibus | NotTested, ...] = ()
    contrasts: tuple[Contrasted, ...] = ()
    not_tested: str = ""

    @property
    def wording(self) -> str:
        """All results, one sentence each."""
        tests = [one.wording for one in self.omnibus if isinstance(one, Omnibus)]
        pairs = [one.wording for one in self.contrasts]
        return " ".join(part for part in (*tests, *pairs, self.not_tested) if part)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; groups by label."""
        return {
            "groups": {one.label: plain(one) for one in self.groups},
            "omnibus": [one.to_dict() for one in self.omnibus],
            "contrasts": [one.to_dict() for one in self.contrasts],
            "not_tested": self.not_tested or None,
        }


@needs_stats
def compare_columns(
    columns: Sequence[Column],
    plan: Plan,
    pairs: Sequence[tuple[str, str]],
    *,
    policy: FailurePolicy = FailurePolicy.EXCLUDE,
    metric: str = "score",
) -> GroupComparison:
    """Compare columns of outcomes.

    Args:
        columns: In the order of the report.
        plan: How to compare, in canonical words.
        pairs: Labels of baseline and treatment of each comparison.
        policy: What becomes of failed items.
        metric: What the scores are called.

    Raises:
        StatsError: A label is unknown, some columns are by item and others are not, or an item failed under `abort`.
    """
    by_label = {column.label: column for column in columns}
    for label in (label for pair in pairs for label in pair if label not in by_label):
        raise StatsError(unknown_group(label, list(by_label)))
    if len({column.by_item for column in columns}) > 1:
        bare = ", ".join(column.label for column in columns if not column.by_item)
        raise StatsError(f"some groups are by item and these are not: {bare}; give items for all groups, or for none")
    values = {column.label: values_of(column.outcomes, policy, column.label) for column in columns}
    is_share = are_shares(columns)
    summaries = tuple(summarised(one, values[one.label], plan.interval_level, is_share=is_share) for one in columns)
    if len(columns) < 2:
        alone = f'one group, "{columns[0].label}"' if columns else "no groups"
        return GroupComparison(summaries, not_tested=f"{alone}: a comparison needs two")
    tests, groups = _of_pairs(columns, values, plan, pairs)
    pairwise = msgspec.structs.replace(plan, tests=tests)
    sides = [_sides((by_label[a], by_label[b]), policy, metric, is_share=is_share) for a, b in pairs]
    results = [
        contrast(side, pairwise, groups) if isinstance(side, Sides) else untested(pairwise, side.reason)
        for side in sides
    ]
    known = [side if isinstance(side, Sides) else side.sides for side in sides]
    return GroupComparison(
        summaries, _all_at_once(columns, values, plan, metric), tuple(family(known, results, plan.correction))
    )


def unknown_group(label: str, labels: Sequence[str]) -> str:
    """Return what to say of a label that no group has."""
    return f'no group is called "{label}"{did_you_mean(label, labels)}; they are: {", ".join(labels) or "none"}'


def _of_pairs(
    columns: Sequence[Column], values: Values, plan: Plan, pairs: Sequence[tuple[str, str]]
) -> tuple[tuple[str, ...], AllGroups | None]:
    """Return the tests of pairs, by the rule of `compare_groups`, and what those need that look at all groups."""
    if len(columns) == 2:
        return tuple("auto" if test == "posthoc" else test for test in plan.tests), None
    groups, _ = _all(values, 0)
    items = [column.outcomes.keys() for column in columns]
    are_same = all(keys == items[0] for keys in items)
    complete = _complete(values, items)[0] if are_same else None
    named = [test for test in plan.tests if test in OMNIBUS_TESTS]
    tests = tuple(test for test in plan.tests if test in (*PAIR_TESTS, "posthoc", *POSTHOC_TESTS))
    why = "named by the caller"
    if not tests and named and {frozenset(pair) for pair in pairs} == set(map(frozenset, combinations(values, 2))):
        tests = ("posthoc",)
    if "posthoc" in tests:
        is_paired = are_same and columns[0].by_item
        first = named[0] if named else choose_omnibus(list(groups.values()), paired=is_paired)[0]
        fitting = "auto" if is_binary(*groups.values()) else AFTER[first]
        tests = tuple(dict.fromkeys(fitting if test == "posthoc" else test for test in tests))
        why = f"chosen because it goes with the {TEST_TITLES[first]}"
    return tests or ("auto",), AllGroups(groups, complete, why)


class _Unpaired(msgspec.Struct, frozen=True):
    """Sides that share some items and not all: neither the same items nor different ones."""

    sides: Sides
    reason: str


def _sides(columns: tuple[Column, Column], policy: FailurePolicy, metric: str, *, is_share: bool) -> Sides | _Unpaired:
    base, treated = columns
    names = (base.label, treated.label)
    if not (base.by_item and base.outcomes.keys() & treated.outcomes.keys()):
        scores = unpaired_scores(base.outcomes, treated.outcomes, policy, names)
        return Sides(*names, metric, scores, paired=False, is_share=is_share)
    try:
        scores = pair_scores(base.outcomes, treated.outcomes, policy, names)
    except StatsError as error:
        return _Unpaired(Sides(*names, metric, SideScores({}, {}, {}, ""), paired=True), str(error))
    return Sides(*names, metric, scores, paired=True, is_share=is_share)


def _all_at_once(columns: Sequence[Column], values: Values, plan: Plan, metric: str) -> tuple[Omnibus | NotTested, ...]:
    """Make the tests of all groups that were named; without a name, one where there are three groups or more."""
    named = [test for test in plan.tests if test in OMNIBUS_TESTS]
    if not named and len(columns) < 3 and plan.effect not in VARIANCE_EFFECTS:
        return ()
    items = [column.outcomes.keys() for column in columns]
    done: list[Omnibus | NotTested] = []
    for test in named or ["auto"]:
        try:
            is_paired = _are_paired(test, columns)
            groups, failures = _complete(values, items) if is_paired else _all(values, sum(map(len, items)))
            rates: dict[str, Any] = {"alpha": plan.alpha, "level": plan.interval_level}
            found = omnibus_test(groups, test, paired=is_paired, effect=plan.effect, checks=plan.checks, **rates)
        except StatsError as error:
            done.append(NotTested(test, str(error)))
        else:
            done.append(msgspec.structs.replace(found, metric=metric, failures=failures))
    return tuple(done)


def _are_paired(test: str, columns: Sequence[Column]) -> bool:
    items = [column.outcomes.keys() for column in columns]
    if not columns[0].by_item:  # by position, because the caller asked for this test by name
        return test in PAIRED_OMNIBUS and len({len(keys) for keys in items}) == 1
    if all(keys == items[0] for keys in items):
        return True
    if any(a & b for a, b in combinations(items, 2)):
        raise StatsError("the groups have some items in common and not all: evaluate all on the same items")
    return False


def _complete(values: Values, items: Sequence[Any]) -> tuple[dict[str, FloatArray], str]:
    """Return the scores of the items that every group has one for."""
    import numpy as np

    kept = [key for key in items[0] if all(key in one for one in values.values())]
    left = len(items[0]) - len(kept)
    failures = f"{left} of {len(items[0])} items were left out because they failed in a group" if left else ""
    return {label: np.array([one[key] for key in kept], dtype=np.float64) for label, one in values.items()}, failures


def _all(values: Values, items: int) -> tuple[dict[str, FloatArray], str]:
    import numpy as np

    groups = {label: np.array(list(one.values()), dtype=np.float64) for label, one in values.items()}
    left = items - sum(map(len, groups.values()))
    return groups, f"{left} of {items} items were left out because they failed" if left else ""
