"""An experiment of three days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crucible.store import StoredEvent

Point = tuple[str, int, float, int]

DAY_NS = 86_400_000_000_000
T0 = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


def make_event(number: int, **changes: Any) -> StoredEvent:
    """An event of that number; four a day from 2026-01-01 on."""
    given: dict[str, Any] = {
        "name": ("llm.request.stop", "llm.request.start", "train.step", "llmx")[number % 4],
        "timestamp_ns": T0 + number * DAY_NS // 4,
        "run_id": "0123456789abcdef",
        "event_id": f"{number:016x}",
        "condition": ("control", "treatment")[number % 2],
        "measurements": {"n": number},
        "metadata": {"model": "tiny", "nested": {"list": [1, None, "x"]}},
        "latency_ms": number / 2,
        "success": number % 3 == 0,
        "fields": {"epoch": number},
    }
    return StoredEvent(**given | changes)


@pytest.fixture
def event() -> Callable[..., StoredEvent]:
    """Makes an event: its number, and what differs from the usual."""
    return make_event


@pytest.fixture
def events() -> list[StoredEvent]:
    """Twelve events of three days."""
    return [make_event(number) for number in range(12)]


@pytest.fixture
def points() -> list[Point]:
    """Two series over three days, in order of time."""
    return [(name, step, step / 3, T0 + step * DAY_NS // 10) for step in range(30) for name in ("loss", "lr")]


@pytest.fixture
def info() -> dict[str, Any]:
    """What is kept of the experiment."""
    return {"id": "0123456789abcdef", "name": "A name", "tags": ["a"], "metadata": {"x": [1, {"y": None}]}}
