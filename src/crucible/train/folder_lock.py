"""Taking turns at a folder: one lock, held by one thread of one process at a time, for everything that is kept.

The system releases it when its holder dies, so that nothing is ever locked for good. Waiting ends when the run is asked
to stop. Whoever holds a lock may take it again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, cast

from crucible.errors import StoreError, require
from crucible.pipeline import check_cancelled

__all__ = ["beside", "locked"]

_POLL_S: Final = 0.2


class _Held(threading.local):
    """The locks that a thread holds."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()


_held = _Held()


def beside(folder: Path) -> Path:
    """Return the lock of a folder: a hidden file beside it, the same however the folder is spelled."""
    real = folder.resolve()
    return real.parent / f".{real.name}.lock"


@contextlib.contextmanager
def locked(lock: Path, what: str, advice: str, *, extra: str, feature: str) -> Generator[None]:
    """Hold a lock for a block; the folder that it lies in is made.

    Args:
        lock: The lock's file; it stays there, for one that is removed would be two locks.
        what: What it is of, for the message, such as `the cache /home/me/.cache/crucible`.
        advice: What to do where it cannot be written, for the message.
        extra: The extra that brings filelock.
        feature: What needs it.

    Raises:
        Cancelled: The run was asked to stop while another held it.
        MissingExtra: filelock is not installed.
        StoreError: It cannot be written.
    """
    filelock = cast("Any", require("filelock", extra=extra, feature=feature))
    mine = _held.paths
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        path = lock.resolve()
        if path in mine:
            held = None
        else:
            held = filelock.FileLock(path, thread_local=False)  # a block may end on another thread
            _take(held, filelock.Timeout)
    except (OSError, NotImplementedError) as error:  # the latter is filelock's, where the file system has no locks
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"{what} cannot be written ({reason}); {advice}") from error
    if held is None:
        yield
        return
    mine.add(path)
    try:
        yield
    finally:
        mine.discard(path)
        held.release()


def _take(lock: Any, timeout: type[Exception]) -> None:
    while True:
        try:
            lock.acquire(timeout=_POLL_S)
        except timeout:
            check_cancelled()
        else:
            return
