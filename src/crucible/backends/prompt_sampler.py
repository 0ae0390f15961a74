"""One call of a sampler that reads tokens, whoever answers: prompts read and cut, answers counted and told, once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from crucible.backends.prompts import answer_room, check_k, check_window, cut_to_fit, prompt_tokens
from crucible.backends.records import Sample, SamplingParams
from crucible.errors import DataError
from crucible.events import Span
from crucible.text import ModelInput, Tokenizer

__all__ = ["PromptSampler"]

Drawn = TypeVar("Drawn")


class PromptSampler(ABC, Generic[Drawn]):
    """Frozen weights that answer; what is drawn, and how it becomes a `Sample`, is for who has the weights.

    Args:
        model: Name for events and reports.
        tokenizer: The model's tokenizer.
        window: Most tokens of prompt and answer together.
        vocabulary: Tokens that the model has; None: those of the tokenizer.
    """

    def __init__(self, *, model: str, tokenizer: Tokenizer, window: int, vocabulary: int | None = None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._window = window
        self._vocabulary = tokenizer.vocab_size if vocabulary is None else vocabulary

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._tokenizer

    @property
    def window(self) -> int:
        """Most tokens of prompt and answer together."""
        return self._window

    def sample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """Return one answer a prompt, in the order of the prompts.

        A prompt that leaves no room for `max_tokens` in the window loses its beginning and is marked.

        Args:
            prompts: Text, which gets the tokenizer's start token in front if it has one, or tokens as they are.
            params: How to draw; None is greedy with 64 tokens, or half the window where that is less.

        Raises:
            DataError: A prompt is empty or holds a token outside of the vocabulary, `max_tokens` leaves no room for
                any prompt, or there are not as many `seeds` as prompts.
            BackendError: Whoever answers refused or failed.
        """
        return [group[0] for group in self.sample_groups(prompts, params, num_samples=1)]

    def sample_groups(
        self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None, *, num_samples: int
    ) -> list[list[Sample]]:
        """Return `num_samples` answers a prompt, in the order of the prompts; each prompt is read once.

        Greedy answers to one prompt are all the same.

        Args:
            prompts: As for `sample`.
            params: As for `sample`.
            num_samples: Answers a prompt, at least 1.

        Raises:
            DataError: As `sample`, or `num_samples` is below 1.
            BackendError: Whoever answers refused or failed.
        """
        if num_samples < 1:
            raise DataError(f"num_samples must be at least 1, got {num_samples}")
        params = params or SamplingParams(max_tokens=max(1, min(64, self.window // 2)))
        with self._span() as span:
            room = answer_room(params, self.window)
            whole = [self._encode(number, prompt) for number, prompt in enumerate(prompts)]
            kept = [cut_to_fit(self.tokenizer, tokens, room) for tokens in whole]
            groups = [
                [self._sample(one, params, len(fitted), truncated=len(fitted) < len(tokens)) for one in own]
                for own, fitted, tokens in zip(self._draw(kept, params, num_samples), kept, whole, strict=True)
            ]
            span.measure(
                prompts=len(groups),
                prompt_tokens=sum(map(len, kept)),
                completion_tokens=sum(len(sample.tokens) for group in groups for sample in group),
            )
        return groups

    async def asample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """`sample` on a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.sample, prompts, params)

    async def asample_groups(
        self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None, *, num_samples: int
    ) -> list[list[Sample]]:
        """`sample_groups` on a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.sample_groups, prompts, params, num_samples=num_samples)

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> list[list[float | None]]:
        """Return each prompt's token log-probabilities given the tokens before; the first token has None.

        Raises:
            DataError: A prompt is empty, longer than the window, or holds a token outside of the vocabulary.
            BackendError: Whoever answers refused or failed.
        """
        return self._token_logprobs(self._whole(prompts))

    def top_logprobs(self, prompts: Sequence[str | ModelInput], k: int) -> list[list[list[tuple[int, float]]]]:
        """Return, for each token of each prompt, the k likeliest tokens in its place given those before it.

        Args:
            prompts: As for `sample`.
            k: At least 1, at most the size of the vocabulary.

        Returns:
            For each prompt and each of its tokens (token, natural-log probability), likeliest first; none for a first.

        Raises:
            DataError: As `logprobs`, or `k` is out of range.
            BackendError: Whoever answers refused or failed; `BadResponse` where a service sent none, as some do.
        """
        check_k(k, self._vocabulary)
        return self._likeliest(self._whole(prompts), k)

    def _encode(self, number: int, prompt: str | ModelInput) -> list[int]:
        return prompt_tokens(self.tokenizer, number, prompt, vocabulary=self._vocabulary)

    def _whole(self, prompts: Sequence[str | ModelInput]) -> list[list[int]]:
        """Return the tokens of prompts that are to be scored, which are not cut."""
        tokens_N_T = [self._encode(number, prompt) for number, prompt in enumerate(prompts)]  # noqa: N806  shape suffix
        check_window(tokens_N_T, self.window)
        return tokens_N_T

    @abstractmethod
    def _span(self) -> AbstractContextManager[Span]:
        """Return the span of one call."""

    @abstractmethod
    def _draw(
        self,
        prompts_N_T: list[list[int]],  # noqa: N803  shape suffix
        params: SamplingParams,
        copies: int,
    ) -> list[list[Drawn]]:
        """Return `copies` answers to each prompt."""

    @abstractmethod
    def _sample(self, drawn: Drawn, params: SamplingParams, prompt_tokens: int, *, truncated: bool) -> Sample:
        """Return our record of an answer."""

    @abstractmethod
    def _token_logprobs(self, tokens_N_T: list[list[int]]) -> list[list[float | None]]:  # noqa: N803
        """Return one value a token, None for a first."""

    @abstractmethod
    def _likeliest(self, tokens_N_T: list[list[int]], k: int) -> list[list[list[tuple[int, float]]]]:  # noqa: N803
        """Return k pairs a token, none for a first."""
