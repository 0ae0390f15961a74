"""Why it happened: events, chains of them, and the collector that builds a chain from a run.

An event is a decision or an occurrence with its reasoning, alternatives and confidence; a chain keeps events in order
with their links. Nothing here stores a chain anywhere but in a file that the caller names.
"""

from crucible.trace.chain import Chain
from crucible.trace.collector import Collector
from crucible.trace.event import Event, EventFields
from crucible.trace.markdown import to_markdown
from crucible.trace.relationships import Problem
from crucible.trace.statistics import Statistics
from crucible.trace.text_tree import to_text
from crucible.trace.vocabulary import (
    EventType,
    canonical_type,
    event_type,
    event_types,
    look_of,
    register_event_type,
    title_of,
)

__all__ = [
    "Chain",
    "Collector",
    "Event",
    "EventFields",
    "EventType",
    "Problem",
    "Statistics",
    "canonical_type",
    "event_type",
    "event_types",
    "look_of",
    "register_event_type",
    "title_of",
    "to_markdown",
    "to_text",
]
