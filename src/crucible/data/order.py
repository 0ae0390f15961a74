"""Seeded order: the same on every platform and version of Python, because it rests on a hash and not on `random`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

from crucible.errors import DataError

__all__ = ["batches", "draw_seed", "permutation"]

T = TypeVar("T")


def permutation(n: int, seed: int, *, purpose: str = "shuffle") -> list[int]:
    """Return the numbers 0 to n-1 in an order that the seed decides.

    Args:
        n: How many, at least 0.
        seed: The seed.
        purpose: Makes orders for different purposes independent of each other under one seed.
    """

    def key(index: int) -> bytes:
        return hashlib.blake2b(f"{purpose}/{seed}/{index}".encode(), digest_size=16).digest()

    return sorted(range(n), key=key)


def draw_seed(seed: int, item_id: str) -> int:
    """Return the seed of what is drawn for one item, at least 0 and below 2^63: independent of every other item's."""
    digest = hashlib.blake2b(f"draw/{seed}/{item_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def batches(items: Sequence[T], batch_size: int, seed: int | None = None, epoch: int = 0) -> Iterator[list[T]]:
    """Yield the items in batches; the last one may be smaller and is kept.

    Args:
        items: What to batch, such as a `Dataset`.
        batch_size: Items a batch, at least 1.
        seed: Decides the order, anew in each epoch; None keeps the order of `items`.
        epoch: Which pass over the items, from 0.

    Raises:
        DataError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise DataError(f"a batch holds at least 1 item, got batch_size {batch_size}")
    count = len(items)
    order = range(count) if seed is None else permutation(count, seed, purpose=f"epoch {epoch}")
    for start in range(0, count, batch_size):
        yield [items[index] for index in order[start : start + batch_size]]
