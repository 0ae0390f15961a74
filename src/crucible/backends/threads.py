"""How PyTorch's threads wait for work, set before PyTorch is first imported.

OpenMP threads spin while they wait. Beside any other work on the machine that starves the one thread that has something
to do: a small model was seen to train several times slower. Threads that sleep while they wait cost little on an idle
machine. `benchmarks/RESULTS.md` has the figures.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["sleep_while_waiting"]


def sleep_while_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Ask OpenMP for threads that sleep while they wait; what the user has set wins.

    Args:
        environment: Where it is said. OpenMP reads it once, when PyTorch is imported.
    """
    if "GOMP_SPINCOUNT" not in environment:
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
