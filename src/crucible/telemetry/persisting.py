"""Writing batches once, however often the database server goes away meanwhile, as long as it comes back in time."""

from __future__ import annotations

import time

from crucible.errors import StoreUnavailable
from crucible.store import Store
from crucible.telemetry.intake import Rows

__all__ = ["Persister"]

_RETRY_S = 0.1
_LONGEST_RETRY_S = 2.0


class Persister:
    """Writes the batches of one recorder.

    Args:
        store: Where to.
        patience_s: How long a server that went away is waited for.
    """

    def __init__(self, store: Store, patience_s: float) -> None:
        self._store = store
        self._patience_s = patience_s
        self._batches = 0

    def write(self, rows: Rows, origin: int) -> None:
        """Make a batch durable.

        Args:
            rows: The batch.
            origin: Tells this recorder from others.

        Raises:
            StoreUnavailable: The server did not come back in time.
            StoreError: It could not be written.
        """
        self._batches += 1
        number = (origin & 0x7FFF_FFFF) << 32 | self._batches & 0xFFFF_FFFF
        again, pause_s, deadline = False, _RETRY_S, 0.0
        while True:
            try:
                self._store.telemetry.write_events(
                    rows.events, rows.points, replaced=rows.replaced, batch=number, again=again
                )
            except StoreUnavailable:
                now = time.monotonic()
                deadline = deadline or now + self._patience_s
                if now >= deadline:
                    raise
            else:
                return
            again = True
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_RETRY_S)
