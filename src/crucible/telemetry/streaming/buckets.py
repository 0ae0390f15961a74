"""Counts by bucket, of which only so many are kept: the lowest become one.

What is kept depends on which keys were seen, never on their order: the `limit` highest keys, and in the lowest of them
everything below. So buckets merge in any order and grouping to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Buckets"]


class Buckets:
    """How often each bucket was hit.

    Args:
        limit: Buckets kept at most, at least 1.
    """

    __slots__ = ("counts", "floor", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: dict[int, int] = {}
        self.floor: int | None = None  # the bucket that holds everything below; None as long as none was collapsed

    def add(self, key: int, times: int = 1) -> None:
        """Count a hit, and collapse the lowest bucket if there are too many now."""
        counts = self.counts
        if self.floor is not None and key < self.floor:
            key = self.floor
        counts[key] = counts.get(key, 0) + times
        if len(counts) > self.limit:
            extra = counts.pop(min(counts))
            self.floor = min(counts)
            counts[self.floor] += extra

    def merge(self, other: Buckets) -> None:
        """Take in the hits of another one."""
        if other.floor is not None and (self.floor is None or other.floor > self.floor):
            self._raise_floor(other.floor)
        for key in sorted(other.counts, reverse=True):
            self.add(key, other.counts[key])

    def _raise_floor(self, floor: int) -> None:
        """Collapse what lies below a bucket that stands for everything below it."""
        low = [key for key in self.counts if key < floor]
        extra = sum(self.counts.pop(key) for key in low)
        self.floor = floor
        if extra:
            self.counts[floor] = self.counts.get(floor, 0) + extra

    def copy(self) -> Buckets:
        """Return one that goes on from here by itself."""
        twin = Buckets(self.limit)
        twin.counts = self.counts.copy()
        twin.floor = self.floor
        return twin

    @property
    def total(self) -> int:
        """How many hits there were."""
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as pairs in order of the buckets, and the floor."""
        return {"counts": [[key, self.counts[key]] for key in sorted(self.counts)], "floor": self.floor}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], limit: int) -> Buckets:
        """Return the buckets that `to_dict` told.

        Raises:
            ValueError: There are more buckets than `limit`, a count below 1, or a floor that is not the lowest bucket.
        """
        buckets = cls(limit)
        buckets.counts = {int(key): int(count) for key, count in data["counts"]}
        buckets.floor = None if data["floor"] is None else int(data["floor"])
        if len(buckets.counts) > limit or any(count < 1 for count in buckets.counts.values()):
            raise ValueError(f"{len(buckets.counts)} buckets of at most {limit}, each to be hit at least once")
        if buckets.floor is not None and buckets.floor != min(buckets.counts, default=None):
            raise ValueError(f"the floor is {buckets.floor}, expected the lowest bucket")
        return buckets
