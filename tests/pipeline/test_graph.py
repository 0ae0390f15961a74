"""`needs`: branches run in parallel, and what comes out does not depend on which was faster."""

import asyncio
import itertools
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import ContractError, SpecErrors, StoreError
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import Context, Resume, StageRecord, check_cancelled
from crucible.pipeline.graph import Ways, ancestors, dependencies


def test_sync_branches_overlap(lab: Any) -> None:
    """Two sync stages of two branches are inside `run` at the same time: each waits for the other."""
    barrier = threading.Barrier(2, timeout=30)

    @lab.stage
    def meet(context: Any, options: Any) -> Any:
        barrier.wait()
        return context

    result = lab.run({"name": "meet", "id": "a", "needs": []}, {"name": "meet", "id": "b", "needs": []})
    assert result.status == "completed", result.failure
    assert lab.memory.overlaps == 0


def test_async_and_sync_branches_overlap(lab: Any) -> None:
    """An async stage and a sync one run at the same time, too."""
    sync_in, async_in = threading.Event(), threading.Event()

    @lab.stage
    def blocks(context: Any, options: Any) -> Any:
        sync_in.set()
        assert async_in.wait(30)
        return context.put_metric("blocks", True)

    @lab.stage
    async def awaits(context: Any, options: Any) -> Any:
        while not sync_in.is_set():
            await asyncio.sleep(0.001)
        async_in.set()
        return context.put_metric("awaits", True)

    result = lab.run({"name": "blocks", "needs": []}, {"name": "awaits", "needs": []})
    assert result.context.metrics == {"blocks": True, "awaits": True}


def test_needs_nothing_starts_at_once(lab: Any) -> None:
    """needs: [] does not wait for what stands before it, even where that waits for it to be done."""
    free = threading.Event()

    @lab.stage
    def waits(context: Any, options: Any) -> Any:
        assert free.wait(30)
        return context

    @lab.stage
    def frees(context: Any, options: Any) -> Any:
        free.set()
        return context

    result = lab.run("waits", {"name": "frees", "needs": []})
    assert result.status == "completed"
    assert [record.name for record, _ in lab.memory.finished] == ["frees", "waits"]
    assert [record.name for record in result.stages] == ["waits", "frees"]
    assert result.context.completed_stages == ["waits", "frees"]


def test_without_needs_everything_before_it_is_waited_for(lab: Any) -> None:
    """In a graph, too, an entry without `needs` comes after all before it, and sees all of it."""

    @lab.stage
    def look(context: Any, options: Any) -> Any:
        return context.assign("seen", list(context.metrics))

    result = lab.run({"name": "count", "needs": []}, {"name": "later", "needs": []}, "look")
    assert result.context.get_assign("seen") == ["n", "later"]


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_what_a_branch_sees_and_leaves_does_not_depend_on_speed(lab: Any, order: tuple[str, ...]) -> None:
    """Branches that end in any order leave the same context: outputs, metrics and stages in pipeline order."""
    gates = {name: threading.Event() for name in "abc"}
    gates[order[0]].set()

    def branch(name: str) -> Any:
        def run(context: Any, options: Any) -> Any:
            assert gates[name].wait(30)
            following = order.index(name) + 1
            if following < 3:
                gates[order[following]].set()
            seen = [output["by"] for output in context.outputs]
            return context.add_output({"by": name, "seen": seen}).put_metric(name, 1).put_resource(f"r{name}", name)

        run.__name__ = name
        return run

    for name in "abc":
        lab.stage(branch(name))
    entries = [{"name": name, "needs": []} for name in "abc"]
    result = lab.run(*entries, {"name": "count", "needs": ["a", "b", "c"]})
    assert list(result.context.outputs) == [{"by": name, "seen": []} for name in "abc"]
    assert list(result.context.metrics) == ["a", "b", "c", "n"]
    assert list(result.context.resources) == ["ra", "rb", "rc", "live"]
    assert result.context.completed_stages == ["a", "b", "c", "count"]


def test_a_diamond(lab: Any) -> None:
    """Both sides see the top, neither sees the other, and the bottom sees all."""

    @lab.stage
    def note(context: Any, options: Any) -> Any:
        place = len(context.completed_stages)
        return context.add_output({"before": [output["me"] for output in context.outputs], "me": place})

    result = lab.run(
        {"name": "note", "id": "top", "needs": []},
        {"name": "note", "id": "left", "needs": ["top"]},
        {"name": "note", "id": "right", "needs": ["top"]},
        {"name": "note", "id": "bottom", "needs": ["left", "right"]},
    )
    assert [output["before"] for output in result.context.outputs] == [[], [0], [0], [0, 1, 1]]
    assert result.context.completed_stages == ["note"] * 4


