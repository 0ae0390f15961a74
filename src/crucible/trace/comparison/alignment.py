"""Aligning two sequences of numbers: what they have in common, in order.

Numbers stand for content. Duplicates are kept apart by their places: two equal sequences align entirely, however often
a number repeats.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

__all__ = ["Pair", "common", "gaps", "increasing", "nth_with_nth"]

Pair = tuple[int, int]
"""A place in each of two sequences."""

_MAX_CELLS = 400_000_000  # n times m; the bit-parallel algorithm keeps a bit for each: 50 MB


def common(a: Sequence[int], b: Sequence[int], *, max_cells: int = _MAX_CELLS) -> tuple[list[Pair], bool]:
    """Return the places of a common subsequence, and whether it is certainly a longest one.

    Equal ends are taken off first. What is left is solved exactly where its table has at most `max_cells` cells. Else
    the n-th occurrence of a number in one is laid beside the n-th in the other; those that keep the order are anchors,
    and each gap between them is solved exactly if it is small enough, and left open if not.

    Source:
        Hyyrö (2004), Bit-parallel LCS-length computation revisited, as in rapidfuzz; anchors as in Cohen's patience
        diff.
    """
    head = 0
    shortest = min(len(a), len(b))
    while head < shortest and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < shortest - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    middle, is_exact = _middle(a[head : len(a) - tail], b[head : len(b) - tail], max_cells)
    pairs = [(place, place) for place in range(head)]
    pairs += [(head + x, head + y) for x, y in middle]
    pairs += [(len(a) - left, len(b) - left) for left in range(tail, 0, -1)]
    return pairs, is_exact


def _middle(a: Sequence[int], b: Sequence[int], max_cells: int) -> tuple[list[Pair], bool]:
    if not a or not b:
        return [], True
    if len(a) * len(b) <= max_cells:
        return _longest(a, b), True
    candidates = nth_with_nth(a, b)
    anchors = [candidates[index] for index in increasing([y for _, y in candidates])]
    pairs: list[Pair] = []
    for a_range, b_range in gaps(anchors, len(a), len(b)):
        if a_range and b_range and len(a_range) * len(b_range) <= max_cells:
            inner = _longest(a[a_range.start : a_range.stop], b[b_range.start : b_range.stop])
            pairs += [(a_range.start + x, b_range.start + y) for x, y in inner]
    return sorted([*pairs, *anchors]), False


def _longest(a: Sequence[int], b: Sequence[int]) -> list[Pair]:
    from rapidfuzz.distance import LCSseq

    pairs: list[Pair] = []
    for block in LCSseq.opcodes(a, b):
        if block.tag == "equal":
            pairs += zip(range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True)
    return pairs


def nth_with_nth(a: Sequence[int], b: Sequence[int]) -> list[Pair]:
    """Pair the n-th occurrence of each number in `a` with the n-th in `b`, in the order of `a`."""
    waiting: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(len(b) - 1, -1, -1):
        waiting[b[place]].append(place)
    return [(place, waiting[number].pop()) for place, number in enumerate(a) if waiting.get(number)]


def increasing(values: Sequence[int]) -> list[int]:
    """Return the places of a longest strictly increasing subsequence."""
    ends: list[int] = []  # ends[k]: the smallest last value of an increasing run of k + 1
    places: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect_left(ends, value)
        before.append(places[length - 1] if length else -1)
        if length == len(ends):
            ends.append(value)
            places.append(place)
        else:
            ends[length], places[length] = value, place
    found: list[int] = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]


def gaps(pairs: Sequence[Pair], a_length: int, b_length: int) -> Iterator[tuple[range, range]]:
    """Yield the places between consecutive pairs of an alignment in order, where there are any."""
    x = y = 0
    for next_x, next_y in [*pairs, (a_length, b_length)]:
        if next_x > x or next_y > y:
            yield range(x, next_x), range(y, next_y)
        x, y = next_x + 1, next_y + 1
