"""An event as one line of a terminal: when, whether it went well, its name, and the numbers that matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from crucible.cli.telemetry_words import shown, took, when, word
from crucible.store import StoredEvent

__all__ = ["event_line", "moment"]

_MOST = 8  # measurements and metadata that are shown
_NAME = 30
_TOLD = frozenset({"duration", "duration_ns", "duration_ms", "latency_ms", "cost_usd", "success", "exception"})
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}


def event_line(event: StoredEvent) -> Text:
    """Return an event as a line that is safe to print, however long."""
    mark, style = _MARKS[event.success]
    made = Text(f"{moment(event.timestamp_ns)} ", style="dim") + Text(f"{mark} ", style=style)
    made += Text(f"{word(event.name, 100):<{_NAME}}")
    for part in _parts(event):
        made += Text("  ") + Text(part)
    return made


def moment(timestamp_ns: int) -> str:
    """Return a moment of a day, to the millisecond."""
    return when(timestamp_ns, "%H:%M:%S.%f")[:-3]


def _parts(event: StoredEvent) -> Iterator[str]:
    if event.latency_ms is not None:
        yield took(event.latency_ms * 1e6) if event.latency_ms < 1e12 else f"{shown(event.latency_ms)} ms"
    if event.cost_usd is not None:
        yield f"${shown(event.cost_usd)}"
    pairs = [*_pairs(event.measurements), *_pairs(event.metadata)]
    yield from pairs[:_MOST]
    if len(pairs) > _MOST:
        yield f"(+{len(pairs) - _MOST})"
    if "malformed" in event.fields:
        yield "malformed"
    if event.stage is not None:
        yield f"in {word(event.stage, 30)}"


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what can be said in a word or a number."""
    for key, value in values.items():
        if key in _TOLD:
            continue
        match value:
            case None | bool() | str():
                text = word(str(value), 40)
            case int() | float():
                text = shown(value) if abs(value) < 1e15 else word(str(value), 24)
            case _:
                continue
        yield f"{word(key, 30)}={text}"
