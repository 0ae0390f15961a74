"""What was found in an event, and the functions of users that find more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from crucible.events import Event

__all__ = ["CustomEnricher", "Enriched", "EnricherErrors"]


class Enriched(msgspec.Struct, gc=False):
    """What was found in an event.

    Args:
        latency_ms: How long what it ends took, milliseconds.
        cost_usd: What it cost, US dollars; None where nobody said and no price is known.
        success: Whether it went well; None where nobody said.
        fields: What else was found, by name; what is absent is not in it.
    """

    latency_ms: float | None
    cost_usd: float | None
    success: bool | None
    fields: dict[str, Any]


CustomEnricher = Callable[[Event, Enriched], Mapping[str, Any] | None]
"""Takes an event and what was found in it; returns more fields, or None.

`latency_ms`, `cost_usd` and `success` among them replace what was found.
"""


class EnricherErrors(msgspec.Struct, frozen=True):
    """How often a custom enricher raised, or returned what cannot be kept.

    Args:
        count: How often.
        last: The last error, in words.
    """

    count: int
    last: str