def test_one_sided_needs_hide_the_other_side(lab: Any) -> None:
    """An entry is given what is on its own ways, and nothing else, even where that is done already."""
    done = threading.Event()

    @lab.stage
    def first(context: Any, options: Any) -> Any:
        done.set()
        return context.put_metric("first", 1)

    @lab.stage
    def second(context: Any, options: Any) -> Any:
        assert done.wait(30)
        return context.put_metric("second", 2)

    @lab.stage
    def look(context: Any, options: Any) -> Any:
        return context.assign("seen", dict(context.metrics))

    result = lab.run(
        {"name": "first", "needs": []}, {"name": "second", "needs": []}, {"name": "look", "needs": ["second"]}
    )
    assert result.context.get_assign("seen") == {"second": 2}
    assert result.context.metrics == {"first": 1, "second": 2}


SETTERS: dict[str, Any] = {
    "metrics.x": lambda context: context.put_metric("x", object.__hash__(object())),
    "assigns.x": lambda context: context.assign("x", [1]),
    "resources.x": lambda context: context.put_resource("x", object()),
}


@pytest.mark.parametrize("what", SETTERS)
@pytest.mark.parametrize("joined", [True, False])
def test_two_branches_that_set_the_same_are_refused(lab: Any, what: str, joined: bool) -> None:
    """One of both would be lost, so the joining entry fails, or the run where nobody joins; completed work is kept."""

    @lab.stage
    def sets(context: Any, options: Any) -> Any:
        return SETTERS[what](context)

    entries: list[Any] = [{"name": "sets", "id": "a", "needs": []}, {"name": "sets", "id": "b", "needs": []}]
    result = lab.run(*entries, *([{"name": "count", "on_error": "skip"}] if joined else []))
    assert isinstance(result.error, ContractError)
    assert f"pipeline[0] and pipeline[1] ran in parallel and both set {what}" in result.failure.message
    assert [record.status for record in result.stages] == ["ok", "ok", *(["failed"] if joined else [])]
    assert (result.failed is not None) is joined
    assert lab.memory.ended[0] == "failed"


def test_one_after_the_other_may_set_the_same(lab: Any) -> None:
    """Along a way, a later entry overwrites an earlier one, also where ways join."""
    result = lab.run(
        {"name": "count", "id": "a", "needs": []},
        {"name": "count", "id": "b", "needs": ["a"]},
        {"name": "later", "needs": []},
        {"name": "count", "id": "c", "needs": ["b", "later"]},
    )
    assert result.status == "completed", result.failure
    assert result.context.metrics == {"n": 3, "later": True}


def test_a_conflict_further_down_is_found(lab: Any) -> None:
    """Two branches off one setter conflict where they join, though both come after it."""
    result = lab.run(
        {"name": "count", "id": "a", "needs": []},
        {"name": "count", "id": "b", "needs": ["a"]},
        {"name": "count", "id": "c", "needs": ["a"]},
        {"name": "later", "needs": ["b", "c"]},
    )
    assert "pipeline[1] and pipeline[2] ran in parallel and both set metrics.n" in result.failure.message


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failing_branch_stops_the_others(lab: Any, kind: str) -> None:
    """Running siblings are cancelled and recorded with the reason; what has not begun has no record."""
    running = threading.Event()

    def _sync(context: Any, options: Any) -> Any:
        running.set()
        while True:
            check_cancelled()
            threading.Event().wait(0.002)

    async def _async(context: Any, options: Any) -> Any:
        running.set()
        await asyncio.sleep(60)

    body = _sync if kind == "sync" else _async
    body.__name__ = "sibling"
    lab.stage(body)

    @lab.stage
    def fails(context: Any, options: Any) -> Any:
        assert running.wait(30)
        raise ValueError("broken glass")

    result = lab.run(
        {"name": "sibling", "needs": []},
        {"name": "fails", "needs": []},
        {"name": "count", "needs": ["sibling"]},
    )
    assert result.status == "failed"
    assert [(record.name, record.status, record.reason) for record in result.stages] == [
        ("sibling", "cancelled", "pipeline[1] fails failed"),
        ("fails", "failed", None),
    ]
    assert result.failed == result.stages[1]
    assert result.failure.message == "broken glass"
    assert result.passed_over == ()


def test_completed_branches_are_kept_when_another_fails(lab: Any) -> None:
    """What was done before the failure is in the context and in the records."""
    result = lab.run({"name": "count", "needs": []}, {"name": "boom", "needs": ["count"]})
    assert result.context.metrics == {"n": 1}
    assert result.context.completed_stages == ["count"]


