"""One column of outcomes with its label: what a group or an evaluation measured, failed items included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.ir import Failed, Outcome, Scored
from crucible.stats.sample import Scores, is_by_id, one_column

__all__ = ["Column", "are_shares", "column_of_entries", "column_of_scores"]

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
    is_right_or_wrong: bool = False
    """Whether the source says that 1 is right and 0 is wrong: truth values, or scores."""


def are_shares(columns: Sequence[Column]) -> bool:
    """Return whether the means of these columns are shares, which is decided for all of them together.

    Every score of every column is 0 or 1. Where all of them are the same number, nothing in the numbers tells a share
    from a count, so that the sources have to say it.
    """
    found = {one.value for column in columns for one in column.outcomes.values() if isinstance(one, Scored)}
    return found <= {0.0, 1.0} and (len(found) != 1 or all(column.is_right_or_wrong for column in columns))


def column_of_scores(label: str, scores: Scores) -> Column:
    """Return the column of scores that a caller gave, by position or by id.

    Raises:
        StatsError: A score is no finite number.
    """
    import numpy as np

    given: Scores = list(scores) if isinstance(scores, Iterator) else scores
    values = one_column(given, label).tolist()
    by_item = is_by_id(given)
    keys = map(str, given) if by_item else map(str, range(len(values)))
    outcomes: dict[str, Outcome] = {key: Scored(value) for key, value in zip(keys, values, strict=True)}
    raw: Any = given.values() if is_by_id(given) else given
    return Column(label, outcomes, by_item, is_right_or_wrong=np.asarray(list(raw)).dtype.kind == "b")


def column_of_entries(
    label: str, entries: Iterable[tuple[str | None, float | None]], *, is_right_or_wrong: bool = False
) -> Column:
    """Return the column of (item id, value) entries; a value that is None is a failed measurement.

    Args:
        label: What the group is called.
        entries: Item id, or None where the items have no ids, and value.
        is_right_or_wrong: Whether the source says that 1 is right and 0 is wrong; truth values say it themselves.

    Raises:
        StatsError: Some entries have an id and some do not, an id comes twice, or a value is no finite number that
            can be squared.
    """
    found = list(entries)
    ids = [item for item, _ in found if item is not None]
    if ids and len(ids) != len(found):
        raise StatsError(f'{len(found) - len(ids)} of {len(found)} values of "{label}" have no item: name all, or none')
    if twice := [item for item, count in Counter(ids).items() if count > 1]:
        raise StatsError(f'item "{twice[0]}" comes more than once in "{label}": give one value an item, or no items')
    keys = ids or [str(i) for i in range(len(found))]
    scored = [value for _, value in found if value is not None]
    one_column(scored, label)  # refuses what cannot be computed with
    values: Mapping[str, Any] = dict(zip(keys, (value for _, value in found), strict=True))
    outcomes: dict[str, Outcome] = {
        key: Failed(_NO_VALUE) if value is None else Scored(float(value)) for key, value in values.items()
    }
    said = is_right_or_wrong or all(isinstance(value, bool) for value in scored)
    return Column(label, outcomes, bool(ids), is_right_or_wrong=said)
