"""Which devices the local backend can use, and the refusal of the others by name."""

from __future__ import annotations

from typing import Any, cast

from crucible.errors import BackendError, require

__all__ = ["DEVICES", "check_device"]

DEVICES = ("cpu", "cuda", "mps")


def check_device(name: str) -> str:
    """Return `name` if this machine has that device.

    Args:
        name: `cpu`, `cuda`, `cuda:1` … or `mps`.

    Raises:
        BackendError: The local backend does not know the device, or this machine has none.
        MissingExtra: PyTorch is not installed.
    """
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not (kind == "cuda" and index.isdigit())):
        raise BackendError(f"device {name!r} is not one of the local backend's: {', '.join(DEVICES)}", backend="local")
    torch = cast("Any", require("torch", extra="train"))
    if kind == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            f"device {name!r}: PyTorch finds no CUDA device on this machine; use device: cpu", backend="local"
        )
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise BackendError(f"device {name!r}: this machine has {count} CUDA device(s), counted from 0", backend="local")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise BackendError(
            f"device {name!r}: PyTorch finds no MPS device on this machine; use device: cpu", backend="local"
        )
    return name
