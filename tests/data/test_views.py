"""Lazy changes of a dataset: nothing is computed before somebody looks, and no item is copied."""

from __future__ import annotations

import pickle
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Dataset, Item, Provenance, batches
from crucible.errors import DataError

asked: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _nobody_asked() -> None:
    asked.clear()


def numbers(n: int = 10, start: int = 0, **fields: object) -> Dataset:
    """Return a dataset of n items."""
    items = tuple(Item(f"i{k}", f"question {k}", str(k), {"kind": k % 3}) for k in range(start, start + n))
    return msgspec.structs.replace(Dataset("numbers", "train", items, Provenance(source="made here")), **fields)


def ids(data: Dataset) -> list[str]:
    """Return the ids in order."""
    return [item.id for item in data]


def loud(item: Item) -> Item:
    """Write the input in capitals, and count that it was asked."""
    asked[item.id] += 1
    return msgspec.structs.replace(item, input=item.input.upper())


def is_even(item: Item) -> bool:
    """Tell whether the number is even, and count that it was asked."""
    asked[item.id] += 1
    return int(item.expected or "") % 2 == 0


def test_a_chain_asks_nothing_before_it_is_iterated() -> None:
    """Neither functions nor positions; afterwards each function was asked once an item that reached it."""
    chain = numbers().filter(is_even).map(loud).shuffle(1).slice(1, 4)
    assert not asked
    found = list(chain)
    assert len(found) == 3
    assert all(item.input.startswith("QUESTION") for item in found)
    assert asked.total() == 10 + 3
    list(chain)
    assert asked.total() == 10 + 6, "the filter remembers which it kept; a map is worked out again"


def test_a_chain_copies_no_item() -> None:
    """What comes out is what went in, however long the chain; slices of an order keep no list of their own items."""
    data = numbers(100)
    chain = data.shuffle(0).slice(10, 90).select(range(0, 80, 2)).filter(lambda _: True).concat(data[:1])
    originals = {id(item) for item in data.items}
    assert all(id(item) in originals for item in chain.items)


def test_every_step_is_noted_in_the_provenance() -> None:
    """With what it was called; a function by its name, or by what the caller says."""
    chain = numbers().map(loud).filter(is_even, note="even ones").shuffle(3).select([1, 0]).slice(0, 2)[::-1].take(1)
    assert chain.provenance.notes == (
        "mapped: loud",
        "filtered: even ones",
        "shuffled, seed 3",
        "2 selected by position",
        "slice [0:2]",
        "slice [::-1]",
        "slice [0:1]",
    )
    assert chain.provenance.source == "made here"


def test_a_view_is_indexed_sliced_compared_and_pickled_like_the_items_it_stands_for() -> None:
    """It equals a dataset that holds equal items; another process gets the items."""
    data = numbers()
    chain = data.filter(is_even).map(loud)
    held = chain.collect()
    assert isinstance(held.items, tuple)
    assert held.collect() is held
    assert (len(chain), chain[0], chain[-1]) == (5, held[0], held[4])
    assert list(chain.items[1:3]) == list(held.items[1:3])
    assert chain.items == held.items
    assert held.items == chain.items
    assert chain.items != held.items[:4]
    assert chain.items != "x"
    assert list(batches(chain, 2)) == list(batches(held, 2))
    assert pickle.loads(pickle.dumps(chain)) == held
    assert repr(chain.items) == "<mapped items>"
    with pytest.raises(IndexError):
        chain[5]


def test_the_hash_of_a_view_is_that_of_its_items() -> None:
    """Lazy or held: the content is what counts."""
    chain = numbers().map(loud).shuffle(1)
    assert chain.content_hash() == chain.collect().content_hash() != numbers().content_hash()


def test_an_id_that_a_function_repeats_is_found_by_whoever_iterates() -> None:
    """Not when the map is made: nothing is computed then."""
    data = numbers(3).map(lambda item: msgspec.structs.replace(item, id="same"))
    for look in (list, Dataset.collect, Dataset.content_hash):
        with pytest.raises(DataError, match='two items have the id "same"'):
            look(data)  # type: ignore[operator]
    with pytest.raises(DataError, match="two items have the id"):
        list(numbers().concat(numbers()).shuffle(1))


def test_a_map_must_make_items() -> None:
    """A function that forgets to return is noticed."""
    with pytest.raises(DataError, match='made a NoneType of item "i0"; expected an Item'):
        list(numbers().map(lambda item: None))  # type: ignore[arg-type, return-value]


def test_positions_are_checked_when_they_are_looked_at() -> None:
    """Out of range, negative, twice."""
    assert ids(numbers().select([3, 1])) == ["i3", "i1"]
    for positions, message in (([10], "position 10 of 10"), ([-1], "position -1"), ([1, 1], "selected twice")):
        chosen = numbers().select(positions)
        with pytest.raises(DataError, match=message):
            list(chosen)


def test_joined_datasets_say_what_they_are_made_of() -> None:
    """Sources, notes, digests and whether anything is made up; the kinds of answer must be one."""
    one = numbers(2, provenance=Provenance(source="a", sha256="1" * 64, notes=("x",)))
    two = numbers(3, start=2, provenance=Provenance(source="b", sha256="2" * 64, synthetic=True))
    both = one.concat(two)
    assert ids(both) == ["i0", "i1", "i2", "i3", "i4"]
    assert (len(both), both[3].id, both[-5].id) == (5, "i3", "i0")
    assert (both.provenance.source, both.provenance.synthetic) == ("a + b", True)
    assert both.provenance.notes == ("numbers (train): x", "joined: numbers (train, 2 items), numbers (train, 3 items)")
    assert both.provenance.sha256 not in (None, "1" * 64, "2" * 64)
    assert one.concat(numbers(1, start=9)).provenance.sha256 is None
    with pytest.raises(DataError, match="answers have another schema"):
        one.concat(numbers(1, start=9, answer_schema={"type": "string"}))


def test_a_list_given_as_items_is_copied() -> None:
    """The dataset does not change with the caller's list."""
    given_items = [Item("a", "b", "c")]
    data = Dataset("x", "train", given_items, Provenance(source="y"))
    given_items.clear()
    assert ids(data) == ["a"]


@given(
    st.integers(0, 30),
    st.lists(
        st.one_of(
            st.tuples(st.just("shuffle"), st.integers(0, 3)),
            st.tuples(st.just("slice"), st.slices(12)),
            st.tuples(st.just("filter"), st.integers(2, 4)),
        ),
        max_size=6,
    ),
)
def test_any_chain_is_what_the_same_steps_on_lists_are(n: int, steps: list[tuple[str, object]]) -> None:
    """Folding positions changes nothing: lazily and step by step the same items come out."""
    lazily = numbers(n)
    stepwise = numbers(n)
    for step, how in steps:
        if step == "shuffle":
            lazily, stepwise = lazily.shuffle(how), stepwise.shuffle(how).collect()  # type: ignore[arg-type]
        elif step == "slice":
            lazily = lazily[how]  # type: ignore[index]
            stepwise = stepwise.replaced(tuple(stepwise)[how])  # type: ignore[index]
        else:
            keep = lambda item, how=how: int(item.expected) % how != 0  # noqa: E731
            lazily, stepwise = lazily.filter(keep), stepwise.replaced(filter(keep, stepwise))
    assert ids(lazily) == ids(stepwise)
    assert len(lazily) == len(stepwise)
