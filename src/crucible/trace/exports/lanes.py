"""Which measurements of a chain belong together: those of one training, stage, experiment, worker and rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from crucible.trace.chain import Chain
from crucible.trace.event import Event
from crucible.trace.exports.measured import epoch_of
from crucible.trace.plain import plain
from crucible.trace.vocabulary import canonical_type

__all__ = ["WORKERS", "Lane", "Lanes", "Trainings"]

WORKERS = ("worker", "rank")
"""The keys of metadata that tell apart what runs side by side."""

Lane = tuple[Any, ...]
"""What two events share that measured the same epoch of the same training."""


class Trainings:
    """The trainings of a chain, and which of them encloses an event.

    Args:
        chain: Where they are; its links may dangle or run in circles.
    """

    def __init__(self, chain: Chain) -> None:
        self._events: dict[str, Event] = {}
        for event in chain:
            self._events.setdefault(event.id, event)
        self._known: dict[str, Event | None] = {}

    def around(self, event: Event) -> Event | None:
        """Return the nearest `training_started` above an event; None if there is none."""
        path: list[str] = []
        walker = event.parent_id
        found: Event | None = None
        while walker is not None:
            if walker in self._known:
                found = self._known[walker]
                break
            self._known[walker] = None  # what comes by again is a circle
            path.append(walker)
            parent = self._events.get(walker)
            if parent is not None and canonical_type(parent.type) == "training_started":
                found = parent
                break
            walker = None if parent is None else parent.parent_id
        self._known |= dict.fromkeys(path, found)
        return found


class Lanes:
    """The lane of each event that completed or measured an epoch.

    Args:
        completed: The events that completed an epoch.
        measured: Those that measured something for one.
        trainings: What encloses them.
    """

    def __init__(self, completed: Sequence[Event], measured: Sequence[Event], trainings: Trainings) -> None:
        self._trainings = trainings
        self._completed = self._by_place(completed)
        self._measured = self._by_place(measured)

    def _by_place(self, events: Sequence[Event]) -> dict[Lane, set[str | None]]:
        found: defaultdict[Lane, set[str | None]] = defaultdict(set)
        for event in events:
            found[_place(event)].add(self._training(event))
        return found

    def _training(self, event: Event) -> str | None:
        training = self._trainings.around(event)
        return None if training is None else training.id

    def of_completed(self, event: Event) -> Lane:
        """Return the lane of an event that completed an epoch."""
        return (self._training(event), *_place(event))

    def of_measured(self, event: Event) -> Lane:
        """Return the lane of a measurement.

        One that no training encloses belongs to the only training that completed this epoch, and one inside the only
        training that measured it, to the epoch that no training encloses. Nothing is guessed where there are two.
        """
        place, training = _place(event), self._training(event)
        completed = self._completed.get(place, set())
        if len(completed) == 1 and training not in completed:
            (only,) = completed
            if training is None or (only is None and self._measured[place] <= {training, None}):
                training = only
        return (training, *place)


def _place(event: Event) -> Lane:
    told = (repr(plain(event.metadata.get(name))) for name in WORKERS)  # a list from a file cannot be a key
    return (event.experiment_id, event.stage_id, *told, epoch_of(event.metadata))
