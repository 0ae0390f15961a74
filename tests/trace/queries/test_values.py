"""What a query sees of values that are not JSON, and that a chain in memory and the store see the same."""

from __future__ import annotations

import enum
import importlib
import math
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible.store import open_store
from crucible.trace import Chain, Event
from crucible.trace.queries import query
from crucible.trace.queries.values import nearest
from crucible.trace.stored.trace_store import TraceStore

START = datetime(2026, 1, 1, tzinfo=UTC)


class Mode(enum.Enum):
    """A choice."""

    FAST = "fast"


class Point(msgspec.Struct):
    """A record."""

    x: float


def loop() -> dict[str, Any]:
    """Return an object that contains itself."""
    inner: dict[str, Any] = {"a": 1}
    inner["self"] = inner
    return inner


ODD: list[Any] = [
    *(date(2026, 1, 2), START, Decimal("1.5"), Fraction(1, 4), Fraction(10**400), Path("a/b"), b"x", {1}, Mode.FAST),
    *(Point(0.5), 2**70, 10**5000, math.nan, math.inf, "\ud800", {1: "a"}, {1: "a", "1": "b"}, {True: [Point(1)]}),
    *({"$float": "NaN"}, [{"$float": "-Infinity"}], {"$float": "=NaN"}, loop(), (1, (2,)), {"d": {"e": START}}),
]
TESTS: list[Any] = [
    *({"exists": True}, {"lt": 1}, {"gte": 1}, 0.25, "a/b", {"starts_with": "2026"}, {"contains": "$float"}, "fast"),
    *({"contains": 1}, {"contains": "a"}, {"contains": "1"}, {"in": [0.25, None, "fast", [1, [2]]]}, {"contains": "n"}),
    {"eq": {"1": "a"}},
]
PATHS = ["metadata.v", "metadata.v[0]", "metadata.v.x", "metadata.v.1", "metadata.v.d.e", "metadata.v.True[0].x"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TraceStore]:
    """The traces of a store."""
    with closing(open_store(tmp_path_factory.mktemp("store"))) as opened:
        yield TraceStore(opened)


def odd_values() -> list[Any]:
    """Return the odd values, those of NumPy, too, where it is installed."""
    try:
        numpy: Any = importlib.import_module("numpy")
    except ImportError:
        return ODD
    own = [numpy.float32(0.25), numpy.int64(3), numpy.bool_(True), numpy.array([1, 2]), numpy.float32("nan")]
    return [*ODD, *own, {"x": numpy.float32(0.5)}]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("test", TESTS)
def test_memory_and_store_agree_on_odd_metadata(store: TraceStore, path: str, test: Any) -> None:
    """Whatever an event's metadata holds, both find the same events."""
    chain = Chain("odd")
    for place, value in enumerate(odd_values()):
        chain.add(Event("e" + str(place), START, "t", "d", "r", metadata={"v": value}))
    info = store.save(chain)
    expected = [event.id for event in query(chain, {path: test})]
    assert [found.event.id for found in store.query({path: test}, chain_id=info.id)] == expected
    store.delete(info.id)


def test_memory_and_store_agree_on_odd_fields(store: TraceStore) -> None:
    """A confidence, a text or a list entry of another kind is what it is nearest to, in both."""
    chain = Chain("odd")
    for place, value in enumerate([True, "high", Decimal("0.5"), Fraction(1, 2), 2**70, 10**400, -1, math.nan, 1]):
        chain.add(Event(f"c{place}", START, "t", "d", "r", confidence=value))  # type: ignore[arg-type]
    for place, value in enumerate([5, None, Path("a/b"), ["x"], True]):
        chain.add(Event(f"f{place}", START, "t" if isinstance(value, list) else value, value, "r", code_section=value))  # type: ignore[arg-type]
    for place, value in enumerate([(0.1, "a"), (None,), (["a"],), (math.nan, Path("a"))]):
        chain.add(Event(f"l{place}", START, "t", "d", "r", value, depends_on=value))  # type: ignore[arg-type]
    info = store.save(chain)
    asked: list[dict[str, Any]] = [{"confidence": test} for test in ({"gte": 0.5}, {"exists": True}, 1, {"ne": 1})]
    for name in ("decision", "code_section"):
        asked += [{name: test} for test in ("5", "a/b", {"exists": False}, {"contains": "a"}, {"in": ["a/b", None]})]
    asked += [{"content": "a/b"}, {"category": "other"}, {"type": "a/b"}]
    for name in ("alternatives", "depends_on"):
        asked += [{name: test} for test in ("a", {"in": ["a", "0.1"]}, {"matches": "a"}, {"exists": True})]
    for condition in asked:
        expected = [event.id for event in query(chain, condition)]
        assert [found.event.id for found in store.query(condition, chain_id=info.id)] == expected, condition
    store.delete(info.id)


def test_json_values_are_left_alone() -> None:
    """What is JSON already is the same object, so that looking costs no copy."""
    value = {"a": [1, 0.5, None, True, "x", {"b": (1,)}], "nan": math.nan}
    assert nearest(value) is value


def test_the_text_of_a_key_wins_by_being_one() -> None:
    """Of two keys that read alike, the one that is text stays; else the first."""
    assert nearest({1: "a", "1": "b"}) == {"1": "b"}
    assert nearest({1: "a", Decimal(1): "c"}) in ({"1": "a"}, {"1": "c"})


def test_what_contains_itself_ends() -> None:
    """A value inside itself, or nested without end, becomes its type's name there."""
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert nearest(loop())["self"] == "<dict>"
    found, depth = nearest(deep), 0
    while isinstance(found, list):
        found, depth = found[0], depth + 1
    assert (found, depth) == ("<list>", 200)
