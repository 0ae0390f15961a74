"""Circles of support are directed cycles: none in a chain, a tree or a diamond; counted as independent ones."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from crucible.data.argument import Topology, circles, topology
from crucible.errors import DataError


def ring(*names: str) -> list[tuple[str, str]]:
    """Return the edges that go around."""
    return list(zip(names, (*names[1:], names[0]), strict=True))


@pytest.mark.parametrize(
    ("nodes", "edges", "betti_0", "betti_1", "consistency"),
    [
        ("ab", [("a", "b")], 1, 0, 1.0),
        ("abc", [("a", "b"), ("b", "c"), ("a", "c")], 1, 0, 1.0),  # an undirected triangle
        ("abcd", [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")], 1, 0, 1.0),  # a diamond
        ("abc", ring("a", "b", "c"), 1, 1, 0.0),
        ("abcd", ring("a", "b", "c"), 2, 1, 0.25),
        ("a", [("a", "a")], 1, 1, 0.0),
        ("abc", [*ring("a", "b"), *ring("b", "c")], 1, 2, 0.0),  # a figure of eight
        ("abcd", [*ring("a", "b"), *ring("c", "d"), ("b", "c")], 1, 2, 0.0),  # two circles, joined one way
        ("abc", [*ring("a", "b", "c"), ("a", "b")], 1, 1, 0.0),  # said twice
        ("abc", [*ring("a", "b", "c"), *ring("c", "b", "a")], 1, 4, 0.0),
    ],
)
def test_closed_forms(nodes: str, edges: list[tuple[str, str]], betti_0: int, betti_1: int, consistency: float) -> None:
    """By hand, one graph after another."""
    found = topology(nodes, edges)
    assert (found.betti_0, found.betti_1, found.consistency) == (betti_0, betti_1, consistency)


def test_an_empty_graph_has_no_share() -> None:
    """None, and no 0 or 1 that would stand for one."""
    assert topology([], []) == Topology(0, 0, None, ())


def test_circles_name_their_claims() -> None:
    """Those that share a claim together, in the order of the claims."""
    assert circles("dcba", [*ring("a", "b"), ("b", "c"), ("d", "d")]) == (("d",), ("b", "a"))


def independent_cycles(names: list[int], edges: list[tuple[int, int]]) -> int:
    """Return the rank of all simple directed cycles as vectors over edges, found by trying every order of nodes."""
    place = {edge: number for number, edge in enumerate(edges)}
    rows = []
    for size in range(1, len(names) + 1):
        for path in itertools.permutations(names, size):
            if path[0] == min(path):
                used = list(zip(path, (*path[1:], path[0]), strict=True))
                if all(edge in place for edge in used):
                    row = np.zeros(len(edges))
                    row[[place[edge] for edge in used]] = 1
                    rows.append(row)
    return int(np.linalg.matrix_rank(np.array(rows))) if rows else 0


@pytest.mark.parametrize("seed", range(20))
def test_the_count_is_that_of_independent_directed_cycles(seed: int) -> None:
    """On random graphs of five claims: the rank of all directed cycles, listed by brute force."""
    draw = random.Random(seed)
    names = list(range(5))
    edges = [(i, j) for i in names for j in names if draw.random() < 0.25]
    found = topology(map(str, names), [(str(i), str(j)) for i, j in edges])
    assert found.betti_1 == independent_cycles(names, edges)


def test_a_long_chain_is_no_recursion() -> None:
    """Five thousand claims, and the same closed to a ring."""
    names = [str(number) for number in range(5_000)]
    chain = list(itertools.pairwise(names))
    assert topology(names, chain).betti_1 == 0
    assert topology(names, [*chain, (names[-1], names[0])]).betti_1 == 1


def test_an_edge_to_nowhere_is_an_error() -> None:
    """With the edge and the claim that is not there."""
    with pytest.raises(DataError, match='the edge a -> z joins "z", which is no node'):
        topology("a", [("a", "z")])
