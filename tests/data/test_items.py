"""An item does not change: neither its fields nor what its source says of it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from crucible.data import Item

ITEM = Item("q1", "2 + 2", "4", {"level": 2, "tags": ["sum"]})


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.__setitem__("level", 3),
        lambda found: found.__delitem__("level"),
        lambda found: found.update(level=3),
        lambda found: found.pop("level"),
        lambda found: found.popitem(),
        lambda found: found.setdefault("new", 1),
        lambda found: found.clear(),
        lambda found: found.__ior__({"level": 3}),
    ],
)
def test_metadata_is_read_only(change: Callable[[Any], object]) -> None:
    """Whatever way it is tried, and the error says what to do."""
    with pytest.raises(TypeError, match=r"an item's metadata is read-only: make a new item, such as msgspec\.structs"):
        change(ITEM.metadata)
    assert ITEM.metadata == {"level": 2, "tags": ["sum"]}
    with pytest.raises(TypeError, match="read-only"):
        change(Item("q2", "x").metadata)


def test_the_caller_keeps_a_dictionary_of_their_own() -> None:
    """What happens to it afterwards is not seen by the item; a changed item is a new one."""
    told = {"level": 2}
    item = Item("q1", "2 + 2", "4", told)
    told["level"] = 3
    assert item.metadata == {"level": 2}
    changed = msgspec.structs.replace(item, metadata={**item.metadata, "level": 5})
    assert (changed.metadata["level"], item.metadata["level"]) == (5, 2)
    assert {**item.metadata, "more": 1} == item.metadata | {"more": 1} == {"level": 2, "more": 1}


def test_it_is_still_json_and_can_be_copied_and_sent() -> None:
    """By both writers of JSON, to another process, deeply; it comes back equal, and read-only."""
    assert json.loads(json.dumps(ITEM.metadata)) == ITEM.metadata
    for again in (
        msgspec.json.decode(msgspec.json.encode(ITEM), type=Item),
        msgspec.convert(msgspec.to_builtins(ITEM), type=Item),
        pickle.loads(pickle.dumps(ITEM)),
        copy.deepcopy(ITEM),
        copy.copy(ITEM),
    ):
        assert again == ITEM
        assert repr(again) == repr(ITEM)
        with pytest.raises(TypeError, match="read-only"):
            again.metadata["level"] = 3
    assert repr(ITEM).endswith("metadata={'level': 2, 'tags': ['sum']})")
