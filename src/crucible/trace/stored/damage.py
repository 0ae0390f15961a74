"""Rows that cannot be read: they cost an answer about many chains nothing but themselves, and a warning says so."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable

from crucible.errors import StoreError
from crucible.store.trace_search import EventQuery, FoundRow
from crucible.trace.event import Event
from crucible.trace.stored.chain_row import event_of

__all__ = ["readable", "warn_of"]


def readable(rows: Iterable[FoundRow], query: EventQuery, damaged: list[str]) -> Generator[tuple[FoundRow, Event]]:
    """Yield rows with their events; among those of many chains, a damaged one costs nothing but itself.

    Args:
        rows: What was found.
        query: Where.
        damaged: Takes what is wrong with each damaged one.

    Raises:
        StoreError: An event of the one chain asked for is damaged.
    """
    for entry in rows:
        try:
            event = event_of(entry.row)
        except StoreError as error:
            if query.chain is not None:
                raise
            damaged.append(f"chain {entry.chain.chain_id}, {error}")
            continue
        yield entry, event


def warn_of(damaged: list[str]) -> None:
    """Warn the caller's caller of what `readable` left out, with how many there were and the first."""
    if damaged:
        message = f"damaged events that the answer leaves out: {len(damaged)}; the first: {damaged[0]}"
        warnings.warn(message, stacklevel=3)
