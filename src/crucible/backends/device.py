"""Which devices the local backend can use, and the refusal of the others by name."""

from __future__ import annotations

from typing import Any, cast

from crucible.backends.distributed.place import Place
from crucible.errors import BackendError, require

__all__ = ["DEVICES", "check_device", "own_device", "shared_device_problem"]

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


def shared_device_problem(name: str) -> str | None:
    """Return why several processes cannot share the work on a device; None where they can.

    Args:
        name: A device that this machine may have, as for `check_device`.
    """
    kind, _, index = name.partition(":")
    if kind == "mps":
        return "several processes cannot share one MPS device; run it in one process, or use device: cpu"
    if index:
        return f"{name} names one GPU, and of several processes each takes its own; use device: {kind}"
    return None


def own_device(name: str, place: Place) -> str:
    """Return the device that a process computes on: of `cuda` the GPU with its number on this host.

    Args:
        name: `cpu` or `cuda`.
        place: That of this process.

    Raises:
        BackendError: Several processes cannot share the work there, or this host has too few GPUs.
    """
    if place.is_alone:
        return check_device(name)
    problem = shared_device_problem(name)
    if problem is not None:
        raise BackendError(problem, backend="local")
    return check_device(f"{name}:{place.local_rank}" if name == "cuda" else name)
