"""Rotary positions: rotating the two halves of each head, and rotating back, which is the gradient.

Source:
    Su et al. (2021), arXiv:2104.09864, in the half-split layout of transformers.
"""

from __future__ import annotations

import torch

__all__ = ["Angles", "rotate", "rotate_back"]

Angles = tuple[torch.Tensor, torch.Tensor]
"""Cosine and sine of each token's angles, (N, 1, D/2) each."""


def rotate(x: torch.Tensor, angles: Angles) -> torch.Tensor:
    """Return (N, heads, D) with every head turned by its token's angles."""
    cos, sin = angles
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    y = torch.empty_like(x)
    torch.mul(first, cos, out=y[..., :half]).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=y[..., half:]).addcmul_(first, sin)
    return y


def rotate_back(x: torch.Tensor, angles: Angles) -> torch.Tensor:
    """Return the gradient of `rotate`'s input, given that of its result."""
    cos, sin = angles
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    y = torch.empty_like(x)
    torch.mul(first, cos, out=y[..., :half]).addcmul_(second, sin)
    torch.mul(second, cos, out=y[..., half:]).addcmul_(first, sin, value=-1)
    return y
