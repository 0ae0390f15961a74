"""One thing that happened, as it travels between programs; inside Crucible it is `events.Event`."""

from __future__ import annotations

from pydantic import Field

from crucible.ir.instant import Instant
from crucible.ir.model import Document
from crucible.ir.opaque import Opaque
from crucible.ir.words import Name

__all__ = ["TelemetryEvent"]


class TelemetryEvent(Document):
    """One thing that happened."""

    event_name: Name = Field(description="Dotted name, such as crucible_train.batch.stop.")
    measurements: Opaque = Field(default_factory=dict, description="Numbers.")
    metadata: Opaque = Field(default_factory=dict, description="Words and structures.")
    timestamp: Instant | None = Field(default=None, description="When it happened.")
    correlation_id: str | None = Field(default=None, description="What it belongs to.")
