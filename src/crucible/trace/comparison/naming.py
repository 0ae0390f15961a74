"""What to call the two chains of a diff, so that a reader knows which is which."""

from __future__ import annotations

from datetime import UTC, datetime

from crucible.trace.comparison.content import words_of
from crucible.trace.comparison.findings import Findings, Side
from crucible.trace.display import clean

__all__ = ["side_names"]

_SHORT = 8  # characters of an id
_NAME_LETTERS = 200


def side_names(diff: Findings) -> tuple[str, str]:
    """Return a line for each chain: its name, and where both have the same, all that tells them apart.

    That is the beginning of the id, as much as differs, the time at which it was made and the run that it names. Two
    that have all of it in common are `first` and `second`.
    """
    a, b = _name(diff.a), _name(diff.b)
    if a != b:
        return a, b
    is_same_run = diff.a.run_id == diff.b.run_id
    id_a, id_b = _short(clean(words_of(diff.a.id)), clean(words_of(diff.b.id)))
    time_a, time_b = _times(diff.a.created_at, diff.b.created_at)
    marks_a, marks_b = [id_a, time_a, _run(diff.a)], [id_b, time_b, _run(diff.b)]
    if id_a == id_b and time_a == time_b and is_same_run:
        marks_a.insert(0, "first")
        marks_b.insert(0, "second")
    return _line(a, marks_a), _line(b, marks_b)


def _name(side: Side) -> str:
    name = clean(words_of(side.name)) or "(no name)"
    return name if len(name) <= _NAME_LETTERS else f"{name[:_NAME_LETTERS]}…"


def _line(name: str, marks: list[str]) -> str:
    return " · ".join([name, *(mark for mark in marks if mark)])


def _short(a: str, b: str) -> tuple[str, str]:
    """Return the beginnings of two ids, longer where the first characters are the same."""
    shared = next((place for place, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), None)
    shared = min(len(a), len(b)) if shared is None else shared
    length = _SHORT if a == b or shared < _SHORT else shared + 1
    return _cut(a, length), _cut(b, length)


def _cut(word: str, length: int) -> str:
    if length <= _NAME_LETTERS:
        return word[:length]
    return f"…{word[length - _SHORT : length]}"  # what differs stands far behind


def _times(a: datetime | None, b: datetime | None) -> tuple[str, str]:
    """Return the times in UTC, to the minute, or finer where they differ by less."""
    pairs = [(_time(a, precision), _time(b, precision)) for precision in ("minutes", "seconds", "microseconds")]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])


def _time(moment: datetime | None, precision: str) -> str:
    return "" if moment is None else f"{_plain_utc(moment).isoformat(' ', precision)} UTC"


def _plain_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.utcoffset() is not None else moment
    except OverflowError:
        return moment.replace(tzinfo=None)


def _run(side: Side) -> str:
    return "" if side.run_id is None else f"run {clean(side.run_id)[:_NAME_LETTERS]}"
