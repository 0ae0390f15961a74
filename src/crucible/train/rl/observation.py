"""What an environment shows, and what it says of an answer: plain records."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Observation", "StepResult"]


class Observation(msgspec.Struct, frozen=True):
    """What the policy is shown.

    Attributes:
        tokens: The whole context, at least one token: of a later turn, all that was said before, too.
        stop: Strings that end the answer.
        stop_tokens: Tokens that end it, beside the model's own end tokens.
    """

    tokens: tuple[int, ...]
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[int, ...] = ()


class StepResult(msgspec.Struct, frozen=True):
    """What an answer led to.

    Attributes:
        reward: What it was worth; a finite number.
        episode_done: There is no further turn.
        next_observation: What is shown in the next turn; None only where the episode is done.
        metrics: What else is to be known of it, by name, finite numbers; their means are told.
    """

    reward: float
    episode_done: bool
    next_observation: Observation | None = None
    metrics: Mapping[str, float] = {}
