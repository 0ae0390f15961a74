"""A chain in a few numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np

from crucible.trace import Chain, Event, Statistics

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_empty() -> None:
    """An empty chain has every number, too."""
    assert Chain("c").statistics() == Statistics(0, {}, None, 0, 0.0)
    assert Chain("c").statistics().to_dict() == {
        "total_events": 0,
        "event_type_counts": {},
        "avg_confidence": None,
        "events_with_confidence": 0,
        "duration_seconds": 0,
    }


def test_numbers() -> None:
    """Events out of order have no negative duration, and the mean counts only who stated a confidence."""
    chain = Chain("c")
    for after_s, kind, confidence in ((2.5, "loss_computed", 0.5), (0, "epoch_started", None), (1, "loss_computed", 1)):
        moment = START + timedelta(seconds=after_s)
        chain.add(Event.new(kind, "D", "R", timestamp=moment, confidence=confidence))
    assert chain.statistics() == Statistics(3, {"loss_computed": 2, "epoch_started": 1}, 0.75, 2, 2.5)
    assert chain.statistics().to_dict()["duration_seconds"] == 2


def test_a_confidence_that_is_no_number() -> None:
    """It stands neither in the mean nor in the count that states one; a number of NumPy's does."""
    chain = Chain("c")
    for confidence in ("high", math.nan, math.inf, True, None, 10**400, np.float32(0.5), 1):
        chain.add(Event.new("loss_computed", "D", "R", confidence=confidence))  # type: ignore[arg-type]
    found = chain.statistics()
    assert (found.total_events, found.avg_confidence, found.events_with_confidence) == (8, 0.75, 2)
    assert type(found.avg_confidence) is float
