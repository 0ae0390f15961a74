"""What the policy acts in: an environment, and who makes a group of them.

An environment shows tokens, takes the model's answer, and says what that was worth. A group is several of the same
problem: what one rollout was worth is told by what the others of its group were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from crucible.backends import Sample
from crucible.train.rl.observation import Observation, StepResult
from crucible.train.rl.trajectory import Trajectory

__all__ = ["Env", "EnvGroupBuilder"]


@runtime_checkable
class Env(Protocol):
    """One episode: used once. Both methods may be coroutine functions; those of a batch then wait together."""

    def initial_observation(self) -> Observation | Awaitable[Observation]:
        """Return what the policy is shown first."""
        ...

    def step(self, action: Sample) -> StepResult | Awaitable[StepResult]:
        """Take the policy's answer.

        Args:
            action: The answer: its `tokens`, its `text` without what ended it, and by `stop_reason` whether it ended.
        """
        ...


class EnvGroupBuilder:
    """Makes the environments of one group; to derive from. `make_envs` is the one method that has to be there."""

    def make_envs(self) -> Sequence[Env]:
        """Return fresh environments of the same problem, at least one; made anew whenever the problem comes up."""
        raise NotImplementedError

    def compute_group_rewards(
        self, trajectories: Sequence[Trajectory], envs: Sequence[Env]
    ) -> Sequence[tuple[float, Mapping[str, float]]]:
        """Return what each trajectory is worth beside the rewards of its steps, with metrics; 0 each by default.

        Args:
            trajectories: Those that came to an end; of those that failed, neither they nor their environments are here.
            envs: The environment of each.
        """
        del envs
        return [(0.0, {}) for _ in trajectories]

    def logging_tags(self) -> Sequence[str]:
        """Return what the group's metrics are told under as well, such as the name of its dataset; none by default."""
        return []
