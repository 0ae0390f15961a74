"""Other ways in which the same scores could have been dealt to baseline and treatment, if there is no difference.

An arrangement is two numbers: the difference of means that it shows, and how much of a shift of the treatment's scores
it would keep. All arrangements are named where they are few; otherwise they are drawn, in blocks, so that memory does
not grow with their number. Sets of scores are bits, eight to a byte, and a table for each eight scores has the sum of
each of their 256 sets.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

    Bits = npt.NDArray[np.uint8]

__all__ = ["MOST_NAMED", "Arrangements", "deals", "flips"]

MOST_NAMED = 100_000
"""Arrangements up to which all of them are named."""

_BLOCK_BYTES = 1 << 24  # of sets held at once
_HALF = 128  # of 256


class Arrangements(msgspec.Struct, frozen=True):
    """Arrangements of scores; `differences - shift * kept` are their differences once a shift is taken out.

    Args:
        differences: Of means, treatment minus baseline, shape (arrangements,).
        kept: Share of a shift of the treatment that each shows, -1 to 1; 1: as observed.
        is_complete: Whether these are all arrangements, the observed one included; False: a sample without it.
    """

    differences: FloatArray
    kept: FloatArray
    is_complete: bool


def flips(differences: FloatArray, resamples: int, seed: int) -> Arrangements:
    """Return pairs exchanged: each difference with its own sign or the other one.

    Args:
        differences: Of pairs, shape (n,).
        resamples: How many to draw where there are more than `MOST_NAMED`.
        seed: Of the draw.
    """
    import numpy as np

    n = len(differences)
    tables = _tables(differences), _tables(np.ones(n))
    is_complete = 2**n <= MOST_NAMED
    if is_complete:
        number = np.arange(2**n, dtype=np.uint64)
        members = (number >> np.arange(n, dtype=np.uint64)[:, None]) & np.uint64(1)  # (n, 2 ** n)
        flipped, count = _summed(np.packbits(members.astype(np.uint8), axis=0), tables)
    else:
        random = np.random.default_rng(seed)
        parts = [_summed(_drawn_sets(n, size, _HALF, random), tables) for size in _blocks(n, resamples)]
        flipped, count = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Arrangements((differences.sum() - 2.0 * flipped) / n, 1.0 - 2.0 * count / n, is_complete)


def deals(strata: list[tuple[FloatArray, FloatArray]], resamples: int, seed: int) -> Arrangements:
    """Return scores dealt anew to baseline and treatment, in each stratum on its own.

    The difference is the mean of the strata's differences, weighted by n m / (n + m).

    Args:
        strata: Baseline, shape (n,), and treatment, shape (m,), of each; neither is empty.
        resamples: How many to draw where there are more than `MOST_NAMED`.
        seed: Of the draw.
    """
    import numpy as np

    weights = np.array([len(x) * len(y) / (len(x) + len(y)) for x, y in strata])
    weights /= weights.sum()
    is_complete = math.prod(math.comb(len(x) + len(y), len(y)) for x, y in strata) <= MOST_NAMED
    random = np.random.default_rng(seed)
    differences, kept = np.zeros(1), np.zeros(1)
    for (x, y), weight in zip(strata, weights.tolist(), strict=True):
        shown, shares = _deal(x, y, None if is_complete else (resamples, random))
        if is_complete:  # each arrangement of this stratum with each of those before
            differences = (differences[:, None] + weight * shown).ravel()
            kept = (kept[:, None] + weight * shares).ravel()
        else:
            differences, kept = differences + weight * shown, kept + weight * shares
    return Arrangements(differences, kept, is_complete)


def _deal(x: FloatArray, y: FloatArray, drawn: tuple[int, np.random.Generator] | None) -> tuple[FloatArray, FloatArray]:
    """Return difference and share kept of every deal of two columns, or of so many drawn ones."""
    import numpy as np

    n, m = len(x), len(y)
    center = float(x[0])  # so that sums are of deviations
    together = np.concatenate((x, y)) - center
    tables = _tables(together), _tables(np.repeat((0.0, 1.0), (n, m)))
    if drawn is None:
        dealt, own = _summed(_all_subsets(n + m, m), tables)
    else:
        resamples, random = drawn
        parts = [_summed(_subsets(n + m, m, size, random), tables) for size in _blocks(n + m, resamples)]
        dealt, own = (np.concatenate(part) for part in zip(*parts, strict=True))
    return dealt / m - (together.sum() - dealt) / n, own / m - (m - own) / n


def _tables(values: FloatArray) -> FloatArray:
    """Return the sum of each of the 256 sets of each eight values, shape (ceil(n / 8), 256)."""
    import numpy as np

    padded = np.zeros(-(-len(values) // 8) * 8)
    padded[: len(values)] = values
    members = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)  # (256, 8)
    return padded.reshape(-1, 8) @ members.T.astype(np.float64)


def _summed(sets: Bits, tables: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    """Return the sums of each set, one array of shape (sets,) for each table."""
    import numpy as np

    sums = np.zeros((len(tables), sets.shape[1]))
    for i, row in enumerate(sets):  # eight scores
        for j, table in enumerate(tables):
            sums[j] += table[i].take(row)
    return tuple(sums)


def _blocks(n: int, resamples: int) -> list[int]:
    """Return the sizes of the blocks in which resamples of `n` scores are drawn."""
    size = max(1, 8 * _BLOCK_BYTES // n)
    return [min(size, resamples - start) for start in range(0, resamples, size)]


def _drawn_sets(n: int, count: int, share: int, random: np.random.Generator) -> Bits:
    """Return sets that have each of `n` members with probability `share` / 256, shape (ceil(n / 8), count).

    From the last binary digit of the share to the first, fresh halves are joined for a 1 and met for a 0.
    """
    import numpy as np

    rows = -(-n // 8)
    sets: Any = np.zeros((rows, count), dtype=np.uint8)
    digits = [share >> place & 1 for place in range(8)]
    for digit in digits[digits.index(1) :] if share else ():
        fresh = np.frombuffer(random.bytes(rows * count), dtype=np.uint8).reshape(rows, count)
        (np.bitwise_or if digit else np.bitwise_and)(sets, fresh, out=sets)
    sets[-1] &= np.uint8(0xFF << (-n % 8) & 0xFF)  # no members beyond n
    return sets


def _all_subsets(n: int, size: int) -> Bits:
    import numpy as np

    count = math.comb(n, size)
    members = np.zeros((n, count), dtype=np.uint8)
    chosen = itertools.chain.from_iterable(itertools.combinations(range(n), size))
    members[np.fromiter(chosen, dtype=np.intp, count=count * size), np.repeat(np.arange(count), size)] = 1
    return np.packbits(members, axis=0)


def _subsets(n: int, size: int, count: int, random: np.random.Generator) -> Bits:
    """Return sets of `size` of `n` members, each as likely as every other, shape (ceil(n / 8), count).

    Sets of about that size are drawn, members independent of each other, and then members are taken out or put in, at
    random, until the size is right: no step prefers a member, so that none is likelier than another in the end. For
    10,000 sets of 500 of 1,000 with their sums that took 32 ms; a partial sort of random keys took 118 ms,
    `Generator.permuted` 207, and exchanges one by one, for all sets at once, 329.
    """
    import numpy as np

    sets = _drawn_sets(n, count, min(255, round(256 * size / n)), random)
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.int64)
    excess = np.full(count, -size)
    for row in sets:
        excess += bits.take(row)
    which = np.flatnonzero(excess)
    excess = excess[which]
    while len(which):
        member = random.integers(0, n, size=len(which))
        byte, bit = member >> 3, (128 >> (member & 7)).astype(np.uint8)
        fits = ((sets[byte, which] & bit) != 0) == (excess > 0)
        sets[byte[fits], which[fits]] ^= bit[fits]
        excess = excess - np.where(fits, np.sign(excess), 0)
        which, excess = which[excess != 0], excess[excess != 0]
    return sets
