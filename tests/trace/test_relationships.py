"""Whether the links of a chain hold."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace import Event, Problem
from crucible.trace.relationships import find_problems

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(name: str, parent: str | None = None, *depends_on: str) -> Event:
    """Return an event with these links."""
    return Event.new("decision_made", "D", "R", id=name, timestamp=START, parent_id=parent, depends_on=depends_on)


def kinds(problems: list[Problem]) -> list[tuple[str, str, str]]:
    """Return what is wrong, briefly."""
    return [(problem.kind, problem.event_id, problem.refers_to) for problem in problems]


def test_sound() -> None:
    """Links back, links forward and shared parents are fine; so is nothing at all."""
    assert find_problems([]) == []
    assert find_problems([event("a", "b"), event("b"), event("c", "b", "a", "b")]) == []


def test_everything_missing_is_reported() -> None:
    """Every missing parent and dependency is named, not the first."""
    problems = find_problems([event("a", "x", "y", "z"), event("b", "a", "x")])
    assert kinds(problems) == [
        ("missing_parent", "a", "x"),
        ("missing_dependency", "a", "y"),
        ("missing_dependency", "a", "z"),
        ("missing_dependency", "b", "x"),
    ]
    assert problems[0].message == "event a: its parent x is not in the chain"
    assert problems[1].message == "event a: it depends on y, which is not in the chain"


def test_repeated_ids_are_reported() -> None:
    """Each further bearer of an id is reported."""
    problems = find_problems([event("a"), event("a"), event("b"), event("a")])
    assert kinds(problems) == [("duplicate_id", "a", "a")] * 2


def test_cycle_has_its_path() -> None:
    """A cycle through parents and dependencies is reported with its way round."""
    problems = find_problems([event("a", "b"), event("b", None, "c"), event("c", "a"), event("d", "a")])
    assert kinds(problems) == [("cycle", "c", "a")]
    assert problems[0].path == ("a", "b", "c", "a")
    assert problems[0].message.endswith("a → b → c → a")


def test_self_loop() -> None:
    """An event that is its own parent is a cycle of one."""
    assert [problem.path for problem in find_problems([event("a", "a")])] == [("a", "a")]


def test_every_cycle_is_reported() -> None:
    """Separate cycles and overlapping ones are all reported, beside what else is wrong."""
    chain = [event("a", "b"), event("b", "a"), event("c", "d", "e"), event("d", "c"), event("e", "c"), event("f", "x")]
    problems = find_problems(chain)
    assert kinds(problems)[0] == ("missing_parent", "f", "x")
    assert {problem.path for problem in problems[1:]} == {("a", "b", "a"), ("c", "d", "c"), ("c", "e", "c")}


def test_depth_is_no_limit() -> None:
    """A cycle of 50,000 events is found, and its message stays readable."""
    size = 50_000
    chain = [event(str(place), str((place + 1) % size)) for place in range(size)]
    (problem,) = find_problems(chain)
    assert len(problem.path) == size + 1
    assert problem.message.endswith("0 → 1 → 2 → 3 → … → 49997 → 49998 → 49999 → 0")


def test_paths_stay_linear() -> None:
    """Many long cycles cost no square of memory: past a budget only the link that closes the cycle is kept."""
    size = 3_000
    chain = [event(str(place), str(place + 1), "0") for place in range(size - 1)] + [event(str(size - 1), "0")]
    problems = find_problems(chain)
    assert len(problems) == size
    assert sum(len(problem.path) for problem in problems) < 20 * size + 20_000
    assert all(problem.path[-1] == "0" for problem in problems)


@settings(deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.sets(st.integers(0, n - 1), max_size=3), min_size=n)))
def test_removing_the_reported_links_removes_all_cycles(links: list[set[int]]) -> None:
    """Each reported path is a real way round, and without the links that close them no cycle is left."""
    chain = [
        event(str(place), None, *(str(target) for target in sorted(targets))) for place, targets in enumerate(links)
    ]
    known = {str(place) for place in range(len(links))}
    cut = {place: {str(target) for target in targets} & known for place, targets in enumerate(links)}
    for problem in find_problems(chain):
        if problem.kind != "cycle":
            continue
        assert problem.path[0] == problem.path[-1]
        for one, other in zip(problem.path, problem.path[1:], strict=False):
            assert int(other) in links[int(one)]
        cut[int(problem.event_id)].discard(problem.refers_to)
    again = [event(str(place), None, *sorted(targets)) for place, targets in cut.items()]
    assert [problem for problem in find_problems(again) if problem.kind == "cycle"] == []
