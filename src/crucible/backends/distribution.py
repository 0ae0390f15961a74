# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers models are untyped)
"""More of a model's distribution than one target's log-probability: several candidates, the entropy, the likeliest.

As in `scoring`, known architectures go through the packed engine and others, padded, through transformers' own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from crucible.backends.batching import pad
from crucible.backends.engine.candidates import lay_out
from crucible.backends.engine.layout import Layout
from crucible.backends.engine.likeliest import logits_likeliest
from crucible.backends.engine.packed import pack
from crucible.backends.engine.passing import packed_distribution, packed_likeliest
from crucible.backends.engine.precision import product_dtype
from crucible.backends.engine.soft_head import logits_distribution
from crucible.backends.scoring import packed_layout

__all__ = ["candidate_logprobs", "likeliest_tokens"]

_Ragged = Sequence[Sequence[int]]


def candidate_logprobs(
    model: Any,
    inputs_B_T: _Ragged,  # noqa: N803  shape suffix
    candidates_B_T_K: Sequence[Sequence[Sequence[int]]],  # noqa: N803
    asked_B: _Ragged,  # noqa: N803
    *,
    pad_id: int,
    device: str,
    mixed_precision: bool = False,
    with_entropy: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the log-probabilities of several candidates at the asked positions, whose logits are computed once.

    Args:
        model: A transformers causal language model (with or without adapter layers).
        inputs_B_T: B ragged lists of input tokens.
        candidates_B_T_K: For each asked position of each of the B, its candidates; their count may differ.
        asked_B: For each of the B, the positions that are wanted, in [0, T).
        pad_id: Filler token, where the batch has to be padded.
        device: Where the model lives.
        mixed_precision: Compute matrix products in bfloat16; weights, gradients and results stay as they are.
        with_entropy: Whether the entropy is wanted, too.

    Returns:
        logprobs: (C,) float32, row after row, position after position; natural log, at most 0.
        entropy: (C,) float32 of the distribution at each candidate's position, in nats; None where it is not wanted.

    Raises:
        BackendError: `mixed_precision` on a device that has no bfloat16.
    """
    dtype = product_dtype(model.dtype, device, mixed_precision=mixed_precision)
    candidates = lay_out([each for rows in candidates_B_T_K for each in rows], device=device)
    if not any(asked_B):
        nothing = torch.zeros(0, device=device)
        return nothing, nothing if with_entropy else None
    layout = _layout(model, inputs_B_T, device)
    if layout is not None:
        packed = pack(inputs_B_T, inputs_B_T, asked_B, width=layout.width, device=device)
        found = packed_distribution(layout, packed, candidates, dtype=dtype, with_entropy=with_entropy)
    else:
        with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=mixed_precision):
            logits = _padded_logits(model, inputs_B_T, asked_B, pad_id=pad_id, device=device)  # (P, V)
        found = logits_distribution(logits, candidates, with_entropy=with_entropy)
    logprobs, entropy = found
    return logprobs, None if entropy is None else entropy.index_select(0, candidates.rows)


@torch.inference_mode()
def likeliest_tokens(
    model: Any,
    inputs_B_T: _Ragged,  # noqa: N803
    k: int,
    *,
    pad_id: int,
    device: str,
) -> list[list[list[tuple[int, float]]]]:
    """Return the k likeliest next tokens behind every token, each with its log-probability, likeliest first.

    Args:
        model: A transformers causal language model.
        inputs_B_T: B ragged lists of input tokens, none of them empty.
        k: At least 1, at most the model's vocabulary.
        pad_id: Filler token, where the batch has to be padded.
        device: Where the model lives.

    Returns:
        For each of the B and each of its T tokens, k pairs.
    """
    asked_B = [range(len(inputs)) for inputs in inputs_B_T]  # noqa: N806
    layout = _layout(model, inputs_B_T, device)
    if layout is not None:
        packed = pack(inputs_B_T, inputs_B_T, asked_B, width=layout.width, device=device)
        tokens, logprobs = packed_likeliest(layout, packed, k, dtype=model.dtype, vocabulary=model.config.vocab_size)
    else:
        logits = _padded_logits(model, inputs_B_T, asked_B, pad_id=pad_id, device=device)
        tokens, logprobs = logits_likeliest(logits, k)
    pairs = [list(zip(*row, strict=True)) for row in zip(tokens.tolist(), logprobs.tolist(), strict=True)]
    rows = iter(pairs)
    return [[next(rows) for _ in inputs] for inputs in inputs_B_T]


def _layout(model: Any, inputs_B_T: _Ragged, device: str) -> Layout | None:  # noqa: N803
    layout = packed_layout(model, device=device)
    reaches = layout is not None and (layout.reach is None or max(map(len, inputs_B_T)) <= layout.reach)
    return layout if reaches else None


def _padded_logits(
    model: Any,
    inputs_B_T: _Ragged,  # noqa: N803
    asked_B: _Ragged,  # noqa: N803
    *,
    pad_id: int,
    device: str,
) -> torch.Tensor:
    """Return the (P, V) logits at the asked positions, by the model's own code over a padded batch."""
    ids, mask = pad(inputs_B_T, pad_id, left=False, device=device)  # (B, T)
    rows = [row for row, asked in enumerate(asked_B) for _ in asked]
    columns = [column for asked in asked_B for column in asked]
    where = torch.tensor(rows, device=device), torch.tensor(columns, device=device)  # (P,) each
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits[where]
