"""From trajectories to what a session trains on: one datum for as long as each observation goes on from the last turn.

An observation that begins with everything before it (what was shown and what was answered) extends the datum; one that
does not begins a new one. Targets are shifted; weights are 1 on the policy's own tokens and 0 on what it was shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crucible.errors import DataError
from crucible.text import Datum, ModelInput
from crucible.train.rl.trajectory import Trajectory, TrajectoryGroup

__all__ = ["Origin", "assemble_training_data", "full_tokens", "trajectory_to_data"]


class Origin(msgspec.Struct, frozen=True):
    """Where a datum comes from.

    Attributes:
        group: Place of its group.
        trajectory: Place of its trajectory in the group.
    """

    group: int
    trajectory: int


class _Sequence:
    """The tokens of a datum under way, with what lies beside each."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._logprobs: list[float] = []
        self._advantages: list[float] = []
        self._mask: list[float] = []

    def show(self, tokens: Sequence[int]) -> None:
        nothing = [0.0] * len(tokens)
        self._add(tokens, nothing, nothing, 0.0)

    def act(self, tokens: Sequence[int], logprobs: Sequence[float], advantages: Sequence[float]) -> None:
        self._add(tokens, logprobs, advantages, 1.0)

    def _add(self, tokens: Sequence[int], logprobs: Sequence[float], advantages: Sequence[float], mask: float) -> None:
        self.tokens += tokens
        self._logprobs += logprobs
        self._advantages += advantages
        self._mask += [mask] * len(tokens)

    def datum(self) -> Datum:
        beside = {"logprobs": tuple(self._logprobs[1:]), "advantages": tuple(self._advantages[1:])}
        return Datum(ModelInput(tuple(self.tokens[:-1])), tuple(self.tokens[1:]), tuple(self._mask[1:]), beside)


def trajectory_to_data(
    trajectory: Trajectory, advantage: float | Sequence[float], *, gamma: float = 1.0
) -> list[Datum]:
    """Return a trajectory as data of T tokens each.

    Args:
        trajectory: The episode.
        advantage: How much better than expected it was; or one number a turn.
        gamma: What a token gets of its turn's advantage is multiplied by this for each token of the turn after it.

    Returns:
        At least one datum: weights (T,) are 1 on the policy's tokens, else 0; `loss_inputs["logprobs"]` (T,) are those
        of the sampler and `loss_inputs["advantages"]` (T,) those given, both 0 where the weight is.

    Raises:
        DataError: There is not one advantage a turn, or an answer has no log-probabilities.
    """
    turns = trajectory.transitions
    each = [advantage] * len(turns) if isinstance(advantage, int | float) else list(advantage)
    if len(each) != len(turns):
        raise DataError(f"{len(each)} advantages came for a trajectory of {len(turns)} turns")
    data: list[Datum] = []
    sequence = _Sequence()
    for turn, own in zip(turns, each, strict=True):
        shown, action = list(turn.observation.tokens), turn.action
        if action.logprobs is None:
            raise DataError("an answer has no log-probabilities, so it cannot be trained on")
        if sequence.tokens and shown[: len(sequence.tokens)] != sequence.tokens:
            data.append(sequence.datum())
            sequence = _Sequence()
        sequence.show(shown[len(sequence.tokens) :])
        last = len(action.tokens) - 1
        sequence.act(action.tokens, action.logprobs, [own * gamma ** (last - place) for place in range(last + 1)])
    return [*data, sequence.datum()]


def assemble_training_data(
    groups: Sequence[TrajectoryGroup],
    advantages: Sequence[Sequence[float | Sequence[float]]],
    *,
    gamma: float = 1.0,
) -> tuple[list[Datum], list[Origin]]:
    """Return the data of all groups, and where each comes from.

    Args:
        groups: The groups.
        advantages: For each trajectory of each group what `trajectory_to_data` takes.
        gamma: As `trajectory_to_data` has it.

    Raises:
        DataError: There is not one advantage a trajectory.
    """
    data: list[Datum] = []
    origins: list[Origin] = []
    if len(groups) != len(advantages):
        raise DataError(f"{len(advantages)} lists of advantages came for {len(groups)} groups")
    for place, (group, of_group) in enumerate(zip(groups, advantages, strict=True)):
        if len(group.trajectories) != len(of_group):
            raise DataError(
                f"{len(of_group)} advantages came for the {len(group.trajectories)} trajectories of a group"
            )
        for number, (trajectory, advantage) in enumerate(zip(group.trajectories, of_group, strict=True)):
            made = trajectory_to_data(trajectory, advantage, gamma=gamma)
            data += made
            origins += [Origin(place, number)] * len(made)
    return data, origins


def full_tokens(datum: Datum) -> ModelInput:
    """Return all tokens of a datum, (T + 1,): its input and the last target; what another model is asked to score."""
    return ModelInput((*datum.model_input.tokens, datum.target_tokens[-1]))
