"""Chains to compare: short ones by hand, and any that hypothesis can think of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crucible.trace import Chain, Event

START = datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="session")
def chain_of() -> Callable[..., Chain]:
    """Return a maker of chains: from events, or from pairs of (type, decision)."""

    def make(*events: Event | tuple[str, str], name: str = "tickets", **fields: Any) -> Chain:
        chain = Chain(name, created_at=START, **fields)
        for each in events:
            event = each if isinstance(each, Event) else Event.new(*each, "because", timestamp=START)
            chain._append(event)  # as a file may: ids may repeat
        return chain

    return make
