"""Windows: the batches of each optimiser step, none lost, none twice, whatever the position they begin at."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput
from crucible.train.examples import Example
from crucible.train.windows import Window, steps_in_all, windows


def examples(count: int) -> list[Example]:
    """Return examples of 1 to 3 trained tokens."""
    made = []
    for number in range(count):
        weights = (0.0, *(1.0,) * (1 + number % 3))
        tokens = tuple(range(len(weights)))
        made.append(Example(f"i{number}", f"q{number}", Datum(ModelInput(tokens), tokens, weights), sum(weights)))
    return made


def config(**changes: object) -> LoraConfig:
    """Return a configuration."""
    return LoraConfig(base_model="x", **changes)  # type: ignore[arg-type]


def ids(window: Window) -> list[str]:
    """Return the items of a window."""
    return [item_id for batch in window.batches for item_id in batch.item_ids]


@given(items=st.integers(1, 40), batch_size=st.integers(1, 9), accumulation=st.integers(1, 5), epochs=st.integers(1, 3))
def test_every_item_is_seen_once_an_epoch(items: int, batch_size: int, accumulation: int, epochs: int) -> None:
    """An epoch's windows hold each item once, the last may be smaller, and the count of steps is as announced."""
    chosen = config(batch_size=batch_size, accumulation_steps=accumulation, epochs=epochs, max_steps=10**6)
    total = steps_in_all(chosen, items)
    made = list(islice(windows(examples(items), chosen), total))
    for epoch in range(epochs):
        of_epoch = [window for window in made if window.epoch == epoch]
        assert sorted(name for window in of_epoch for name in ids(window)) == sorted(f"i{n}" for n in range(items))
        assert [window.ends_epoch for window in of_epoch] == [False] * (len(of_epoch) - 1) + [True]
        assert all(len(window.batches) == accumulation for window in of_epoch[:-1])


@given(items=st.integers(1, 30), batch_size=st.integers(1, 7), accumulation=st.integers(1, 4), skip=st.integers(0, 12))
def test_from_a_position_on_they_are_the_same(items: int, batch_size: int, accumulation: int, skip: int) -> None:
    """What comes after the n-th window depends on its epoch and position alone."""
    chosen = config(batch_size=batch_size, accumulation_steps=accumulation)
    whole = list(islice(windows(examples(items), chosen), skip + 4))
    last = whole[skip]
    rest = windows(examples(items), chosen, epoch=last.epoch, position=last.position)
    assert list(islice(rest, 3)) == whole[skip + 1 :]


@given(items=st.integers(1, 30), batch_size=st.integers(1, 7), accumulation=st.integers(1, 4))
def test_accumulated_batches_are_one_large_batch(items: int, batch_size: int, accumulation: int) -> None:
    """The data of k batches of b items are those of one batch of k·b items, weights included, which sum to 1."""
    small = config(batch_size=batch_size, accumulation_steps=accumulation)
    large = config(batch_size=batch_size * accumulation)
    pairs = zip(windows(examples(items), small), windows(examples(items), large), strict=False)
    for first, second in islice(pairs, 6):
        data = [datum for batch in first.batches for datum in batch.data]
        assert data == second.batches[0].data
        assert (ids(first), first.tokens, first.ends_epoch) == (ids(second), second.tokens, second.ends_epoch)
        assert sum(sum(datum.weights) for datum in data) == pytest.approx(1.0)


def test_without_epochs_the_limit_is_max_steps() -> None:
    """The items are cycled through until then."""
    assert steps_in_all(config(max_steps=7), 1) == 7
    assert steps_in_all(config(max_steps=7, epochs=2, batch_size=2, accumulation_steps=2), 9) == 6
