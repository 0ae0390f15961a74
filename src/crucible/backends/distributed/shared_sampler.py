"""A sampler of which each process answers a share of the prompts: what is drawn is what one process would draw."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch

from crucible.backends.decoding import Answer
from crucible.backends.distributed.shares import attempt, first_failure, shares
from crucible.backends.distributed.team import Team
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.prompts import check_window
from crucible.backends.records import SamplingParams
from crucible.text import ModelInput

__all__ = ["SharedSampler"]


class SharedSampler(LocalSampler):
    """A model that answers, in all processes.

    Args:
        base: The leader's base model with its tokenizer.
        model: Name for events and reports.
        weights: The leader's transformers model; None for the base's own.
        team: The processes.
        number: What the others keep the same weights under.
    """

    def __init__(self, base: LoadedBase, *, model: str, weights: Any, team: Team, number: int) -> None:
        super().__init__(base, model=model, weights=weights)
        self._team = team
        self._number = number
        weakref.finalize(self, team.forget, number)

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> list[list[float | None]]:
        """Return each prompt's token log-probabilities, each process's share from there; as `LocalSampler` does."""
        return self._scored("logprobs", prompts, super().logprobs)

    def top_logprobs(self, prompts: Sequence[str | ModelInput], k: int) -> list[list[list[tuple[int, float]]]]:
        """Return the k likeliest tokens of each place, each process's share from there; as `LocalSampler` does."""
        return self._scored("top_logprobs", prompts, super().top_logprobs, k)

    def _scored(
        self, name: str, prompts: Sequence[str | ModelInput], alone: Callable[..., list[Any]], *more: Any
    ) -> list[Any]:
        """Score prompts, which are checked here, where their numbers are those that the caller knows."""
        tokens_N_T = [self._encode(number, prompt) for number, prompt in enumerate(prompts)]  # noqa: N806  shape suffix
        check_window(tokens_N_T, self.window)
        given = [ModelInput(tuple(tokens)) for tokens in tokens_N_T]
        if not self._is_worth_sharing(len(given)):
            return alone(given, *more)
        places = shares([len(tokens) for tokens in tokens_N_T], self._team.count)
        parts = [([given[number] for number in own], *more) for own in places]
        return self._shared(name, places, parts, lambda: alone(*parts[0]))

    def answers(
        self,
        prompts_N_T: Sequence[Sequence[int]],  # noqa: N803  shape suffix
        params: SamplingParams,
        copies: int,
        uniforms: torch.Tensor | None,
    ) -> list[list[Answer]]:
        """Answer tokens with given draws, each process's share of them there; as `LocalSampler` does."""
        if not self._is_worth_sharing(len(prompts_N_T)):
            return super().answers(prompts_N_T, params, copies, uniforms)
        places = shares([len(tokens) + params.max_tokens for tokens in prompts_N_T], self._team.count)
        parts = [
            ([prompts_N_T[each] for each in own], params, copies, None if uniforms is None else uniforms[own])
            for own in places
        ]
        return self._shared("sample", places, parts, lambda: super(SharedSampler, self).answers(*parts[0]))

    def _is_worth_sharing(self, prompts: int) -> bool:
        """Whether there is more than one prompt, and nobody asks from within a shared request."""
        return prompts > 1 and not self._team.is_speaking

    def _shared(self, name: str, places: Sequence[Sequence[int]], parts: Sequence[Any], own: Any) -> list[Any]:
        with self._team.asking(name, (self._number, list(parts[1:]))):
            outcomes = self._team.outcomes(attempt(own))
        if (error := first_failure(outcomes)) is not None:
            raise error
        found: dict[int, Any] = {}
        for numbers, outcome in zip(places, outcomes, strict=True):
            found.update(zip(numbers, outcome.value or [], strict=True))
        return [found[number] for number in range(len(found))]
