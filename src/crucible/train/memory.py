"""How much memory a training has taken at most, where this machine can tell."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["peak_memory_bytes"]

_STATUS = Path("/proc/self/status")


def peak_memory_bytes(device: str) -> int | None:
    """Return the most memory that was in use, in bytes; None where it is unknown.

    On `cpu` that of this process (resident set), on `cuda` what PyTorch had allocated on the device, on `mps` what the
    driver holds for it now. A model elsewhere has its memory there: None.

    Args:
        device: Where the weights live, as `Session.device` says.
    """
    kind = device.partition(":")[0]
    if kind == "cpu":
        return _peak_rss_bytes()
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if kind == "cuda" and torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated(device))
    if kind == "mps" and torch.backends.mps.is_available():
        return int(torch.mps.driver_allocated_memory())
    return None


def _peak_rss_bytes() -> int | None:
    """Return the peak of the resident set. Linux: `VmHWM`, because `ru_maxrss` outlives an exec."""
    try:
        with _STATUS.open("rb") as status:
            for line in status:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
