from __future__ import annotations

import msgspec
import pytest

from crucible.data import Dataset, Item, Provenance, load, permutation
from crucible.errors import DataError


def dataset(n: int = 10, name: str = "numbers") -> Dataset:
    """Return a dataset of n items."""
    items = tuple(Item(f"i{index}", f"question {index}", str(index)) for index in range(n))
    return Dataset(name, "train", items, Provenance(source="made here"))


def ids(data: Dataset) -> list[str]:
    """Return the ids in order."""
    return [item.id for item in data]


def test_two_items_with_one_id_are_refused() -> None:
    """Ids pair the answers of two models, so a dataset never holds one twice."""
    item = Item("same", "a", "b")
    with pytest.raises(DataError, match=r'numbers \(train\): two items have the id "same"'):
        Dataset("numbers", "train", (item, item), Provenance(source="made here"))


def test_a_dataset_is_immutable() -> None:
    """Neither a field of a dataset nor one of an item can be set; every operation returns a new dataset."""
    data = dataset()
    with pytest.raises(AttributeError):
        data.name = "other"  # pyright: ignore
    with pytest.raises(AttributeError):
        data[0].expected = "other"  # pyright: ignore
    data.shuffle(1)
    data.take(1)
    assert ids(data) == [f"i{index}" for index in range(10)]


def test_indexing_gives_an_item_and_slicing_a_dataset() -> None:
    """A slice keeps name and source, and says what it is."""
    data = dataset()
    assert data[-1].id == "i9"
    assert ids(data[2:4]) == ["i2", "i3"]
    assert data[2:4].provenance == msgspec.structs.replace(data.provenance, notes=("slice [2:4]",))
    assert ids(data[::-3]) == ["i9", "i6", "i3", "i0"]
    assert ids(data[7:][:2]) == ["i7", "i8"]
    with pytest.raises(IndexError, match="there are 2 items, so none at 2"):
        data[2:4][2]


def test_shuffle_is_a_permutation_that_the_seed_decides() -> None:
    """The same seed gives the same order everywhere (these are pinned values), another seed another one."""
    data = dataset()
    assert ids(data.shuffle(0)) == ids(data.shuffle(0))
    assert ids(data.shuffle(0)) != ids(data.shuffle(1))
    assert sorted(ids(data.shuffle(0))) == ids(data)
    assert permutation(6, 0) == [3, 5, 1, 4, 0, 2]


def test_orders_for_different_purposes_are_independent() -> None:
    """The items that a seed samples are not the first ones that it shuffles."""
    assert permutation(50, 3) != permutation(50, 3, purpose="sample")


def test_a_sample_keeps_the_order_contains_the_smaller_one_and_is_noted() -> None:
    """`sample(n)` is the same n items each time, and those of n - 1 are among them."""
    data = dataset(30)
    small, large = data.sample(5, 7), data.sample(6, 7)
    assert ids(large) == sorted(ids(large), key=lambda identity: int(identity[1:]))
    assert set(ids(small)) < set(ids(large))
    assert large.provenance.notes == ("sample of 6 of 30 items, seed 7",)


def test_a_sample_of_more_than_there_is_is_everything() -> None:
    """Nothing is repeated to fill a limit."""
    assert dataset(3).sample(5, 0) == dataset(3)
    assert len(dataset(3).take(5)) == 3


@pytest.mark.parametrize("call", [lambda data: data.take(-1), lambda data: data.sample(-1, 0)])
def test_a_negative_count_is_refused(call: object) -> None:
    """-1 items is a mistake, not all but one."""
    with pytest.raises(DataError, match="-1"):
        call(dataset())  # type: ignore[operator]


def test_split_off_puts_every_item_on_exactly_one_side() -> None:
    """The rest and the held-out part are disjoint, complete, in order, and the size is the fraction's."""
    rest, held = dataset(10).split_off(0.3, seed=1, split="test")
    assert len(held) == 3
    assert sorted(ids(rest) + ids(held)) == ids(dataset(10))
    assert ids(held) == sorted(ids(held))
    assert (rest.split, held.split) == ("train", "test")
    assert ids(dataset(10).split_off(0.3, seed=2)[1]) != ids(held)


def test_split_off_leaves_no_side_empty() -> None:
    """Two items split into one and one, however small or large the fraction."""
    for fraction in (0.01, 0.99):
        rest, held = dataset(2).split_off(fraction, seed=0)
        assert (len(rest), len(held)) == (1, 1)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_split_off_refuses_a_fraction_out_of_range(fraction: float) -> None:
    """The share to hold out is above 0 and below 1."""
    with pytest.raises(DataError, match="between 0 and 1"):
        dataset().split_off(fraction, seed=0)


def test_one_item_cannot_be_split() -> None:
    """There would be nothing to train on, or nothing to test."""
    with pytest.raises(DataError, match="1 item cannot be split"):
        dataset(1).split_off(0.5, seed=0)


def test_the_content_hash_sees_items_and_order_but_not_the_name() -> None:
    """It changes with an answer, an id, metadata or the order; equal content under two names is equal."""
    data = dataset()
    assert data.content_hash() == dataset(name="other").content_hash()
    assert data.content_hash() != data.shuffle(0).content_hash()
    changed = msgspec.structs.replace(data[0], expected="10")
    assert data.content_hash() != data.replaced((changed, *data.items[1:])).content_hash()
    one, two = (load([{"input": "a", "expected": "b", "k": 1, "z": value}]) for value in (1, 2))
    assert one.content_hash() != two.content_hash()


def test_the_content_hash_does_not_depend_on_the_order_of_metadata() -> None:
    """A mapping has no order."""
    one = load([{"input": "a", "expected": "b", "x": 1, "y": 2}])
    two = load([{"input": "a", "expected": "b", "y": 2, "x": 1}])
    assert one.content_hash() == two.content_hash()


def test_metadata_that_json_cannot_hold_has_no_hash() -> None:
    """The error names the item."""
    data = Dataset("odd", "train", (Item("x", "a", "b", {"o": object()}),), Provenance(source="made here"))
    with pytest.raises(DataError, match='item "x" is no JSON'):
        data.content_hash()
