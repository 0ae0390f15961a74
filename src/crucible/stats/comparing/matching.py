"""Which items two conditions have in common, and what is to be said of those that they have not."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from crucible.errors import StatsError
from crucible.stats.bench.scores import few
from crucible.stats.conditions.observations import Condition

__all__ = ["Unmatched", "check_same_questions", "common_clusters", "left_out", "unmatched_items"]


class Unmatched(StrEnum):
    """What becomes of items that only one side has."""

    REFUSE = "refuse"
    DROP = "drop"


def check_same_questions(baseline: Condition, treatment: Condition) -> None:
    """Check that an id is the same item on both sides, as far as both say what was asked.

    Raises:
        StatsError: It is not; a few ids are named.
    """
    here, there = baseline.fingerprints, treatment.fingerprints
    differing = [item for item, asked in here.items() if there.get(item, asked) != asked]
    if differing:
        raise StatsError(
            f"{len(differing)} items of {baseline.label} and {treatment.label} have the same id and ask another thing: "
            f"{few(differing)}; evaluate both on the same items"
        )


def unmatched_items(baseline: Condition, treatment: Condition, unmatched: Unmatched | str) -> list[str]:
    """Return what is to be said of items that only one side has, in clauses.

    Raises:
        StatsError: There are such items and they are not to be dropped, or the sides have nothing in common.
    """
    here, there = set(baseline.items), set(treatment.items)
    only = {
        baseline.label: [item for item in baseline.items if item not in there],
        treatment.label: [item for item in treatment.items if item not in here],
    }
    told = [f"{len(items)} only in {label} ({few(items)})" for label, items in only.items() if items]
    if not told:
        return []
    if not here & there:
        raise StatsError(
            f"no item is in both: {'; '.join(told)}; pair them by an id that both sides have, or compare them as "
            "independent samples"
        )
    if unmatched == Unmatched.REFUSE:
        raise StatsError(
            f"the conditions do not hold the same items: {'; '.join(told)}; evaluate both on the same items, or drop "
            f"what only one side has and compare the {len(here & there)} that both have"
        )
    counted = " and ".join(f"{len(items)} only in {label}" for label, items in only.items() if items)
    return [f"items that one side has not were dropped ({counted})"]


def left_out(items: int, kept: int, *, of_pairs: bool = True) -> list[str]:
    """Return what is to be said of items that have no score."""
    if kept == items:
        return []
    return [f"{items - kept} of {items} items were left out for want of a score{' on both sides' if of_pairs else ''}"]


def common_clusters(baseline: Condition, treatment: Condition, kept: Sequence[str]) -> dict[str, str]:
    """Return the cluster of each item that is compared; empty where items are independent.

    Raises:
        StatsError: An item is in different clusters on the two sides.
    """
    here, there = baseline.clusters, treatment.clusters
    if not here or not there:
        found = here or there
        return {item: found[item] for item in kept} if found else {}
    if moved := [item for item in kept if here[item] != there[item]]:
        raise StatsError(
            f"{len(moved)} items are in one cluster in {baseline.label} and in another in {treatment.label}: "
            f"{few(moved)}"
        )
    return {item: here[item] for item in kept}
