"""Batches of like lengths, so that little is padded, in an order that is still random.

The items are shuffled, cut into windows of some batches, and sorted by length within each; then the batches are
shuffled. A wider window pads less, and lets an item meet fewer others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from crucible.data.order import permutation
from crucible.errors import DataError

__all__ = ["Padding", "length_batches", "padding"]


class Padding(msgspec.Struct, frozen=True):
    """What padding each batch to its longest item costs.

    Args:
        tokens: Sum of the lengths.
        padded: Sum, over batches, of the longest length times the items.
    """

    tokens: int
    padded: int

    @property
    def waste_frac(self) -> float:
        """Share of what is computed that is padding, 0 to 1; 0 where nothing is computed."""
        return 1 - self.tokens / self.padded if self.padded else 0.0


def padding(batches: Iterable[Sequence[int]], lengths: Sequence[int]) -> Padding:
    """Return what padding costs.

    Args:
        batches: Positions, a batch at a time.
        lengths: The length at each position.
    """
    tokens = padded = 0
    for batch in batches:
        sizes = [lengths[place] for place in batch]
        tokens += sum(sizes)
        padded += max(sizes, default=0) * len(sizes)
    return Padding(tokens, padded)


def length_batches(
    lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int = 0, window_batches: int = 50
) -> list[list[int]]:
    """Return all positions in batches of like lengths; the one batch that is not full is anywhere among them.

    Args:
        lengths: The length at each position, at least 0.
        batch_size: Positions a batch, at least 1.
        seed: Decides the order, anew in each epoch.
        epoch: Which pass, from 0.
        window_batches: Batches that are sorted together, at least 1; 1 is a plain shuffle.

    Raises:
        DataError: A number is out of range.
    """
    if batch_size < 1 or window_batches < 1:
        raise DataError(f"a batch and a window hold at least 1, got {batch_size} and {window_batches}")
    if any(length < 0 for length in lengths):
        raise DataError("a length is at least 0")
    order = permutation(len(lengths), seed, purpose=f"epoch {epoch}")
    wide = batch_size * window_batches
    found: list[list[int]] = []
    for start in range(0, len(order), wide):
        window = sorted(order[start : start + wide], key=lengths.__getitem__)  # stable: equal lengths stay shuffled
        found += [window[place : place + batch_size] for place in range(0, len(window), batch_size)]
    return [found[place] for place in permutation(len(found), seed, purpose=f"batches of epoch {epoch}")]
