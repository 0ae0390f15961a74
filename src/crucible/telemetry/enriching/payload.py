"""What is worked out from an event's two mappings: how long it took, the cost that it says, and how it went.

Each function is called only for events that have one of its keys.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, cast

from crucible.telemetry.enriching.plan import Plan
from crucible.telemetry.enriching.scalars import Notes, amount, number, word

__all__ = ["keep_means", "keep_status", "latency_ms", "outcome", "settle_odd", "told_cost"]

_MS = {
    "ns": (1, 1_000_000),
    "us": (1, 1_000),
    "ms": (1, 1),
    "s": (1_000, 1),
}
"""Unit by its word: a factor and a divisor, so that whole numbers stay exact."""

_DURATIONS = {"duration_ns": "ns", "duration_us": "us", "duration_ms": "ms", "duration_s": "s", "duration": ""}
_MOST_MEANS = 32
_COSTS = (("cost", "cost_usd"), ("cost", "cost_usd", "total_cost"))
_WENT_WELL = frozenset({"ok", "success", "successful", "succeeded", "completed", "passed", "healthy", "true"})
_WENT_WRONG = frozenset(
    {"error", "exception", "failed", "failure", "timeout", "timed_out", "cancelled", "unhealthy", "false"}
)


def settle_odd(odd: list[tuple[str, Any, str, bool]], fields: dict[str, Any], notes: Notes) -> None:
    """Put values of unusual types where they belong: NumPy's numbers as Python's, and what does not fit as a note.

    Args:
        odd: Of each: key, value, field, and whether it must be a number.
        fields: Where they go.
        notes: What is said of those that do not fit.
    """
    for key, value, field, is_number in odd:
        found = number(value) if is_number else word(value)
        if found is None:
            notes.expected(key, "a number" if is_number else "a word or a number", value)
        else:
            fields[field] = found


def latency_ms(plan: Plan, measurements: Mapping[str, Any], notes: Notes) -> float | None:
    """Return how long something took, in milliseconds: a duration in its unit, else the time from `start` to `stop`."""
    for key, unit in _DURATIONS.items():
        value = measurements.get(key)
        if value is not None:
            took = amount(value)
            if took is not None:
                return _in_ms(key, took, unit or plan.units.get(key, "ns"), notes)
            notes.expected(key, "a number" if number(value) is None else "a finite duration of 0 or more", value)
    start, stop = measurements.get("start"), measurements.get("stop")
    if start is None or stop is None:
        return None
    began, ended = number(start), number(stop)
    if began is None or ended is None:
        notes.expected("start" if began is None else "stop", "a number", start if began is None else stop)
        return None
    took = amount(ended - began)
    if took is None:
        notes.add("stop: expected a finite time not before start")
        return None
    return _in_ms("stop", took, plan.units.get("stop", "ns"), notes)


def _in_ms(key: str, took: float, unit: str, notes: Notes) -> float | None:
    if unit not in _MS:
        notes.add(f"{key}: the registry has it in {unit[:40]!r}, expected one of {', '.join(_MS)}")
        return None
    factor, divisor = _MS[unit]
    return took * factor / divisor


def told_cost(measurements: Mapping[str, Any], metadata: Mapping[str, Any], notes: Notes) -> float | None:
    """Return the cost that the event itself says, US dollars; what was told goes before what was measured."""
    for source, keys in zip((metadata, measurements), _COSTS, strict=True):
        for key in keys:
            if (value := source.get(key)) is None:
                continue
            if (cost := amount(value)) is not None:
                return float(cost)
            notes.expected(key, "a number" if number(value) is None else "a finite cost of 0 or more", value)
    return None


def outcome(
    plan: Plan, measurements: Mapping[str, Any], metadata: Mapping[str, Any], *, silence: bool | None
) -> bool | None:
    """Return whether it went well: False if anything says that it did not, else True if anything says that it did.

    Args:
        plan: Which keys say it in a word.
        measurements: The event's; `status` and `success` are read.
        metadata: The event's; also `error`, `exception`, `error_type` and `response` are.
        silence: What holds if nothing is said; not if a `status` is there that nobody here can read.
    """
    if any(_is_there(metadata.get(key)) for key in ("error", "exception", "error_type")):
        return False
    said = [_said(source.get(key)) for source in (measurements, metadata) for key in plan.verdict_keys]
    if False in said:
        return False
    if True in said or metadata.get("response") is not None:
        return True
    is_unread = any(source.get("status") is not None for source in (measurements, metadata))
    return None if is_unread else silence


def keep_status(measurements: Mapping[str, Any], metadata: Mapping[str, Any], fields: dict[str, Any]) -> None:
    """Put the status that an event says into its fields, if it is a word or a number."""
    for source in (metadata, measurements):
        if (status := word(source.get("status"))) is not None:
            fields["status"] = status
            return


def keep_means(metadata: Mapping[str, Any], fields: dict[str, Any], notes: Notes) -> None:
    """Put the mean scores of an evaluation into fields such as `mean_exact_match`, at most 32."""
    means = metadata.get("means")
    if means is None:
        return
    if not isinstance(means, Mapping):
        notes.expected("means", "a mapping", means)
        return
    for name, mean in itertools.islice(cast("Mapping[Any, Any]", means).items(), _MOST_MEANS):
        if (found := number(mean)) is not None:
            fields[f"mean_{name}"] = found


def _is_there(value: Any) -> bool:
    """Return whether an error was told: anything true, and what cannot say whether it is."""
    if value is None or value is False:
        return False
    try:
        return bool(value)
    except Exception:  # noqa: BLE001  # an array, or a foreign type that raises
        return True


def _said(value: Any) -> bool | None:
    if value is None or value is True or value is False:
        return value
    if value.__class__ in (int, float):
        return bool(value) if value in (0, 1) else None
    said = word(value)
    if isinstance(said, bool):
        return said
    plain = said.strip().lower() if isinstance(said, str) and len(said) < 32 else ""
    return True if plain in _WENT_WELL else False if plain in _WENT_WRONG else None
