"""Losses that the events of a chain carry, as lines to draw.

Read from metadata in the words of this library and of common trainers. A place on the axis is what the event states
(step, else epoch), never guessed: events that state neither are counted in their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, cast

import msgspec

from crucible.trace.event import Event
from crucible.trace.plain import plain
from crucible.trace.viewer.trainings import Lane, Trainings
from crucible.trace.vocabulary import look_of

__all__ = ["Line", "LossPoint", "loss_lines"]

Unit = Literal["step", "epoch", "event"]

_LOSSES = {
    "loss": ("loss", "train_loss", "training_loss", "loss_value"),
    "validation loss": ("validation_loss", "val_loss", "valid_loss", "eval_loss"),
}
_STEPS = ("step", "global_step")
_MEASURING = frozenset({"training", "metrics", "checkpoint", "distributed"})


class LossPoint(msgspec.Struct, frozen=True, array_like=True):
    """One loss.

    Args:
        place: Step or epoch, or the order of the event in its line, from 1.
        loss: Finite.
        event: Place of the event in the chain, from 0.
    """

    place: float
    loss: float
    event: int


class Line(msgspec.Struct, frozen=True):
    """The losses of one measure in one lane: a training, or what else the events tell apart.

    Args:
        measure: Which loss, such as `validation loss`.
        unit: What a point's place counts.
        lane: Whose losses they are.
        points: In order of their place.
        left_out: Count of losses that are no finite number.
    """

    measure: str
    unit: Unit
    lane: Lane
    points: list[LossPoint] = []
    left_out: int = 0


class _Reading(msgspec.Struct, frozen=True):
    measure: str
    unit: Unit
    place: float | None  # None: the event's order
    loss: Any


def loss_lines(events: Iterable[Event]) -> list[Line]:
    """Return the losses in `events`, a line for every training, experiment, stage, model, worker, measure and unit.

    Args:
        events: In chain order.
    """
    listed = list(events)
    trainings = Trainings(listed)
    points: dict[tuple[str, Unit, Lane], list[LossPoint]] = {}
    left_out: dict[tuple[str, Unit, Lane], int] = {}
    for number, event in enumerate(listed):
        for reading in _readings(event):
            key = (reading.measure, reading.unit, trainings.lane(number))
            found = points.setdefault(key, [])
            loss = _number(reading.loss)
            if loss is None:
                left_out[key] = left_out.get(key, 0) + 1
                continue
            place = len(found) + left_out.get(key, 0) + 1.0 if reading.place is None else reading.place
            found.append(LossPoint(place, loss, number))
    return [
        Line(*key, points=sorted(found, key=lambda point: point.place), left_out=left_out.get(key, 0))
        for key, found in points.items()
    ]


def _readings(event: Event) -> Iterator[_Reading]:
    """Return the losses that an event states, with where they belong."""
    known = _mapping(event.metadata)
    if not known:
        return
    metrics = _mapping(known.get("metrics"))
    unit, place = _place(known, metrics)
    if place is not None or look_of(event.type).category in _MEASURING:
        for measure, names in _LOSSES.items():
            loss = next((source[name] for source in (known, metrics) for name in names if name in source), None)
            if loss is not None:
                yield _Reading(_measure(measure, known), unit, place, loss)
    yield from _summaries(known)


def _place(known: Mapping[str, Any], metrics: Mapping[str, Any]) -> tuple[Unit, float | None]:
    for source in (known, metrics):
        for name in _STEPS:
            if (step := _number(source.get(name))) is not None:
                return "step", step
    for source in (known, metrics):
        # a batch's number begins anew with every epoch, so that neither places it
        if "batch" not in known and (epoch := _number(source.get("epoch"))) is not None:
            return "epoch", epoch
    return "event", None


def _measure(measure: str, known: Mapping[str, Any]) -> str:
    kind = known.get("loss_type")
    if measure != "loss" or not isinstance(kind, str) or not kind.strip():
        return measure
    return "validation loss" if kind.lower() in ("val", "validation", "eval") else f"loss, {kind}"


def _summaries(known: Mapping[str, Any]) -> Iterator[_Reading]:
    """Return what the event that ends a training sums up: its first and last batch, its best validation, its end."""
    batches = _mapping(known.get("batches"))
    for end in ("first", "last"):
        step = _number(batches.get(f"{end}_step"))
        if step is not None and batches.get(f"{end}_loss") is not None:
            yield _Reading("loss, first and last step", "step", step, batches[f"{end}_loss"])
    best = _mapping(known.get("validation"))
    if (step := _number(best.get("best_step"))) is not None and best.get("best_loss") is not None:
        yield _Reading("best validation loss", "step", step, best["best_loss"])
    if known.get("final_loss") is None:
        return
    unit, place = _end(known)
    yield _Reading("final loss", unit, place, known["final_loss"])


def _end(known: Mapping[str, Any]) -> tuple[Unit, float | None]:
    """Return where a training ended, as its last event states it."""
    for name in ("steps", "total_steps", "step"):
        if (step := _number(known.get(name))) is not None:
            return "step", step
    for name in ("total_epochs", "epochs", "epoch"):
        if (epoch := _number(known.get(name))) is not None:
            return "epoch", epoch
    return "event", None


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    kept = plain(value)  # numbers of other libraries, too
    if isinstance(kept, bool) or not isinstance(kept, int | float):
        return None
    number = float(kept)
    return number if math.isfinite(number) else None
