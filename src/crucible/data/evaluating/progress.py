"""Telling how far an evaluation is: a few times a second, however fast it goes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from crucible import events

__all__ = ["Progress"]

_EVERY_NS = 250_000_000


class Progress:
    """Tells the bus how many measurements there are: after the first batch, four times a second, and at the end.

    Args:
        metadata: Words that go with each event.
    """

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self._metadata = metadata
        self._told_ns = 0
        self._last = -1

    def tell(self, measured: int, *, is_last: bool = False) -> None:
        """Tell, if it is time to."""
        now_ns = time.monotonic_ns()
        if measured != self._last and (is_last or not self._told_ns or now_ns - self._told_ns >= _EVERY_NS):
            self._told_ns, self._last = now_ns, measured
            events.emit("crucible_data.evaluation.progress", {"items": measured}, self._metadata)
