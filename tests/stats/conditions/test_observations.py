"""Measurements of items: counted by what became of them, averaged within items by a named policy."""

from __future__ import annotations

import math

import pytest

from crucible.errors import StatsError
from crucible.ir import Failed, Scored, Skipped
from crucible.stats.conditions.observations import Condition, Counts, Observation, condition_of_scores


def _condition(*observations: Observation) -> Condition:
    return Condition("base", "acc", observations)


def test_counts_are_of_measurements_and_items() -> None:
    """Attempted is scored and failed; what was skipped on purpose was not attempted."""
    condition = _condition(
        Observation("a", Scored(1.0), "1"),
        Observation("a", Failed("timeout"), "2"),
        Observation("b", Skipped("too long"), "1"),
        Observation("b", Scored(0.0), "2"),
        Observation("c", Failed("timeout"), "1"),
    )
    assert condition.counts == Counts(items=3, attempted=4, scored=2, failed=2, skipped=1)
    assert condition.items == ("a", "b", "c")
    assert condition.has_repeats


@pytest.mark.parametrize(
    ("policy", "means"),
    [
        ("exclude", {"a": 1.0, "b": 0.5}),
        ("zero", {"a": 0.5, "b": 0.5, "c": 0.0}),
    ],
)
def test_item_means_follow_the_policy(policy: str, means: dict[str, float]) -> None:
    """A failed repeat is left out of its item's mean or counts as 0; what was skipped is always left out."""
    condition = condition_of_scores(
        "base", {"a": [1, None], "b": [1, 0, Skipped("late")], "c": [None], "d": [Skipped("late")]}
    )
    assert condition.item_means(policy) == means


def test_abort_refuses_with_the_items() -> None:
    """A few of those that failed are named, with what to do."""
    condition = condition_of_scores("base", {f"q{i}": None for i in range(5)})
    with pytest.raises(
        StatsError, match=r'5 measurements of base failed \("q0", "q1", "q2" and 2 more\) and the policy is'
    ):
        condition.item_means("abort")
    with pytest.raises(StatsError, match='unknown policy for failures "drop"; known: exclude, zero, abort'):
        condition.item_means("drop")


def test_a_mean_of_equal_scores_is_that_score() -> None:
    """Three times 0.1 is 0.1 and not 0.10000000000000002, so that two sides that agree do agree."""
    assert condition_of_scores("base", {"a": [0.1, 0.1, 0.1]}).item_means() == {"a": 0.1}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers_are_refused(value: float) -> None:
    """With the item; a failed measurement is to be recorded as one."""
    with pytest.raises(StatsError, match=r'base: the score of item "a" is .*, expected a finite number; record it as'):
        _condition(Observation("a", Scored(value)))


def test_a_measurement_that_comes_twice_is_refused() -> None:
    """Repeats have to be told apart, or a copied row would count as evidence."""
    with pytest.raises(StatsError, match=r'item "a" comes more than once; number its repeats'):
        _condition(Observation("a", Scored(1.0)), Observation("a", Scored(1.0)))
    with pytest.raises(StatsError, match=r'item "a" comes more than once as repeat 2 of prompt p'):
        _condition(Observation("a", Scored(1.0), "2", "p"), Observation("a", Scored(1.0), "2", "p"))


def test_an_item_belongs_to_one_cluster() -> None:
    """Otherwise clusters would not hold whole items."""
    with pytest.raises(StatsError, match=r'item "a" is in the clusters "x" and "y"'):
        _condition(Observation("a", Scored(1.0), "1", cluster="x"), Observation("a", Scored(1.0), "2", cluster="y"))


@pytest.mark.parametrize("value", ["1.0", b"1", object(), 10**400])
def test_scores_in_memory_are_read_strictly(value: object) -> None:
    """Text is no number; what is refused is shown with its item."""
    with pytest.raises(StatsError, match=r"the score of item 'a' is .*, expected a number, an outcome or None"):
        condition_of_scores("base", {"a": value})


def test_a_column_without_ids_is_independent_until_it_is_paired_by_position() -> None:
    """Places in a list are no ids; `by_position` says that they are."""
    condition = condition_of_scores("base", [True, 0.5, None])
    assert not condition.by_item
    paired = condition.by_position()
    assert paired.by_item
    assert paired.item_means() == {"1": 1.0, "2": 0.5}


def test_positions_are_those_of_items_whatever_they_were_called() -> None:
    """Two tables whose rows have other numbers still pair by order."""
    condition = Condition("a", "x", tuple(Observation(k, Scored(1.0)) for k in ("7", "9")), by_item=False)
    assert condition.by_position().items == ("1", "2")


def test_an_item_without_cluster_among_clusters_is_refused() -> None:
    """All of those would make one cluster that nobody meant, and the standard error with it."""
    observations = [Observation(f"q{i}", Scored(1.0), cluster="" if i == 2 else "c") for i in range(4)]
    with pytest.raises(StatsError, match=r'1 of 4 items are in no cluster \("q2"\) and the others are in one'):
        Condition("a", "score", tuple(observations))
