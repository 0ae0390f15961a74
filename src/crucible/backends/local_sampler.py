# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers models are untyped)
"""Frozen weights that answer prompts in this process: the sampler of `LocalBackend`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from crucible import events
from crucible.backends.batching import groups_by_length
from crucible.backends.decoding import Answer, decode
from crucible.backends.distribution import likeliest_tokens
from crucible.backends.local_base import LoadedBase
from crucible.backends.prompt_sampler import PromptSampler
from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scoring import target_logprobs, tokens_per_group
from crucible.errors import DataError

__all__ = ["LocalSampler"]

_ROWS = 64  # prompts decoded together


class LocalSampler(PromptSampler[Answer]):
    """A model that answers; its weights never change, whatever training does meanwhile.

    With `seeds` the first of several answers to a prompt is that of `sample`.

    Args:
        base: The base model with its tokenizer.
        model: Name for events and reports.
        weights: The transformers model to sample from; None for the base's own.
    """

    def __init__(self, base: LoadedBase, *, model: str, weights: Any = None) -> None:
        vocabulary = base.embedded_tokens
        super().__init__(model=model, tokenizer=base.tokenizer, window=base.window, vocabulary=vocabulary)
        self._base = base
        self._weights = base.model if weights is None else weights

    @property
    def device(self) -> str:
        """Where the weights live."""
        return self._base.device

    @property
    def dtype(self) -> str:
        """Number type of the weights, such as `float32`."""
        return str(self._weights.dtype).removeprefix("torch.")

    def _span(self) -> events.Span:
        return events.span("req_llm.request", {"model": self.model, "backend": "local"})

    @torch.inference_mode()
    def _token_logprobs(self, tokens_N_T: list[list[int]]) -> list[list[float | None]]:  # noqa: N803  shape suffix
        result: list[list[float | None]] = [[None] for _ in tokens_N_T]
        for numbers in self._longer(tokens_N_T):
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

    def _likeliest(self, tokens_N_T: list[list[int]], k: int) -> list[list[list[tuple[int, float]]]]:  # noqa: N803
        result: list[list[list[tuple[int, float]]]] = [[[]] for _ in tokens_N_T]
        for numbers in self._longer(tokens_N_T):
            found = likeliest_tokens(
                self._weights,
                [tokens_N_T[number][:-1] for number in numbers],
                k,
                pad_id=self.tokenizer.pad_id,
                device=self._base.device,
            )
            for number, rows in zip(numbers, found, strict=True):
                result[number].extend(rows)
        return result

    def _longer(self, tokens_N_T: list[list[int]]) -> Iterator[list[int]]:  # noqa: N803  shape suffix
        """Yield the numbers of prompts with more than one token, those that are scored together."""
        longer = [number for number, tokens in enumerate(tokens_N_T) if len(tokens) > 1]
        lengths = [len(tokens_N_T[number]) for number in longer]
        limit = tokens_per_group(self._base.embedded_tokens)
        for group in groups_by_length(lengths, max_rows=_ROWS, max_padded_tokens=limit):
            yield [longer[place] for place in group]

    def _draw(
        self,
        prompts_N_T: list[list[int]],  # noqa: N803  shape suffix
        params: SamplingParams,
        copies: int,
    ) -> list[list[Answer]]:
        uniforms = _uniforms(len(prompts_N_T), copies, params) if params.temperature > 0 else None  # (N, copies, T)
        return self.answers(prompts_N_T, params, copies, uniforms)

    def answers(
        self,
        prompts_N_T: Sequence[Sequence[int]],  # noqa: N803  shape suffix
        params: SamplingParams,
        copies: int,
        uniforms: torch.Tensor | None,
    ) -> list[list[Answer]]:
        """Answer tokens with given draws, as `sample_groups` does after them; several processes each answer a part.

        Args:
            prompts_N_T: N lists of tokens that leave room for the answers.
            params: How to draw.
            copies: Answers a prompt.
            uniforms: (N, copies, max_tokens) numbers in [0, 1); None takes the likeliest tokens.
        """
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

    def _sample(self, drawn: Answer, params: SamplingParams, prompt_tokens: int, *, truncated: bool) -> Sample:
        written = drawn.tokens
        ended = bool(written) and written[-1] in self._end_tokens(params)
        text = self.tokenizer.decode(written[:-1] if ended else written)
        ends = [text.index(string) for string in params.stop if string in text]
        return Sample(
            text=text[: min(ends)] if ends else text,
            tokens=tuple(written),
            stop_reason="stop" if drawn.stopped else "length",
            logprobs=tuple(drawn.logprobs),
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
