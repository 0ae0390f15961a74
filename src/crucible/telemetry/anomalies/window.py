"""The last values of a stream: in order of size, for medians, or with their mean and variance."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

__all__ = ["MomentWindow", "SortedWindow", "sigma_of"]


class SortedWindow:
    """The last values, ascending; adding one costs O(log n) comparisons and one shift of memory.

    Args:
        size: How many are kept, at least 1.
    """

    __slots__ = ("_arrived", "_size", "ordered")

    def __init__(self, size: int) -> None:
        self._size = size
        self._arrived: deque[float] = deque()
        self.ordered: list[float] = []

    def __len__(self) -> int:
        return len(self.ordered)

    def add(self, value: float) -> None:
        """Take a value in, and let the oldest go if there are too many."""
        arrived, ordered = self._arrived, self.ordered
        if len(arrived) == self._size:
            del ordered[bisect_left(ordered, arrived.popleft())]
        arrived.append(value)
        insort(ordered, value)


class MomentWindow:
    """The last values with their mean and standard deviation; adding one costs O(1), averaged over the window.

    The sums are updated as Welford did, and made anew once per window and whenever a value leaves that carried most of
    them: so what it displaced by rounding, or by overflow, does not stay.

    Args:
        size: How many are kept, at least 2.
    """

    __slots__ = ("_arrived", "_fresh", "_size", "_squares", "mean")

    def __init__(self, size: int) -> None:
        self._size = size
        self._arrived: deque[float] = deque()
        self._squares = 0.0
        self._fresh = 0  # values since the sums were made anew
        self.mean = 0.0

    def __len__(self) -> int:
        return len(self._arrived)

    @property
    def sigma(self) -> float:
        """Standard deviation over n - 1; 0 for fewer than two values."""
        count = len(self._arrived)
        return math.sqrt(max(self._squares, 0.0) / (count - 1)) if count > 1 else 0.0

    def add(self, value: float) -> None:
        """Take a value in, and let the oldest go if there are too many."""
        arrived = self._arrived
        if len(arrived) == self._size and self._leave(arrived.popleft(), value):
            return
        arrived.append(value)
        change = value - self.mean
        self.mean += change / len(arrived)
        self._squares += change * (value - self.mean)

    def _leave(self, oldest: float, newest: float) -> bool:
        """Take the oldest value out; True if the sums were made anew, with the newest."""
        arrived = self._arrived
        self._fresh += 1
        change = oldest - self.mean
        if self._fresh >= self._size or change * change * 2 > self._squares or not arrived:
            arrived.append(newest)
            self.mean, self._squares = _moments(arrived)
            self._fresh = 0
            return True
        self.mean -= change / len(arrived)
        self._squares -= change * (oldest - self.mean)
        return False


def _moments(values: Iterable[float]) -> tuple[float, float]:
    """Return mean and sum of squared deviations; a constant is its own mean, with none."""
    kept = list(values)
    if min(kept) == max(kept):
        return kept[0], 0.0
    mean = math.fsum(kept) / len(kept)
    return mean, math.fsum((value - mean) ** 2 for value in kept)


def sigma_of(values: Iterable[float]) -> tuple[float, float]:
    """Return mean and standard deviation (over n - 1) of at least two values."""
    kept = list(values)
    mean, squares = _moments(kept)
    return mean, math.sqrt(squares / (len(kept) - 1))
