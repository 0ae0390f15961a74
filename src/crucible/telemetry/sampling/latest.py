"""A quantile of the latest values, exact over them."""

from __future__ import annotations

import bisect
import collections
import math

__all__ = ["LatestValues"]


class LatestValues:
    """The latest values, and whether another one lies above a quantile of them.

    A window rather than a sketch of everything: it follows a drift, and among equal values none lies above.

    Args:
        size: How many values count, at least 1.
    """

    __slots__ = ("_arrived", "_ordered", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._arrived: collections.deque[float] = collections.deque()
        self._ordered: list[float] = []

    def __len__(self) -> int:
        return len(self._ordered)

    def quantile(self, share: float) -> float:
        """Return the least value that at least this share of the values does not exceed.

        Args:
            share: Above 0 and below 1; there must be a value.
        """
        return self._ordered[math.ceil(share * len(self._ordered)) - 1]

    def add(self, value: float) -> None:
        """Take a finite value in, and let the oldest one go if there are too many."""
        if len(self._arrived) == self._size:
            del self._ordered[bisect.bisect_left(self._ordered, self._arrived.popleft())]
        self._arrived.append(value)
        bisect.insort(self._ordered, value)
