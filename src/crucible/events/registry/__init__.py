"""The names of all events, with their category, what they mean, their measurements and who emits them.

A name that Crucible emits is in here; a test holds both to each other. `causal_trace.*`, the predecessor's spelling of
`crucible_trace.*`, is an alias: who looks it up, listens for it or emits it means the name that Crucible emits.
"""

from crucible.events.registry import checkpoints as _checkpoints
from crucible.events.registry import learning as _learning
from crucible.events.registry import models as _models
from crucible.events.registry import requests as _requests
from crucible.events.registry import running as _running
from crucible.events.registry import sessions as _sessions
from crucible.events.registry.categories import (
    adversary_events,
    data_events,
    deployment_events,
    ensemble_events,
    framework_events,
    hedging_events,
    llm_events,
    telemetry_events,
    tool_events,
    trace_events,
    training_events,
    xai_events,
)
from crucible.events.registry.entry import ROOMS, UNITS, EventInfo
from crucible.events.registry.names import (
    aliases,
    canonical_name,
    event_info,
    events_by_category,
    events_of,
    on_change,
    register,
    standard_events,
    unregister,
)

__all__ = [
    "ROOMS",
    "UNITS",
    "EventInfo",
    "adversary_events",
    "aliases",
    "canonical_name",
    "data_events",
    "deployment_events",
    "ensemble_events",
    "event_info",
    "events_by_category",
    "events_of",
    "framework_events",
    "hedging_events",
    "llm_events",
    "on_change",
    "register",
    "standard_events",
    "telemetry_events",
    "tool_events",
    "trace_events",
    "training_events",
    "unregister",
    "xai_events",
]

register(
    *_running.EVENTS, *_learning.EVENTS, *_checkpoints.EVENTS, *_models.EVENTS, *_requests.EVENTS, *_sessions.EVENTS
)