def test_two_branches_fail_together(lab: Any) -> None:
    """The first failure is the run's; the second has a record, and is not taken for one that was passed over."""
    barrier = threading.Barrier(2, timeout=30)

    @lab.stage
    def fails(context: Any, options: Any) -> Any:
        barrier.wait()
        raise ValueError("broken glass")

    result = lab.run({"name": "fails", "id": "a", "needs": []}, {"name": "fails", "id": "b", "needs": []})
    statuses = sorted(record.status for record in result.stages)
    assert statuses in (["failed", "failed"], ["cancelled", "failed"])
    assert result.failed in result.stages
    assert result.passed_over == ()


def test_a_branch_that_is_passed_over_stops_nobody(lab: Any) -> None:
    """on_error works in a branch as in a row."""
    result = lab.run({"name": "boom", "needs": [], "on_error": "continue"}, {"name": "count", "needs": []}, "count")
    assert result.status == "completed"
    assert result.context.metrics == {"n": 2}


def test_resume_of_a_graph(lab: Any) -> None:
    """Completed branches are rebuilt, each with what it had added; the others run."""
    from crucible.pipeline import ContextDelta

    resume = Resume(
        deltas={0: ContextDelta(metrics={"n": 40}), 2: ContextDelta(outputs=[{"old": True}])},
        completed={0: StageRecord(0, "count", "ok"), 2: StageRecord(2, "boom", "ok")},
        attempts={0: 1, 1: 1, 2: 2},
    )
    result = lab.run(
        {"name": "count", "needs": []},
        {"name": "later", "needs": []},
        {"name": "boom", "needs": []},
        {"name": "count", "id": "end", "needs": ["count", "boom"]},
        resume=resume,
    )
    assert result.status == "completed", result.failure
    assert result.context.metrics == {"n": 41, "later": True}
    assert list(result.context.outputs) == [{"old": True}]
    assert result.context.completed_stages == ["count", "later", "boom", "count"]
    assert [record.index for record, _ in lab.memory.finished] == [1, 3]
    assert [record.attempt for record in result.stages] == [1, 2, 1, 1]


@pytest.mark.parametrize("place", ["stage_started", "stage_finished"])
def test_a_lost_record_of_a_branch_stops_the_others(lab: Any, place: str) -> None:
    """A record that cannot be kept ends the run, and the siblings' reason says so."""
    running = threading.Event()

    @lab.stage
    async def sibling(context: Any, options: Any) -> Any:
        lab.memory.fail_at = place
        running.set()
        try:
            await asyncio.sleep(60)
        finally:
            lab.memory.fail_at = ""

    @lab.stage
    async def other(context: Any, options: Any) -> Any:
        while not running.is_set():
            await asyncio.sleep(0.001)
        return context

    result = lab.run(
        {"name": "sibling", "needs": []},
        {"name": "other", "needs": []},
        {"name": "count", "needs": ["other"]},
    )
    assert isinstance(result.error, StoreError)
    assert result.failed is None
    assert result.stages[0].status == "cancelled"
    assert result.stages[0].reason == "the run failed: disk full"


@pytest.mark.parametrize(
    ("entries", "path", "words"),
    [
        ([{"name": "count", "needs": ["nobody"]}], "pipeline[0].needs[0]", "there are: none"),
        (["count", {"name": "later", "needs": ["cont"]}], "pipeline[1].needs[0]", 'did you mean "count"'),
        ([{"name": "count", "needs": ["later"]}, "later"], "pipeline[0].needs[0]", "comes later"),
        ([{"name": "count", "needs": ["count"]}], "pipeline[0].needs[0]", "cannot need itself"),
        (["count", "count", {"name": "later", "needs": ["count"]}], "pipeline[2].needs[0]", "2 entries are called"),
        ([{"name": "count", "id": "a"}, {"name": "later", "needs": ["a", "count"]}], "pipeline[1].needs[1]", "are: a"),
    ],
)
def test_needs_that_do_not_fit_are_refused(lab: Any, entries: list[Any], path: str, words: str) -> None:
    """Unknown, later, own and ambiguous names are refused by path before anything runs."""
    with pytest.raises(SpecErrors) as caught:
        lab.run(*entries)
    (problem,) = caught.value.errors
    assert problem.path == path
    assert words in problem.message
    assert lab.memory.calls == []


