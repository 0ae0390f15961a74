"""Several targets a position, laid one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = ["Candidates", "lay_out"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The C candidates of P positions.

    Args:
        tokens: (C,) token ids, position after position.
        rows: (C,) the position of each, in [0, P), ascending.
        starts: P + 1 numbers: where each position's candidates begin, and C.
    """

    tokens: torch.Tensor
    rows: torch.Tensor
    starts: tuple[int, ...]


def lay_out(candidates_P_K: Sequence[Sequence[int]], *, device: str) -> Candidates:  # noqa: N803  shape suffix
    """Return the candidates of P positions, K of each, where K may differ.

    Args:
        candidates_P_K: Token ids.
        device: Where the tensors go.
    """
    starts = [0]
    for candidates in candidates_P_K:
        starts.append(starts[-1] + len(candidates))
    counts = torch.tensor([len(candidates) for candidates in candidates_P_K], dtype=torch.int64)
    return Candidates(
        tokens=torch.tensor([token for each in candidates_P_K for token in each], dtype=torch.int64, device=device),
        rows=torch.repeat_interleave(counts).to(device),
        starts=tuple(starts),
    )
