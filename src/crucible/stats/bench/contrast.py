"""One contrast: a treatment against a baseline, by every test of a plan.

A test that does not apply is a value that says why, beside those that do; nothing is made up in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from crucible.errors import DegenerateSample, StatsError
from crucible.stats.comparing.independent import INDEPENDENT_MEANING, INDEPENDENT_TESTS, compare
from crucible.stats.comparing.paired import NEED_SPREAD, PAIRED_TESTS, compare_paired
from crucible.stats.comparing.sides import SideScores
from crucible.stats.effects.named import effect_named
from crucible.stats.finite import finite
from crucible.stats.groups.omnibus import OMNIBUS_TESTS, PAIRED_OMNIBUS, VARIANCE_EFFECTS
from crucible.stats.groups.pair_by_groups import pair_by_groups
from crucible.stats.groups.posthoc import PAIRED_POSTHOC, POSTHOC_TESTS, posthoc_pair
from crucible.stats.intervals.level import level_of
from crucible.stats.names import TEST_TITLES
from crucible.stats.parameters import check_fields
from crucible.stats.result import TestResult
from crucible.stats.sample import independent_columns
from crucible.stats.significance.bootstrap import bootstrap_independent, bootstrap_paired
from crucible.stats.significance.permutation import permutation_independent, permutation_paired

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["PAIR_TESTS", "AllGroups", "NotTested", "Plan", "Sides", "contrast", "untested"]

_PAIRED_MEANING = {"ttest": "paired_ttest"}
_DRAWN: Mapping[str, Callable[..., TestResult]] = {
    "bootstrap": bootstrap_paired,
    "bootstrap_independent": bootstrap_independent,
    "permutation": permutation_paired,
    "permutation_independent": permutation_independent,
}
PAIR_TESTS = tuple(dict.fromkeys((*PAIRED_TESTS, "ttest", *INDEPENDENT_TESTS)))
"""Canonical names of the tests that compare two columns."""


class Plan(msgspec.Struct, frozen=True):
    """How to compare.

    Args:
        tests: Names of tests; the first one that applies gives the verdict. `auto`: by the written rules.
        alpha: Type-I error rate.
        correction: Name of the correction; it acts where there are several contrasts.
        level: Level of the intervals; None: 1 - alpha.
        resamples: Of a bootstrap or a permutation test, at least 100.
        seed: Of a bootstrap or a permutation test.
        effect: Name of the effect size that is asked for; None: the one that goes with the test.
        checks: Whether checks of assumptions are shown beside the results; they choose nothing.
    """

    tests: tuple[str, ...] = ("auto",)
    alpha: float = 0.05
    correction: str = "holm"
    level: float | None = None
    resamples: int = 10_000
    seed: int = 0
    effect: str | None = None
    checks: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no number in the place of one."""
        check_fields(self)

    @property
    def interval_level(self) -> float:
        """Level of the intervals: what was asked for, else 1 - alpha."""
        return level_of(self.alpha, self.level)


class AllGroups(msgspec.Struct, frozen=True):
    """All groups that a pair is one of, for tests of pairs that look at all of them.

    Args:
        scores: Of each group, by label.
        complete: The same of the items that all groups have a score for, in one order; None where the groups are not of
            the same items.
        why: Why such a test is made.
    """

    scores: Mapping[str, FloatArray]
    complete: Mapping[str, FloatArray] | None
    why: str


