"""Functions of users that find more in an event: called in order, counted where they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from crucible.events import Event
from crucible.telemetry.enriching.enriched import CustomEnricher, Enriched, EnricherErrors
from crucible.telemetry.enriching.scalars import amount

__all__ = ["CustomEnrichers"]


class CustomEnrichers:
    """Custom enrichers by their names, and how often each failed.

    Args:
        custom: The functions; namesakes are told apart by `#2` and so on.
    """

    def __init__(self, custom: Sequence[CustomEnricher]) -> None:
        self.errors: dict[str, EnricherErrors] = {}
        self._by_name: dict[str, CustomEnricher] = {}
        for enrich in custom:
            name = str(getattr(enrich, "__name__", type(enrich).__name__))
            count = sum(1 for known in self._by_name if known.partition("#")[0] == name)
            self._by_name[f"{name}#{count + 1}" if count else name] = enrich

    def add_to(self, found: Enriched, event: Event) -> None:
        """Let each add to what was found in an event, or replace parts of it; one that fails adds nothing."""
        for name, enrich in self._by_name.items():
            try:
                if (more := enrich(event, found)) is not None:
                    _merge(more, found)
            except Exception as error:  # noqa: BLE001  # somebody else's code: counted, and the event is kept
                before = self.errors.get(name)
                self.errors[name] = EnricherErrors(1 if before is None else before.count + 1, _words(error))


def _merge(more: Any, found: Enriched) -> None:
    """Add what a custom enricher returned, all of it or nothing.

    Raises:
        TypeError: It is no mapping with text for keys, or one of the three is not of its type.
    """
    if not isinstance(more, Mapping):
        raise TypeError(f"expected a mapping or None, got {type(more).__name__}")
    fields = dict(cast("Mapping[Any, Any]", more))
    if not all(isinstance(key, str) for key in fields):
        raise TypeError("expected text for keys")
    latency, cost = (_replaced(fields, key, getattr(found, key)) for key in ("latency_ms", "cost_usd"))
    success = fields.pop("success", found.success)
    if success is not None and success is not True and success is not False:
        raise TypeError(f"success: expected True, False or None, got {type(success).__name__}")
    found.latency_ms, found.cost_usd, found.success = latency, cost, success
    found.fields.update(fields)


def _replaced(fields: dict[str, Any], key: str, before: float | None) -> float | None:
    if key not in fields:
        return before
    value = fields.pop(key)
    if value is None:
        return None
    if (replaced := amount(value)) is None:
        raise TypeError(f"{key}: expected a finite number of 0 or more, or None, got {type(value).__name__}")
    return float(replaced)


def _words(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:  # noqa: BLE001  # an error that cannot say what it is
        return type(error).__name__
