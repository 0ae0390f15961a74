"""Ragged token lists as rectangular tensors, and the grouping that keeps padding and memory small.

Nothing here decides what is trained on: that is the datum's weights, and padding has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

__all__ = ["groups_by_length", "pad"]


def groups_by_length(lengths: Sequence[int], *, max_rows: int, max_padded_tokens: int) -> Iterator[list[int]]:
    """Yield groups of indices whose lengths are close, longest group first.

    Longest first means that running out of memory shows at once. Every index comes exactly once.

    Args:
        lengths: Token count of each sequence.
        max_rows: Most sequences of a group, at least 1.
        max_padded_tokens: Most tokens of a group after padding; a single longer sequence is a group of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    group: list[int] = []
    for index in order:
        if group and (len(group) == max_rows or (len(group) + 1) * lengths[group[0]] > max_padded_tokens):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def pad(
    tokens_B_T: Sequence[Sequence[int]],  # noqa: N803  shape suffix
    pad_id: int,
    *,
    left: bool,
    device: str,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return token ids and the attention mask of a ragged batch.

    Args:
        tokens_B_T: B lists of tokens, ragged in T.
        pad_id: What fills the gaps.
        left: Put the padding before the tokens, as sampling needs it; else behind.
        device: Where the tensors go.

    Returns:
        ids: (B, T) int64.
        mask: (B, T) int64, 1 on tokens and 0 on padding; None where there is no padding.
    """
    width = max(len(tokens) for tokens in tokens_B_T)
    rows: list[list[int]] = []
    masks: list[list[int]] = []
    for tokens in tokens_B_T:
        gap = width - len(tokens)
        rows.append([pad_id] * gap + list(tokens) if left else list(tokens) + [pad_id] * gap)
        masks.append([0] * gap + [1] * len(tokens) if left else [1] * len(tokens) + [0] * gap)
    ids = torch.tensor(rows, device=device)  # (B, T)
    ragged = any(len(tokens) != width for tokens in tokens_B_T)
    return ids, torch.tensor(masks, device=device) if ragged else None  # (B, T)
