"""Ragged sequences laid one behind the other, and which of them attention takes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = ["Packed", "Run", "pack"]

_CALL_IN_PAIRS = 3_000_000  # a call of the attention kernel costs about as much as this many multiplications


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive sequences that one call of the attention kernel takes.

    Args:
        start: Their first token.
        tokens: How many tokens they have together.
        rows: How many they are.
        length: Tokens of the longest.
        filled: (rows * length,) place of each token of the padded block within the run, any place for filler; None
            where all are of one length.
        real: (tokens,) place of each of the run's tokens within the padded block; None where `filled` is None.
        mask: (rows, 1, length, 1) False on filler; None where `filled` is None.
    """

    start: int
    tokens: int
    rows: int
    length: int
    filled: torch.Tensor | None
    real: torch.Tensor | None
    mask: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed batch.

    Args:
        tokens: (N,) token ids of all sequences, one behind the other; what follows a sequence's last asked position
            is left out.
        positions: (N,) place of each token within its sequence.
        runs: The sequences as attention takes them.
        asked: (M,) rows of `tokens` whose target's log-probability is wanted; None for all of them, in order.
        targets: (M,) the targets.
        longest: Tokens of the longest sequence.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    runs: tuple[Run, ...]
    asked: torch.Tensor | None
    targets: torch.Tensor
    longest: int


def pack(
    inputs_B_T: Sequence[Sequence[int]],  # noqa: N803  shape suffix
    targets_B_T: Sequence[Sequence[int]],  # noqa: N803
    asked_B: Sequence[Sequence[int]],  # noqa: N803
    *,
    width: int,
    device: str,
) -> Packed:
    """Return a ragged batch as one row of tokens.

    Args:
        inputs_B_T: B ragged lists of input tokens.
        targets_B_T: The token to predict at each input position.
        asked_B: For each of the B, the positions that are wanted, in [0, T).
        width: Query heads times head size, which decides what is worth a call of its own.
        device: Where the tensors go.
    """
    tokens: list[int] = []
    positions: list[int] = []
    rows: list[int] = []
    targets: list[int] = []
    lengths: list[int] = []
    for inputs, wanted, asked in zip(inputs_B_T, targets_B_T, asked_B, strict=True):
        if not asked:
            continue
        length = max(asked) + 1
        start = len(tokens)
        rows.extend(start + place for place in asked)
        targets.extend(wanted[place] for place in asked)
        tokens.extend(inputs[:length])
        positions.extend(range(length))
        lengths.append(length)
    is_all = rows == list(range(len(tokens)))
    return Packed(
        tokens=torch.tensor(tokens, device=device),
        positions=torch.tensor(positions, device=device),
        runs=tuple(_run(start, part, device) for start, part in _parts(lengths, width)),
        asked=None if is_all else torch.tensor(rows, device=device),
        targets=torch.tensor(targets, device=device),
        longest=max(lengths, default=0),
    )


def _parts(lengths: Sequence[int], width: int) -> list[tuple[int, list[int]]]:
    """Return where each run starts and the lengths in it: neighbours share a call where filling costs less than it."""
    parts: list[tuple[int, list[int]]] = []
    start = 0
    for length in lengths:
        if parts:
            part = parts[-1][1]
            longest = max(length, *part)
            apart = _pairs([*part]) + length * length
            together = longest * longest * (len(part) + 1)
            if (together - apart) * width <= _CALL_IN_PAIRS and (together == apart or len(part) < 64):
                part.append(length)
                start += length
                continue
        parts.append((start, [length]))
        start += length
    return parts


def _pairs(part: Sequence[int]) -> int:
    longest = max(part)
    return longest * longest * len(part)


def _run(start: int, lengths: Sequence[int], device: str) -> Run:
    rows, longest, count = len(lengths), max(lengths), sum(lengths)
    if rows * longest == count:
        return Run(start, count, rows, longest, None, None, None)
    filled: list[int] = []
    real: list[int] = []
    place = 0
    for row, length in enumerate(lengths):
        filled.extend(range(place, place + length))
        filled.extend([place] * (longest - length))
        real.extend(range(row * longest, row * longest + length))
        place += length
    places = torch.tensor(real, device=device)
    mask = torch.zeros(rows * longest, dtype=torch.bool, device=device).index_fill_(0, places, value=True)
    shaped = mask.view(rows, 1, longest, 1)
    return Run(start, count, rows, longest, torch.tensor(filled, device=device), places, shaped)
