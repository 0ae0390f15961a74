"""Batches: in an order that can be resumed, of like lengths, packed, fetched ahead."""

from __future__ import annotations

import contextvars
import gc
import itertools
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Batches, batches, length_batches, load, pack, padding, prefetch
from crucible.errors import DataError


def length_of(text: str) -> int:
    """Return how long a text is."""
    return len(text)


@given(st.integers(1, 40), st.integers(1, 9), st.one_of(st.none(), st.integers(0, 4)), st.booleans(), st.data())
def test_batches_resume_at_any_point_exactly(
    count: int, size: int, seed: int | None, by_length: bool, data: st.DataObject
) -> None:
    """Stopped after any batch and restored elsewhere, what comes is what would have come; the state is JSON."""
    texts = ["x" * (n * 7 % 11) + str(n) for n in range(count)]

    def made() -> Batches[str]:
        length = length_of if by_length and seed is not None else None
        return Batches(texts, size, seed=seed, epochs=3, length=length, window_batches=2)

    whole = list(made())
    assert len(whole) == 3 * made().batches_per_epoch
    stop = data.draw(st.integers(0, len(whole)))
    first = made()
    begun = list(itertools.islice(first, stop))
    state = json.loads(json.dumps(first.state()))
    second = made()
    second.restore(state)
    assert begun + list(second) == whole
    assert second.state()["epoch"] == 3


def test_an_epoch_is_that_of_the_plain_function() -> None:
    """`Batches` and `batches` give the same order, so a loop may go from one to the other."""
    letters = "abcdefghijk"
    found = list(Batches(letters, 4, seed=5, epochs=2))
    assert found == [batch for epoch in (0, 1) for batch in batches(letters, 4, 5, epoch)]
    assert list(Batches(letters, 4, seed=None)) == list(batches(letters, 4))


def test_batches_without_end_go_on() -> None:
    """Each epoch in an order of its own; the position is told."""
    endless = Batches("abc", 2, epochs=None)
    found = [next(endless) for _ in range(20)]
    assert (
        [sorted(one + two) for one, two in itertools.batched(found, 2)] == [["a", "b", "c"]] * 10
        if hasattr(itertools, "batched")
        else len(found) == 20
    )
    assert (endless.epoch, endless.batches_per_epoch) == (10, 2)


def test_the_state_of_other_batches_is_refused() -> None:
    """Other items, another size, seed or way of ordering, a damaged state: never a silent jump."""
    data = load([(f"q{n}", "a") for n in range(10)])
    state = Batches(data, 3).state()
    others: list[Batches[Any]] = [
        Batches(data[:9], 3),
        Batches(data, 4),
        Batches(data, 3, seed=1),
        Batches(data.shuffle(4), 3),
        Batches(data, 3, length=lambda item: len(item.input)),
    ]
    for other in others:
        with pytest.raises(DataError, match="this is the state of other batches: "):
            other.restore(state)
    for change in ({"batch": 4}, {"batch": -1}, {"epoch": None}, {"epoch": True}, {"batch": 1.0}):
        with pytest.raises(DataError, match="there is no batch"):
            Batches(data, 3).restore({**state, **change})
    with pytest.raises(DataError, match="a state of version 1 is expected, got None"):
        Batches(data, 3).restore({})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size 0"),
        ({"epochs": 0}, "epochs are at least 1"),
        ({"length": length_of, "seed": None}, "give a seed"),
    ],
)
def test_batches_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    """At once, not at the first batch."""
    with pytest.raises(DataError, match=message):
        Batches("abc", **{"batch_size": 2, **options})
    with pytest.raises(DataError, match="no items to batch"):
        Batches("", 2)


