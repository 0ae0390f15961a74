"""From trajectories to data: shifted, masked, and merged for as long as observations go on from the last turn."""

from __future__ import annotations

import pytest
from tests.train.rl.made import act, group_of, turn

from crucible.errors import DataError
from crucible.train.rl import Trajectory, TrajectoryGroup, assemble_training_data, full_tokens, trajectory_to_data


def test_one_turn_is_one_datum_with_weight_on_what_the_policy_wrote() -> None:
    """Targets are shifted by one; weights, log-probabilities and advantages are 0 on what was shown."""
    (datum,) = trajectory_to_data(Trajectory((turn([1, 2, 3], [7, 8]),)), 0.5)
    assert datum.model_input.tokens == (1, 2, 3, 7)
    assert datum.target_tokens == (2, 3, 7, 8)
    assert datum.weights == (0, 0, 1, 1)
    assert datum.loss_inputs["logprobs"] == (0, 0, -1, -1)
    assert datum.loss_inputs["advantages"] == (0, 0, 0.5, 0.5)
    assert full_tokens(datum).tokens == (1, 2, 3, 7, 8)


def test_turns_that_go_on_from_each_other_are_one_datum() -> None:
    """An observation that begins with all that was shown and said extends the sequence by what is new."""
    trajectory = Trajectory((turn([1, 2], [7]), turn([1, 2, 7, 3], [8, 9])))
    (datum,) = trajectory_to_data(trajectory, 1.0)
    assert full_tokens(datum).tokens == (1, 2, 7, 3, 8, 9)
    assert datum.weights == (0, 1, 0, 1, 1)


@pytest.mark.parametrize("second", [[1, 2], [1, 2, 6, 3], [2, 7, 3], [1]])
def test_an_observation_that_does_not_go_on_begins_a_new_datum(second: list[int]) -> None:
    """A context that was cut, rewritten or begun anew is a sequence of its own."""
    data = trajectory_to_data(Trajectory((turn([1, 2], [7]), turn(second, [8]))), 1.0)
    assert [full_tokens(datum).tokens for datum in data] == [(1, 2, 7), (*second, 8)]


def test_every_written_token_is_trained_on_once() -> None:
    """However turns are merged, the weights sum to the tokens that the policy wrote."""
    trajectory = Trajectory((turn([1], [7, 7]), turn([1, 7, 7, 2], [8]), turn([5], [9, 9, 9])))
    data = trajectory_to_data(trajectory, 1.0)
    assert sum(sum(datum.weights) for datum in data) == trajectory.action_tokens == 6


def test_each_turn_may_have_an_advantage_of_its_own() -> None:
    """One number a turn is laid on the tokens of that turn; another count of them is an error."""
    trajectory = Trajectory((turn([1, 2], [7]), turn([1, 2, 7, 3], [8, 9])))
    (datum,) = trajectory_to_data(trajectory, [0.25, -1.0])
    assert datum.loss_inputs["advantages"] == (0, 0.25, 0, -1, -1)
    with pytest.raises(DataError, match="1 advantages came for a trajectory of 2 turns"):
        trajectory_to_data(trajectory, [1.0])


def test_a_discount_leaves_less_to_the_tokens_further_from_the_end() -> None:
    """The last token of a turn gets its whole advantage, each before it `gamma` of the next one's."""
    (datum,) = trajectory_to_data(Trajectory((turn([1, 2], [7, 8, 9]),)), 4.0, gamma=0.5)
    assert datum.loss_inputs["advantages"] == (0, 1.0, 2.0, 4.0)


def test_an_answer_without_logprobs_is_refused() -> None:
    """What cannot be corrected for is not trained on in silence."""
    silent = act([7])
    broken = type(silent)(silent.text, silent.tokens, "stop", None, 0, truncated_prompt=False)
    bad = Trajectory((type(turn([1], [7]))(turn([1], [7]).observation, broken, 0.0, True),))
    with pytest.raises(DataError, match="no log-probabilities"):
        trajectory_to_data(bad, 1.0)


def test_assembled_data_say_where_they_come_from() -> None:
    """Each datum has its group and trajectory; numbers of advantages that do not fit are refused."""
    merged = TrajectoryGroup((Trajectory((turn([1], [2]), turn([5], [6]))),), (0.0,))
    groups = [group_of([0.0, 1.0]), merged]
    data, origins = assemble_training_data(groups, [[-0.5, 0.5], [1.0]])
    assert [(origin.group, origin.trajectory) for origin in origins] == [(0, 0), (0, 1), (1, 0), (1, 0)]
    assert [datum.loss_inputs["advantages"][-1] for datum in data] == [-0.5, 0.5, 1.0, 1.0]
    with pytest.raises(DataError, match="advantages came for 2 groups"):
        assemble_training_data(groups, [[-0.5, 0.5]])
    with pytest.raises(DataError, match="2 trajectories of a group"):
        assemble_training_data(groups, [[0.5], [1.0]])