def test_ancestors_follow_every_way(lab: Any) -> None:
    """What comes before an entry is found along all of its ways."""
    pipeline = lab.experiment(
        {"name": "a", "needs": []},
        {"name": "b", "needs": []},
        {"name": "c", "needs": ["a"]},
        {"name": "d", "needs": ["c"]},
        "e",
    ).pipeline
    direct = dependencies(pipeline)
    assert list(map(set, direct)) == [set(), set(), {0}, {2}, {0, 1, 2, 3}]
    assert [set(places.since(0)) for places in ancestors(direct)] == [set(), set(), {0}, {0, 2}, {0, 1, 2, 3}]


@given(st.lists(st.none() | st.sets(st.integers(0, 30)), max_size=16))
def test_ancestors_are_all_that_can_be_reached(needs: list[set[int] | None]) -> None:
    """Whatever needs what: the ancestors are those that an entry waits for, and theirs; None is all before it."""
    pipeline = [
        StageDef(name="s", id=f"s{i}", needs=None if each is None else [f"s{n % i}" for n in each if i])
        for i, each in enumerate(needs)
    ]
    expected: list[set[int]] = []
    for i, each in enumerate(needs):
        direct = set(range(i)) if each is None else {n % i for n in each if i}
        expected.append(direct.union(*(expected[n] for n in direct)))
    found = ancestors(dependencies(pipeline))
    assert [set(places.since(0)) for places in found] == expected
    for places, theirs in zip(found, expected, strict=True):
        assert [place in places for place in range(20)] == [place in theirs for place in range(20)]
        assert list(places.since(3)) == sorted(place for place in theirs if place >= 3)
        assert "3" not in places


@given(st.lists(st.none() | st.sets(st.integers(0, 30)), max_size=12), st.randoms())
def test_what_an_entry_is_given_is_what_its_ways_added(needs: list[set[int] | None], random: Any) -> None:
    """In whatever order the entries end, each is given what its ancestors added, in pipeline order."""
    pipeline = [
        StageDef(name="s", id=f"s{i}", needs=None if each is None else [f"s{n % i}" for n in each if i])
        for i, each in enumerate(needs)
    ]
    direct = dependencies(pipeline)
    above = [list(places.since(0)) for places in ancestors(direct)]
    experiment = Experiment(id="e", backend=BackendRef(id="local"), pipeline=(StageDef(name="s"),))
    ways = Ways(Context(run_id="r", experiment=experiment, workspace=Path()), direct)
    left = set(range(len(pipeline)))
    while left:
        ready = sorted(place for place in left if left.isdisjoint(above[place]))
        place = random.choice(ready)
        before = ways.before(place)
        assert list(before.metrics) == [f"m{i}" for i in above[place]]
        assert list(before.outputs) == [{"n": i} for i in above[place]]
        assert list(before.completed_stages) == [f"s{i}" for i in above[place]]
        after = before.put_metric(f"m{place}", place).add_output({"n": place}).mark_stage_complete(f"s{place}")
        ways.keep(place, before, after)
        left.remove(place)
    assert list(ways.end().metrics) == [f"m{i}" for i in range(len(pipeline))]


def test_so_many_branches_run_at_once_and_no_more(lab: Any) -> None:
    """`max_parallel` bounds how many branches are under way; the others wait for their turn."""
    under_way, most = list[int](), list[int]()

    @lab.stage
    async def counts(context: Any, options: Any) -> Any:
        under_way.append(1)
        most.append(len(under_way))
        await asyncio.sleep(0.001)
        under_way.pop()
        return context

    entries = [{"name": "counts", "id": f"b{i}", "needs": []} for i in range(40)]
    for bound in (1, 3):
        most.clear()
        result = lab.runner(max_parallel=bound).run(lab.experiment(*entries), workspace=lab.workspace)
        assert result.status == "completed"
        assert max(most) == bound
    lab.run(*entries)
    assert max(most) == 16
    with pytest.raises(ContractError, match="max_parallel must be at least 1, got 0"):
        lab.runner(max_parallel=0)


@pytest.mark.parametrize("shape", ["chain", "fan", "mixed"])
def test_a_graph_of_five_hundred(lab: Any, shape: str) -> None:
    """Long chains and wide fans are carried out without running out of anything."""

    @lab.stage
    async def add(context: Context, options: Any) -> Any:
        return context.add_output({"after": len(context.outputs)})

    def entry(i: int) -> dict[str, Any]:
        if shape == "mixed":
            return {"name": "add", "id": f"s{i}", "needs": [] if i == 0 else None}
        needs = [f"s{i - 1}"] if shape == "chain" and i else []
        return {"name": "add", "id": f"s{i}", "needs": needs}

    result = lab.run(*(entry(i) for i in range(500)), "add")
    assert len(result.context.outputs) == 501
    assert result.context.outputs[-1]["after"] == 500
    assert result.context.outputs[499]["after"] == (0 if shape == "fan" else 499)
