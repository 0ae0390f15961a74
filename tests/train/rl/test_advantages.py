"""How much better than its group a rollout was."""

from __future__ import annotations

import math

import pytest
from tests.train.rl.made import group_of, turn

from crucible.errors import DataError
from crucible.train.rl import (
    Trajectory,
    TrajectoryGroup,
    compute_advantages,
    discounted_future_sum,
    remove_constant_reward_groups,
)


def test_an_advantage_is_the_reward_less_the_mean_of_the_group() -> None:
    """Nothing divides it; every group sums to 0."""
    found = compute_advantages([group_of([1.0, 0.0, 0.0, 0.0]), group_of([2.0, 4.0])])
    assert found == [[[0.75], [-0.25], [-0.25], [-0.25]], [[-1.0], [1.0]]]


def test_std_divides_by_the_deviation_of_the_group() -> None:
    """Over n, not n - 1; a group whose rewards are all the same is left at 0 instead of divided by 0."""
    scaled, constant = compute_advantages([group_of([1.0, 0.0]), group_of([0.3, 0.3, 0.3])], scale="std")
    assert scaled == [[1.0], [-1.0]]
    assert constant == [[0.0], [0.0], [0.0]]


def test_a_final_reward_of_the_group_counts() -> None:
    """Total rewards are those of the steps and the final one."""
    group = group_of([1.0, 0.0])
    moved = TrajectoryGroup(group.trajectories, (0.0, 3.0))
    assert moved.total_rewards == [1.0, 3.0]
    assert compute_advantages([moved]) == [[[-1.0], [1.0]]]


def test_without_a_discount_every_turn_gets_the_advantage_of_the_whole() -> None:
    """The first turn of an episode is as much to be thanked as the last."""
    long = Trajectory((turn([1], [2], 0.0), turn([1, 2, 3], [4], 1.0)))
    short = Trajectory((turn([1], [2], 0.0),))
    assert compute_advantages([TrajectoryGroup((long, short), (0.0, 0.0))]) == [[[0.5, 0.5], [-0.5]]]


def test_a_discount_credits_a_turn_with_what_comes_after_it() -> None:
    """Returns from a turn on, less the group's mean of the same, where one that had ended counts as 0."""
    long = Trajectory((turn([1], [2], 1.0), turn([1, 2, 3], [4], 2.0)))
    short = Trajectory((turn([1], [2], 2.5),))
    found = compute_advantages([TrajectoryGroup((long, short), (0.0, 0.0))], gamma=0.5)
    # returns: long (1 + .5 * 2, 2), short (2.5); means: 2.25 in the first turn, (2 + 0) / 2 in the second
    assert found == [[[-0.25, 1.0], [0.25]]]
    longer = Trajectory((turn([1], [2], 1.0), turn([1, 2, 3], [4, 5], 2.0)))
    ((early, late), (other,)) = compute_advantages([TrajectoryGroup((longer, short), (0.0, 0.0))], gamma=0.5)[0]
    assert (early, late, other) == (-0.5, 1.0, 0.5)  # two tokens in between: 1 + 0.25 * 2 against 2.5
    with pytest.raises(DataError, match="gamma"):
        compute_advantages([group_of([1.0, 0.0])], gamma=0.0)


def test_constant_groups_are_removed_and_one_is_kept_where_all_are() -> None:
    """A group of one is constant, too; of constant groups alone the first stays, so that there is something."""
    constant, single, telling = group_of([0.5, 0.5]), group_of([1.0]), group_of([0.0, 1.0])
    assert remove_constant_reward_groups([constant, telling, single]) == [telling]
    assert remove_constant_reward_groups([constant, single]) == [constant]
    assert remove_constant_reward_groups([]) == []


def test_discounted_future_sum_is_its_definition() -> None:
    """Each place sums what comes from it on, discounted by distance."""
    values, gamma = [1.0, -2.0, 0.5, 4.0], 0.9
    expected = [
        math.fsum(value * gamma ** (later - place) for later, value in enumerate(values) if later >= place)
        for place in range(len(values))
    ]
    assert discounted_future_sum(values, gamma) == pytest.approx(expected)
    assert discounted_future_sum(values, 0.0) == values
    assert discounted_future_sum([], 0.5) == []


def test_rounding_is_no_difference() -> None:
    """Rewards that are the same but for the order of a sum are constant, and no deviation of 1e-17 divides them."""
    rounded = group_of([0.1 + 0.2, 0.3, 0.3])
    assert len(set(rounded.total_rewards)) == 2
    assert compute_advantages([rounded], scale="std") == [[[0.0], [0.0], [0.0]]]
    assert remove_constant_reward_groups([rounded, group_of([0.0, 1e-12])]) == [group_of([0.0, 1e-12])]
