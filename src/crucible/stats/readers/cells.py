"""One cell of a table as an outcome: a number, a truth value, nothing; and everything else refused with its place."""

from __future__ import annotations

import math
from typing import Any

from crucible.errors import StatsError
from crucible.ir import Failed, Outcome, Scored

__all__ = ["is_empty", "is_number", "is_score", "outcome_of", "text_of"]

_TRUTH = {"true": 1.0, "false": 0.0}
_EMPTY = frozenset({"", "null", "none", "na", "n/a"})
_NO_VALUE = Failed("no value was recorded")


def outcome_of(cell: Any, place: str) -> Outcome:
    """Return what a cell says.

    A number or a truth value is a score; an empty cell, null, NA or None is a failed measurement.

    Raises:
        StatsError: It is anything else, or no finite number; with the place.
    """
    if cell is None:
        return _NO_VALUE
    if isinstance(cell, str):
        word = cell.strip().lower()
        if word in _EMPTY:
            return _NO_VALUE
        if word in _TRUTH:
            return Scored(_TRUTH[word])
    if isinstance(cell, list | dict):
        raise StatsError(f"{place}: expected a number, true, false or nothing, got {_short(cell)}")
    try:
        value = _float(cell)
    except (TypeError, ValueError) as error:
        message = f"{place}: expected a number, true, false or nothing, got {_short(cell)}"
        raise StatsError(message) from error
    except OverflowError as error:
        raise StatsError(f"{place}: an integer beyond 1e308 is too large to compute with; rescale it") from error
    if math.isfinite(value):
        return Scored(value)
    raise StatsError(
        f"{place}: the score is {value}; leave it empty (null) if the measurement failed, or give it a number"
    )


def is_score(cell: Any) -> bool:
    """Return whether a cell is a number or a truth value."""
    return isinstance(cell, bool) or is_number(cell) or (isinstance(cell, str) and cell.strip().lower() in _TRUTH)


def is_number(cell: Any) -> bool:
    """Return whether a cell is a number, or text that is one; NaN and infinities are such."""
    if isinstance(cell, bool) or cell is None:
        return False
    try:
        _float(cell)
    except (TypeError, ValueError):
        return False
    except OverflowError:
        return True
    return True


def _float(cell: Any) -> float:
    """Return a cell as a number; `1_0`, which Python takes for ten, is none."""
    if isinstance(cell, str) and "_" in cell:
        raise ValueError(cell)
    return float(cell)


def is_empty(cell: Any) -> bool:
    """Return whether a cell says that there is no value."""
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in _EMPTY)


def text_of(cell: Any, place: str) -> str:
    """Return a cell that names something: text, or a number as it is written.

    Raises:
        StatsError: It names nothing; with the place.
    """
    if isinstance(cell, str) and cell.strip():
        return cell.strip()
    if isinstance(cell, bool | int | float):
        return str(cell)
    raise StatsError(f"{place}: expected a name, got {_short(cell)}")


def _short(cell: Any) -> str:
    shown = repr(cell)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
