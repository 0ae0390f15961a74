"""One measurement that is to be made, and the seed of what is drawn for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from crucible.backends.records import SamplingParams
from crucible.data.evaluating.line import Line
from crucible.data.items import Item
from crucible.data.order import draw_seed

__all__ = ["Measurement", "repeat_seed", "seeded"]


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """One asking of one item.

    Args:
        slot: The item's place times the repeats, plus the repeat.
        place: The item's place in the dataset, from 0.
        repeat: Which repeat, from 0.
        item: What is asked.
        digest: 64 bits that tell the item from another.
        kept: What is recorded of it with an answer, which only has to be scored; None: the model is asked.
    """

    slot: int
    place: int
    repeat: int
    item: Item
    digest: int
    kept: Line | None = None


def repeat_seed(seed: int, item_id: str, repeat: int) -> int:
    """Return the seed of what is drawn for one repeat of an item, at least 0 and below 2^63.

    The first repeat draws what an evaluation without repeats draws.
    """
    if repeat == 0:
        return draw_seed(seed, item_id)
    digest = hashlib.blake2b(f"repeat/{repeat}/{seed}/{item_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def seeded(params: SamplingParams, batch: Sequence[Measurement]) -> SamplingParams:
    """Return the parameters of one call, with a seed for each measurement where something is drawn."""
    if params.temperature == 0 or params.seed is None:
        return params
    seeds = tuple(repeat_seed(params.seed, one.item.id, one.repeat) for one in batch)
    return msgspec.structs.replace(params, seed=None, seeds=seeds)
