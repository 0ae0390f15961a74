# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateImportUsage=false
# (torch.distributed is partly untyped)
"""The processes that share the work, as one of them sees them: messages, tensors, and the loss of one of them.

Small things travel through gloo on the CPU, pickled, between processes of one launch that trust each other. Gradients
and weights travel through gloo on the CPU and through NCCL between GPUs.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from crucible.backends.distributed.place import ADDRESS, TIMEOUT_VARIABLE, Place
from crucible.backends.distributed.shares import Outcome
from crucible.backends.future import is_inside, within
from crucible.errors import BackendError

__all__ = ["Team"]

_IN_TOUCH_S = 5.0
_meeting_points: dict[tuple[str, ...], tuple[Any, itertools.count[int]]] = {}  # kept: a second team meets there, too
_ENDED = "the processes have ended their work together; a session or sampler that they shared is of no use any more"


class Team:
    """All processes of one launch; made by each of them at the same time.

    Args:
        place: That of this process.
        timeout_s: Most seconds that one waits for another in the middle of a request.

    Raises:
        BackendError: The processes cannot reach each other.
    """

    def __init__(self, place: Place, timeout_s: float) -> None:
        self.place = place
        self.timeout_s = timeout_s
        self.wants_to_stop = False
        self._limit = datetime.timedelta(seconds=timeout_s)
        self._lock = threading.RLock()
        self._failure: str | None = None
        self._ids = itertools.count()
        self._forgotten: deque[int] = deque()
        self._told_at = time.monotonic()
        self._gpus: Any = None
        self._members: list[tuple[str, int]] = []
        self._is_ours = not distributed.is_initialized()
        try:
            with self._reaching("starting together"):
                if self._is_ours:
                    self._meet()
                self._group: Any = distributed.new_group(backend="gloo", timeout=self._limit)
                self._members = self._all((socket.gethostname(), os.getpid()))
        except BackendError:
            self.leave()
            raise

    @property
    def failure(self) -> str | None:
        """Why the processes can no longer work together; None while they can."""
        return self._failure

    @property
    def count(self) -> int:
        """How many processes there are."""
        return self.place.count

    # --- the leader's part ---

    def new_id(self) -> int:
        """Return a number for something that the others are to keep for the leader."""
        return next(self._ids)

    def forget(self, number: int) -> None:
        """Let the others drop what they keep under a number, with the next message."""
        self._forgotten.append(number)

    @property
    def is_speaking(self) -> bool:
        """Whether this code is part of a request that all processes share, such as a loss, on whatever thread it runs.

        Whatever else it needs is computed in this process alone: the others are in the middle of that request.
        """
        return is_inside(self)

    @contextlib.contextmanager
    def asking(self, name: str, about: Any = None) -> Generator[None]:
        """Tell the others what to do, and keep their attention until the block ends.

        Args:
            name: What to do.
            about: What belongs to it.

        Raises:
            BackendError: A process is gone, or was before; or this code is in the middle of a request.
        """
        if self.is_speaking:
            raise BackendError(f"{name} in the middle of a request that several processes share", backend="local")
        with self._lock:
            try:
                self._tell(name, about)
                with self._to_the_end(name), within(self):
                    yield
            finally:
                self._told_at = time.monotonic()

    @contextlib.contextmanager
    def _to_the_end(self, name: str) -> Generator[None]:
        """Send nothing any more after a block that was broken off: the others wait for what comes next in it."""
        try:
            yield
        except BaseException as error:
            self._failure = self._failure or (
                f"{name} was broken off in the middle ({type(error).__name__}: {error}), so the processes cannot go "
                "on together; what was saved is kept: start them all again and resume"
            )
            raise

    def stay_in_touch(self, ended: threading.Event) -> None:
        """Ask the others now and then whether they are there, until the leader has ended; for a thread of its own."""
        every_s = min(self.timeout_s / 4, _IN_TOUCH_S)
        while not ended.wait(every_s) and self._failure is None:
            if time.monotonic() - self._told_at < every_s or not self._lock.acquire(blocking=False):
                continue  # they are at work, or have just been
            try:
                with contextlib.suppress(BackendError), self.asking("idle"):  # whoever needs them next is told
                    self.outcomes(Outcome())
            finally:
                self._lock.release()

    def _tell(self, name: str, about: Any) -> None:
        gone: list[int] = []
        while self._forgotten:
            gone.append(self._forgotten.popleft())
        with self._reaching(name):
            distributed.broadcast_object_list([(name, about, gone)], src=0, group=self._group)

    def end(self, limit_s: float) -> None:
        """Let the others go, once no request is under way.

        Args:
            limit_s: How long to wait for that.
        """
        if self._failure is not None or not self._lock.acquire(timeout=limit_s):
            return
        try:
            with contextlib.suppress(BackendError):  # they are gone already
                self._tell("end", None)
            self._failure = _ENDED
        finally:
            self._lock.release()

    # --- the others' part ---

    def hear(self) -> tuple[str, Any, list[int]]:
        """Wait for what the leader tells: name, what belongs to it, and the numbers to forget."""
        held: list[Any] = [None]
        with self._reaching("waiting for the leader"):
            distributed.broadcast_object_list(held, src=0, group=self._group)
        return held[0]

    # --- what all do at the same time ---

    def gather(self, value: Any) -> list[Any]:
        """Return every process's value, in the order of their ranks, at the leader; elsewhere nothing."""
        found: list[Any] = [None] * self.count if self.place.leads else []
        with self._reaching("collecting answers"):
            sent = None if self.place.leads else value  # the leader's own need not, and may not be able to, travel
            distributed.gather_object(sent, found if self.place.leads else None, dst=0, group=self._group)
        return [value, *found[1:]] if self.place.leads else []

    def outcomes(self, own: Outcome[Any]) -> list[Outcome[Any]]:
        """Return what became of every share, at the leader; a request to stop reaches it on this way."""
        own.wants_to_stop = self.wants_to_stop
        found: list[Outcome[Any]] = self.gather(own)
        if any(each.wants_to_stop for each in found) and not self.wants_to_stop:
            self.wants_to_stop = True
            os.kill(os.getpid(), signal.SIGINT)  # as if Ctrl-C had been pressed here
        return found

    def scatter(self, values: Sequence[Any] | None = None) -> Any:
        """Return this process's value of those that the leader gives, one a process."""
        held: list[Any] = [None]
        given = None if values is None else list(values)
        with self._reaching("handing out"):
            distributed.scatter_object_list(held, given, src=0, group=self._group)
        return held[0]

    def add_up(self, tensor: torch.Tensor) -> None:
        """Add every process's tensor to the leader's, in place; the others' hold nothing of use afterwards."""
        with self._reaching("adding gradients up"):
            distributed.reduce(tensor, dst=0, op=distributed.ReduceOp.SUM, group=self._group_of(tensor))

    def hand_over(self, tensor: torch.Tensor) -> None:
        """Fill every process's tensor with the leader's."""
        with self._reaching("handing the weights over"):
            distributed.broadcast(tensor, src=0, group=self._group_of(tensor))

    def use_gpus(self) -> None:
        """Open the way between the GPUs, where it is not open yet; each process's own GPU is the current one."""
        if self._gpus is None:
            with self._reaching("opening NCCL"):
                torch.cuda.set_device(self.place.local_rank)
                self._gpus = distributed.new_group(backend="nccl", timeout=self._limit)

    def leave(self) -> None:
        """End the connections; for all processes at the end, and for one that has lost the others."""
        if self._is_ours and distributed.is_initialized():
            with contextlib.suppress(RuntimeError):
                distributed.destroy_process_group()
        self._failure = self._failure or _ENDED

    def lost(self) -> list[str]:
        """Return which processes of this host are gone, in words, as far as it can tell."""
        host = socket.gethostname()
        return [
            f"process {rank} of {self.count} (host {where}, pid {pid})"
            for rank, (where, pid) in enumerate(self._members)
            if where == host and not _lives(pid)
        ]

    def _meet(self) -> None:
        """Find the others where the launcher says; each team in a room of its own, for what the last one left stays."""
        address = tuple(os.environ.get(name, "") for name in ADDRESS)
        if address not in _meeting_points:
            store, _, _ = next(distributed.rendezvous("env://", timeout=self._limit))
            _meeting_points[address] = (store, itertools.count())
        store, teams = _meeting_points[address]
        room = distributed.PrefixStore(f"crucible-{next(teams)}", store)
        distributed.init_process_group(
            "gloo", store=room, rank=self.place.rank, world_size=self.count, timeout=self._limit
        )

    def _all(self, value: Any) -> list[Any]:
        found: list[Any] = [None] * self.count
        distributed.all_gather_object(found, value, group=self._group)
        return found

    def _group_of(self, tensor: torch.Tensor) -> Any:
        return self._gpus if tensor.device.type == "cuda" else self._group

    @contextlib.contextmanager
    def _reaching(self, what: str) -> Generator[None]:
        """Say in one sentence that a process cannot be reached; nothing is sent any more after that."""
        if self._failure is not None:
            raise BackendError(self._failure, backend="local")
        try:
            yield
        except (RuntimeError, ValueError) as error:  # distributed's own errors are of the first kind
            if isinstance(error, BackendError):
                raise
            self._failure = self._sentence(what, error)
            raise BackendError(self._failure, backend="local") from error

    def _sentence(self, what: str, error: Exception) -> str:
        reason = str(error).strip().partition("\n")[0][:200]
        time.sleep(0.2)  # until whoever started a killed process has taken notice of its end
        gone = self.lost()
        who = " and ".join(gone) if gone else f"another process than {self.place.name}"
        why = f"is gone ({reason})" if gone else f"cannot be reached ({reason})"
        return (
            f"{who} {why} while {what}; all processes end with it. What was saved is kept: start them all again and "
            f"resume. A process that does not answer is waited for {self.timeout_s:g} s ({TIMEOUT_VARIABLE})"
        )


def _lives(pid: int) -> bool:
    """Whether a process of this host still runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's, or a system without /proc
        return True
    return status.rpartition(")")[2].split()[:1] != ["Z"]
