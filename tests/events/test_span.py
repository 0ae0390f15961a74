"""Spans: their ids, what they share, and functions of which every call is one."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator

import pytest

from crucible import events
from crucible.errors import ContractError


def test_the_outermost_span_gives_the_correlation_id() -> None:
    """Its own events have it, too, and everything inside inherits it; the next outermost span has another."""
    with events.collect() as found:
        events.emit("lab.before")
        with events.span("lab.outer") as outer, events.span("lab.inner"):
            events.emit("lab.inside")
        with events.span("lab.next") as following:
            assert following.correlation_id == following.span_id
    assert found[0].correlation_id is None
    assert {event.correlation_id for event in found[1:6]} == {outer.span_id}
    assert {event.correlation_id for event in found[6:]} == {following.span_id}
    assert outer.span_id != following.span_id


def test_a_correlation_id_from_outside_is_taken_over() -> None:
    """A scope or a span sets one for itself and everything inside, until another is set."""
    with events.collect() as found:
        with events.scope(correlation_id="request-7"), events.span("lab.a"), events.span("lab.b"):
            events.emit("lab.c")
        with events.span("lab.d", correlation_id="request-8") as d:
            with events.span("lab.e", correlation_id="request-9"):
                events.emit("lab.f")
            events.emit("lab.g")
            assert d.correlation_id == "request-8"
    by_name = {event.name: event.correlation_id for event in found}
    assert {by_name[name] for name in ("lab.a.start", "lab.a.stop", "lab.b.start", "lab.c")} == {"request-7"}
    assert {by_name[name] for name in ("lab.d.start", "lab.d.stop", "lab.g")} == {"request-8"}
    assert {by_name[name] for name in ("lab.e.start", "lab.e.stop", "lab.f")} == {"request-9"}


def test_spans_keep_run_stage_and_recording() -> None:
    """What is around a span holds inside and for its own events."""
    around = {"run_id": "r", "experiment_id": "e", "stage": "s", "stage_index": 3, "recording_id": "x"}
    with events.collect() as found, events.scope(**around), events.span("lab.a"):
        events.emit("lab.b")
    for event in found:
        assert {key: getattr(event.scope, key) for key in around} == around


def test_who_begins_to_listen_inside_hears_the_spans_around() -> None:
    """What nobody asked for at the beginning is made later: parents, correlation id, and the end with its duration."""
    with events.span("lab.outer") as outer, events.span("lab.inner") as inner, events.collect() as found:
        events.emit("lab.inside")
        with events.span("lab.innermost"):
            pass
    assert [event.parent_span_id for event in found[:2]] == [inner.span_id, inner.span_id]
    assert {event.correlation_id for event in found} == {outer.span_id}
    with events.collect() as found, events.span("lab.whole"):
        pass
    assert found[1].measurements["duration_ns"] > 0


def test_thousands_of_spans_in_each_other_are_resolved() -> None:
    """Nobody listens until the innermost, which is deeper than Python's own stack may be."""
    opened = [events.span(f"lab.s{number}") for number in range(5000)]
    for each in opened:
        each.__enter__()
    with events.collect() as found:
        events.emit("lab.inside")
    for each in reversed(opened):
        each.__exit__(None, None, None)
    assert found[0].parent_span_id == opened[-1].span_id
    assert found[0].correlation_id == opened[0].span_id
    assert events.current_scope() == events.Scope()