class NotTested(msgspec.Struct, frozen=True):
    """A test that these scores do not allow.

    Args:
        name: Canonical name of the test.
        reason: Why, in one clause.
    """

    name: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return name and reason as plain data."""
        return {"name": self.name, "refused": self.reason}


class Sides(msgspec.Struct, frozen=True):
    """Two columns to compare, and what they are called.

    Args:
        baseline: Label of the baseline.
        treatment: Label of the treatment.
        metric: What the scores are called.
        scores: Of both, by item id.
        paired: Whether the scores of one id belong to the same item.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: they are numbers that happen to be.
    """

    baseline: str
    treatment: str
    metric: str
    scores: SideScores
    paired: bool
    is_share: bool = True

    @property
    def n(self) -> int:
        """Pairs where the sides are paired, all scores otherwise."""
        return len(self.scores.baseline) + (0 if self.paired else len(self.scores.treatment))


def contrast(sides: Sides, plan: Plan, groups: AllGroups | None = None) -> list[TestResult | NotTested]:
    """Return what each test of the plan says about two columns, in the plan's order.

    A test of all groups at once is made where these two are all groups there are; see `pair_by_groups`.

    Args:
        sides: The two columns.
        plan: How to compare, in canonical words.
        groups: All groups that these are two of; None: there are no others.
    """
    results: list[TestResult | NotTested] = []
    for test in plan.tests:
        try:
            result = finite(_test(test, sides, plan, groups, is_first=not results))
        except StatsError as error:
            results.append(NotTested(test, str(error)))
            continue
        named = {"baseline": sides.baseline, "treatment": sides.treatment, "metric": sides.metric}
        result = msgspec.structs.replace(result, **named, failures=sides.scores.failures)
        results.append(_with_effect(result, sides, plan))
    return results


def untested(plan: Plan, reason: str) -> list[TestResult | NotTested]:
    """Return that no test of the plan can be made."""
    return [NotTested(test, reason) for test in plan.tests]


def _test(test: str, sides: Sides, plan: Plan, groups: AllGroups | None, *, is_first: bool) -> TestResult:
    base, treated = sides.scores.baseline, sides.scores.treatment
    rates = {"alpha": plan.alpha, "level": plan.interval_level}
    draws = {"resamples": plan.resamples, "seed": plan.seed}
    name = (_PAIRED_MEANING if sides.paired else INDEPENDENT_MEANING).get(test, test)
    if name in POSTHOC_TESTS:
        return _posthoc(name, sides, plan, groups)
    if name in OMNIBUS_TESTS:
        return _of_groups(name, sides, plan)
    if not sides.paired and name in INDEPENDENT_TESTS:
        x, y = list(base.values()), list(treated.values())
        if name in _DRAWN:
            return _DRAWN[name](x, y, **rates, **draws)
        return compare(x, y, test=name, is_share=sides.is_share, checks=plan.checks, **rates)
    if name not in PAIRED_TESTS:
        raise StatsError(f"not applicable: {TEST_TITLES[name]} is for different items, both columns are of the same")
    if not sides.paired:
        base, treated = _by_position(sides, name)
    if name in NEED_SPREAD and base == treated and (not is_first or not sides.paired):
        raise DegenerateSample("all differences are 0: there is nothing to test")
    if name in _DRAWN and base != treated:
        return _DRAWN[name](base, treated, **rates, **draws)
    return compare_paired(base, treated, test=name, is_share=sides.is_share, checks=plan.checks, **rates)


def _posthoc(name: str, sides: Sides, plan: Plan, groups: AllGroups | None) -> TestResult:
    is_for_pairs = name in PAIRED_POSTHOC
    scores: Mapping[str, FloatArray] | None = {}
    if groups is not None:
        scores = groups.complete if is_for_pairs else groups.scores
    if scores is None or (sides.paired and not is_for_pairs):
        kind = "the same items in every group" if is_for_pairs else "different items, and the groups are of the same"
        raise StatsError(f"not applicable: {TEST_TITLES[name]} is for {kind}")
    if len(scores) < 3:
        raise StatsError(f"not applicable: 2 groups; {TEST_TITLES[name]} needs 3")
    pair, why = (sides.baseline, sides.treatment), groups.why if groups else ""
    return posthoc_pair(name, scores, pair, why=why, alpha=plan.alpha, level=plan.interval_level)


def _of_groups(name: str, sides: Sides, plan: Plan) -> TestResult:
    if sides.paired:
        raise StatsError(f"not applicable: {TEST_TITLES[name]} does not compare two columns of the same items")
    if name in PAIRED_OMNIBUS:
        raise StatsError(f"not applicable: 2 groups; the {TEST_TITLES[name]} needs 3, a paired test compares 2")
    columns = independent_columns(list(sides.scores.baseline.values()), list(sides.scores.treatment.values()))
    return pair_by_groups(name, columns, effect=plan.effect, alpha=plan.alpha, level=plan.interval_level)


def _by_position(sides: Sides, name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Pair two columns without ids, because the caller asked for a paired test by name."""
    scores = sides.scores
    sizes = list(scores.counts["n_attempted"].values())
    if sizes[0] != sizes[1]:
        raise StatsError(
            f"not applicable: {TEST_TITLES[name]} needs pairs, and the groups have {sizes[0]} and {sizes[1]} scores "
            "without common items"
        )
    common = [key for key in scores.baseline if key in scores.treatment]
    if not common:
        raise StatsError(f"not applicable: {TEST_TITLES[name]} needs pairs, and the groups have no common items")
    return {key: scores.baseline[key] for key in common}, {key: scores.treatment[key] for key in common}


def _with_effect(result: TestResult, sides: Sides, plan: Plan) -> TestResult:
    asked = plan.effect
    if asked is None or asked in VARIANCE_EFFECTS or asked == result.effect.name:
        return result
    try:
        effect = effect_named(asked, result.name, sides.scores, level=plan.interval_level)
    except StatsError as error:
        method = f"{result.method}; {asked} was asked for and is not given: {error}"
        return msgspec.structs.replace(result, method=method)
    method = f"{result.method}; in place of that effect {asked}, which was asked for"
    return msgspec.structs.replace(result, effect=effect, method=method)
