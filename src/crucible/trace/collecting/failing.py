"""What failed inside an open span, so that its own failure can name the one that it comes from: `Failures`.

Links are made by what errors say of themselves: the end of a span rests on what failed inside with the same error, with
one that its error was raised from, or with one of its group. What was tried again or passed over is no cause; nor is
what was caught, unless the very same words come again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, cast

from crucible import events
from crucible.trace import narration
from crucible.trace.event import Event
from crucible.trace.tracing.failures import message_of

__all__ = ["Failures"]

_ERRORS = 64  # looked at behind one that ended a span

_Key = tuple[Any, Any]  # the type and the message of an error, as an event of the bus carries them


class Failures:
    """What failed or was cancelled inside one span, by error."""

    __slots__ = ("_cancelled", "_failed")

    def __init__(self) -> None:
        self._failed: dict[_Key, Event] = {}
        self._cancelled: Event | None = None

    def take(self, event: events.Event, told: Event) -> None:
        """Remember a failure.

        Args:
            event: The end of a span inside, on the bus.
            told: What tells of it.
        """
        if narration.is_stop(event):
            self._cancelled = told
        else:
            self._failed[_key(event)] = told

    def cause_of(self, event: events.Event) -> Event | None:
        """Return what a failure comes from; None if nothing that is told.

        What was stopped on request comes from what was stopped inside, never from a failure; a failure never comes
        from what was stopped, which is most often because of it.

        Args:
            event: The end of the span, on the bus.
        """
        if narration.is_stop(event):
            return self._cancelled
        if not self._failed:
            return None
        return next((self._failed[key] for key in _keys(event) if key in self._failed), None)


def _key(event: events.Event) -> _Key:
    return str(event.metadata.get("error_type")), str(event.metadata.get("error"))


def _keys(event: events.Event) -> Iterator[_Key]:
    """Yield the error of an event, then those that it was raised from or that are in its group, the nearest first."""
    yield _key(event)
    error = sys.exception()  # the bus tells of an error while it passes through the span
    if error is None or type(error).__name__ != event.metadata.get("error_type"):
        return
    waiting, seen = [error], {id(error)}
    for each in waiting:
        yield type(each).__name__, message_of(each)
        group = (
            cast("BaseExceptionGroup[BaseException]", each).exceptions if isinstance(each, BaseExceptionGroup) else ()
        )
        for behind in (each.__cause__, *group):
            if behind is not None and id(behind) not in seen and len(waiting) < _ERRORS:
                seen.add(id(behind))
                waiting.append(behind)
