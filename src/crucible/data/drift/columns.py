"""Rows as columns, and what kind of values a column has; both samples decide that together, so it favours neither."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from crucible.data.drift.rules import Kind
from crucible.errors import DataError

__all__ = ["Pair", "columns_of", "kind_of", "paired"]

_FEW: Final = 20  # different texts up to which they may be categories
_OFTEN: Final = 5  # times that each of them then comes, on average


class Pair(msgspec.Struct, frozen=True):
    """One field of both samples.

    Args:
        field: Its name.
        reference: Values that are there.
        current: Values that are there.
        missing_reference: How many are missing: None and NaN.
        missing_current: How many are missing.
    """

    field: str
    reference: list[Any]
    current: list[Any]
    missing_reference: int
    missing_current: int


def columns_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows as columns of equal length; mappings inside are fields with dots; what a row lacks is None."""
    flat = [dict(_flat(row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return {name: [row.get(name) for row in flat] for name in names}


def _flat(row: Mapping[str, Any], front: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(cast("Mapping[str, Any]", value), f"{front}{name}.")
        else:
            yield f"{front}{name}", value


def paired(field: str, reference: Sequence[Any] | None, current: Sequence[Any] | None) -> Pair:
    """Return one field of both samples, without what is missing.

    Raises:
        DataError: A value is infinite.
    """
    sides: list[list[Any]] = []
    for name, column in (("reference", reference or ()), ("current", current or ())):
        there = [value for value in column if not _is_missing(value)]
        if infinite := sum(isinstance(value, float) and math.isinf(value) for value in there):
            raise DataError(
                f"{field}: {infinite} values of the {name} are infinite; leave them out, or set them to null"
            )
        sides.append(there)
    lost = [len(column or ()) - len(there) for column, there in zip((reference, current), sides, strict=True)]
    return Pair(field, sides[0], sides[1], lost[0], lost[1])


def kind_of(pair: Pair) -> Kind | None:
    """Return what the values are: numbers, categories or texts; None where they are mixed, or nothing of these.

    Truth values, numbers that are all 0 or 1, and texts of at most 20 kinds that come 5 times each on average are
    categories.
    """
    values = pair.reference + pair.current
    if not values:
        return None
    if all(isinstance(value, (int, float)) for value in values):
        return "categorical" if all(value in (0, 1) for value in values) else "numeric"
    if all(isinstance(value, str) for value in values):
        different = len(set(values))
        return "categorical" if different <= _FEW and different * _OFTEN <= len(values) else "text"
    return None


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
