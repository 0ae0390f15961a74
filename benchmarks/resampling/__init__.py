"""The same columns, resampled by Crucible and by its peers; run with the peer's own interpreter.

A BCa interval of the mean and permutation tests of two columns, 10,000 resamples each, of float64 scores with a tail.
"""

from pathlib import Path
from typing import Any

RESAMPLES = 10_000
FEW, MANY = 1_000, 100_000

BCA = "BCa of the mean, {:,} values, 10,000 resamples"
GROWTH = "BCa of the mean, {:,} values, 10,000 resamples: growth of the process's peak memory"
INDEPENDENT = "permutation test of two samples of {:,}, 10,000 arrangements"
PAIRED = "permutation test of {:,} pairs, 10,000 arrangements"


def columns(n: int) -> tuple[Any, Any]:
    """Return a baseline and a treatment of so many scores."""
    import numpy as np

    random = np.random.default_rng(20_240_601)
    return random.exponential(size=n), random.exponential(size=n) + 0.05


def peak_bytes() -> int:
    """Return the most memory that this process ever held at once; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = [line.split() for line in status.read_text(encoding="ascii").splitlines()]
    return next(int(line[1]) * 1024 for line in lines if line[0] == "VmHWM:")