LENGTHS = st.lists(st.integers(0, 500), max_size=80)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 3), st.integers(0, 2), st.integers(1, 6))
def test_batches_of_like_lengths_hold_every_item_once(
    lengths: list[int], size: int, seed: int, epoch: int, window: int
) -> None:
    """All are full but one at most; the same again under the same seed and epoch."""
    found = length_batches(lengths, size, seed=seed, epoch=epoch, window_batches=window)
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    assert sorted(map(len, found), reverse=True)[: len(lengths) // size] == [size] * (len(lengths) // size)
    assert found == length_batches(lengths, size, seed=seed, epoch=epoch, window_batches=window)


def test_sorting_by_length_saves_padding_and_stays_random() -> None:
    """Answers of GSM8K's kind of spread: a third of what is computed is padding when shuffled, little when sorted."""
    lengths = [20 + (n * 7919) % 400 for n in range(4000)]
    plain = padding(length_batches(lengths, 16, seed=0, window_batches=1), lengths)
    sorted_by_length = padding(length_batches(lengths, 16, seed=0), lengths)
    assert plain.waste_frac > 0.35
    assert sorted_by_length.waste_frac < 0.02
    assert plain.tokens == sorted_by_length.tokens == sum(lengths)
    first = length_batches(lengths, 16, seed=0)
    partners = [{frozenset(batch) for batch in length_batches(lengths, 16, seed=0, epoch=epoch)} for epoch in (0, 1)]
    assert len(partners[0] & partners[1]) == 0, "another epoch puts other items together"
    means = [sum(lengths[place] for place in batch) / len(batch) for batch in first]
    assert means != sorted(means)
    texts = ["x" * length for length in lengths]
    assert Batches(texts, 16, length=length_of).padding() == sorted_by_length
    assert padding([], []).waste_frac == 0.0
    with pytest.raises(DataError, match="give length"):
        Batches(texts, 16).padding()


def test_lengths_and_windows_are_checked() -> None:
    """Nothing is shorter than nothing."""
    with pytest.raises(DataError, match="a length is at least 0"):
        length_batches([1, -1], 1, seed=0)
    with pytest.raises(DataError, match="hold at least 1, got 1 and 0"):
        length_batches([1], 1, seed=0, window_batches=0)
    with pytest.raises(DataError, match="a window holds at least 1 batch, got window_batches 0"):
        Batches(["a"], 1, length=len, window_batches=0)


def first_fit_decreasing(lengths: list[int], room: int) -> list[list[int]]:
    """Pack in the plainest way, to compare with."""
    packs: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        for each in packs:
            if sum(lengths[other] for other in each) + lengths[place] <= room:
                each.append(place)
                break
        else:
            packs.append([place])
    return packs


@given(LENGTHS, st.integers(1, 600))
def test_packing_divides_and_loses_nothing(lengths: list[int], room: int) -> None:
    """Every item is in one pack, none is over-full, and it is first-fit decreasing to the letter."""
    found = pack(lengths, room, too_long="truncate")
    sizes = [min(length, room) for length in lengths]
    assert sorted(place for each in found.packs for place in each) == list(range(len(lengths)))
    assert all(sum(sizes[place] for place in each) <= room for each in found.packs)
    assert list(map(list, found.packs)) == first_fit_decreasing(sizes, room)
    assert found.truncated == tuple(place for place, length in enumerate(lengths) if length > room)
    assert found.tokens == sum(sizes)
    assert 0 <= found.fill_frac <= 1


def test_an_item_that_is_too_long_is_refused_unless_it_is_to_be_cut() -> None:
    """Named with its length; cutting is said in the result."""
    with pytest.raises(DataError, match="1 of 3 items are longer than a pack of 10 tokens, such as item 1 with 11"):
        pack([10, 11, 1], 10)
    found = pack([10, 11, 1], 10, too_long="truncate")
    assert (found.packs, found.truncated, found.tokens) == (((0,), (1,), (2,)), (1,), 21)
    with pytest.raises(DataError, match="a length is at least 0"):
        pack([-1], 10)
    with pytest.raises(DataError, match="at least 1 token"):
        pack([1], 0)
    with pytest.raises(DataError, match='refuse or truncate, got "drop"'):
        pack([1], 1, too_long="drop")  # type: ignore[arg-type]


def test_packing_many_items_takes_no_time_that_grows_with_their_square() -> None:
    """20,000 items of a hundred sizes, well under a second on one core, and nearly full packs."""
    lengths = [10 + (n * 7919) % 1000 for n in range(20_000)]
    begun = time.perf_counter()
    found = pack(lengths, 2048)
    assert time.perf_counter() - begun < 3
    assert found.fill_frac > 0.98


def alive() -> list[str]:
    """Return the names of threads that fetch ahead."""
    return [thread.name for thread in threading.enumerate() if thread.name == "prefetch"]


def test_prefetching_changes_nothing_and_leaves_no_thread() -> None:
    """The same values in the same order, and the end."""
    with prefetch(Batches("abcdefgh", 3, epochs=2), depth=3) as ahead:
        assert list(ahead) == list(Batches("abcdefgh", 3, epochs=2))
        assert list(ahead) == []
    assert alive() == []


def test_what_lies_ready_is_bounded() -> None:
    """No more than `depth` values and the one in the making are ahead of the reader."""
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            yield n

    with prefetch(numbers(), depth=4) as ahead:
        next(ahead)
        deadline = time.monotonic() + 5
        while len(made) < 6 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert len(made) == 6  # one read, four ready, one waiting for a place


def test_an_error_comes_where_its_value_would_have_come() -> None:
    """After all values before it; then it is over."""

    def failing() -> Iterator[int]:
        yield from range(3)
        raise DataError("the fourth is bad")

    ahead = prefetch(failing(), depth=2)
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="the fourth is bad"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)
    assert alive() == []


def test_leaving_early_ends_the_thread_and_closes_the_source() -> None:
    """By `with`, by `close`, or because nobody holds it any more."""
    closed: list[str] = []

    def endless(name: str) -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.append(name)

    with prefetch(endless("with"), depth=1) as ahead:
        next(ahead)
    assert alive() == []
    ahead = prefetch(endless("close"))
    ahead.close()
    ahead.close()
    assert alive() == []
    ahead = prefetch(endless("dropped"))
    next(ahead)
    del ahead
    gc.collect()
    assert alive() == []
    assert closed == ["with", "close", "dropped"]


def test_the_state_is_that_of_what_was_handed_out() -> None:
    """What lies ready is not counted, so a resumed loop gets it."""
    letters = "abcdefghijklmnop"
    whole = list(Batches(letters, 2, epochs=3))
    with prefetch(Batches(letters, 2, epochs=3), depth=5) as ahead:
        assert ahead.state() == Batches(letters, 2, epochs=3).state()
        begun = [next(ahead) for _ in range(9)]
        time.sleep(0.02)
        state = ahead.state()
    resumed = Batches(letters, 2, epochs=3)
    resumed.restore(state)
    assert begun + list(resumed) == whole
    with prefetch([1, 2]) as plain, pytest.raises(DataError, match="has no state"):
        plain.state()


def test_the_thread_sees_the_callers_context() -> None:
    """Events that a source emits stay in the scope of the run that asked."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    variable.set("mine")
    with prefetch(variable.get() for _ in range(2)) as ahead:
        assert list(ahead) == ["mine", "mine"]


def test_a_depth_below_one_is_refused() -> None:
    """It would never have anything ready."""
    with pytest.raises(DataError, match="at least 1 value is made ahead, got depth 0"):
        prefetch([1], depth=0)
