# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers models are untyped)
"""Whether a layout computes what the model itself computes, tried on a few tokens before it is ever relied upon."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import torch

from crucible.backends.adapter import SeededDropout
from crucible.backends.engine.layout import Layout
from crucible.backends.engine.packed import pack
from crucible.backends.engine.passing import packed_logprobs

__all__ = ["agrees"]

_LENGTHS = (7, 4, 1)  # ragged, one of them without anything before it
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}  # of a log-probability; half precision: see below
_TOLERANCE_HALF = 0.25  # bfloat16 has 8 bits: the model itself changes by a tenth with the order of its sums


@torch.no_grad()
def agrees(model: Any, layout: Layout, *, device: str) -> bool:
    """Say whether the packed pass gives the log-probabilities that the model gives each sequence alone.

    Args:
        model: The transformers model.
        layout: What was read from it.
        device: Where it lives.
    """
    vocabulary = int(model.config.vocab_size)
    tokens_B_T = [  # noqa: N806  shape suffix
        [(7919 * (row + 1) + 104729 * place) % vocabulary for place in range(length + 1)]
        for row, length in enumerate(_LENGTHS)
    ]
    dtype: torch.dtype = layout.norm.weight.dtype
    packed = pack(
        [tokens[:-1] for tokens in tokens_B_T],
        [tokens[1:] for tokens in tokens_B_T],
        [range(length) for length in _LENGTHS],
        width=layout.width,
        device=device,
    )
    with _without_dropout(model):
        found = packed_logprobs(layout, packed, dtype=dtype)  # (M,)
        alone: list[torch.Tensor] = []
        for tokens in tokens_B_T:
            ids = torch.tensor([tokens[:-1]], device=device)
            logprobs = model(input_ids=ids, use_cache=False).logits[0].float().log_softmax(-1)  # (T, V)
            alone.append(logprobs.gather(1, torch.tensor(tokens[1:], device=device)[:, None]).squeeze(1))
    error = (found - torch.cat(alone)).abs().max().item()
    return error <= _TOLERANCE.get(dtype, _TOLERANCE_HALF) * max(1.0, found.abs().max().item() / 10)


@contextlib.contextmanager
def _without_dropout(model: Any) -> Generator[None]:
    active = [module for module in model.modules() if isinstance(module, SeededDropout) and module.training]
    try:
        for module in active:
            module.eval()
        yield
    finally:
        for module in active:
            module.train()
