"""Resamples of one column, drawn with replacement: means by a fast exact way, any statistic in blocks of bounded size.

How the means are drawn: the draws are shared out among groups of 256 values by a multinomial draw, and within a group
two values are drawn at once, as one of the 65,536 sums of two of them, by one random 16-bit word. That is sampling with
replacement exactly, at half the look-ups, and it stays in the cache however long the column is. A column with few
distinct values (right or wrong) needs only the counts of its values, which are multinomial.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

    Indices: TypeAlias = npt.NDArray[np.intp]

__all__ = ["drawn_rows", "index_blocks", "resampled_means"]

_GROUP = 256  # its pairs are numbered by exactly 16 random bits
_WORDS = 1 << 16
_PAIRS = 1 << 16  # pairs drawn at once: their buffers stay in the cache
_COUNTS = 1 << 22  # counts held at once
_DISTINCT_COST = 40  # a multinomial count costs as much as so many look-ups
_BLOCK = 1 << 18  # values of resamples held at once for a statistic of any kind


def resampled_means(values: FloatArray, resamples: int, random: np.random.Generator) -> FloatArray:
    """Return the means of resamples of a column.

    Args:
        values: Shape (n,), n >= 1.
        resamples: How many.
        random: Where the draws come from.

    Returns:
        Shape (resamples,).
    """
    import numpy as np

    center = float(values[0])  # so that a large offset costs no digits
    distinct, counts = np.unique(values - center, return_counts=True)
    n = len(values)
    if len(distinct) == 1:
        return np.full(resamples, center)
    means = np.empty(resamples)
    if len(distinct) * _DISTINCT_COST <= n:
        rows = max(1, _COUNTS // len(distinct))
        for start in range(0, resamples, rows):
            some = means[start : start + rows]
            some[:] = random.multinomial(n, counts / n, size=len(some)) @ distinct
    else:
        _sum_groups(values - center, means, random)
    means /= n
    means += center
    return means


def _sum_groups(values: FloatArray, sums: FloatArray, random: np.random.Generator) -> None:
    """Fill `sums` with the sums of resamples of `values`."""
    import numpy as np

    n = len(values)
    groups = [values[start : start + _GROUP] for start in range(0, n, _GROUP)]
    shares = np.array([len(group) for group in groups]) / n
    rows = max(1, _COUNTS // len(groups))
    for start in range(0, len(sums), rows):
        some = sums[start : start + rows]
        some[:] = 0.0
        drawn = random.multinomial(n, shares, size=len(some))  # (rows, groups)
        for group, counts in zip(groups, drawn.T, strict=True):
            _add_draws(group, counts, some, random)


def _add_draws(group: FloatArray, counts: npt.NDArray[np.int64], sums: FloatArray, random: np.random.Generator) -> None:
    """Add to each of `sums` so many draws from one group of at most 256 values."""
    import numpy as np

    odd = np.flatnonzero(counts & 1)
    sums[odd] += group[random.integers(0, len(group), size=len(odd))]
    pairs = counts >> 1
    table = np.add.outer(group, group).ravel()  # every sum of two draws
    table = np.tile(table, _WORDS // len(table))  # repeated as often as fits, so that few words are refused
    room = max(_PAIRS, int(pairs.max()))
    indices, looked_up = np.empty(room, dtype=np.intp), np.empty(room)
    ends = np.cumsum(pairs)
    first = 0
    while first < len(pairs):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + room, side="right")))
        total = int(ends[last - 1]) - before
        _fill_below(len(table), indices[:total], random)
        table.take(indices[:total], out=looked_up[:total], mode="clip")  # "clip" copies nothing; all are in range
        some = np.flatnonzero(pairs[first:last]) + first
        if len(some):
            sums[some] += np.add.reduceat(looked_up[:total], ends[some] - pairs[some] - before)
        first = last


def _fill_below(below: int, indices: Indices, random: np.random.Generator) -> None:
    """Fill `indices` with uniform integers of [0, below), _WORDS / 2 < below <= _WORDS: words that are too large go."""
    import numpy as np

    filled = 0
    while filled < len(indices):
        missing = (len(indices) - filled) * _WORDS // below
        words = random.integers(0, (1 << 64) - 1, size=missing // 4 + 1, dtype=np.uint64, endpoint=True).view(np.uint16)
        if below < _WORDS:
            words = words[words < below]
        words = words[: len(indices) - filled]
        indices[filled : filled + len(words)] = words
        filled += len(words)


def drawn_rows(n: int, resamples: int, random: np.random.Generator) -> Iterator[tuple[int, Indices]]:
    """Yield resamples as rows of indices, in blocks of bounded size, each with the number of its first row.

    Args:
        n: Observations, drawn with replacement.
        resamples: How many.
        random: Where the draws come from.
    """
    import numpy as np

    width: Any = np.uint16 if n <= _WORDS else np.uint32
    for start, stop in index_blocks(resamples, n):
        yield start, np.asarray(random.integers(0, n, size=(stop - start, n), dtype=width), dtype=np.intp)


def index_blocks(rows: int, n: int) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each block of rows of `n` values."""
    step = max(1, _BLOCK // n)
    for start in range(0, rows, step):
        yield start, min(rows, start + step)
