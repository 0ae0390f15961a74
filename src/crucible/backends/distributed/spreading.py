"""One program in several processes: process 0 carries it out, the others compute for it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from crucible.backends.distributed.place import place, timeout_s
from crucible.backends.threads import share_machine
from crucible.errors import BackendError, require

if TYPE_CHECKING:
    from crucible.backends.distributed.team import Team

__all__ = ["current_team", "require_spread", "spread"]

T = TypeVar("T")
_LOST_S = 10.0  # for the loss of a process to come out where it is met
_END_S = 60.0  # for a request under way to end
_teams: list[Team] = []


def spread(work: Callable[[], T]) -> T | None:
    """Carry out work in process 0, while the others compute their share of its trainings and samplings.

    All processes of a launch call it at the same time. Where there is only one process it just does the work.

    Args:
        work: What to do; it sees no difference, but for the time that it takes.

    Returns:
        What the work returned; None in the other processes, after it has ended.

    Raises:
        BackendError: A process is gone, or the environment of torchrun is not complete.
        MissingExtra: The `train` extra is not installed.
    """
    own = place()
    if own.is_alone or _teams:
        return work()
    require("torch", extra="train", feature="sharing work among processes")
    from crucible.backends.distributed.team import Team

    share_machine(own.local_count)
    try:
        team = Team(own, timeout_s())
        try:
            if own.leads:
                return _lead(team, work)
            _follow(team)
            return None
        finally:
            team.leave()
    finally:
        share_machine(1)


def current_team() -> Team | None:
    """Return the processes that share the work of this one; None where it works alone."""
    return _teams[0] if _teams else None


def require_spread(what: str) -> None:
    """Refuse to do the same in several processes, which would write over each other's files.

    Args:
        what: What would be done.

    Raises:
        BackendError: There are several processes and `spread` was not called.
    """
    own = place()
    if not own.is_alone and not _teams:
        raise BackendError(
            f"this is process {own.rank} of {own.count} (WORLD_SIZE={own.count}), and {what} in each of them would "
            "not share the work: put your program into a function and call crucible.backends.spread(function), or "
            "unset WORLD_SIZE for a process that works alone",
            backend="local",
        )


def _lead(team: Team, work: Callable[[], T]) -> T:
    ended = threading.Event()
    pulse = threading.Thread(target=team.stay_in_touch, args=(ended,), name="crucible-processes", daemon=True)

    def stop(*_: Any) -> None:
        _stop_soon(team, ended)

    _teams.append(team)
    try:
        with _stopping_by(stop):
            pulse.start()
            return work()
    finally:
        ended.set()
        team.end(_END_S)
        _teams.clear()


def _follow(team: Team) -> None:
    from crucible.backends.distributed.following import Follower

    def ask_to_stop(*_: Any) -> None:
        team.wants_to_stop = True  # told with the next answer

    with _stopping_by(ask_to_stop, SIGINT=signal.SIG_IGN):  # the leader hears it, too, and decides
        Follower(team).serve()


def _stop_soon(team: Team, ended: threading.Event) -> None:
    """Stop the run as Ctrl-C does; where another process is gone, its loss is what ends the run."""

    def stop() -> None:
        deadline = time.monotonic() + _LOST_S
        ended.wait(0.5)
        while (team.failure or team.lost()) and time.monotonic() < deadline:
            ended.wait(0.2)
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop, name="crucible-stopping", daemon=True).start()


@contextlib.contextmanager
def _stopping_by(terminate: Callable[[int, FrameType | None], Any], **others: signal.Handlers) -> Generator[None]:
    """Handle SIGTERM, which torchrun sends to all when one has ended, and other signals by name, for a block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[signal.Signals, Any] = {signal.SIGTERM: terminate}
    handlers |= {signal.Signals[name]: handler for name, handler in others.items()}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
