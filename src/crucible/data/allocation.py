"""How many of each stratum, and which fold holds what: whole numbers, exact, decided by the seed. Knows positions only.

Shares are by largest remainder, in whole arithmetic: 3 strata of 10, 10 wanted, are 4, 3 and 3.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from crucible.data.order import permutation
from crucible.errors import DataError

__all__ = ["folds", "largest_remainder", "stratified"]


def largest_remainder(sizes: Sequence[int], n: int) -> list[int]:
    """Share `n` places among strata in proportion to their sizes.

    Each gets the whole part of its share, and those with the largest remainders one more; of equal remainders the
    earlier stratum's is the larger. The sum is `n`, and no stratum gets more than it has.

    Args:
        sizes: Items in each stratum, at least 0.
        n: Places, 0 to the sum of the sizes.

    Raises:
        DataError: There are fewer items than places, or `n` is negative.

    Source:
        The method of Hamilton (largest remainder); Balinski and Young (1982), Fair Representation.
    """
    total = sum(sizes)
    if not 0 <= n <= total:
        raise DataError(f"cannot take {n} of {total} items")
    if n == 0:
        return [0] * len(sizes)
    shares = [n * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda place: (-(n * sizes[place] % total), place))
    for place in by_remainder[: n - sum(shares)]:
        shares[place] += 1
    return shares


def _strata(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the positions of each stratum, in the order in which the strata first appear."""
    found: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return list(found.values())


def stratified(keys: Sequence[Hashable], n: int, seed: int, *, purpose: str) -> list[int]:
    """Return `n` positions, as many of each stratum as `largest_remainder` says, in order.

    Args:
        keys: The stratum of each position.
        n: How many.
        seed: Decides which of a stratum.
        purpose: Makes choices for different purposes independent under one seed.

    Raises:
        DataError: There are fewer than `n`.
    """
    strata = _strata(keys)
    chosen: list[int] = []
    for number, (places, share) in enumerate(zip(strata, largest_remainder(list(map(len, strata)), n), strict=True)):
        order = permutation(len(places), seed, purpose=f"{purpose}/stratum {number}")
        chosen += [places[index] for index in order[:share]]
    return sorted(chosen)


def folds(
    count: int,
    k: int,
    seed: int,
    *,
    strata: Sequence[Hashable] | None = None,
    groups: Sequence[Hashable] | None = None,
) -> list[list[int]]:
    """Return `k` lists of positions: each position is in exactly one.

    Without groups the sizes differ by at most 1, and so do the counts of each stratum. With groups, no group is
    divided; the largest groups are placed first, each where it leaves strata and sizes most even.

    Args:
        count: How many positions there are.
        k: How many folds, 2 to the count (of groups, where there are some).
        seed: Decides who comes where.
        strata: The stratum of each position.
        groups: The group of each position.

    Raises:
        DataError: `k` is out of range.
    """
    units = count if groups is None else len(set(groups))
    what = "items" if groups is None else "groups"
    if not 2 <= k <= units:
        raise DataError(f"{k} folds of {units} {what} cannot be; give at least 2 folds, and no more than {what}")
    if groups is None:
        parts = [range(count)] if strata is None else _strata(strata)
        dealt = [
            part[index]
            for number, part in enumerate(parts)
            for index in permutation(len(part), seed, purpose=f"fold/stratum {number}")
        ]
        return [sorted(dealt[fold::k]) for fold in range(k)]
    return _grouped(k, seed, strata or [0] * count, _strata(groups))


def _grouped(k: int, seed: int, strata: Sequence[Hashable], groups: list[list[int]]) -> list[list[int]]:
    kinds = {key: place for place, key in enumerate(dict.fromkeys(strata))}
    totals = [0] * len(kinds)
    for key in strata:
        totals[kinds[key]] += 1
    counts = [[0] * len(kinds) for _ in range(k)]
    held: list[list[int]] = [[] for _ in range(k)]
    shuffled = permutation(len(groups), seed, purpose="fold/groups")
    for number, index in enumerate(sorted(shuffled, key=lambda index: -len(groups[index]))):
        places = groups[index]
        own = [0] * len(kinds)
        for place in places:
            own[kinds[strata[place]]] += 1

        def cost(fold: int, own: list[int] = own) -> tuple[float, int, int]:
            """Return how full the group's strata would be there, then how full the fold is; the growth of squares."""
            squares = ((2 * counts[fold][kind] + more) * more / totals[kind] for kind, more in enumerate(own) if more)
            return sum(squares), len(held[fold]), fold

        empty = [fold for fold in range(k) if not held[fold]]
        must_fill = len(groups) - number <= len(empty)  # as many groups are left as folds have none yet
        best = min(empty if must_fill else range(k), key=cost)
        held[best] += places
        counts[best] = [have + more for have, more in zip(counts[best], own, strict=True)]
    return [sorted(places) for places in held]
