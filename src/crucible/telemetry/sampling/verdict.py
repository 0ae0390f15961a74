"""What a sampler is, and what it says of a record."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from crucible.store import StoredEvent

__all__ = ["DROPPED", "KEPT", "WEIGHT", "Sampler", "Verdict", "weighted"]

WEIGHT = "sampling_weight"
"""The field that says for how many events a kept one stands."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether a record is kept.

    Args:
        kept: Whether it is.
        replaces: Time (`timestamp_ns`) and `event_id` of a record that was kept before and must go for it.
    """

    kept: bool
    replaces: tuple[int, str] | None = None


KEPT = Verdict(kept=True)
DROPPED = Verdict(kept=False)


class Sampler(Protocol):
    """Decides which records are kept; for one thread, and one recording."""

    def offer(self, record: StoredEvent) -> Verdict:
        """Say whether a record is kept, and put its weight into its fields where that is not 1.

        Args:
            record: Has its time and its `event_id`; every record is offered once, in order.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data, which `sampler_from` reads; not what was seen so far."""
        ...


def weighted(record: StoredEvent, probability: float) -> Verdict:
    """Return that a record is kept, after its weight was put into its fields.

    Args:
        record: The record.
        probability: With which it was kept, above 0.
    """
    if probability != 1.0:
        record.fields[WEIGHT] = 1.0 / probability
    return KEPT
