"""The forms in which entries come: a span's three events, and what every failure says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crucible.events.registry.entry import EventInfo

__all__ = ["ERROR", "span_events"]

ERROR: Mapping[str, str] = {"error_type": "class of the error", "error": "its message"}
"""What every `.exception` says of the error."""


def span_events(
    name: str,
    category: str,
    words: tuple[str, str, str],
    emitted_by: str,
    *,
    measures: Mapping[str, str] | None = None,
    also_failing: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    ending: Mapping[str, str] | None = None,
) -> tuple[EventInfo, EventInfo, EventInfo]:
    """Return the entries of a span's start, stop and exception.

    Args:
        name: Name of the span.
        category: Category of the three.
        words: What the three say happened.
        emitted_by: As in `EventInfo`.
        measures: Measurements of the stop beside `duration_ns`.
        also_failing: Those of them that the exception has, too.
        metadata: What all three say.
        ending: What the stop says beside that.
    """
    measures, about = measures or {}, metadata or {}
    failing = {key: measures[key] for key in also_failing}
    start, stop, exception = words
    return (
        EventInfo(f"{name}.start", category, start, emitted_by, metadata=about),
        EventInfo(
            f"{name}.stop",
            category,
            stop,
            emitted_by,
            {"duration_ns": "ns", **measures},
            metadata={**about, **(ending or {})},
        ),
        EventInfo(
            f"{name}.exception",
            category,
            exception,
            emitted_by,
            {"duration_ns": "ns", **failing},
            metadata={**about, **ERROR},
        ),
    )
