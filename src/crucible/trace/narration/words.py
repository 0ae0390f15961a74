"""What a trace event will say, and the small phrases that several of them share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from crucible import events
from crucible.trace.plain import plain

__all__ = ["Words", "fact", "facts", "in_time", "left_over", "measured", "places"]

_EXACT = range(-(2**63), 2**64)  # integers that 64-bit readers of JSON can take


class Words(msgspec.Struct, frozen=True, gc=False):
    """What a trace event will say.

    Args:
        type: Its type.
        decision: What happened.
        reasoning: Why, or on what evidence.
        metadata: JSON values.
        alternatives: What was not chosen.
        confidence: From 0 to 1; None where nobody said.
        code_section: The code that it concerns.
        spec_reference: The requirement that it concerns.
    """

    type: str
    decision: str
    reasoning: str
    metadata: dict[str, Any]
    alternatives: tuple[str, ...] = ()
    confidence: float | None = None
    code_section: str | None = None
    spec_reference: str | None = None


def facts(event: events.Event) -> dict[str, Any]:
    """Return what an event carries, as JSON values; measurements win over metadata of the same name."""
    known: dict[str, Any] = {**event.metadata, **event.measurements}
    for key, value in known.items():
        if key.__class__ is not str or not _is_json(value):
            return plain(known)
    return known


def _is_json(value: Any) -> bool:
    """Whether a value is one that JSON can carry as it is; asking costs a tenth of `plain`, and most are."""
    kind = value.__class__
    if kind is int:
        return value in _EXACT
    if kind is str:
        return value.isascii()
    return math.isfinite(value) if kind is float else value is None or kind is bool


def fact(value: Any) -> Any:
    """Return a value as JSON."""
    return value if _is_json(value) else plain(value)


def measured(value: Any) -> str:
    """Return a measurement in four significant digits, a word as it is."""
    return f"{value:#.4g}".removesuffix(".") if isinstance(value, int | float) else str(value)


def places(count: Any, noun: str) -> str:
    """Return a count with its noun: `1 stage`, `2 stages`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def in_time(known: Mapping[str, Any]) -> str:
    """Return ` in 1.20 s` where a duration is known, else nothing."""
    took = known.get("duration_ns")
    if isinstance(took, bool) or not isinstance(took, int | float):
        return ""
    return f" in {took / 1e9:.2f} s" if took >= 1e9 else f" in {took / 1e6:.2f} ms"


def left_over(name: str, values: dict[str, Any]) -> Words:
    """Tell what was summed up on something that did not end while somebody listened, or on nothing.

    Args:
        name: What it is of: `batches`, `validation` or `requests`.
        values: The sums.
    """
    kind, noun = _LEFT_OVER[name]
    reasoning = "Summed up: nothing that encloses them has ended"
    return Words(kind, places(values.get("count"), noun), reasoning, {name: values})


_LEFT_OVER = {
    "batches": ("batch_processed", "optimiser step"),
    "validation": ("validation_run", "validation"),
    "requests": ("inference_completed", "request"),
}
