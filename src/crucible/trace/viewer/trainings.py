"""Which training a loss belongs to: the `training_started` that encloses its event, and what that says of the model.

Losses of two trainings are never one line, also where only the event that opened each of them says which it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from crucible.trace.event import Event
from crucible.trace.viewer.readable import words
from crucible.trace.vocabulary import canonical_type

__all__ = ["Lane", "Trainings"]


class Lane(msgspec.Struct, frozen=True):
    """What tells losses of the same measure apart.

    Args:
        experiment: The experiment, if the event names one.
        stage: The stage, if the event names one.
        model: The model, if the event or its training names one.
        worker: The worker, if the event or its training names one.
        rank: The rank, if the event or its training names one.
        training: Place in the chain of the event that opened the training, from 0; None outside of all.
    """

    experiment: str | None
    stage: str | None
    model: str | None
    worker: str | None
    rank: str | None
    training: int | None


class Trainings:
    """The trainings of a chain, found through the parents of its events; each event is walked over once.

    Args:
        events: In chain order.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._places: dict[str, int] = {}
        for place, event in enumerate(events):
            self._places.setdefault(event.id, place)  # a repeated id stands for its first bearer, as in the chain
        self._found: dict[int, int | None] = {}

    def lane(self, place: int) -> Lane:
        """Return where the losses of the event at a place belong."""
        event = self._events[place]
        training = self._training(place)
        opened = self._events[training].metadata if training is not None else {}
        return Lane(
            experiment=_text(event.experiment_id),
            stage=_text(event.stage_id),
            model=_stated(("model", "model_name"), event.metadata, opened),
            worker=_stated(("worker",), event.metadata, opened),
            rank=_stated(("rank",), event.metadata, opened),
            training=training,
        )

    def _training(self, place: int) -> int | None:
        """Return the place of the nearest enclosing `training_started`, which may be the event itself."""
        path: dict[int, None] = {}  # in order; what is met again closes a cycle
        at: int | None = place
        found: int | None = None
        while at is not None and at not in path:
            if at in self._found:
                found = self._found[at]
                break
            path[at] = None
            event = self._events[at]
            if canonical_type(event.type) == "training_started":
                found = at
                break
            at = None if event.parent_id is None else self._places.get(event.parent_id)
        self._found.update(dict.fromkeys(path, found))
        return found


def _stated(names: Sequence[str], *sources: Any) -> str | None:
    for source in sources:
        if not isinstance(source, Mapping):
            continue
        known = cast("Mapping[Any, Any]", source)
        for name in names:
            if (value := known.get(name)) is not None:
                return words(value)
    return None


def _text(value: Any) -> str | None:
    return None if value is None else words(value)
