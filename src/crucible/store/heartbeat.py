"""The sign of life of a run: a thread that renews its lease while it goes on, however slow its stages are."""

from __future__ import annotations

import threading
from collections.abc import Callable

from crucible.errors import StoreError
from crucible.store.runs import RunRepository

__all__ = ["Heartbeat"]

_BEATS_A_LEASE = 4


class Heartbeat:
    """Renews a run's lease four times in its length.

    A beat that could not be written is not the end: the next one may be, and the run's own writes raise if the store is
    broken. A forked child has no heartbeat, since a thread does not live on in it.

    Args:
        runs: Where the run is kept.
        run_id: The run; it was started or claimed through `runs`.
        on_lost: Called once, on the heartbeat's thread, when another process has claimed the run.
    """

    def __init__(self, runs: RunRepository, run_id: str, *, on_lost: Callable[[StoreError], None]) -> None:
        self._runs = runs
        self._run_id = run_id
        self._on_lost = on_lost
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; starting twice does no harm."""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._beat_on, name=f"heartbeat-{self._run_id}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, waiting for a beat under way; stopping twice does no harm."""
        thread, self._thread = self._thread, None
        self._ended.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _beat_on(self) -> None:
        while not self._ended.wait(self._runs.lease_s / _BEATS_A_LEASE):
            try:
                state = self._runs.renew_lease(self._run_id)
            except StoreError:
                continue
            if state == "lost":
                self._on_lost(
                    StoreError(
                        f"run {self._run_id} was taken over by another process while this one was paused or cut off "
                        f"for longer than its lease of {self._runs.lease_s:g} s; nothing more is written here, see "
                        f"`crucible runs show {self._run_id}`"
                    )
                )
                return
