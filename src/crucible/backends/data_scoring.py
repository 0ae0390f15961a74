# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""Data of a request as a model scores them: in groups that fit the memory, each with what a loss reads of its rows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch

from crucible.backends.batching import groups_by_length
from crucible.backends.distribution import candidate_logprobs
from crucible.backends.local_base import LoadedBase
from crucible.backends.losses.rows import Positions, candidate_tokens
from crucible.backends.scoring import target_logprobs, threads_for, tokens_per_group
from crucible.errors import BackendError
from crucible.text import Datum

__all__ = ["DataScoring", "every_position", "weighted_positions"]


class DataScoring:
    """Log-probabilities of the targets of data under a model with an adapter.

    Args:
        base: The base model, its device and tokenizer.
        model: The transformers model with the adapter in it.
        mixed_precision: Compute matrix products in bfloat16.
    """

    def __init__(self, base: LoadedBase, model: Any, *, mixed_precision: bool) -> None:
        self._base = base
        self._model = model
        self._mixed_precision = mixed_precision

    def threads(self, data: Sequence[Datum]) -> contextlib.AbstractContextManager[int]:
        """Return a block that computes on as many threads as these data are worth."""
        return threads_for(self._model, sum(map(len, data)), device=self._base.device)

    def groups(self, data: Sequence[Datum]) -> list[list[int]]:
        """Return the places of data that are computed together, every place once."""
        limit = tokens_per_group(self._base.embedded_tokens, self._model, device=self._base.device)
        lengths = [len(datum) for datum in data]
        return list(groups_by_length(lengths, max_rows=len(data), max_padded_tokens=limit))

    def logprobs(
        self, data: Sequence[Datum], asked: Positions, *, with_entropy: bool = False
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return what a model says of the data of one group.

        Args:
            data: The data.
            asked: The positions that are wanted of each.
            with_entropy: Whether a loss requires the entropy.

        Returns:
            logprobs: (M,) of the rows of these positions, as `losses.rows` orders them.
            computed: (M,) each, what was computed beside them: `entropy`.

        Raises:
            BackendError: The memory is too small.
        """
        inputs = [datum.model_input.tokens for datum in data]
        options: dict[str, Any] = {
            "pad_id": self._base.tokenizer.pad_id,
            "device": self._base.device,
            "mixed_precision": self._mixed_precision,
        }
        try:
            if not with_entropy and all(datum.soft_targets is None for datum in data):
                targets = [datum.target_tokens for datum in data]
                return target_logprobs(self._model, inputs, targets, asked, **options), {}
            candidates = [candidate_tokens(datum, places) for datum, places in zip(data, asked, strict=True)]
            found = candidate_logprobs(self._model, inputs, candidates, asked, with_entropy=with_entropy, **options)
        except torch.OutOfMemoryError as error:
            raise BackendError(
                f"{self._base.device} ran out of memory on {len(data)} sequences of up to {max(map(len, data))} "
                "tokens; use smaller batches",
                backend="local",
            ) from error
        logprobs, entropy = found
        return logprobs, {} if entropy is None else {"entropy": entropy}


def every_position(data: Sequence[Datum]) -> list[range]:
    """Return all positions of each datum."""
    return [range(len(datum)) for datum in data]


def weighted_positions(data: Sequence[Datum]) -> list[list[int]]:
    """Return the positions of each datum whose weight is not 0."""
    return [[place for place, weight in enumerate(datum.weights) if weight != 0] for datum in data]
