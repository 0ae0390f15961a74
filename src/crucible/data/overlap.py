"""Items that training and test share, by what is asked. A model that saw a question is not tested by it."""

from __future__ import annotations

import unicodedata

from crucible.data.dataset import Dataset

__all__ = ["input_key", "overlap", "without"]


def input_key(text: str) -> str:
    """Return what two inputs share if they ask the same: their text in composed form, without case and white space."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def overlap(train: Dataset, test: Dataset) -> tuple[str, ...]:
    """Return the ids of test items whose input also is one of training; case and white space do not count."""
    seen = {input_key(item.input) for item in train}
    return tuple(item.id for item in test if input_key(item.input) in seen)


def without(train: Dataset, test: Dataset) -> Dataset:
    """Return the training items whose input is not one of the test."""
    asked = {input_key(item.input) for item in test}
    kept = tuple(item for item in train if input_key(item.input) not in asked)
    return train.replaced(kept, f"{len(train) - len(kept)} left out: their input is one of the test set")
