"""Scores as they come in: lists, arrays, mappings by id. Read strictly, refused with the place named.

Nothing is dropped, filled or cut to fit here: what to do with a missing score is a decision that the caller has to
take and name before comparing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from crucible.errors import DegenerateSample, StatsError, TooFewSamples

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray: TypeAlias = npt.NDArray[np.float64]

__all__ = ["Scores", "check_rates", "independent_columns", "is_binary", "is_by_id", "one_column", "paired_columns"]

Scores: TypeAlias = Iterable[Any] | Mapping[Any, Any]
"""A column of finite numbers or booleans, or a mapping of them by item id."""

_LARGEST = 1e150  # a square of it is still a finite double
_SMALLEST = 1e-140  # so is the square of what differs in the 13th digit of it


def check_rates(alpha: float, level: float) -> None:
    """Check that a type-I error rate and an interval level lie strictly between 0 and 1.

    Raises:
        StatsError: One does not.
    """
    for name, value in (("alpha", alpha), ("level", level)):
        if not 0.0 < value < 1.0:
            raise StatsError(f"{name} must lie between 0 and 1, got {value!r}")


def paired_columns(baseline: Scores, treatment: Scores) -> tuple[FloatArray, FloatArray]:
    """Read two columns of the same items, by position or, for mappings, by id.

    Returns:
        Two arrays of shape (n,), n >= 2.

    Raises:
        StatsError: A score is no finite number, the lengths differ, or an id is on one side only.
        TooFewSamples: There are fewer than two pairs.
    """
    if is_by_id(baseline) or is_by_id(treatment):
        ids, left, right = _by_id(baseline, treatment)
        x, y = _column(left, "baseline", ids), _column(right, "treatment", ids)
    else:
        x, y = _column(baseline, "baseline"), _column(treatment, "treatment")
    if len(x) != len(y):
        raise StatsError(
            f"paired scores must belong to the same items: baseline has {len(x)}, treatment has {len(y)}; "
            "give mappings by id, or use compare() for independent samples"
        )
    if len(x) < 2:
        raise TooFewSamples(f"a paired comparison needs at least 2 pairs, got {len(x)}")
    return x, y


def independent_columns(baseline: Scores, treatment: Scores) -> tuple[FloatArray, FloatArray]:
    """Read two columns of different items.

    Returns:
        Two arrays of shapes (n,) and (m,), each at least 2 long.

    Raises:
        StatsError: A score is no finite number.
        TooFewSamples: A column has fewer than two scores.
    """
    x, y = _column(baseline, "baseline"), _column(treatment, "treatment")
    for name, values in (("baseline", x), ("treatment", y)):
        if len(values) < 2:
            raise TooFewSamples(f"a comparison needs at least 2 scores a column, {name} has {len(values)}")
    return x, y


def one_column(values: Scores, name: str = "values", *, keeps_tiny: bool = False) -> FloatArray:
    """Read one column, by position or a mapping's values.

    Args:
        values: The column.
        name: What it is called in an error.
        keeps_tiny: Whether a column of nothing but numbers too small to square is taken, as probabilities may be.

    Returns:
        An array of shape (n,).

    Raises:
        StatsError: A value is no finite number.
        DegenerateSample: No value is large enough to square.
    """
    if is_by_id(values):
        return _column(list(values.values()), name, list(values), keeps_tiny=keeps_tiny)
    return _column(values, name, keeps_tiny=keeps_tiny)


def is_by_id(scores: Scores) -> TypeGuard[Mapping[Any, Any]]:
    """Return whether scores come as a mapping by item id."""
    return isinstance(scores, Mapping)


def is_binary(*columns: FloatArray) -> bool:
    """Return whether every score of every column is exactly 0 or 1."""
    return all(bool(((column == 0.0) | (column == 1.0)).all()) for column in columns)


def _by_id(baseline: Scores, treatment: Scores) -> tuple[list[Any], list[Any], list[Any]]:
    if not (is_by_id(baseline) and is_by_id(treatment)):
        raise StatsError("one side is a mapping by id and the other is not: give both the same way")
    for name, extra in (("baseline", _missing(baseline, treatment)), ("treatment", _missing(treatment, baseline))):
        if extra:
            few = ", ".join(repr(key) for key in extra[:3])
            more = f" and {len(extra) - 3} more" if len(extra) > 3 else ""
            raise StatsError(f"{len(extra)} ids are only in {name}: {few}{more}; compare the items that both have")
    ids = list(baseline)
    return ids, [baseline[key] for key in ids], [treatment[key] for key in ids]


def _missing(here: Mapping[Any, Any], there: Mapping[Any, Any]) -> list[Any]:
    return [key for key in here if key not in there]


def _column(scores: Scores, name: str, ids: list[Any] | None = None, *, keeps_tiny: bool = False) -> FloatArray:
    import numpy as np

    _refuse_what_is_no_column(scores, name)
    raw: Any = scores if hasattr(scores, "__array__") else list(scores)
    try:
        array = np.asarray(raw)
    except ValueError as error:
        raise StatsError(f"{name} must be one column of numbers: {error}") from error
    if array.ndim != 1:
        raise StatsError(f"{name} must be one column of numbers, got {array.ndim} dimensions")
    if len(array) and array.dtype.kind not in "biuf":
        array = np.array([_number(value, _place(name, i, ids)) for i, value in enumerate(raw)])
    values = array.astype(np.float64)
    bad = np.flatnonzero(~(np.abs(values) <= _LARGEST))
    if len(bad):
        first = int(bad[0])
        place, value = _place(name, first, ids), float(values[first])
        if np.isfinite(value):
            raise StatsError(f"{place} is {value}, too large to square: rescale the scores")
        raise StatsError(f"{place} is {value} ({len(bad)} such): drop the item, or give it a score, before comparing")
    largest = float(np.abs(values).max()) if len(values) else 0.0
    if 0.0 < largest < _SMALLEST and not keeps_tiny:
        raise DegenerateSample(
            f"no score of {name} exceeds {largest:.3g}, too small to square: rescale the scores, or take logarithms"
        )
    return values


def _refuse_what_is_no_column(scores: Any, name: str) -> None:
    import numpy as np

    if isinstance(scores, str | bytes):
        raise StatsError(f"{name} is text, expected a column of numbers")
    if np.ma.isMaskedArray(scores):
        raise StatsError(f"{name} is a masked array: drop the masked items, or score them, before comparing")
    if isinstance(scores, set | frozenset):
        raise StatsError(f"{name} is a set, which has no order and holds each score once: give a list, or scores by id")
    if not (hasattr(scores, "__array__") or isinstance(scores, Iterable)):
        raise StatsError(f"{name} is {scores!r}, expected a column of numbers")


def _place(name: str, index: int, ids: list[Any] | None) -> str:
    return f"{name}[{index if ids is None else ids[index]!r}]"


def _number(value: Any, place: str) -> float:
    if isinstance(value, str | bytes) or value is None:
        raise StatsError(f"{place} is {value!r}, expected a number; drop the item, or give it a score")
    try:
        return float(value)
    except OverflowError as error:
        raise StatsError(f"{place} is an integer beyond 1e308, too large to compute with: rescale it") from error
    except (TypeError, ValueError) as error:
        raise StatsError(f"{place} is {value!r}, expected a number") from error
