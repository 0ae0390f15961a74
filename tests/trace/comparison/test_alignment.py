"""Sequence alignment: longest common subsequences, landmarks where they would cost too much, order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crucible.trace.comparison.alignment import common, gaps, increasing, nth_with_nth

_numbers = st.lists(st.integers(0, 4), max_size=25)


def _length(a: list[int], b: list[int]) -> int:
    """Return the length of a longest common subsequence, by the textbook's table."""
    row = [0] * (len(b) + 1)
    for x in a:
        above = row[:]
        for place, y in enumerate(b):
            row[place + 1] = above[place] + 1 if x == y else max(above[place + 1], row[place])
    return row[-1]


@given(_numbers, _numbers, st.sampled_from([0, 4, 20, 10**6]))
def test_common(a: list[int], b: list[int], max_cells: int) -> None:
    """It is a common subsequence in any case, and a longest one wherever it says so."""
    pairs, is_exact = common(a, b, max_cells=max_cells)
    assert all(a[x] == b[y] for x, y in pairs)
    assert all(x < u and y < v for (x, y), (u, v) in pairwise(pairs))
    assert is_exact or max_cells < 10**6
    if is_exact:
        assert len(pairs) == _length(a, b)


def test_equal_sequences_align_whatever_the_bound() -> None:
    """Duplicates or not, no work is needed for what is equal."""
    assert common([1, 1, 2, 1], [1, 1, 2, 1], max_cells=0) == ([(n, n) for n in range(4)], True)


@given(_numbers)
def test_increasing(values: list[int]) -> None:
    """It increases, and no longer one exists: one common with the sorted values is as long."""
    places = increasing(values)
    assert all(values[x] < values[y] for x, y in pairwise(places))
    assert len(places) == _length(values, sorted(set(values)))


def test_nth_with_nth() -> None:
    """Occurrences are paired in order, and the surplus stays alone."""
    assert nth_with_nth([7, 8, 7, 7], [7, 7, 9]) == [(0, 0), (2, 1)]


def test_gaps() -> None:
    """What lies between the pairs, on either side, and before and behind them."""
    assert list(gaps([(1, 0), (2, 1)], 4, 3)) == [(range(1), range(0)), (range(3, 4), range(2, 3))]
