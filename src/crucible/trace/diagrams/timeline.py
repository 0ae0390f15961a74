"""The timeline: when what happened, in UTC, under the stage or the day."""

from __future__ import annotations

from datetime import UTC, datetime

from crucible.trace.diagrams.drawing import Drawing, Excerpt
from crucible.trace.diagrams.label import shortened
from crucible.trace.event import Event
from crucible.trace.reading import read_timestamp

__all__ = ["draw_timeline"]


def draw_timeline(excerpt: Excerpt) -> Drawing:
    """Draw the events by time, whatever their order in the chain; those of one moment share a period.

    A section is a run of events of one stage, or of one day where they belong to none; a stage that is left and entered
    again has two sections, so that time always runs to the right. Times show milliseconds where the whole picture spans
    less than a minute.
    """
    timed = sorted(((_moment(event), event) for event in excerpt.events), key=lambda pair: pair[0])
    is_short = bool(timed) and (timed[-1][0] - timed[0][0]).total_seconds() < 60
    lines = ["timeline", *([f"  title {excerpt.encoded(excerpt.title)}"] if excerpt.title else [])]
    section, period = None, None
    names: dict[str, int] = {}
    for moment, event in timed:
        day = moment.date().isoformat()
        key = ("stage", event.stage_id) if event.stage_id is not None else ("day", day)
        if key != section:
            section, period = key, None
            lines.append(f"  section {excerpt.encoded(_unused(shortened(key[1], excerpt.length), names))}")
        time = moment.time().isoformat("milliseconds" if is_short else "seconds")
        words = excerpt.encoded(time if key[0] == "day" else f"{day} {time}")
        lines.append(f"    {'' if words == period else words} : {excerpt.decision(event)}")
        period = words
    if more := excerpt.more():
        lines += ["  section Not shown", f"    later in the chain : {more}"]
    elif not timed:
        lines += ["  section No events", "    empty : No events recorded"]
    return Drawing(lines, 0)


def _unused(name: str, used: dict[str, int]) -> str:
    """Return the name with a number where it was used before: Mermaid puts sections of one name together."""
    unused = name
    while unused in used:
        used[name] += 1
        unused = f"{name} ({used[name]})"
    used[unused] = 1
    return unused


def _moment(event: Event) -> datetime:
    return read_timestamp(event.timestamp) or datetime.min.replace(tzinfo=UTC)  # the year 1 has times that UTC lacks
