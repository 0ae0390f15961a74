"""One column of outcomes with its label: what a group or an evaluation measured, failed items included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.ir import Failed, Outcome, Scored
from crucible.stats.sample import Scores, is_by_id, one_column

__all__ = ["Column", "column_of_entries", "column_of_scores"]

_NO_VALUE = "no value was recorded"


class Column(msgspec.Struct, frozen=True):
    """Outcomes of one group.

    Args:
        label: What the group is called.
        outcomes: By item id; by position, from "0", where the items have no ids.
        by_item: Whether the keys are ids, so that columns with the same ones can be paired.
    """

    label: str
    outcomes: dict[str, Outcome]
    by_item: bool


def column_of_scores(label: str, scores: Scores) -> Column:
    """Return the column of scores that a caller gave, by position or by id.

    Raises:
        StatsError: A score is no finite number.
    """
    values = one_column(scores, label).tolist()
    keys = map(str, scores) if is_by_id(scores) else map(str, range(len(values)))
    outcomes: dict[str, Outcome] = {key: Scored(value) for key, value in zip(keys, values, strict=True)}
    return Column(label, outcomes, is_by_id(scores))


def column_of_entries(label: str, entries: Iterable[tuple[str | None, float | None]]) -> Column:
    """Return the column of (item id, value) entries; a value that is None is a failed measurement.

    Raises:
        StatsError: Some entries have an id and some do not, or an id comes twice.
    """
    found = list(entries)
    ids = [item for item, _ in found if item is not None]
    if ids and len(ids) != len(found):
        raise StatsError(f'{len(found) - len(ids)} of {len(found)} values of "{label}" have no item: name all, or none')
    if twice := [item for item in dict.fromkeys(ids) if ids.count(item) > 1]:
        raise StatsError(f'item "{twice[0]}" comes more than once in "{label}": give one value an item, or no items')
    keys = ids or [str(i) for i in range(len(found))]
    values: Mapping[str, Any] = dict(zip(keys, (value for _, value in found), strict=True))
    outcomes: dict[str, Outcome] = {
        key: Failed(_NO_VALUE) if value is None else Scored(float(value)) for key, value in values.items()
    }
    return Column(label, outcomes, bool(ids))
