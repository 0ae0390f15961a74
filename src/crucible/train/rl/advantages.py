"""How much better than its group a rollout was, and which groups say nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from crucible.errors import DataError
from crucible.train.rl.trajectory import Trajectory, TrajectoryGroup

__all__ = ["compute_advantages", "discounted_future_sum", "is_constant", "remove_constant_reward_groups"]

_ROUNDING: Final = 1e-9  # of the largest reward: sums in another order differ by less


def compute_advantages(
    groups: Sequence[TrajectoryGroup], *, scale: Literal["none", "std"] = "none", gamma: float = 1.0
) -> list[list[list[float]]]:
    """Return one advantage for each turn of each trajectory of each group: its reward less the mean of the group.

    At a `gamma` of 1 every turn gets the advantage of the whole trajectory. Below 1 a turn gets the rewards from it on,
    each discounted by `gamma` for every token that was written in between, less the group's mean of the same (0 of an
    episode that had ended); `trajectory_to_data` discounts within the turn.

    Args:
        groups: The groups.
        scale: `std` divides by the standard deviation of the group's total rewards (over n, not n - 1; a group whose
            rewards are all the same is left at 0).
        gamma: Discount a token, in (0, 1].

    Raises:
        DataError: `gamma` lies outside.
    """
    if not 0 < gamma <= 1:
        raise DataError(f"gamma must be above 0 and at most 1, got {gamma}")
    return [_of_group(group, scale == "std", gamma) for group in groups]


def remove_constant_reward_groups(groups: Sequence[TrajectoryGroup]) -> list[TrajectoryGroup]:
    """Return the groups whose total rewards differ; where none do, the first, so that there is something to hand on.

    Every advantage of a group whose rewards are all the same is 0, so it has no gradient.
    """
    telling = [group for group in groups if not is_constant(group)]
    return telling or list(groups[:1])


def is_constant(group: TrajectoryGroup) -> bool:
    """Whether all total rewards of a group are the same but for rounding, as those of a group of one are."""
    rewards = group.total_rewards
    return max(rewards) - min(rewards) <= _ROUNDING * max(map(abs, rewards))


def discounted_future_sum(values: Sequence[float], gamma: float) -> list[float]:
    """Return for each place the sum of the values from it on, each one further on multiplied by `gamma` once more."""
    sums: list[float] = []
    total = 0.0
    for value in reversed(values):
        total = value + gamma * total
        sums.append(total)
    return sums[::-1]


def _of_group(group: TrajectoryGroup, is_scaled: bool, gamma: float) -> list[list[float]]:
    totals = group.total_rewards
    mean = math.fsum(totals) / len(totals)
    deviation = math.sqrt(math.fsum((total - mean) ** 2 for total in totals) / len(totals)) if is_scaled else 1.0
    if is_constant(group) or deviation == 0:
        return [[0.0] * len(trajectory.transitions) for trajectory in group.trajectories]
    if gamma == 1:
        return [
            [(total - mean) / deviation] * len(trajectory.transitions)
            for total, trajectory in zip(totals, group.trajectories, strict=True)
        ]
    pairs = zip(group.trajectories, group.final_rewards, strict=True)
    returns = [_returns(trajectory, final, gamma) for trajectory, final in pairs]
    longest = max(map(len, returns))
    means = [math.fsum(own[turn] for own in returns if turn < len(own)) / len(returns) for turn in range(longest)]
    return [[(value - means[turn]) / deviation for turn, value in enumerate(own)] for own in returns]


def _returns(trajectory: Trajectory, final: float, gamma: float) -> list[float]:
    """Return the discounted rewards from each turn's last token on."""
    found: list[float] = []
    later, tokens_between = final, 0
    for transition in reversed(trajectory.transitions):
        later = transition.reward + gamma**tokens_between * later
        tokens_between = len(transition.action.tokens)
        found.append(later)
    return found[::-1]
