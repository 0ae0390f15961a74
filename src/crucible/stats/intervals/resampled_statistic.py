"""The statistic that a bootstrap is made of: the mean by closed forms, any other by calling it on many resamples.

A callable that takes `axis` is called on whole blocks of resamples, any other on one resample at a time.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from crucible.errors import StatsError
from crucible.ir import did_you_mean
from crucible.stats.intervals.resampling import drawn_rows, index_blocks, resampled_means

if TYPE_CHECKING:
    import numpy as np

    from crucible.stats.sample import FloatArray

__all__ = ["Statistic", "influences", "observed", "resampled"]

Statistic: TypeAlias = str | Callable[..., Any]
"""`mean`, `median`, or a function of a column; with a parameter `axis` it is called on blocks of columns."""

_NAMED = ("mean", "median")
_LEFT_OUT = 1000  # leaving out as many groups says as much about the skewness as leaving out every value


def observed(statistic: Statistic, values: FloatArray) -> float:
    """Return the statistic of the values themselves.

    Raises:
        StatsError: The name is unknown, or the statistic is no finite number.
    """
    import numpy as np

    if statistic == "mean":
        return float(values[0] + (values - values[0]).mean())
    found = float(_rows(statistic, values[None])[0])
    if not np.isfinite(found):
        raise StatsError(f"the statistic of the {len(values)} values is {found}: it has to be a finite number")
    return found


def resampled(
    statistic: Statistic, columns: tuple[FloatArray, ...], resamples: int, random: np.random.Generator
) -> tuple[FloatArray, ...]:
    """Return the statistic of resamples of one column, or of several whose rows belong together.

    Args:
        statistic: Of one column.
        columns: Each of shape (n,); the same rows are drawn from all of them.
        resamples: How many.
        random: Where the draws come from.

    Returns:
        For each column an array of shape (resamples,).

    Raises:
        StatsError: The statistic of a resample is no finite number.
    """
    import numpy as np

    n = len(columns[0])
    if statistic == "mean" and len(columns) == 1:
        return (resampled_means(columns[0], resamples, random),)
    found = [np.empty(resamples) for _ in columns]
    for start, drawn in drawn_rows(n, resamples, random):
        for column, into in zip(columns, found, strict=True):
            into[start : start + len(drawn)] = _rows(statistic, column.take(drawn))
    for into in found:
        bad = int((~np.isfinite(into)).sum())
        if bad:
            raise StatsError(
                f"the statistic of {bad} of {resamples} resamples of the {n} values is no finite number: "
                "a bootstrap needs a statistic that exists for every resample"
            )
    return tuple(found)


def influences(statistic: Statistic, values: FloatArray, random: np.random.Generator) -> FloatArray:
    """Return what each value, or group of values, pulls the statistic by: (n - 1) times the jackknife's deviations.

    Beyond 1,000 values it is groups of values, dealt out at random, that are left out, 1,000 of them.

    Returns:
        Shape (n,), or (1000,) of the groups.
    """
    import numpy as np

    n = len(values)
    if statistic == "mean":
        shifted = values - values[0]
        return shifted - shifted.mean()
    if n <= _LEFT_OUT:
        left = np.empty(n)
        for start, stop in index_blocks(n, n):
            rows = np.arange(n - 1) + (np.arange(n - 1) >= np.arange(start, stop)[:, None])  # (stop - start, n - 1)
            left[start:stop] = _rows(statistic, values[rows])
    else:
        group = random.permutation(np.arange(n) % _LEFT_OUT)
        left = np.array([_rows(statistic, values[group != each][None])[0] for each in range(_LEFT_OUT)])
    if not bool(np.isfinite(left).all()):
        bad = int((~np.isfinite(left)).sum())
        raise StatsError(
            f"the statistic without one of the values is no finite number, {bad} times: BCa needs it; "
            'use method="percentile" or "basic"'
        )
    return (len(left) - 1) * (left.mean() - left)


def _rows(statistic: Statistic, drawn: FloatArray) -> FloatArray:
    """Return the statistic of each row."""
    import numpy as np

    function: Callable[..., Any] = _named(statistic) if isinstance(statistic, str) else statistic
    with np.errstate(all="ignore"):  # what is no number is counted and refused
        if not _takes_axis(function):
            return np.array([float(function(row)) for row in drawn])
        found = np.asarray(function(drawn, axis=-1), dtype=np.float64)
    if found.shape != drawn.shape[:1]:
        raise StatsError(
            f"the statistic of {drawn.shape[0]} columns with axis=-1 has the shape {found.shape}, "
            f"expected {drawn.shape[:1]}: one number a column"
        )
    return found


def _named(name: str) -> Callable[..., Any]:
    import numpy as np

    if name not in _NAMED:
        raise StatsError(
            f'unknown statistic "{name}"{did_you_mean(name, _NAMED)}; known: {", ".join(_NAMED)}, or give a function'
        )
    return np.mean if name == "mean" else np.median


def _takes_axis(function: Callable[..., Any]) -> bool:
    try:
        return "axis" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a builtin tells nothing about itself
        return False
