"""PyTorch's threads: how they wait for work, and how many a piece of work is worth.

OpenMP threads spin while they wait. Beside any other work on the machine that starves the one thread that has something
to do: a small model was seen to train several times slower. Threads that sleep while they wait cost little on an idle
machine, and a model too small to share is not shared. `benchmarks/RESULTS.md` has the figures.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, MutableMapping
from typing import Any, Final, cast

from crucible.errors import require

__all__ = ["SHARED_FROM", "fitting_threads", "share_machine", "sleep_while_waiting", "use_threads"]

SHARED_FROM: Final = 1_000_000_000
"""Multiplications of a forward pass from which it is shared among threads: about 20 ms of one core."""

_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_users: list[int] = []  # the count that `use_threads` was told, if any
_processes: list[int] = []  # those that share the machine with this one, itself included, if any do


def sleep_while_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Ask OpenMP for threads that sleep while they wait; what the user has set wins.

    Args:
        environment: Where it is said. OpenMP reads it once, when PyTorch is imported.
    """
    if "GOMP_SPINCOUNT" not in environment:
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def use_threads(count: int | None) -> None:
    """Compute everything on this many threads from now on, small models too.

    Args:
        count: At least 1; None chooses by the size of the work again.

    Raises:
        ValueError: The count is less than 1.
        MissingExtra: PyTorch is not installed.
    """
    if count is not None and count < 1:
        raise ValueError(f"use_threads takes a count of at least 1, or None; got {count}")
    _users[:] = [] if count is None else [count]
    torch = cast("Any", require("torch", extra="train"))
    torch.set_num_threads(_cores() if count is None else count)


def share_machine(processes: int) -> None:
    """Take this process's part of the processors from now on, where nobody has chosen a count of threads.

    Args:
        processes: How many on this machine take an equal part; 1: it has all.

    Raises:
        MissingExtra: PyTorch is not installed.
    """
    torch = cast("Any", require("torch", extra="train"))
    is_free = not _users and not _is_set(torch.get_num_threads(), os.environ)
    _processes[:] = [] if processes == 1 else [processes]
    if is_free or (_is_of_torchrun(os.environ) and not _users):
        torch.set_num_threads(_cores())


@contextlib.contextmanager
def fitting_threads(multiplications: int | None) -> Generator[int]:
    """Compute a block on one thread if it is too little work to share; yields the count of threads.

    The size of the work alone decides, never the load of the machine: the same work has to give the same bits again.
    A count that the user has set, by `use_threads`, `OMP_NUM_THREADS`, `MKL_NUM_THREADS` or
    `torch.set_num_threads`, is left alone.

    Args:
        multiplications: Of one forward pass; None where nobody knows.
    """
    torch = cast("Any", require("torch", extra="train"))
    before: int = torch.get_num_threads()
    if _users:
        count = _users[0]
    elif multiplications is None or multiplications >= SHARED_FROM or _is_set(before, os.environ):
        count = before
    else:
        count = 1
    if count == before:
        yield count
        return
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)


def _is_set(count: int, environment: MutableMapping[str, str]) -> bool:
    """Whether the user chose this count: PyTorch itself takes all processors, or one for each two that share a core."""
    if _is_of_torchrun(environment):
        return False
    return any(name in environment for name in _SETTINGS) or count not in {_cores(), _cores() // 2}


def _is_of_torchrun(environment: MutableMapping[str, str]) -> bool:
    """Whether the count of threads is 1 because torchrun says so where nobody else does."""
    return bool(_processes) and "TORCHELASTIC_RUN_ID" in environment and environment.get("OMP_NUM_THREADS") == "1"


def _cores() -> int:
    """Return how many processors this process has to itself, at least 1."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, there // _processes[0]) if _processes else there
