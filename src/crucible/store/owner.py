"""Which process owns a run, and whether that process still lives.

A process id alone is not enough, since it is given out again: it travels with the moment the process started, the boot
and the PID namespace. Of another machine or container nothing can be known from here: there the lease decides.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Literal

import msgspec

__all__ = ["Fate", "Owner", "current_owner"]

Fate = Literal["alive", "gone", "unseen"]


class Owner(msgspec.Struct, frozen=True):
    """A process that owns a run.

    Args:
        pid: Its process id.
        host: Name of its machine.
        started: `boot/namespace/ticks` on Linux, empty where the system does not say.
    """

    pid: int
    host: str
    started: str = ""

    def fate(self) -> Fate:
        """Return what became of the process; `unseen` where nobody can tell from here."""
        if self.host != socket.gethostname():
            return "unseen"
        here, there = _started(os.getpid()).split("/"), self.started.split("/")
        if len(here) == len(there) == 3:
            if here[:2] != there[:2]:  # booted since, or another machine of that name, or another container
                return "unseen"
            return "alive" if _started(self.pid) == self.started else "gone"
        return "alive" if os.name != "posix" or _exists(self.pid) else "gone"


def current_owner() -> Owner:
    """Return this process."""
    return Owner(os.getpid(), socket.gethostname(), _started(os.getpid()))


def _started(pid: int) -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
        # The command's name, the second field, may hold spaces and brackets: count from its end.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, ticks = fields[0], fields[19]
    return "" if state in "ZX" else f"{boot}/{namespace}/{ticks}"  # a zombie runs no more


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
