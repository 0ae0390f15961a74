# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers models are untyped)
"""Frozen weights that answer prompts in this process: the sampler of `LocalBackend`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import torch

from crucible import events
from crucible.backends.batching import groups_by_length
from crucible.backends.decoding import Answer, decode
from crucible.backends.local_base import LoadedBase
from crucible.backends.prompts import answer_room, check_window, cut_to_fit, prompt_tokens
from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scoring import target_logprobs, tokens_per_group
from crucible.errors import DataError
from crucible.text import ModelInput, Tokenizer

__all__ = ["LocalSampler"]

_ROWS = 64  # prompts decoded together


class LocalSampler:
    """A model that answers; its weights never change, whatever training does meanwhile.

    Args:
        base: The base model with its tokenizer.
        model: Name for events and reports.
        weights: The transformers model to sample from; None for the base's own.
    """

    def __init__(self, base: LoadedBase, *, model: str, weights: Any = None) -> None:
        self._base = base
        self._weights = base.model if weights is None else weights
        self._name = model

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._name

    @property
    def tokenizer(self) -> Tokenizer:
        """The base model's tokenizer."""
        return self._base.tokenizer

    @property
    def device(self) -> str:
        """Where the weights live."""
        return self._base.device

    @property
    def dtype(self) -> str:
        """Number type of the weights, such as `float32`."""
        return str(self._weights.dtype).removeprefix("torch.")

    @property
    def window(self) -> int:
        """Most tokens of prompt and answer together."""
        return self._base.window

    def sample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """Return one answer a prompt, in the order of the prompts.

        A prompt that leaves no room for `max_tokens` in the window loses its beginning and is marked.

        Args:
            prompts: Text, which gets the tokenizer's start token in front if it has one, or tokens as they are.
            params: How to draw; None is greedy with 64 tokens, or half the window where that is less.

        Raises:
            DataError: A prompt is empty or holds a token outside of the vocabulary, `max_tokens` leaves no room for
                any prompt, or there are not as many `seeds` as prompts.
        """
        return [group[0] for group in self.sample_groups(prompts, params, num_samples=1)]

    def sample_groups(
        self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None, *, num_samples: int
    ) -> list[list[Sample]]:
        """Return `num_samples` answers a prompt, in the order of the prompts; each prompt is read once.

        With `seeds` the first answer to a prompt is that of `sample`; greedy answers to one prompt are all the same.

        Args:
            prompts: As for `sample`.
            params: As for `sample`.
            num_samples: Answers a prompt, at least 1.

        Raises:
            DataError: As `sample`, or `num_samples` is below 1.
        """
        if num_samples < 1:
            raise DataError(f"num_samples must be at least 1, got {num_samples}")
        params = params or SamplingParams(max_tokens=max(1, min(64, self.window // 2)))
        with events.span("req_llm.request", {"model": self.model, "backend": "local"}) as span:
            room = answer_room(params, self.window)
            encoded = [self._encode(number, prompt) for number, prompt in enumerate(prompts)]
            fitted = [cut_to_fit(self.tokenizer, tokens, room) for tokens in encoded]
            answers = self._decode(fitted, params, num_samples)
            groups = [
                [self._sample(answer, params, len(kept), truncated=len(kept) < len(whole)) for answer in own]
                for own, kept, whole in zip(answers, fitted, encoded, strict=True)
            ]
            span.measure(
                prompts=len(groups),
                prompt_tokens=sum(map(len, fitted)),
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

    @torch.inference_mode()
    def logprobs(self, prompts: Sequence[str | ModelInput]) -> list[list[float | None]]:
        """Return each prompt's token log-probabilities given the tokens before; the first token has None.

        Raises:
            DataError: A prompt is empty, longer than the window, or holds a token outside of the vocabulary.
        """
        tokens_N_T = [self._encode(number, prompt) for number, prompt in enumerate(prompts)]  # noqa: N806  shape suffix
        check_window(tokens_N_T, self.window)
        result: list[list[float | None]] = [[None] for _ in tokens_N_T]
        longer = [number for number, tokens in enumerate(tokens_N_T) if len(tokens) > 1]
        lengths = [len(tokens_N_T[number]) for number in longer]
        limit = tokens_per_group(self._base.embedded_tokens)
        for group in groups_by_length(lengths, max_rows=_ROWS, max_padded_tokens=limit):
            numbers = [longer[place] for place in group]
            flat = target_logprobs(
                self._weights,
                [tokens_N_T[number][:-1] for number in numbers],
                [tokens_N_T[number][1:] for number in numbers],
                [range(len(tokens_N_T[number]) - 1) for number in numbers],
                pad_id=self.tokenizer.pad_id,
                device=self._base.device,
            )
            values = iter(flat.tolist())
            for number in numbers:
                result[number].extend(next(values) for _ in tokens_N_T[number][1:])
        return result

    def _encode(self, number: int, prompt: str | ModelInput) -> list[int]:
        return prompt_tokens(self.tokenizer, number, prompt, vocabulary=self._base.embedded_tokens)

    def _decode(
        self,
        prompts_N_T: list[list[int]],  # noqa: N803  shape suffix
        params: SamplingParams,
        copies: int,
    ) -> list[list[Answer]]:
        uniforms = _uniforms(len(prompts_N_T), copies, params) if params.temperature > 0 else None  # (N, copies, T)
        lengths = [len(tokens) for tokens in prompts_N_T]
        limit = tokens_per_group(self._base.embedded_tokens)
        answers: dict[int, list[Answer]] = {}
        for group in groups_by_length(lengths, max_rows=max(1, _ROWS // copies), max_padded_tokens=limit):
            found = decode(
                self._weights,
                [prompts_N_T[number] for number in group],
                pad_id=self.tokenizer.pad_id,
                device=self._base.device,
                params=params,
                stops=self._stop_test(params),
                uniforms=None if uniforms is None else uniforms[group].flatten(0, 1),
                copies=copies,
            )
            for place, number in enumerate(group):
                answers[number] = found[place * copies : (place + 1) * copies]
        return [answers[number] for number in range(len(prompts_N_T))]

    def _end_tokens(self, params: SamplingParams) -> frozenset[int]:
        own = frozenset[int]() if params.ignore_eos else self._base.stop_ids
        return own.union(params.stop_tokens)

    def _stop_test(self, params: SamplingParams) -> Callable[[list[int]], bool]:
        ends, stop = self._end_tokens(params), params.stop
        if not stop:
            return lambda tokens: tokens[-1] in ends
        # a token holds at least one byte, so a stop string lies within as many last tokens as it has bytes (and the
        # first of them may begin inside a character)
        tail = max(len(string.encode()) for string in stop) + 3

        def stops(tokens: list[int]) -> bool:
            if tokens[-1] in ends:
                return True
            text = self.tokenizer.decode(tokens[-tail:])
            return any(string in text for string in stop)

        return stops

    def _sample(self, answer: Answer, params: SamplingParams, prompt_tokens: int, *, truncated: bool) -> Sample:
        written = answer.tokens
        ended = bool(written) and written[-1] in self._end_tokens(params)
        text = self.tokenizer.decode(written[:-1] if ended else written)
        ends = [text.index(string) for string in params.stop if string in text]
        return Sample(
            text=text[: min(ends)] if ends else text,
            tokens=tuple(written),
            stop_reason="stop" if answer.stopped else "length",
            logprobs=tuple(answer.logprobs),
            prompt_tokens=prompt_tokens,
            truncated_prompt=truncated,
        )


def _uniforms(prompts: int, copies: int, params: SamplingParams) -> torch.Tensor:
    """Return the draws of a call: (N, copies, max_tokens) float64 in [0, 1), rows of its own for each prompt."""
    if params.seeds is None:
        seed = secrets.randbits(63) if params.seed is None else params.seed
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(prompts, copies, params.max_tokens, generator=generator, dtype=torch.float64)
    if len(params.seeds) != prompts:
        raise DataError(f"{len(params.seeds)} seeds came for {prompts} prompts; give one a prompt")
    draws = torch.empty(prompts, copies, params.max_tokens, dtype=torch.float64)
    for rows, seed in zip(draws, params.seeds, strict=True):
        rows.uniform_(generator=torch.Generator().manual_seed(seed))
    return draws
