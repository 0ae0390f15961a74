"""The shape of a claim graph: in how many pieces it lies, and how many independent circles of support it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from crucible.errors import DataError

__all__ = ["Topology", "circles", "topology"]

Edge = tuple[str, str]


class Topology(msgspec.Struct, frozen=True):
    """The shape of a directed graph.

    Attributes:
        betti_0: Pieces: components of the graph with its directions left out.
        betti_1: Independent directed cycles: the sum over strongly connected components of edges - nodes + 1.
        consistency: Share of the nodes that lie on no directed cycle, 1 where there is none; None of an empty graph.
        circles: The nodes of each strongly connected component that has a cycle, in the order of the nodes.
    """

    betti_0: int
    betti_1: int
    consistency: float | None
    circles: tuple[tuple[str, ...], ...]


def topology(nodes: Iterable[str], edges: Iterable[Edge]) -> Topology:
    """Return the shape of a claim graph.

    A cycle is a directed one: a claim that ends up supporting itself. A chain, a tree, any graph without directed
    cycles, and a diamond (a supports b and c, which both support d) have none, although the diamond encloses a hole
    that the cycle rank of the undirected graph, edges - nodes + pieces, would count. Inside a strongly connected
    component every edge lies on a directed cycle, and its cycle rank is the largest count of independent directed
    cycles; between components no directed cycle runs. So the sum of their ranks is that of the whole graph.

    Args:
        nodes: The claims.
        edges: (source, target), each pair counted once; a claim that supports itself is a cycle.

    Raises:
        DataError: An edge joins a node that is not there.

    Source:
        Berge (1962), The Theory of Graphs, chapter 4: the cyclomatic number of a strongly connected graph is the
        largest count of independent circuits. Sharir (1981), Computers & Mathematics with Applications 7(1):67-72,
        for the components.
    """
    names = list(dict.fromkeys(nodes))
    pairs = _checked(names, edges)
    component = {name: number for number, members in enumerate(_components(names, pairs)) for name in members}
    sizes: dict[int, list[str]] = {}
    for name in names:
        sizes.setdefault(component[name], []).append(name)
    inside = dict.fromkeys(sizes, 0)
    for source, target in pairs:
        if component[source] == component[target]:
            inside[component[source]] += 1
    found = tuple(tuple(members) for number, members in sizes.items() if inside[number])
    return Topology(
        betti_0=_pieces(names, pairs),
        betti_1=sum(inside[number] - len(members) + 1 for number, members in sizes.items()),
        consistency=1 - sum(map(len, found)) / len(names) if names else None,
        circles=found,
    )


def circles(nodes: Iterable[str], edges: Iterable[Edge]) -> tuple[tuple[str, ...], ...]:
    """Return the claims of each circle of support, those of circles that share a claim together.

    Raises:
        DataError: An edge joins a node that is not there.
    """
    return topology(nodes, edges).circles


def _checked(names: Sequence[str], edges: Iterable[Edge]) -> list[Edge]:
    known = set(names)
    pairs = list(dict.fromkeys((source, target) for source, target in edges))
    for pair in pairs:
        for name in pair:
            if name not in known:
                raise DataError(f'the edge {pair[0]} -> {pair[1]} joins "{name}", which is no node of the graph')
    return pairs


def _components(names: Sequence[str], edges: Sequence[Edge]) -> list[list[str]]:
    """Return the strongly connected components: what leads back to whom, from the last claim that was left on."""
    following: dict[str, list[str]] = {name: [] for name in names}
    leading: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        following[source].append(target)
        leading[target].append(source)
    seen: set[str] = set()
    found = (_left(root, leading, seen) for root in reversed(_in_order_of_leaving(names, following)))
    return [members for members in found if members]


def _in_order_of_leaving(names: Sequence[str], following: Mapping[str, Sequence[str]]) -> list[str]:
    seen: set[str] = set()
    return [name for root in names for name in _left(root, following, seen)]


def _left(root: str, following: Mapping[str, Sequence[str]], seen: set[str]) -> list[str]:
    """Return what can be reached from a node and was not seen before, each after all that follows it; no recursion."""
    if root in seen:
        return []
    seen.add(root)
    order: list[str] = []
    work = [(root, iter(following[root]))]
    while work:
        name, rest = work[-1]
        after = next((each for each in rest if each not in seen), None)
        if after is None:
            order.append(name)
            work.pop()
        else:
            seen.add(after)
            work.append((after, iter(following[after])))
    return order


def _pieces(names: Sequence[str], edges: Sequence[Edge]) -> int:
    """Return the count of components with the directions left out."""
    leader = {name: name for name in names}

    def of(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for source, target in edges:
        leader[of(source)] = of(target)
    return sum(leader[name] == name for name in names)
