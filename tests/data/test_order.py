from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import batches, permutation
from crucible.errors import DataError


@given(st.integers(0, 60), st.integers(1, 13), st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_yields_every_item_once_and_keeps_the_last_partial_batch(
    count: int, size: int, seed: int, epoch: int
) -> None:
    """All batches are full but perhaps the last, which is not dropped."""
    found = list(batches(range(count), size, seed, epoch))
    assert sorted(value for batch in found for value in batch) == list(range(count))
    assert all(len(batch) == size for batch in found[:-1])
    assert all(0 < len(batch) <= size for batch in found)


def test_each_epoch_has_an_order_of_its_own_and_the_seed_repeats_it() -> None:
    """The same seed and epoch give the same batches."""
    assert list(batches(range(20), 4, 0, 0)) == list(batches(range(20), 4, 0, 0))
    assert list(batches(range(20), 4, 0, 0)) != list(batches(range(20), 4, 0, 1))
    assert list(batches(range(20), 4, 0, 0)) != list(batches(range(20), 4, 1, 0))


def test_without_a_seed_the_order_is_that_of_the_items() -> None:
    """Evaluation asks in the dataset's order."""
    assert list(batches("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]


def test_an_empty_batch_size_is_refused() -> None:
    """A batch of 0 items would never end."""
    with pytest.raises(DataError, match="batch_size 0"):
        list(batches([1], 0))


def test_a_permutation_is_one() -> None:
    """No index is lost or repeated."""
    assert sorted(permutation(1000, 5)) == list(range(1000))
