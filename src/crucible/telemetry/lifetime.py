"""The recorders of this process: stopped when it ends, and told when it forks.

A forked child has no thread of its parent's. Children of `multiprocessing` end without `atexit`, so that they are
stopped by its own list of what is to be done at the end.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import weakref
from typing import Protocol

__all__ = ["Recording", "forget", "keep"]


class Recording(Protocol):
    """What records in this process."""

    def end_with_process(self) -> None:
        """Make everything durable, because the process ends."""
        ...

    def forget_in_child(self) -> None:
        """Leave to the parent what waits: this is a forked child."""
        ...


_kept: weakref.WeakSet[Recording] = weakref.WeakSet()


def keep(recording: Recording) -> None:
    """Stop a recording when this process ends."""
    _kept.add(recording)


def forget(recording: Recording) -> None:
    """Leave a recording alone from now on."""
    _kept.discard(recording)


def _end() -> None:
    with contextlib.ExitStack() as stack:  # each is stopped, whatever another one raises
        for recording in list(_kept):
            stack.callback(recording.end_with_process)


def _end_with_child(_kept: object) -> None:
    sys.modules["multiprocessing.util"].Finalize(None, _end, exitpriority=1)


def _forget_in_child() -> None:
    for recording in list(_kept):
        recording.forget_in_child()
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _kept:  # it clears its list of finalizers first, and then calls what is registered so
        util.register_after_fork(_kept, _end_with_child)


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
