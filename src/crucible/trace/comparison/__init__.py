"""How two chains differ: `diff`, and the `Diff` with its text, JSON and page."""

from crucible.trace.comparison.comparer import diff
from crucible.trace.comparison.difference import Diff
from crucible.trace.comparison.findings import (
    ChangedEvent,
    ConfidenceDelta,
    Divergence,
    LinkEnd,
    MovedEvent,
    PlacedEvent,
    RelationChange,
    Side,
)
from crucible.trace.comparison.options import RUN_NOISE, DiffOptions

__all__ = [
    "RUN_NOISE",
    "ChangedEvent",
    "ConfidenceDelta",
    "Diff",
    "DiffOptions",
    "Divergence",
    "LinkEnd",
    "MovedEvent",
    "PlacedEvent",
    "RelationChange",
    "Side",
    "diff",
]
