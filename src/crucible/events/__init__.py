"""The bus: what happens is emitted once, and whoever cares subscribes.

Small and fast; imports nothing of Crucible but errors. Recording and tracing are subscribers that live elsewhere.
"""

from crucible.events import registry
from crucible.events.bus import decision, emit
from crucible.events.collecting import Collected, collect
from crucible.events.event import Event, Handler
from crucible.events.failures import HandlerFailures, handler_errors, handler_failures
from crucible.events.handlers import attach, attach_many, attached, detach
from crucible.events.scope import Scope, Standing, current_scope, scope
from crucible.events.span import Span, current_span, span

__all__ = [
    "Collected",
    "Event",
    "Handler",
    "HandlerFailures",
    "Scope",
    "Span",
    "Standing",
    "attach",
    "attach_many",
    "attached",
    "collect",
    "current_scope",
    "current_span",
    "decision",
    "detach",
    "emit",
    "handler_errors",
    "handler_failures",
    "registry",
    "scope",
    "span",
]
