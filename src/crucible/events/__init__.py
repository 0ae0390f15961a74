"""The bus: what happens is emitted once, and whoever cares subscribes.

Small and fast; imports nothing of Crucible but errors. Recording and tracing are subscribers that live elsewhere.
"""

from crucible.events import registry
from crucible.events.bus import (
    Event,
    Handler,
    Scope,
    Span,
    attach,
    attached,
    collect,
    current_scope,
    decision,
    detach,
    emit,
    handler_errors,
    scope,
    span,
)

__all__ = [
    "Event",
    "Handler",
    "Scope",
    "Span",
    "attach",
    "attached",
    "collect",
    "current_scope",
    "decision",
    "detach",
    "emit",
    "handler_errors",
    "registry",
    "scope",
    "span",
]
