"""What a handler is told: the `Event`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from crucible.events.scope import Scope

__all__ = ["Event", "Handler"]


class Event(msgspec.Struct, frozen=True, gc=False):  # in no cycle, unless a handler puts it into its own metadata
    """Something that happened.

    Measurements and metadata are the emitter's own: copy what is kept for later. They are as they were given, so one
    that is no mapping at all, or has values of any kind, is the emitter's mistake and the handler's to bear.

    Args:
        name: Dotted name, such as `crucible_train.batch.stop`; never an alias.
        measurements: Numbers; durations are `duration_ns`.
        metadata: Words and structures.
        timestamp_ns: Wall clock, nanoseconds since 1970-01-01 UTC.
        scope: Where it happened.
        span_id: The span that this event opens or closes; None for a plain event.
        parent_span_id: The enclosing span.
    """

    name: str
    measurements: Mapping[str, Any]
    metadata: Mapping[str, Any]
    timestamp_ns: int
    scope: Scope
    span_id: str | None = None
    parent_span_id: str | None = None

    @property
    def correlation_id(self) -> str | None:
        """What everything shares that was done for one request; None outside of spans and of scopes that set one."""
        return self.scope.correlation_id


Handler = Callable[[Event], None]
"""Is called with every event that it listens to, on the emitter's thread."""
