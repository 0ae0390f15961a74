"""Chains laid together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import SpecError, SpecErrors
from crucible.trace import Chain, Event
from crucible.trace.merging import merge
from crucible.trace.merging.causal_order import in_causal_order

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(name: str, second: float, parent: str | None = None, *rests_on: str, **metadata: Any) -> Event:
    """Make an event whose id and decision are its name."""
    moment = START + timedelta(seconds=second)
    return Event.new(
        "metric_recorded",
        name,
        "r",
        id=name,
        timestamp=moment,
        parent_id=parent,
        depends_on=rests_on,
        metadata=metadata,
    )


def chain(name: str, *events: Event, **metadata: Any) -> Chain:
    """Make a chain."""
    made = Chain(name, metadata=metadata, created_at=START)
    made.extend(events)
    return made


def ids(merged: Chain) -> list[str]:
    """Return the ids in order."""
    return [each.id for each in merged]


def test_links_across_chains_win_over_clocks() -> None:
    """A worker whose clock is behind still comes after what it rests on, and drags nothing else along."""
    leader = chain("leader", event("start", 10), event("done", 12, "start", "w1"), rank=0)
    behind = chain("behind", event("w1", 1, "start"), event("free", 2), rank=1)
    merged = merge([leader, behind])
    assert ids(merged) == ["free", "start", "w1", "done"]
    assert merged.validate_relationships() == []
    assert ids(merge([leader, behind], by="time")) == ["w1", "free", "start", "done"]
    assert ids(merge([leader, behind], by="append")) == ["start", "done", "w1", "free"]


def test_worker_and_rank_are_kept() -> None:
    """Events get the worker and rank of their chain, unless they name others; the merged chain has none of its own."""
    one = chain("one", event("a", 0), event("b", 1, worker="other"), worker="w0", rank=0)
    two = chain("two", event("c", 2), worker="w1", rank=1)
    merged = merge([one, two])
    assert [each.metadata for each in merged] == [
        {"worker": "w0", "rank": 0},
        {"worker": "other"},
        {"worker": "w1", "rank": 1},
    ]
    assert [each.metadata for each in one] == [{}, {"worker": "other"}]
    assert "rank" not in merged.metadata
    assert merged.metadata["merged"]["conflicts"] == {"worker": ["w0", "w1"], "rank": [0, 1]}
    assert [each["id"] for each in merged.metadata["merged"]["chains"]] == [one.id, two.id]
    again = merge([merged, chain("three", event("d", 3), worker="w0", rank=0)])
    assert again[2].metadata == {"worker": "w1", "rank": 1}
    assert "worker" not in again.metadata
    assert merge([one]).metadata["worker"] == "w0"


def test_ties_go_by_rank_then_worker_then_place() -> None:
    """Equal times are ordered by rank (2 before 10), then worker, then place; those that say neither come last."""
    chains = [
        chain("none", event("n", 0)),
        chain("ten", event("t1", 0), event("t2", 0), rank=10),
        chain("two-b", event("b", 0), rank=2, worker="b"),
        chain("two-a", event("a", 0), rank=2, worker="a"),
    ]
    assert ids(merge(chains)) == ids(merge(chains[::-1])) == ["a", "b", "t1", "t2", "n"]


def test_the_same_event_is_taken_once() -> None:
    """An event that two chains hold comes once, with the first of their ranks, whatever the order of the chains."""
    shared = event("shared", 0, x=float("nan"))
    one, two = chain("one", shared, rank=1), chain("two", Event.from_dict(shared.to_dict()), rank=0)
    for chains in ([one, two], [two, one]):
        merged = merge(chains)
        assert len(merged) == 1
        assert merged[0].metadata["rank"] == 0


def test_the_same_id_with_other_content_is_refused() -> None:
    """Nobody could tell which event a link means, so all such ids are named and nothing is merged."""
    one = chain("one", event("a", 0), event("b", 1))
    two = chain("two", event("a", 5), event("b", 1, None, "x"))
    with pytest.raises(SpecErrors) as caught:
        merge([one, two])
    assert [error.path for error in caught.value.errors] == ["chains[1].events[0]", "chains[1].events[1]"]
    assert "event a of chain 'two'" in str(caught.value)
    many = [chain(f"{which}", *(event(f"e{number}", which) for number in range(150))) for which in (0, 1)]
    with pytest.raises(SpecErrors) as caught:
        merge(many)
    assert len(caught.value.errors) == 101
    assert str(caught.value.errors[-1]) == "and 50 more"


def test_repeated_ids_of_one_file() -> None:
    """A chain that was loaded with an event twice gives it once."""
    data = chain("one", event("a", 0)).to_dict()
    data["events"] *= 2
    assert ids(merge([Chain.from_dict(data)])) == ["a"]


def test_cycles_do_not_hang() -> None:
    """Events in a cycle keep the order of time, what rests on them comes after, and the cycle is reported."""
    odd = chain(
        "odd",
        event("after", 0, "x"),
        event("x", 3, "y"),
        event("y", 2, "z"),
        event("z", 4, "x"),
        event("self", 1, "self"),
    )
    merged = merge([odd])
    assert ids(merged) == ["self", "y", "x", "after", "z"]
    assert merged.metadata["merged"]["cycles"] == [{"events": 3, "ids": ["y", "x", "z"]}]
    long = chain("long", *(event(f"e{number}", number, f"e{(number + 1) % 5000}") for number in range(5000)))
    merged = merge([long])
    assert ids(merged) == ids(long)
    assert merged.metadata["merged"]["cycles"][0]["events"] == 5000


def test_a_cycle_waits_as_one() -> None:
    """Events in a cycle come after all that any of them rests on, and still in the order of time."""
    odd = chain("odd", event("a", 0, "b", "x"), event("b", 1, "a"), event("c", 3), event("x", 2))
    assert ids(merge([odd])) == ["x", "a", "b", "c"]


def test_parts_of_one_chain() -> None:
    """Two parts of one chain, whose places and ids clash, merge to one order, whichever comes first."""
    whole = chain("x", *(event(f"e{number}", 0) for number in range(4)))
    first, second = (whole.filter(lambda each, part=part: each.id in part) for part in ({"e0", "e1"}, {"e2", "e3"}))
    assert ids(merge([first, second])) == ids(merge([second, first])) == ["e0", "e2", "e1", "e3"]


def test_long_way_back() -> None:
    """A chain in which every event waits for the next is turned round, without recursion."""
    backwards = chain("b", *(event(f"e{number}", number, f"e{number + 1}") for number in range(5000)))
    assert ids(merge([backwards])) == ids(backwards)[::-1]


def test_metadata_and_names() -> None:
    """The later value wins and both are kept; name, description and times are those of the chains."""
    one = Chain("night", description="run", metadata={"model": "m", "seed": 1}, created_at=START)
    two = Chain("night", metadata={"model": "m", "seed": 2}, created_at=START - timedelta(days=1))
    two.add(event("a", 50))
    merged = merge([one, two])
    assert (merged.name, merged.description) == ("night", "run")
    assert (merged.metadata["model"], merged.metadata["seed"]) == ("m", 2)
    assert merged.metadata["merged"]["conflicts"] == {"seed": [1, 2]}
    assert (merged.created_at, merged.updated_at) == (two.created_at, two.updated_at)
    assert merge([Chain(name) for name in "abcde"]).name == "a + b + c and 2 more"
    assert merge([one, two], name="x").name == "x"
    nothing = merge([])
    assert (nothing.name, len(nothing), nothing.metadata) == ("Merged", 0, {})


def test_unknown_order() -> None:
    """An order that is unknown is refused, with what was probably meant."""
    with pytest.raises(SpecError, match="causal"):
        merge([], by="casual")  # pyright: ignore[reportArgumentType]  # what a caller without types may write


@st.composite
def worlds(draw: st.DrawFn, *, distinct_times: bool = False) -> list[Chain]:
    """Chains of some workers; links lead anywhere."""
    count = draw(st.integers(0, 24))
    times = draw(st.permutations(range(count)) if distinct_times else st.lists(st.integers(0, 8), min_size=count))
    names = [f"e{number}" for number in range(count)]
    link = st.sampled_from([*names, "missing"]) if names else st.just("missing")
    made = [
        event(name, times[number], draw(st.none() | link), *draw(st.lists(link, max_size=2)))
        for number, name in enumerate(names)
    ]
    chains: list[list[Event]] = [[], [], []]
    for each in made:
        for which in draw(st.sets(st.integers(0, 2), min_size=1, max_size=2)):
            chains[which].append(each)
    return [chain(f"w{rank}", *events, rank=rank) for rank, events in enumerate(chains)]


def content(merged: Chain) -> list[dict[str, Any]]:
    """Return the events with all that they say."""
    return [each.to_dict() for each in merged]


@given(worlds(), st.permutations([0, 1, 2]), st.sampled_from(["causal", "time"]))
@settings(deadline=None)
def test_order_of_merging_does_not_matter(world: list[Chain], order: list[int], by: Any) -> None:
    """Any order of chains of different ranks gives the same events in the same order; no event is lost or doubled."""
    merged = merge(world, by=by)
    assert content(merged) == content(merge([world[place] for place in order], by=by))
    assert set(ids(merged)) == {each.id for part in world for each in part}
    assert len(set(ids(merged))) == len(merged)


@given(st.booleans().flatmap(lambda distinct: st.tuples(st.just(distinct), worlds(distinct_times=distinct))))
@settings(deadline=None)
def test_merging_step_by_step(case: tuple[bool, list[Chain]]) -> None:
    """Merging two and then the third gives the same events as all at once; in the same order if no times clash."""
    are_distinct, world = case
    at_once = content(merge(world))
    first, second, third = world
    for steps in (
        merge([merge([first, second]), third]),
        merge([first, merge([second, third])]),
        merge([merge(world)]),
    ):
        events = content(steps)
        if not are_distinct:
            events.sort(key=lambda each: each["id"])
        assert events == (at_once if are_distinct else sorted(at_once, key=lambda each: each["id"]))


@given(worlds())
@settings(deadline=None)
def test_every_link_points_back_but_in_cycles(world: list[Chain]) -> None:
    """An event comes after its parent and what it depends on, unless they are in one cycle."""
    events = sorted({each.id: each for part in world for each in part}.values(), key=lambda each: each.timestamp)
    ordered, knots = in_causal_order(events)
    place = {each.id: number for number, each in enumerate(ordered)}
    knot_of = {each.id: number for number, knot in enumerate(knots) for each in knot}
    for each in ordered:
        for target in (each.parent_id, *each.depends_on):
            if target in place and target != each.id:
                in_one_knot = target in knot_of and knot_of[target] == knot_of.get(each.id)
                assert in_one_knot or place[target] < place[each.id]
    for knot in knots:
        assert sorted(knot, key=lambda each: place[each.id]) == knot
        assert [each.timestamp for each in knot] == sorted(each.timestamp for each in knot)
