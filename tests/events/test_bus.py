"""The bus: who hears what, scopes, spans, and listeners that fail."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from crucible import events
from crucible.errors import ContractError


def test_nobody_listening_is_silent() -> None:
    """An emit without listeners returns nothing and keeps nothing."""
    assert events.emit("x.y", {"a": 1}) is None


def test_names_select_by_exact_name_and_prefix() -> None:
    """A handler hears its exact names and what begins with its prefixes, nothing else."""
    heard: list[str] = []
    events.attach("t", ["a.b", "c.*"], lambda event: heard.append(event.name))
    try:
        for name in ("a.b", "a.bc", "c.d", "cd", "e"):
            events.emit(name)
    finally:
        assert events.detach("t")
    events.emit("a.b")
    assert heard == ["a.b", "c.d"]
    assert not events.detach("t")


def test_attaching_the_same_id_replaces() -> None:
    """A second attach under one id replaces the first, so that no event is heard twice."""
    first: list[events.Event] = []
    second: list[events.Event] = []
    events.attach("same", "*", first.append)
    events.attach("same", "*", second.append)
    assert events.attached().count("same") == 1
    events.emit("x")
    events.detach("same")
    assert not first
    assert len(second) == 1


def test_a_raising_handler_is_counted_and_stays() -> None:
    """A handler that raises breaks neither the emitter nor the others, and hears the next event too."""
    heard: list[str] = []

    def bad(event: events.Event) -> None:
        heard.append(event.name)
        raise ValueError("no")

    events.attach("bad", "*", bad)
    with events.collect() as others:
        events.emit("one")
        events.emit("two")
    events.detach("bad")
    assert heard == ["one", "two"]
    assert [event.name for event in others] == ["one", "two"]
    assert events.handler_errors()["bad"] == 2


def test_span_emits_start_and_stop_with_duration_and_parent() -> None:
    """A span opens and closes once, with duration_ns, and is the parent of what happens inside."""
    with events.collect() as found, events.span("s", {"who": "me"}) as span:
        events.emit("inside")
        span.measure(items=3)
        span.annotate(more="yes")
    start, inside, stop = found
    assert (start.name, inside.name, stop.name) == ("s.start", "inside", "s.stop")
    assert start.metadata == {"who": "me"}
    assert stop.measurements["items"] == 3
    assert stop.measurements["duration_ns"] >= 0
    assert stop.metadata == {"who": "me", "more": "yes"}
    assert inside.parent_span_id == start.span_id == stop.span_id == span.span_id
    assert start.parent_span_id is None


def test_span_reports_an_exception_and_lets_it_pass() -> None:
    """A failing span closes with .exception, which names type and message."""
    with events.collect() as found, pytest.raises(KeyError), events.span("s"):
        raise KeyError("gone")
    assert [event.name for event in found] == ["s.start", "s.exception"]
    assert found[1].metadata["error_type"] == "KeyError"
    assert "gone" in found[1].metadata["error"]
    assert events.current_scope().span_id is None


def test_scope_is_inherited_and_restored() -> None:
    """Scopes nest: inner ones keep what they do not set, and leaving restores the outer one."""
    with events.scope(run_id="r", experiment_id="e"):
        with events.scope(stage="s", stage_index=2) as inner:
            assert (inner.run_id, inner.stage, inner.stage_index) == ("r", "s", 2)
        assert events.current_scope().stage is None
    assert events.current_scope() == events.Scope()


def test_runs_in_threads_do_not_hear_each_other() -> None:
    """A handler bound to a run hears only what is emitted inside that run's scope, across threads."""
    heard: dict[str, list[int]] = {"a": [], "b": []}
    for run_id, numbers in heard.items():
        events.attach(run_id, "n", lambda e, numbers=numbers: numbers.append(e.measurements["n"]), run_id=run_id)
    barrier = threading.Barrier(2)

    def work(run_id: str, start: int) -> None:
        with events.scope(run_id=run_id):
            barrier.wait()
            for n in range(start, start + 200):
                events.emit("n", {"n": n})

    threads = [threading.Thread(target=work, args=("a", 0)), threading.Thread(target=work, args=("b", 1000))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events.emit("n", {"n": -1})
    for run_id in heard:
        events.detach(run_id)
    assert heard == {"a": list(range(200)), "b": list(range(1000, 1200))}


def test_runs_in_tasks_do_not_hear_each_other() -> None:
    """The same holds for tasks of one event loop."""

    async def work(run_id: str) -> list[str]:
        with events.scope(run_id=run_id), events.collect(run_id=run_id) as found:
            for _ in range(5):
                events.emit("n", metadata={"run": run_id})
                await asyncio.sleep(0)
        return [event.metadata["run"] for event in found]

    async def both() -> list[list[str]]:
        return list(await asyncio.gather(work("a"), work("b")))

    assert asyncio.run(both()) == [["a"] * 5, ["b"] * 5]


def test_decision_says_what_why_and_over_what() -> None:
    """A decision travels as one event with everything that the trace needs."""
    with events.collect("crucible_trace.decision.made") as found:
        events.decision("kept 80", "lowest loss", alternatives=("60", "100"), metadata={"metric": "loss"})
    assert found[0].metadata == {
        "metric": "loss",
        "decision": "kept 80",
        "reasoning": "lowest loss",
        "alternatives": ["60", "100"],
        "confidence": None,
        "type": "decision_made",
    }


def test_registry_knows_spans_with_their_units() -> None:
    """Every closing event of a span has duration_ns in its measurements, and categories list every name."""
    for name in events.registry.standard_events():
        info = events.registry.event_info(name)
        assert info is not None
        assert info.description
        assert info.emitted_by
        if name.endswith((".exception",)):
            assert info.measurements["duration_ns"] == "ns"
    listed = {name for names in events.registry.events_by_category().values() for name in names}
    assert listed == set(events.registry.standard_events())
    assert events.registry.event_info("no.such") is None


def test_a_span_tells_of_an_error_that_cannot_say_what_it_is() -> None:
    """An error whose message cannot be made is raised as it is, and the span ends as `.exception`."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with events.collect("work.*") as found, pytest.raises(Mute), events.span("work"):
        raise Mute
    assert [event.name for event in found] == ["work.start", "work.exception"]
    assert found[1].metadata == {"error_type": "Mute", "error": "its message could not be made (RuntimeError)"}


def test_aliases_are_heard_under_the_name_that_is_emitted() -> None:
    """Who listens for the predecessor's name, or for all that begin with it, hears the event under today's."""
    for names in ("causal_trace.event.created", "causal_trace.*"):
        with events.collect(names) as heard:
            events.emit("crucible_trace.event.created")
            events.emit("crucible_train.batch.stop")
        assert [event.name for event in heard] == ["crucible_trace.event.created"]


def test_a_generator_closed_by_another_task_keeps_its_error_and_its_place() -> None:
    """Its span ends where it began, with the error that came, and leaves nobody inside a span that has ended."""

    async def steps() -> AsyncIterator[int]:
        with events.scope(run_id="mine"), events.span("crucible_train.training"):
            yield 1

    async def main() -> None:
        generator = steps()
        await asyncio.create_task(anext(generator))  # type: ignore[arg-type]

        async def close() -> None:
            with events.scope(run_id="other"):
                await generator.athrow(KeyError("mine"))  # type: ignore[attr-defined]

        with pytest.raises(KeyError, match="mine"):
            await asyncio.create_task(close())

    with events.collect("*", run_id="mine") as heard:
        asyncio.run(main())
    assert [event.name for event in heard] == ["crucible_train.training.start", "crucible_train.training.exception"]
    assert heard[1].metadata["error_type"] == "KeyError"
    assert heard[0].parent_span_id == heard[1].parent_span_id


def test_interleaved_generators_leave_no_dead_span_behind() -> None:
    """Spans of two generators that end in the order in which they began: nothing is inside either afterwards."""

    def steps(name: str) -> Iterator[str | None]:
        with events.span(name):
            yield events.current_scope().span_id

    first, second = steps("crucible_train.training"), steps("crucible_train.epoch")
    outer, inner = next(first), next(second)
    assert outer != inner
    first.close()
    assert events.current_scope() == events.Scope()
    second.close()
    assert events.current_scope() == events.Scope()


def test_a_suspended_generator_keeps_nobody_in_its_span() -> None:
    """What encloses it ends for everybody, also where the generator is never finished."""

    def load() -> Iterator[int]:
        with events.span("crucible_data.evaluation"):
            yield 1

    with events.scope(run_id="r1"), events.span("crucible_framework.pipeline"):
        around = events.current_scope()
        with events.scope(stage="s1"):
            loading = load()
            next(loading)
        assert events.current_scope() == around
    assert events.current_scope() == events.Scope()
    loading.close()
    assert events.current_scope() == events.Scope()


def test_a_task_stays_in_the_run_that_made_it() -> None:
    """Work that outlives the block in which it began is still the run's."""

    async def work(began: asyncio.Event) -> None:
        await began.wait()
        events.emit("crucible_train.batch.stop")

    async def main() -> None:
        began = asyncio.Event()
        with events.scope(run_id="r", stage="s"):
            task = asyncio.create_task(work(began))
            await asyncio.sleep(0)
        began.set()
        await task

    with events.collect("*", run_id="r") as heard:
        asyncio.run(main())
    assert [event.scope.stage for event in heard] == ["s"]


def test_a_scope_is_entered_once_at_a_time() -> None:
    """Entering an open block again is refused; after it ended it may be used again."""
    scope = events.scope(run_id="r")
    with scope, pytest.raises(ContractError, match="open already"), scope:
        pass
    with scope:
        assert events.current_scope().run_id == "r"
    assert events.current_scope() == events.Scope()


def _elsewhere(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_standing_scopes_that_ended_elsewhere_are_gone() -> None:
    """Whichever ends first, and wherever: nobody stays in a scope that ended, nor in what was around it."""
    outer = events.Standing(recording_id="outer")
    outer.enter()
    inner = events.Standing(recording_id="inner")
    inner.enter()
    _elsewhere(inner.leave)
    assert events.current_scope().recording_id == "outer"
    with events.span("x.work"):
        assert events.current_scope().recording_id == "outer"
    _elsewhere(outer.leave)
    assert events.current_scope() == events.Scope()


def test_standing_scopes_that_ended_elsewhere_do_not_pile_up() -> None:
    """The next one stands in place of those that ended, so that a loop of them takes no memory."""
    for _ in range(3):
        standing = events.Standing(recording_id="one")
        standing.enter()
        outermost = standing.outer
        _elsewhere(standing.leave)
    assert outermost.outer is outermost
    last = events.Standing(recording_id="last")
    last.enter()
    last.leave()
    assert events.current_scope() == events.Scope()
