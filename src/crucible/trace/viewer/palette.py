"""Colours of event types as classes of the page, darkened where a registered pair could not be read."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.trace.vocabulary import EventType

__all__ = ["contrast", "legible", "type_styles"]

_ENOUGH = 4.5  # WCAG 2.2, 1.4.3: text of normal size


def type_styles(types: Sequence[EventType]) -> str:
    """Return CSS that gives `.t0`, `.t1`, … the colour (`--c`) and the fill (`--f`) of each type."""
    rules = (f".t{place}{{--c:{legible(entry)};--f:{entry.fill}}}" for place, entry in enumerate(types))
    return "".join(rules)


def legible(entry: EventType) -> str:
    """Return a type's colour, as much darker as it must be to be read on its fill; a dark fill gets white."""
    channels = _channels(entry.color)
    for step in range(21):
        darker = tuple(round(channel * (1 - step / 20)) for channel in channels)
        color = "#{:02x}{:02x}{:02x}".format(*darker)
        if contrast(color, entry.fill) >= _ENOUGH:
            return color
    return "#ffffff"


def contrast(one: str, other: str) -> float:
    """Return the contrast of two `#rrggbb` colours, from 1 to 21.

    Source:
        WCAG 2.2, definitions of contrast ratio and relative luminance.
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
