"""Batches of items: in a seeded order that can be resumed, of like lengths, packed together, fetched ahead.

Knows lengths and positions, not tokens: how a chat becomes tokens is the room `text`'s.
"""

from crucible.data.batching.ahead import Prefetched, prefetch
from crucible.data.batching.batches import Batches
from crucible.data.batching.lengths import Padding, length_batches, padding
from crucible.data.batching.packing import Packing, pack

__all__ = ["Batches", "Packing", "Padding", "Prefetched", "length_batches", "pack", "padding", "prefetch"]
