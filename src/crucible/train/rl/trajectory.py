"""What rollouts leave behind: transitions, trajectories, their groups, and what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from crucible.backends import Sample
from crucible.train.rl.observation import Observation

__all__ = ["RolloutFailure", "Rollouts", "Trajectory", "TrajectoryGroup", "Transition"]


class Transition(msgspec.Struct, frozen=True):
    """One turn.

    Attributes:
        observation: What was shown.
        action: What was answered, with the log-probability of each token under the weights that answered.
        reward: What the environment gave for it.
        episode_done: It was the last turn.
        metrics: What else the environment said of it.
    """

    observation: Observation
    action: Sample
    reward: float
    episode_done: bool
    metrics: Mapping[str, float] = {}


class Trajectory(msgspec.Struct, frozen=True):
    """One episode.

    Attributes:
        transitions: Its turns, at least one.
        ended: `done`: the environment said so. `window`: the next observation left no room for an answer. `turns`: it
            took as many turns as it may.
    """

    transitions: tuple[Transition, ...]
    ended: Literal["done", "window", "turns"] = "done"

    @property
    def reward(self) -> float:
        """Sum of the rewards of its turns."""
        return sum(transition.reward for transition in self.transitions)

    @property
    def action_tokens(self) -> int:
        """Tokens that the policy wrote."""
        return sum(len(transition.action.tokens) for transition in self.transitions)


class TrajectoryGroup(msgspec.Struct, frozen=True):
    """The trajectories of one problem.

    Attributes:
        trajectories: Those that came to an end.
        final_rewards: What each is worth beside the rewards of its turns.
        metrics: What the group's builder said of each.
        tags: What its metrics are told under as well.
    """

    trajectories: tuple[Trajectory, ...]
    final_rewards: tuple[float, ...]
    metrics: tuple[Mapping[str, float], ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def total_rewards(self) -> list[float]:
        """What each trajectory is worth: the sum of its turns' rewards, and its final one."""
        pairs = zip(self.trajectories, self.final_rewards, strict=True)
        return [trajectory.reward + final for trajectory, final in pairs]


class RolloutFailure(msgspec.Struct, frozen=True):
    """A rollout, or a whole group of them, that did not come to an end.

    Attributes:
        group: Place of its group in the batch.
        member: Place in the group; None where the whole group failed.
        where: What failed: `make_envs`, `initial_observation`, `sample`, `step` or `compute_group_rewards`.
        error: Kind and message.
    """

    group: int
    member: int | None
    where: str
    error: str


class Rollouts(msgspec.Struct, frozen=True):
    """The rollouts of a batch of groups.

    Attributes:
        groups: Those of which at least one trajectory came to an end, in the order of the batch.
        failures: What did not.
        started: Rollouts begun; a group whose environments could not be made counts as one.
        places: Place of each of `groups` in the batch.
    """

    groups: tuple[TrajectoryGroup, ...]
    failures: tuple[RolloutFailure, ...]
    started: int
    places: tuple[int, ...] = ()

    @property
    def finished(self) -> int:
        """Trajectories that came to an end."""
        return sum(len(group.trajectories) for group in self.groups)
