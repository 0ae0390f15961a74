"""Whatever a payload holds becomes something that a file can hold."""

from __future__ import annotations

import collections
import enum
import math
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from crucible.store import decode
from crucible.telemetry.exports.payload import json_text, number, plain, text


class Words(str):
    """A text of its own class, whose own words fail."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Level(enum.IntEnum):
    """A number with a name."""

    HIGH = 3


class Broken(dict[str, Any]):
    """A dict that cannot be walked."""

    def items(self) -> Any:
        """Fail."""
        raise RuntimeError("no items")


class Nameless:
    """A key whose words fail."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Words("a"), "a"),
        (Level.HIGH, 3),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (2**64, str(2**64)),
        (b"\xff", "/w=="),
        ((1, (2,)), [1, [2]]),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        (Broken(a=1), "<Broken>"),
        ({Nameless(): 1, None: 2, 3: 4, "\ud800": 5}, {"<Nameless>": 1, "None": 2, "3": 4, r"\ud800": 5}),
        ({"deep": [Nameless(), math]}, {"deep": ["<Nameless>", str(math)]}),
    ],
)
def test_anything_becomes_plain(value: Any, expected: Any) -> None:
    """Numbers of any library are numbers, texts texts, containers lists and dicts, and the rest has words."""
    assert plain(value) == expected
    assert decode(json_text(value)) is not None


def test_loops_and_depths_end() -> None:
    """A value that contains itself, many times over or a hundred levels down, is cut where it does so."""
    twice: list[Any] = []
    twice += [twice, twice]
    assert plain(twice) == ["<list>", "<list>"]
    deep: Any = "end"
    for _ in range(150):
        deep = {"in": deep}
    settled = plain(deep)
    for _ in range(100):
        settled = settled["in"]
    assert settled == "<dict>"


def test_cells_of_one_kind() -> None:
    """`text` gives text and `number` a double, or nothing."""
    assert [text(value) for value in (None, "a", 7, [1], True)] == [None, "a", "7", "[1]", "true"]
    assert [number(value) for value in (None, 1, np.float32(0.5), "1", [1])] == [None, 1.0, 0.5, None, None]
    assert math.isnan(number(math.nan) or 0)
