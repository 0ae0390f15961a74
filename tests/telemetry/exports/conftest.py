"""Records that hold whatever a payload may hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from crucible.store import StoredEvent

T0 = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


Make = Callable[..., StoredEvent]


def make_record(number: int = 0, **changes: Any) -> StoredEvent:
    """A record of that number, with its own id and time."""
    given: dict[str, Any] = {
        "name": "crucible_train.batch.stop",
        "timestamp_ns": T0 + number * 1_000_000_001,
        "run_id": "0123456789abcdef",
        "event_id": f"{number:016x}",
    }
    return StoredEvent(**given | changes)


class Hostile:
    """An object whose every word fails."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


@pytest.fixture
def record() -> Make:
    """Makes a record: its number, and what differs from the usual."""
    return make_record


@pytest.fixture
def odd_records() -> list[StoredEvent]:
    """Events of which each has something that the one before lacks, or that no file can hold as it is."""
    loop: list[Any] = []
    loop.append(loop)
    return [
        make_record(0, name="crucible_train.batch.start"),
        make_record(
            1, measurements={"loss": 0.5, "step": 3}, metadata={"model": "tiny"}, latency_ms=1.25, success=True
        ),
        make_record(2, measurements={"loss": math.nan, "duration": 7}, fields={"epoch": 1, "user_id": "alice"}),
        make_record(3, measurements={"loss": math.inf, "low": -math.inf}, metadata={"a": {"b": 1}, "a_b": 2, "a.b": 3}),
        make_record(4, metadata={"list": [1, {"x": None}], "empty": {}, "text": '=HYPERLINK("http://x","y")'}),
        make_record(
            5, metadata={"lines": 'a\r\n"b",c', "nul": "a\0b", "half": "\ud800", "bytes": b"\xff", "huge": 10**30}
        ),
        make_record(6, metadata={"loop": loop, "object": Hostile(), 7: "key", "mixed": "text"}, condition="-1+2"),
        make_record(7, metadata={"mixed": 4}, fields={"event_id": "mine", "measurement_loss": "theirs"}, success=False),
    ]
