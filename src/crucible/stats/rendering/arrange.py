"""From a result, or several, to what is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from crucible.errors import StatsError
from crucible.stats.rendering.comparisons import comparison_notes, comparison_table, is_comparison
from crucible.stats.rendering.facts import facts_table, notes_of, side_table, tables_of
from crucible.stats.rendering.several import corrected_together
from crucible.stats.rendering.telling import Note, Tellable, Telling
from crucible.stats.result import TestResult

__all__ = ["Told", "plain_data", "telling_of"]

Told = Tellable | Mapping[str, Any] | Sequence[Tellable | Mapping[str, Any]]
"""What can be told: a result, what its `to_dict` returned, or several of either."""

Fields = Mapping[str, Any]


def plain_data(told: Told, *, correction: str = "holm") -> dict[str, Any] | list[dict[str, Any]]:
    """Return what is told as plain JSON data; several comparisons are corrected for each other.

    Raises:
        StatsError: There is nothing to tell, or something has neither `to_dict` nor keys.
    """
    if not isinstance(told, Sequence) or isinstance(told, str | bytes):
        return _fields(told)
    if not told:
        raise StatsError("there are no results to tell: the list is empty")
    results = [one for one in told if isinstance(one, TestResult)]
    corrected = iter(corrected_together(results, correction))
    return [_fields(next(corrected) if isinstance(one, TestResult) else one) for one in told]


def telling_of(told: Told, *, correction: str = "holm", caption: str = "") -> Telling:
    """Return sentences, tables and notes of a result, or of several.

    Args:
        told: A result, or several.
        correction: Of several comparisons that are not corrected yet.
        caption: Of the first table; made of the result's own words where it is empty.

    Raises:
        StatsError: There is nothing to tell.
    """
    data = plain_data(told, correction=correction)
    if isinstance(data, list):
        return _several(data, caption) if len(data) > 1 else _one(data[0], caption)
    return _one(data, caption)


def _one(fields: Fields, caption: str) -> Telling:
    inner = [] if is_comparison(fields) else _inside(fields)
    compared = [one for one in inner if is_comparison(one)]
    others = [note for one in inner if not is_comparison(one) for note in notes_of(one)]
    notes = _merged([*notes_of(fields), *_notes(compared), *others])
    tables = [facts_table(fields, caption), side_table(fields), *tables_of(fields)]
    sentences = _sentences(fields)
    is_own = bool(sentences) and sentences[0] not in {str(one["wording"]) for one in inner}
    lead, others = (sentences[0], sentences[1:]) if is_own else ("", sentences)
    return Telling(lead, tuple(table for table in tables if table is not None), others, notes)


def _several(results: Sequence[Fields], caption: str) -> Telling:
    compared = [one for one in results if is_comparison(one)]
    others = [_one(one, "") for one in results if not is_comparison(one)]
    sentences = tuple(sentence for one in results for sentence in _sentences(one))
    tables = [comparison_table(compared, caption)] if compared else []
    tables += [table for other in others for table in other.tables]
    notes = [*_notes(compared), *(note for other in others for note in other.notes)]
    return Telling("", tuple(tables), sentences, _merged(notes))


def _notes(compared: Sequence[Fields]) -> list[Note]:
    """Return the notes of comparisons in one table, each line once."""
    read = [Note("How to read it", tuple(comparison_notes(compared)))] if compared else []
    return [*read, *(note for one in compared for note in notes_of(one))]


def _merged(notes: Sequence[Note]) -> tuple[Note, ...]:
    lines: dict[str, dict[str, None]] = {}
    for note in notes:
        lines.setdefault(note.title, {}).update(dict.fromkeys(note.lines))
    return tuple(Note(title, tuple(found)) for title, found in lines.items())


def _inside(fields: Fields) -> list[Fields]:
    """Return the results that a result is made of."""
    found: list[Fields] = []
    for value in fields.values():
        inner = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else [value]
        found += [one for one in inner if isinstance(one, Mapping) and "wording" in one]
    return found


def _sentences(fields: Fields) -> tuple[str, ...]:
    """Return what a result says; what the results inside of it say stands apart, each by itself."""
    wording = str(fields.get("wording") or "").strip()
    parts = [wording]
    for inner in _inside(fields):
        said = str(inner["wording"])
        parts = [piece for part in parts for piece in _split(part, said)]
    return tuple(part for part in parts if part)


def _split(text: str, said: str) -> list[str]:
    before, found, after = text.partition(said)
    return [before.strip(), found, after.strip()] if found and said else [text]


def _fields(told: Any) -> dict[str, Any]:
    if isinstance(told, Mapping):
        return dict(cast("Fields", told))
    if not hasattr(told, "to_dict"):
        raise StatsError(f"a {type(told).__name__} cannot be told: expected a result, with `to_dict` and `wording`")
    fields: dict[str, Any] = told.to_dict()
    return {**fields, "wording": told.wording} if hasattr(told, "wording") else fields
