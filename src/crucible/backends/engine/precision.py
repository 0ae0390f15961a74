"""The number type that matrix products are computed in."""

from __future__ import annotations

import torch

from crucible.errors import BackendError

__all__ = ["product_dtype"]


def product_dtype(weights: torch.dtype, device: str, *, mixed_precision: bool) -> torch.dtype:
    """Return the type of matrix products: that of the weights, or bfloat16 where precision is mixed.

    Adapter weights, their gradients, norms, and log-probabilities are float32 either way.

    Args:
        weights: Type of the frozen weights.
        device: Where they live.
        mixed_precision: Whether bfloat16 was asked for.

    Raises:
        BackendError: The device computes nothing in bfloat16.
    """
    if not mixed_precision:
        return weights
    try:
        one = torch.ones(1, 1, dtype=torch.bfloat16, device=device)
        has_it = (one @ one).item() == 1.0
    except (RuntimeError, TypeError, AssertionError) as error:  # what the devices' own code raises
        raise _refusal(device, str(error)) from error
    if not has_it or (device.startswith("cuda") and not torch.cuda.is_bf16_supported()):
        raise _refusal(device, "its hardware has no such numbers")
    return torch.bfloat16


def _refusal(device: str, why: str) -> BackendError:
    reason = " ".join(why.split())[:200]
    return BackendError(
        f"mixed_precision needs bfloat16, which the device {device!r} does not compute ({reason}); "
        "use mixed_precision: false",
        backend="local",
    )
