"""Answers, turns and groups made by hand, and a reward that any answer gets some of."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.backends import Sample
from crucible.data import Item
from crucible.ir import Outcome, Scored
from crucible.train.rl import Observation, Trajectory, TrajectoryGroup, Transition


def act(tokens: Sequence[int], *, stop: str = "stop", text: str = "", logprob: float = -1.0) -> Sample:
    """An answer whose every token has the same log-probability."""
    return Sample(text, tuple(tokens), stop, tuple([logprob] * len(tokens)), 0, truncated_prompt=False)  # type: ignore[arg-type]


def turn(shown: Sequence[int], said: Sequence[int], reward: float = 0.0, *, done: bool = False) -> Transition:
    """One turn."""
    return Transition(Observation(tuple(shown)), act(said), reward, done)


def group_of(rewards: Sequence[float]) -> TrajectoryGroup:
    """A group of one-turn trajectories with these rewards."""
    trajectories = tuple(Trajectory((turn([1, 2], [3 + place], reward),)) for place, reward in enumerate(rewards))
    return TrajectoryGroup(trajectories, (0.0,) * len(rewards))


def letters(item: Item, answer: str) -> Outcome:
    """The share of an answer's characters that are the letter which the item wants."""
    del item
    return Scored(answer.count("e") / len(answer) if answer else 0.0)


letters.bounds = (0.0, 1.0)  # type: ignore[attr-defined]
