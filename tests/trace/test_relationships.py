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
    """Many long cycles cost no square of memory: past a budget the ways round are left out, and said to be."""
    size = 3_000
    chain = [event(str(place), str(place + 1), "0") for place in range(size - 1)] + [event(str(size - 1), "0")]
    problems = find_problems(chain)
    assert len(problems) == size
    assert sum(len(problem.path) for problem in problems) < 20 * size + 20_000
    whole = [problem for problem in problems if problem.path]
    assert 0 < len(whole) < size
    assert all(problem.path[0] == problem.path[-1] == "0" for problem in whole)
    assert all(problem.refers_to == "0" for problem in problems)
    assert {problem.event_id for problem in problems} == {str(place) for place in range(size)}
    message = "event 0 is in a cycle that leads through 0; there are too many to say the whole way round"
    assert [problem.message for problem in problems if problem.event_id == "0"] == [message]


def test_parent_and_dependency_missing_at_once() -> None:
    """An id that is both the parent and a dependency, and is not there, is missing as both; a repeated one once."""
    problems = find_problems([event("a", "p", "p", "q", "q")])
    assert kinds(problems) == [
        ("missing_parent", "a", "p"),
        ("missing_dependency", "a", "p"),
        ("missing_dependency", "a", "q"),
    ]
    assert problems[1].message == "event a: it depends on p, which is not in the chain"


def test_cycles_beside_a_walk_are_named() -> None:
    """An event that is in a cycle only by way of one that was walked before has a path of its own."""
    problems = find_problems([event("a", None, "b", "d"), event("b", "a"), event("d", "b")])
    assert [problem.path for problem in problems] == [("a", "b", "a"), ("d", "b", "a", "d")]
    assert kinds(problems)[1] == ("cycle", "a", "d")


def test_many_cycles_beside_a_walk_stay_linear() -> None:
    """Thousands of events behind one long way round are all named, in room that grows as they do."""
    size = 2_000
    long = [event(f"l{place}", None, f"l{place + 1}") for place in range(size)]
    wide = [event(f"w{place}", None, "l1") for place in range(size)]
    problems = find_problems([*long, event(f"l{size}", None, "l0", *(each.id for each in wide)), *wide])
    assert sum(len(problem.path) for problem in problems) < 20 * 2 * size + 20_000
    named = {name for each in problems for name in (each.event_id, each.refers_to, *each.path)}
    assert named == {each.id for each in (*long, *wide)} | {f"l{size}"}


def is_in_a_cycle(start: int, links: list[set[int]]) -> bool:
    """Return whether a place can be reached from itself."""
    waiting = [start]
    for place in waiting:  # grows meanwhile
        waiting += [to for to in links[place] if to < len(links) and to not in waiting[1:]]
    return start in waiting[1:]


@settings(deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.sets(st.integers(0, n - 1), max_size=3), min_size=n)))
def test_removing_the_reported_links_removes_all_cycles(links: list[set[int]]) -> None:
    """Each path is a real way round, all in a cycle are on one, and without the links that close them none is left."""
    chain = [
        event(str(place), None, *(str(target) for target in sorted(targets))) for place, targets in enumerate(links)
    ]
    known = {str(place) for place in range(len(links))}
    cut = {place: {str(target) for target in targets} & known for place, targets in enumerate(links)}
    named: set[str] = set()
    for problem in find_problems(chain):
        if problem.kind != "cycle":
            continue
        named.update(problem.path)
        assert len(set(problem.path)) == len(problem.path) - 1
        assert problem.path[0] == problem.path[-1]
        for one, other in zip(problem.path, problem.path[1:], strict=False):
            assert int(other) in links[int(one)]
        cut[int(problem.event_id)].discard(problem.refers_to)
    assert named == {str(place) for place in range(len(links)) if is_in_a_cycle(place, links)}
    again = [event(str(place), None, *sorted(targets)) for place, targets in cut.items()]
    assert [problem for problem in find_problems(again) if problem.kind == "cycle"] == []
