"""The house stands: no import cycle, and no room reaches into the private files of another."""

from __future__ import annotations

import grimp
import pytest


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Build the graph of every import in the package, those inside functions too."""
    return grimp.build_graph("crucible", cache_dir=None)


def _components(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components with more than one node.

    Source:
        Tarjan (1972), SIAM J. Comput. 1(2):146-160; iterative.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for root, first in edges.items():
        if root in order:
            continue
        work = [(root, iter(sorted(first)))]
        order[root] = low[root] = len(order)
        stack.append(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in order:
                    order[target] = low[target] = len(order)
                    stack.append(target)
                    work.append((target, iter(sorted(edges[target]))))
                    break
                if target in stack:
                    low[node] = min(low[node], order[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    at = stack.index(node)
                    component, stack = stack[at:], stack[:at]
                    if len(component) > 1:
                        found.append(sorted(component))
    return found


def test_components_finds_a_cycle() -> None:
    """The search below does find a cycle where there is one, and only there."""
    assert _components({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [["a", "b", "c"]]


def test_no_import_cycle(graph: grimp.ImportGraph) -> None:
    """No module imports itself through others, `__init__` files and imports inside functions included."""
    edges = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    assert not _components(edges)


def test_private_modules_stay_private(graph: grimp.ImportGraph) -> None:
    """A file named `_name.py` is imported from its own folder only."""
    strangers: list[str] = []
    for module in graph.modules:
        folder, _, name = module.rpartition(".")
        if name.startswith("_") and not name.startswith("__"):
            importers = graph.find_modules_that_directly_import(module)
            strangers += [f"{who} -> {module}" for who in importers if not f"{who}.".startswith(f"{folder}.")]
    assert not strangers
