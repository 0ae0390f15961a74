"""What each optimiser step trains on: batches in a seeded order, `accumulation_steps` of them a step.

A step's weights are normalised over all its batches, so that k batches of b items are one batch of k·b items but for
the order in which floats are added. An epoch ends with a step: its last one may have fewer batches, or a smaller one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count, islice

import msgspec

from crucible.data import batches
from crucible.ir import LoraConfig
from crucible.text import Datum
from crucible.train.examples import Example, mean_weighted

__all__ = ["Batch", "Window", "steps_in_all", "windows"]


class Batch(msgspec.Struct, frozen=True):
    """One request of a step.

    Attributes:
        data: Its examples; the weights of all batches of a window sum to 1.
        item_ids: Their items, for messages.
    """

    data: list[Datum]
    item_ids: tuple[str, ...]


class Window(msgspec.Struct, frozen=True):
    """The batches of one optimiser step.

    Attributes:
        epoch: Which pass over the items, from 0.
        position: Batches of the epoch that are trained on after this step.
        ends_epoch: They are all of it.
        batches: `accumulation_steps`, or fewer at the end of an epoch.
        tokens: Input tokens of them all.
    """

    epoch: int
    position: int
    ends_epoch: bool
    batches: tuple[Batch, ...]
    tokens: int


def steps_in_all(config: LoraConfig, items: int) -> int:
    """Return how many optimiser steps a training takes at most: `max_steps`, or fewer where `epochs` ends it before.

    Args:
        config: Both limits, the batch size and the batches a step.
        items: Training items, at least 1.
    """
    if config.epochs is None:
        return config.max_steps
    per_epoch = math.ceil(math.ceil(items / config.batch_size) / config.accumulation_steps)
    return min(config.max_steps, config.epochs * per_epoch)


def windows(examples: Sequence[Example], config: LoraConfig, *, epoch: int = 0, position: int = 0) -> Iterator[Window]:
    """Yield what each step trains on, epoch after epoch without end, from a position on.

    Args:
        examples: The training items, at least one.
        config: Batch size, batches a step, seed.
        epoch: The epoch to begin in.
        position: Batches of it that were trained on before, between two steps; all of them is the next epoch's begin.
    """
    per_epoch = math.ceil(len(examples) / config.batch_size)
    for number in count(epoch):
        rest = islice(batches(examples, config.batch_size, config.seed, number), position, None)
        while chosen := list(islice(rest, config.accumulation_steps)):
            position += len(chosen)
            yield _window(number, position, chosen, ends_epoch=position == per_epoch)
        position = 0


def _window(epoch: int, position: int, chosen: list[list[Example]], *, ends_epoch: bool) -> Window:
    total = sum(example.trained_tokens for batch in chosen for example in batch)
    made = tuple(Batch(mean_weighted(batch, total), tuple(example.item_id for example in batch)) for batch in chosen)
    tokens = sum(len(example.datum) for batch in chosen for example in batch)
    return Window(epoch, position, ends_epoch, made, tokens)
