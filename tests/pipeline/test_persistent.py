"""The collections that never change: order, sharing, equality, and what is new in one against another."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.pipeline import FrozenList, FrozenMap
from crucible.pipeline.persistent import JsonList, JsonMap

KEYS = st.text(max_size=3)
STEPS = st.lists(st.tuples(KEYS, st.integers()), max_size=40)


@given(STEPS, STEPS)
@pytest.mark.slow
def test_a_map_is_a_dict_that_is_never_changed(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> None:
    """Setting in any order gives what a dict would hold, in its order, and leaves every earlier map as it was."""
    plain: dict[str, int] = {}
    frozen: FrozenMap[int] = FrozenMap()
    history: list[tuple[FrozenMap[int], dict[str, int]]] = []
    for key, value in first:
        plain[key] = value
        frozen = frozen.set(key, value)
        history.append((frozen, dict(plain)))
    plain |= dict(second)
    frozen = frozen.update(dict(second))
    history.append((frozen, plain))
    for then, expected in history:
        assert list(then.items()) == list(expected.items())
        assert then == expected
        assert len(then) == len(expected)


@given(STEPS, STEPS)
def test_what_changed_is_what_is_new_or_another_object(
    first: list[tuple[str, int]], second: list[tuple[str, int]]
) -> None:
    """Putting the changes onto the earlier map gives the later one; nothing else is among them."""
    before = FrozenMap(dict(first))
    after = before.update(dict(second))
    changed = after.changed_since(before)
    assert before.update(changed) == after
    assert all(key not in before or before[key] is not value for key, value in changed.items())
    assert list(changed) == [key for key in after if key in changed]
    assert after.changed_since(after) == {}


@given(st.lists(st.integers()), st.lists(st.integers()))
def test_a_list_is_a_list_that_is_never_changed(first: list[int], second: list[int]) -> None:
    """Appending gives what a list would hold, for every index and slice, and leaves the earlier one."""
    before = FrozenList(first)
    after = before.append(*second)
    whole = first + second
    assert list(before) == first
    assert list(after) == whole
    assert [after[i] for i in range(-len(whole), len(whole))] == whole * 2
    assert after[1:-1] == tuple(whole[1:-1])
    assert after[::-2] == tuple(whole[::-2])
    assert list(reversed(after)) == whole[::-1]


@pytest.mark.parametrize("value", [FrozenMap({"b": 1, "a": [2]}).set("b", 3), FrozenList([1, {"x": 2}]).append(3)])
def test_they_travel(value: object) -> None:
    """Pickling and copying keep values and order."""
    for again in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert type(again) is type(value)
        assert again == value
        assert list(again) == list(value)  # type: ignore[call-overload]
    assert repr(value) == repr(pickle.loads(pickle.dumps(value)))


def test_a_map_reads_as_a_mapping() -> None:
    """Missing keys raise, `get` does not; a map equals any mapping of its items, in any order, and nothing else."""
    frozen = FrozenMap({"b": 1, "a": 2})
    assert frozen.get("c", 7) == 7
    assert "a" in frozen
    assert "c" not in frozen
    assert 3 not in frozen
    with pytest.raises(KeyError):
        frozen["c"]
    assert frozen == {"a": 2, "b": 1} == frozen
    assert frozen != {"a": 2}
    assert frozen != ["b", "a"]
    assert repr(frozen) == "FrozenMap({'b': 1, 'a': 2})"
    with pytest.raises(TypeError):
        hash(frozen)
    with pytest.raises(TypeError):
        frozen["a"] = 3  # type: ignore[index]


def test_a_list_reads_as_a_sequence() -> None:
    """A list equals any sequence of its items; an index that is not there says how many there are."""
    frozen = FrozenList("ab")
    assert frozen == ["a", "b"]
    assert frozen == ("a", "b")
    assert frozen != ["b", "a"]
    assert frozen != 3
    assert "a" in frozen
    assert frozen.index("b") == 1
    assert repr(frozen) == "FrozenList(['a', 'b'])"
    with pytest.raises(IndexError, match=r"there is no \[2\] among 2"):
        frozen[2]
    with pytest.raises(TypeError):
        hash(frozen)


def test_ten_thousand_entries() -> None:
    """Large collections keep order and values, whichever way they were made."""
    names = [f"m{i * 7919 % 10_000}" for i in range(10_000)]
    one_by_one: FrozenMap[int] = FrozenMap()
    for place, name in enumerate(names):
        one_by_one = one_by_one.set(name, place)
    assert list(one_by_one) == names
    assert one_by_one == FrozenMap({name: place for place, name in enumerate(names)})
    assert list(one_by_one.set(names[5], -1)) == names
    assert one_by_one.set("x", 1).changed_since(one_by_one) == {"x": 1}
    assert FrozenList(range(10_000)).append(10_000)[9_999:] == (9_999, 10_000)


def test_what_changed_is_found_however_long_ago() -> None:
    """A map that was changed far more often than it has entries forgets how, and is compared as a whole."""
    first = FrozenMap({"a": 0, "b": 0})
    last = first
    for i in range(1_000):
        last = last.set("a", i + 1_000)
    assert last.changed_since(first) == {"a": 1_999}
    assert first.changed_since(last) == {"a": 0}
    assert last.changed_since(FrozenMap()) == last
    assert last.set("a", first["a"]).changed_since(first) == {}


@pytest.mark.parametrize("value", [JsonMap({"a": [1], "b": 2}), JsonList([[1], 2])])
def test_json_collections_travel_as_they_are(value: object) -> None:
    """Pickling and copying keep the type, so that what is read stays a copy."""
    again = pickle.loads(pickle.dumps(value))
    assert type(again) is type(value)
    assert again == value == copy.deepcopy(value)
    assert repr(again) == repr(value)
