"""From the items of a dataset to what a preference training reads: rendered, some held out, all else counted."""

from __future__ import annotations

from collections.abc import Iterable

from crucible.data import Item
from crucible.errors import DataError, TrainError
from crucible.ir import LoraConfig
from crucible.text import Tokenizer
from crucible.train.examples import are_synthetic, hold_out
from crucible.train.preference.places import PreferenceData
from crucible.train.preference.reading import Reading
from crucible.train.preference.settings import PreferenceConfig

__all__ = ["prepare_preferences"]


def prepare_preferences(
    items: Iterable[Item], tokenizer: Tokenizer, config: LoraConfig, preference: PreferenceConfig, window: int
) -> PreferenceData:
    """Render comparisons, or single judged answers for kto, and hold out a share for validation.

    Args:
        items: A dataset or any items, each a comparison as `comparison_of` reads it; for kto also an answer whose
            metadata says `desirable` (or `label`) true or false.
        tokenizer: The base model's.
        config: Window, overflow rule, renderer, share held out, seed.
        preference: Loss and ties.
        window: Most input tokens that the model takes.

    Raises:
        DataError: There is no item, one is no comparison, or none is left to train on.
        TrainError: `max_length` exceeds the window.
    """
    chosen = list(items)
    if not chosen:
        raise DataError("the training dataset is empty; preference training needs at least one comparison")
    if config.max_length is not None and config.max_length > window:
        raise TrainError(f"max_length is {config.max_length} and the model's window holds {window} tokens; lower it")
    reading = Reading(tokenizer, config, preference, config.max_length or window)
    found = reading.pairs(chosen) if preference.takes_pairs else reading.answers(chosen)
    reading.tell(len(chosen))
    if not found:
        raise DataError(f"none of the {len(chosen)} items is left to train on: {reading.in_words()}")
    train, validation = hold_out(found, config)
    return PreferenceData(train, validation, reading.counts(), reading.digest(), are_synthetic(items, chosen))
