"""Root-mean-square normalisation and its gradient, in float32 whatever the type of the input."""

from __future__ import annotations

import torch

__all__ = ["rms_norm", "rms_norm_backward"]


def rms_norm(
    x: torch.Tensor, weight: torch.Tensor, eps: float, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `x / rms(x) * weight` in `dtype`, and 1 / rms(x).

    Args:
        x: (..., H).
        weight: (H,).
        eps: Added to the mean square.
        dtype: Type of the result.

    Source:
        Zhang & Sennrich (2019), NeurIPS 32.
    """
    wide = x.float()
    square = wide.square().mean(-1, keepdim=True)  # (..., 1)
    inverse = square.add_(eps).rsqrt_()
    y = torch.mul(wide, inverse)
    if dtype == torch.float32:
        return y.mul_(weight), inverse
    return y.to(dtype).mul_(weight.to(dtype)), inverse


def rms_norm_backward(
    gradient: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, inverse: torch.Tensor
) -> torch.Tensor:
    """Return the gradient of the input in float32; the weight is frozen.

    Args:
        gradient: (..., H) gradient of the result.
        x: (..., H) the input.
        weight: (H,).
        inverse: (..., 1) 1 / rms(x), as `rms_norm` returned it.
    """
    wide = x.float()
    scaled = gradient.float() * weight  # (..., H)
    dot = (scaled * wide).sum(-1, keepdim=True).mul_(inverse.pow(3)).div_(x.shape[-1])  # (..., 1)
    return scaled.mul_(inverse).addcmul_(wide, dot, value=-1)