def test_threads_inside_of_one_span_agree_on_its_id() -> None:
    """Several that ask at once for what was not made yet get the same."""
    import contextvars

    for _ in range(50):
        found: list[str | None] = []
        barrier = threading.Barrier(4)

        def ask(found: list[str | None] = found, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            found.append(events.current_scope().span_id)

        with events.span("lab.work") as span:
            threads = [threading.Thread(target=contextvars.copy_context().run, args=(ask,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert found == [span.span_id] * 4


def test_a_span_is_opened_once() -> None:
    """Opened before, it is refused, also after it ended; a function that it decorates has one of its own each time."""
    span = events.span("lab.work")
    with span, pytest.raises(ContractError, match="opened before"), span:
        pass
    with pytest.raises(ContractError, match="opened before"), span:
        pass


def test_what_is_changed_later_was_not_said_before() -> None:
    """The words of a span are those it was made with, whatever becomes of the mapping."""
    words = {"model": "a"}
    with events.collect() as found, events.span("lab.work", words) as span:
        words["model"] = "b"
        span.measure(items=1)
        span.measure(items=2, tokens=3)
        span.annotate(first=1)
        span.annotate(second=2)
    assert found[0].metadata == {"model": "a"}
    assert found[1].metadata == {"model": "a", "first": 1, "second": 2}
    assert {**found[1].measurements, "duration_ns": 0} == {"duration_ns": 0, "items": 2, "tokens": 3}


def test_the_innermost_open_span_is_found() -> None:
    """Code that was not handed the span adds to it, through scopes, too; outside there is none."""

    def add() -> None:
        span = events.current_span()
        assert span is not None
        span.measure(items=3)

    assert events.current_span() is None
    with events.collect("lab.work.stop") as found, events.span("lab.work"), events.scope(stage="s"):
        add()
    assert found[0].measurements["items"] == 3
    assert events.current_span() is None


def test_a_task_that_outlives_a_span_stays_in_its_run() -> None:
    """A span that such a task opens and ends leaves it in the run and the stage in which it was made."""

    async def work(began: asyncio.Event) -> None:
        await began.wait()
        with events.span("lab.work"):
            pass
        events.emit("lab.after")

    async def main() -> None:
        began = asyncio.Event()
        with events.scope(run_id="r", stage="s"):
            task = asyncio.create_task(work(began))
            await asyncio.sleep(0)
        began.set()
        await task

    with events.collect(run_id="r") as found:
        asyncio.run(main())
    assert found.names() == ["lab.work.start", "lab.work.stop", "lab.after"]
    assert found[2].scope == events.Scope(run_id="r", stage="s")


# --- functions ---


def test_every_call_of_a_function_is_a_span() -> None:
    """It keeps its name and what it returns and raises; recursive calls lie in each other."""

    @events.span("lab.count", {"who": "me"})
    def count(down: int) -> int:
        """Count down."""
        if down < 0:
            raise ValueError("below 0")
        return 0 if down == 0 else 1 + count(down - 1)

    assert (count.__name__, count.__doc__) == ("count", "Count down.")
    with events.collect() as found:
        assert count(1) == 1
        with pytest.raises(ValueError, match="below"):
            count(-1)
    names = [name.removeprefix("lab.count.") for name in found.names()]
    assert names == ["start", "start", "stop", "stop", "start", "exception"]
    assert found[1].parent_span_id == found[0].span_id == found[3].span_id
    assert all(event.metadata["who"] == "me" for event in found)
    assert found[5].metadata["error"] == "below 0"


def test_every_call_of_a_method_is_a_span() -> None:
    """Methods get their object, static ones nothing."""

    class Lab:
        @events.span("lab.read")
        def read(self) -> Lab:
            return self

        @staticmethod
        @events.span("lab.static")
        def static(value: int) -> int:
            return value

    lab = Lab()
    with events.collect() as found:
        assert lab.read() is lab
        assert Lab.static(3) == 3
    assert found.counts() == {"lab.read.start": 1, "lab.read.stop": 1, "lab.static.start": 1, "lab.static.stop": 1}


def test_every_call_of_a_coroutine_function_is_a_span() -> None:
    """It ends when the coroutine does, and calls at the same time keep their events apart."""

    @events.span("lab.wait")
    async def wait(number: int) -> int:
        for _ in range(3):
            events.emit("lab.tick", metadata={"number": number})
            await asyncio.sleep(0)
        if number == 1:
            raise OSError("down")
        return number

    async def both() -> list[int | BaseException]:
        return await asyncio.gather(wait(0), wait(1), return_exceptions=True)

    assert inspect.iscoroutinefunction(wait)
    with events.collect() as found:
        first, second = asyncio.run(both())
    assert first == 0
    assert isinstance(second, OSError)
    parents = {(event.metadata["number"], event.parent_span_id) for event in found if event.name == "lab.tick"}
    assert len(parents) == 2
    assert found.counts() == {"lab.wait.start": 2, "lab.tick": 6, "lab.wait.stop": 1, "lab.wait.exception": 1}


def test_a_cancelled_coroutine_ends_as_exception() -> None:
    """A task that is cancelled closes its span with the cancellation."""

    @events.span("lab.wait")
    async def wait() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with events.collect() as found:
        asyncio.run(main())
    assert found[1].name == "lab.wait.exception"
    assert found[1].metadata["error_type"] == "CancelledError"


def test_a_generator_is_a_span_and_who_asks_for_its_items_is_not_inside() -> None:
    """Values go in and out as without it; what the consumer emits between two items is not the generator's."""

    @events.span("lab.items")
    def items() -> Generator[int, str, str]:
        events.emit("lab.inside")
        sent = yield 1
        events.emit("lab.inside")
        try:
            yield 2
        except KeyError:
            yield 3
        return sent

    with events.collect() as found:
        generator = items()
        assert found == []  # nobody asked for an item yet
        got = [next(generator)]
        events.emit("lab.consumer")
        assert events.current_span() is None
        got += [generator.send("hello"), generator.throw(KeyError("x"))]
        with pytest.raises(StopIteration) as end:
            next(generator)
    assert got == [1, 2, 3]
    assert end.value.value == "hello"
    assert found.names() == ["lab.items.start", "lab.inside", "lab.consumer", "lab.inside", "lab.items.stop"]
    span_id = found[0].span_id
    assert [event.parent_span_id for event in found] == [None, span_id, None, span_id, None]


def test_a_generator_that_fails_or_is_closed_early() -> None:
    """An error ends its span as such; whoever wants no more items ends it well, and the generator cleans up inside."""

    @events.span("lab.items")
    def items(fails: bool) -> Iterator[int]:
        try:
            yield 1
            if fails:
                raise ValueError("no more")
            yield 2
        finally:
            events.emit("lab.cleaned")

    with events.collect() as found:
        with pytest.raises(ValueError, match="no more"):
            list(items(fails=True))
        for _ in items(fails=False):
            break
    failed = ["lab.items.start", "lab.cleaned", "lab.items.exception"]
    assert found.names() == [*failed, "lab.items.start", "lab.cleaned", "lab.items.stop"]
    assert found[1].parent_span_id == found[0].span_id
    assert found[4].parent_span_id == found[3].span_id


def test_an_asynchronous_generator_is_a_span() -> None:
    """As the other one: the consumer is outside, errors that are thrown in reach it, and closing early is fine."""

    @events.span("lab.items")
    async def items(stop: int) -> AsyncIterator[int]:
        try:
            for number in range(stop):
                await asyncio.sleep(0)
                events.emit("lab.inside")
                yield number
        except KeyError:
            yield -1

    async def main() -> None:
        assert [number async for number in items(2)] == [0, 1]
        closed = items(2)
        assert await anext(closed) == 0  # type: ignore[arg-type]
        assert events.current_scope() == events.Scope()
        await closed.aclose()  # type: ignore[attr-defined]
        thrown = items(2)
        await anext(thrown)  # type: ignore[arg-type]
        assert await thrown.athrow(KeyError("x")) == -1  # type: ignore[attr-defined]
        with pytest.raises(OSError, match="gone"):
            await thrown.athrow(OSError("gone"))  # type: ignore[attr-defined]

    assert inspect.isasyncgenfunction(items)
    with events.collect() as found:
        asyncio.run(main())
    ends = [name.removeprefix("lab.items.") for name in found.names() if name != "lab.inside"]
    assert ends == ["start", "stop", "start", "stop", "start", "exception"]
    assert {event.parent_span_id for event in found if event.name == "lab.inside"} == {
        event.span_id for event in found if event.name == "lab.items.start"
    }


@pytest.mark.parametrize("what", [dict, 7, classmethod(lambda cls: None)])
def test_a_span_decorates_functions(what: Callable[..., object]) -> None:
    """A class would be one no longer, and what cannot be called has no calls."""
    with pytest.raises(ContractError, match="decorates a function"):
        events.span("lab.x")(what)
