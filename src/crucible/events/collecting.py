"""The testing switch: what is emitted while a block runs, as a list."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import msgspec

from crucible.events.event import Event
from crucible.events.handlers import attach, detach

__all__ = ["Collected", "collect"]

_numbers = itertools.count(1)


class Collected(list[Event]):
    """Events in the order in which they were emitted; a list, with two views that tests ask for."""

    __slots__ = ()

    def names(self) -> list[str]:
        """Return the names, in order."""
        return [event.name for event in self]

    def counts(self) -> dict[str, int]:
        """Return how many there are of each name."""
        return dict(Counter(self.names()))


@contextlib.contextmanager
def collect(
    names: str | Iterable[str] = "*", *, run_id: str | None = None, recording_id: str | None = None
) -> Generator[Collected]:
    """Collect events in a list for the time of a block; the switch for tests and notebooks.

    Events of every thread and task of the process are heard; a scope with a run of its own, and `run_id`, tell tests
    apart that run at the same time. Blocks may lie in each other: each has its own list. An event is kept as it was
    when it was emitted, whatever its emitter does to its mappings afterwards.

    Args:
        names: As for `attach`.
        run_id: Only events of this run; None for all.
        recording_id: Only events of which this telemetry experiment is the innermost; None for all.

    Raises:
        ContractError: A name cannot be one.
    """
    found = Collected()
    handler_id = f"collect-{next(_numbers)}"

    def keep(event: Event) -> None:
        found.append(
            msgspec.structs.replace(event, measurements=_as_now(event.measurements), metadata=_as_now(event.metadata))
        )

    attach(handler_id, names, keep, run_id=run_id, recording_id=recording_id)
    try:
        yield found
    finally:
        detach(handler_id)


def _as_now(given: Any) -> Any:
    return dict(given) if isinstance(given, Mapping) else given  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # whatever it holds
