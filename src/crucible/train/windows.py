"""What each optimiser step trains on: batches in a seeded order, `accumulation_steps` of them a step.

A step's weights are normalised over all its batches, so that k batches of b items are one batch of k·b items but for
the order in which floats are added. An epoch ends with a step: its last one may have fewer batches, or a smaller one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, Generic, TypeVar

import msgspec

from crucible.data import batches
from crucible.ir import LoraConfig
from crucible.text import Datum
from crucible.train.examples import Example, mean_weighted

__all__ = ["Batch", "Turn", "Window", "steps_in_all", "turns", "windows"]

T = TypeVar("T")


class Batch(msgspec.Struct, frozen=True):
    """One request of a step.

    Attributes:
        data: Its examples; the weights of all batches of a window sum to 1.
        item_ids: Their items, for messages.
        beside: What else the objective needs to send them, such as a reference's log-probabilities.
    """

    data: list[Datum]
    item_ids: tuple[str, ...]
    beside: Any = None


class Window(msgspec.Struct, frozen=True):
    """The batches of one optimiser step.

    Attributes:
        epoch: Which pass over the items, from 0.
        position: Batches of the epoch that are trained on after this step.
        ends_epoch: They are all of it.
        batches: At least one: `accumulation_steps`, or fewer at the end of an epoch.
        tokens: Input tokens of them all.
        ends_iteration: A validation and a checkpoint may follow this step, and a resumed training go on after it. Where
            several steps are made of one set of rollouts, only the last one says so.
        metrics: What is known of the step before it is sent.
        extra: What else a resumed training needs to go on after this step, JSON; None: as after the step before.
    """

    epoch: int
    position: int
    ends_epoch: bool
    batches: tuple[Batch, ...]
    tokens: int
    ends_iteration: bool = True
    metrics: Mapping[str, float] = {}
    extra: Mapping[str, Any] | None = None


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
    for turn in turns(examples, config, epoch=epoch, position=position):
        total = sum(example.trained_tokens for batch in turn.batches for example in batch)
        made = tuple(
            Batch(mean_weighted(batch, total), tuple(example.item_id for example in batch)) for batch in turn.batches
        )
        tokens = sum(len(example.datum) for batch in turn.batches for example in batch)
        yield Window(turn.epoch, turn.position, turn.ends_epoch, made, tokens)


class Turn(msgspec.Struct, Generic[T], frozen=True):
    """The items whose turn it is in one optimiser step; its fields mean what those of `Window` do."""

    epoch: int
    position: int
    ends_epoch: bool
    batches: tuple[list[T], ...]


def turns(items: Sequence[T], config: LoraConfig, *, epoch: int = 0, position: int = 0) -> Iterator[Turn[T]]:
    """Yield the items of each step in a seeded order, epoch after epoch without end, from a position on.

    Args:
        items: Whatever is trained on, at least one.
        config: Batch size, batches a step, seed.
        epoch: As `windows` has it.
        position: As `windows` has it.
    """
    per_epoch = math.ceil(len(items) / config.batch_size)
    for number in count(epoch):
        rest = islice(batches(items, config.batch_size, config.seed, number), position, None)
        while chosen := list(islice(rest, config.accumulation_steps)):
            position += len(chosen)
            yield Turn(number, position, position == per_epoch, tuple(chosen))
        position = 0
