"""How the events of the bus read as events of a trace: type, decision, reasoning, metadata.

Only words are chosen here, from what an event carries; what it does not carry is left out, never guessed. Who encloses
whom is the collector's business.
"""

from collections.abc import Callable, Mapping

from crucible.events import Event as _Event
from crucible.trace.narration.decisions import SPEAKERS as _DECISIONS
from crucible.trace.narration.framework import PIPELINE, PLACES, RETRY, SPANS, ending, is_stop, opening, was_begun
from crucible.trace.narration.framework import SPEAKERS as _FRAMEWORK
from crucible.trace.narration.reliability import FOLLOWED
from crucible.trace.narration.reliability import SPEAKERS as _RELIABILITY
from crucible.trace.narration.training import SPEAKERS as _TRAINING
from crucible.trace.narration.words import Words, left_over

__all__ = [
    "FOLLOWED",
    "PIPELINE",
    "PLACES",
    "RETRY",
    "SPANS",
    "SPEAKERS",
    "Words",
    "ending",
    "is_stop",
    "left_over",
    "opening",
    "was_begun",
]

SPEAKERS: Mapping[str, Callable[[_Event], Words]] = {**_TRAINING, **_DECISIONS, **_FRAMEWORK, **_RELIABILITY}
"""Single events that are told, and what tells them."""
