# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers models are untyped)
"""Log-probabilities of given targets under a causal language model: what losses and `logprobs` are made of.

The vocabulary-wide logits are computed at the asked positions only, which for a short answer to a long prompt is most
of the work saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from crucible.backends.batching import pad

__all__ = ["target_logprobs", "tokens_per_group"]

_HEAD_IS_A_MATRIX = frozenset({"llama", "mistral", "qwen2", "qwen3"})  # logits = lm_head(hidden), nothing after it
_LOGIT_ELEMENTS = 2**28  # 1 GiB of float32


def tokens_per_group(vocab_size: int) -> int:
    """Return how many padded tokens one forward pass takes so that its logits stay near 1 GiB."""
    return max(1024, min(16384, _LOGIT_ELEMENTS // vocab_size))


def target_logprobs(
    model: Any,
    inputs_B_T: Sequence[Sequence[int]],  # noqa: N803  shape suffix
    targets_B_T: Sequence[Sequence[int]],  # noqa: N803
    asked_B: Sequence[Sequence[int]],  # noqa: N803
    *,
    pad_id: int,
    device: str,
) -> torch.Tensor:
    """Return the log-probabilities of the targets at the asked positions.

    Args:
        model: A transformers causal language model (with or without adapter layers).
        inputs_B_T: B ragged lists of input tokens.
        targets_B_T: The token to predict at each input position.
        asked_B: For each of the B, the positions that are wanted, in [0, T).
        pad_id: Filler token.
        device: Where the model lives.

    Returns:
        logprobs: (M,) float32 with M the count of asked positions, row after row; natural log, at most 0.
    """
    ids, mask = pad(inputs_B_T, pad_id, left=False, device=device)  # (B, T)
    rows = [row for row, asked in enumerate(asked_B) for _ in asked]
    columns = [column for asked in asked_B for column in asked]
    wanted = torch.tensor([targets_B_T[row][column] for row, column in zip(rows, columns, strict=True)], device=device)
    where = torch.tensor(rows, device=device), torch.tensor(columns, device=device)  # (M,) each
    if model.config.model_type in _HEAD_IS_A_MATRIX:
        inner = getattr(model, model.base_model_prefix)
        hidden = inner(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state  # (B, T, H)
        logits = model.get_output_embeddings()(hidden[where])  # (M, V)
    else:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[where]  # (M, V)
    return -cross_entropy(logits.float(), wanted, reduction="none")  # (M,)
