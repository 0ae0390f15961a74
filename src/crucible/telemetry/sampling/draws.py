"""Uniform numbers for records: one for a span, made of its id, and one for any other record."""

from __future__ import annotations

import hashlib
import random

from crucible.store import StoredEvent

__all__ = ["Draws"]

_SCALE = 2.0**-53


class Draws:
    """Numbers from [0, 1), the same for the same seed and the same records.

    Args:
        seed: From 0 to 2**63 - 1.
    """

    __slots__ = ("_keyed", "_random")

    def __init__(self, seed: int) -> None:
        self._keyed = hashlib.blake2b(seed.to_bytes(8), digest_size=8, person=b"crucible.sample")
        self._random = random.Random(seed).random  # noqa: S311  # a sample, no secret

    def of(self, record: StoredEvent) -> float:
        """Return the number of a record; the events that open and close a span have the same one."""
        span_id = record.span_id
        if span_id is None:
            return self._random()
        hashed = self._keyed.copy()
        hashed.update(span_id.encode("utf-8", "surrogatepass"))
        return (int.from_bytes(hashed.digest()) >> 11) * _SCALE

    def next(self) -> float:
        """Return a number that is no record's."""
        return self._random()
