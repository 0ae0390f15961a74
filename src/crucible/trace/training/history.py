"""A training that is over, told from its measurements: `from_training_metrics`."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, TypedDict, Unpack, cast

import msgspec

from crucible.errors import SpecError
from crucible.trace.event import Event, EventFields
from crucible.trace.plain import plain
from crucible.trace.training.lifecycle import batch_processed, epoch_completed, training_completed, training_started
from crucible.trace.training.making import single

__all__ = ["from_training_metrics"]

Per = Literal["epoch", "step"]

_OF_THE_BEGINNING = ("parent_id", "depends_on", "alternatives", "confidence")


class _Numbered(TypedDict):
    """A row, its number and its epoch."""

    place: int
    number: int
    epoch: int | None
    metrics: dict[str, Any]


def from_training_metrics(
    rows: Iterable[Any],
    *,
    model: str | None = None,
    dataset: str | None = None,
    config: Mapping[str, Any] | None = None,
    per: Per | None = None,
    **fields: Unpack[EventFields],
) -> list[Event]:
    """Tell a training that is over: its start, an event a row, its completion.

    A row becomes an `epoch_completed` with the number under `epoch`, or a `batch_processed` with the one under `step`.
    Rows with no number at all are numbered from 1 in their order. The rows are children of the start; the completion is
    one, too, and rests on the last row. No rows: no events.

    Args:
        rows: One mapping, msgspec struct or dataclass a row, in the order of the training, such as the `history` of a
            `TrainResult` or the rows of a JSON file.
        model: Name of the model.
        dataset: What it was trained on.
        config: Settings of the training.
        per: What a row stands for. None: a step where every row has one and no row an epoch, or several rows the same
            epoch; else an epoch.
        **fields: Fields of every event. `parent_id`, `depends_on`, `alternatives` and `confidence` are those of the
            start alone; `id` is not accepted.

    Raises:
        TypeError: A row is no mapping, `id` is given, or an argument has the wrong type.
        SpecError: Some rows have a number and others none, or a number is no whole number.
    """
    if "id" in fields:
        raise TypeError("from_training_metrics makes several events, so they cannot share an id; leave it out")
    kind = type(rows).__name__
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise TypeError(f"rows must be a list of mappings, one an epoch or step, got a {kind}")
    listed = [_mapping(place, row) for place, row in enumerate(rows)]
    if not listed:
        return []
    if per not in ("epoch", "step", None):
        raise SpecError(f"per is {per!r}, expected 'epoch', 'step' or None", code="per")
    chosen = per or _unit(listed)
    of_all = cast("EventFields", {name: value for name, value in fields.items() if name not in _OF_THE_BEGINNING})
    subject = f"Training of {model}" if model else "Training"
    numbered = _numbered(chosen, listed)
    count = len({row["number"] for row in numbered}) if chosen == "epoch" else len(numbered)
    reasoning = f"{count} {chosen}{' was' if count == 1 else 's were'} recorded"
    started = training_started(
        f"{subject} started", reasoning, model_name=model, dataset=dataset, config=config, **fields
    )
    inside = cast("EventFields", {**of_all, "parent_id": started.id})
    events = [_event(chosen, row, inside) for row in numbered]
    ends = _ends(listed[-1], epochs=count if chosen == "epoch" else None)
    last = cast("EventFields", {**inside, "depends_on": [events[-1].id]})
    completed = training_completed(f"{subject} completed", reasoning, **ends, **last)
    return [started, *events, completed]


def _mapping(place: int, row: Any) -> dict[str, Any]:
    """Return a row with text as keys."""
    if isinstance(row, msgspec.Struct):
        row = msgspec.structs.asdict(row)
    elif dataclasses.is_dataclass(row) and not isinstance(row, type):
        row = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    if not isinstance(row, Mapping):
        raise TypeError(
            f"row {place} is a {type(row).__name__}, expected a mapping such as {{'epoch': 1, 'loss': 0.25}}; "
            "of a data frame, give to_dict('records')"
        )
    entries = cast("Mapping[Any, Any]", row)
    return {_key(key): value for key, value in entries.items()}


def _key(key: Any) -> str:
    """Return a key as text, an enumeration's by its value."""
    return next(iter(plain({getattr(key, "value", key): None})))


def _has(row: Mapping[str, Any], name: str) -> bool:
    return row.get(name) is not None


def _unit(rows: list[dict[str, Any]]) -> Per:
    if not all(_has(row, "step") for row in rows):
        return "epoch"
    epochs = {_whole(row.get("epoch")) for row in rows}
    return "step" if None in epochs or len(epochs) < len(rows) else "epoch"


def _numbered(per: Per, rows: list[dict[str, Any]]) -> list[_Numbered]:
    """Return the rows with their numbers.

    Raises:
        SpecError: Some rows have a number and others none, or a number is no whole number.
    """
    missing = [place for place, row in enumerate(rows) if not _has(row, per)]
    if missing and len(missing) < len(rows):
        raise SpecError(
            f"row {missing[0]} has no {per}, while other rows do; give it one, or leave out all of them",
            path=f"[{missing[0]}].{per}",
            code="missing",
        )
    numbered: list[_Numbered] = []
    for place, row in enumerate(rows):
        number = place + 1 if missing else _whole(row[per])
        if number is None:
            raise SpecError(
                f"{per} must be a whole number, such as 3, got {row[per]!r}", path=f"[{place}].{per}", code="type"
            )
        epoch = _whole(row.get("epoch")) if per == "step" else number
        metrics = {
            name: value for name, value in row.items() if name != "epoch" or (epoch is None and value is not None)
        }
        numbered.append(_Numbered(place=place, number=number, epoch=epoch, metrics=metrics))
    return numbered


def _whole(value: Any) -> int | None:
    """Return a whole number, also one that a file made a float or text; None for anything else."""
    value = single(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().isascii() and value.strip().removeprefix("-").isdigit():
        return int(value) if len(value) < 40 else None
    if isinstance(value, numbers.Integral):
        return int(value)
    return int(float(value)) if isinstance(value, numbers.Real) and float(value).is_integer() else None


def _event(per: Per, row: _Numbered, fields: EventFields) -> Event:
    if per == "epoch":
        return epoch_completed(row["number"], row["metrics"], **fields)
    return batch_processed(row["number"], row["metrics"], epoch=row["epoch"], **fields)


class _Ends(TypedDict, total=False):
    final_loss: float
    final_accuracy: float
    total_epochs: int


def _ends(last: Mapping[str, Any], epochs: int | None) -> _Ends:
    """Return what the last row says of the end, as far as it does, and how many epochs there were, if that is known."""
    ends: dict[str, Any] = {} if epochs is None else {"total_epochs": epochs}
    for name, key in (("final_loss", "loss"), ("final_accuracy", "accuracy")):
        value = single(last.get(key))
        if isinstance(value, Decimal) or _is_number(value):
            ends[name] = float(value) if isinstance(value, Decimal) else value
    return cast("_Ends", ends)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, numbers.Real)
