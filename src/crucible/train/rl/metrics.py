"""What is told of a batch of rollouts: flat names, finite numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from crucible.train.rl.advantages import is_constant
from crucible.train.rl.trajectory import Rollouts, Trajectory, TrajectoryGroup

__all__ = ["environment_means", "mean_reward", "rollout_metrics"]


def mean_reward(groups: Iterable[TrajectoryGroup]) -> float:
    """Return the mean total reward of all trajectories; NaN where there is none."""
    rewards = [reward for group in groups for reward in group.total_rewards]
    return math.fsum(rewards) / len(rewards) if rewards else math.nan


def environment_means(groups: Sequence[TrajectoryGroup]) -> dict[str, float]:
    """Return the mean of each metric that environments and builders gave, over those that gave it."""
    values: dict[str, list[float]] = {}
    for group in groups:
        for trajectory in group.trajectories:
            for transition in trajectory.transitions:
                for name, value in transition.metrics.items():
                    values.setdefault(name, []).append(float(value))
        for metrics in group.metrics:
            for name, value in metrics.items():
                values.setdefault(name, []).append(float(value))
    return {name: math.fsum(found) / len(found) for name, found in sorted(values.items())}


def rollout_metrics(rollouts: Rollouts) -> dict[str, float]:
    """Return what is told of rollouts of which at least one came to an end.

    `rl/reward` and `rl/reward_std` are mean and deviation of the total rewards of all trajectories, those of constant
    groups included; `rl/answer_tokens` and `rl/turns` means a trajectory; `rl/cut` the share of answers that did not
    end; `rl/constant_groups` and `rl/failed` counts; `rl/env/<name>` means of what environments said; `rl/reward/<tag>`
    mean rewards by tag, where there is more than one.
    """
    groups = rollouts.groups
    rewards = [reward for group in groups for reward in group.total_rewards]
    trajectories: list[Trajectory] = [each for group in groups for each in group.trajectories]
    actions = [transition.action for each in trajectories for transition in each.transitions]
    mean, count = mean_reward(groups), len(trajectories)
    found = {
        "rl/reward": mean,
        "rl/reward_std": math.sqrt(math.fsum((reward - mean) ** 2 for reward in rewards) / count),
        "rl/answer_tokens": sum(each.action_tokens for each in trajectories) / count,
        "rl/turns": len(actions) / count,
        "rl/cut": sum(action.stop_reason == "length" for action in actions) / len(actions),
        "rl/groups": float(len(groups)),
        "rl/constant_groups": float(sum(is_constant(group) for group in groups)),
        "rl/failed": float(rollouts.started - rollouts.finished),
    }
    found |= {f"rl/env/{name}": value for name, value in environment_means(groups).items()}
    tags = sorted({tag for group in groups for tag in group.tags})
    if len(tags) > 1:
        found |= {f"rl/reward/{tag}": mean_reward(group for group in groups if tag in group.tags) for tag in tags}
    return found
