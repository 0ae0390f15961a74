"""Which of several processes this one is, as torchrun and accelerate tell it by the environment."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import msgspec

from crucible.errors import BackendError

__all__ = ["ADDRESS", "TIMEOUT_VARIABLE", "Place", "place", "timeout_s"]

TIMEOUT_VARIABLE = "CRUCIBLE_PROCESSES_TIMEOUT_S"
ADDRESS = ("MASTER_ADDR", "MASTER_PORT")
_TIMEOUT_S = 1800.0  # PyTorch's own for gloo


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The place of this process among those that share its work.

    Attributes:
        rank: Its number, from 0; process 0 leads.
        count: How many there are on all hosts together, at least 1.
        local_rank: Its number on this host, from 0: which GPU is its own.
        local_count: How many there are on this host.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process."""
        return self.count == 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that reads, decides and writes."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """The process in words, such as `process 1 of 2 (host a, pid 4711)`."""
        return f"process {self.rank} of {self.count} (host {socket.gethostname()}, pid {os.getpid()})"


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """Return the place of this process; alone where the environment has no `RANK` or no `WORLD_SIZE`.

    Args:
        environment: With `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `LOCAL_WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT`, as
            launchers set them.

    Raises:
        BackendError: They are no whole numbers, do not fit together, or do not say where the others are, such as
            variables that are left over from another program.
    """
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return Place()
    rank, count = _number(environment, "RANK"), _number(environment, "WORLD_SIZE")
    local_rank = _number(environment, "LOCAL_RANK") if "LOCAL_RANK" in environment else rank
    local_count = _number(environment, "LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in environment else count
    if not (0 <= rank < count and 0 <= local_rank < max(local_count, 1)):
        raise BackendError(
            f"RANK={rank} and WORLD_SIZE={count}, LOCAL_RANK={local_rank} and LOCAL_WORLD_SIZE={local_count} do not "
            "fit together: a rank is counted from 0 and below its size; start the processes with torchrun",
            backend="local",
        )
    absent = [name for name in ADDRESS if not environment.get(name)]
    if count > 1 and absent:
        raise BackendError(
            f"RANK={rank} and WORLD_SIZE={count} are set, but {' and '.join(absent)} not, so the other processes "
            "cannot be found; start all with torchrun, or unset RANK and WORLD_SIZE for a process that works alone",
            backend="local",
        )
    return Place(rank=rank, count=count, local_rank=local_rank, local_count=local_count)


def timeout_s(environment: Mapping[str, str] = os.environ) -> float:
    """Return how many seconds a process waits for another in the middle of a request, at most.

    Raises:
        BackendError: `CRUCIBLE_PROCESSES_TIMEOUT_S` is no number above 0.
    """
    given = environment.get(TIMEOUT_VARIABLE)
    if given is None:
        return _TIMEOUT_S
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise BackendError(f"{TIMEOUT_VARIABLE}={given!r} must be seconds above 0, such as 600", backend="local")
    return seconds


def _number(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except ValueError:
        raise BackendError(
            f"{name}={environment[name]!r} must be a whole number; start the processes with torchrun", backend="local"
        ) from None
