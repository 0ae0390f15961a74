"""Blocks and functions that are traced."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from crucible.errors import Cancelled, ContractError, StoreError
from crucible.trace import Chain, Event
from crucible.trace.collecting import collect
from crucible.trace.tracing import enclosing, traced_stage, traced_training, turns


@pytest.fixture
def chain() -> Chain:
    """An empty chain."""
    return Chain("c")


def tree(chain: Chain) -> list[tuple[int, str]]:
    """Return each event's depth and decision."""
    depth: dict[str | None, int] = {None: -1}
    for event in chain:
        depth[event.id] = depth[event.parent_id] + 1
    return [(depth[event.id], event.decision) for event in chain]


def test_a_stage(chain: Chain) -> None:
    """A block is a start and an end below it, with the duration, in the words of the predecessor."""
    with traced_stage(chain, "tune", experiment_id="e", metadata={"owner": "x"}, confidence=0.5) as block:
        made = block.event("decision_made", "d", "r", alternatives=["q"])
        added = block.add(Event.new("metric_recorded", "m", "r", experiment_id="other"))
        own = block.add(Event.new("metric_recorded", "m", "r", parent_id=made.id))
        block.note(loss=float("nan"))
    started, *_, ended = chain
    assert (started.type, started.decision, started.reasoning) == (
        "stage_started",
        "Stage tune started",
        "Beginning stage execution",
    )
    assert (ended.type, ended.decision, ended.parent_id) == ("stage_completed", "Stage tune completed", started.id)
    assert ended.reasoning.startswith("Stage completed successfully in ")
    assert ended.metadata["duration_ns"] >= 0
    assert {**ended.metadata, "duration_ns": 0} == {
        "stage_id": "tune",
        "owner": "x",
        "loss": "nan",
        "status": "ok",
        "duration_ns": 0,
    }
    assert (block.started, block.ended, block.chain) == (started, ended, chain)
    assert {event.stage_id for event in (started, made, ended)} == {"tune"}
    assert (made.parent_id, added.parent_id, own.parent_id) == (started.id, started.id, made.id)
    assert (made.experiment_id, added.experiment_id) == ("e", "other")
    assert (started.confidence, ended.confidence) == (0.5, None)
    assert all(event.validate() == [] for event in chain)
    with pytest.raises(ContractError, match="has ended"):
        block.note(late=1)


def test_a_training(chain: Chain) -> None:
    """A training has its name, data and settings on both ends."""
    with traced_training(chain, "tuned", "claims need it", dataset="d", config={"rank": 2}, id="first", stage_id="s"):
        pass
    started, ended = chain
    assert (started.id, started.decision, started.reasoning) == ("first", "Training of tuned started", "claims need it")
    assert started.metadata == {"model_name": "tuned", "dataset": "d", "config": {"rank": 2}}
    assert (ended.decision, ended.stage_id, ended.metadata["config"]) == (
        "Training of tuned completed",
        "s",
        {"rank": 2},
    )
    with traced_training(chain):
        pass
    assert chain[2].decision == "Training started"


def test_an_error_goes_on_and_is_told(chain: Chain) -> None:
    """An error is raised again, the same; the event has its type, words and traceback; the outer one rests on it."""
    error = ValueError("boom")
    with pytest.raises(ValueError, match="boom") as caught, traced_training(chain), traced_stage(chain, "s"):
        raise error
    assert caught.value is error
    _, _, stage, training = chain
    assert (stage.type, stage.decision, training.type) == ("stage_failed", "Stage s failed", "training_failed")
    assert "ValueError: boom" in stage.reasoning
    assert (stage.metadata["error_type"], stage.metadata["error"], stage.metadata["status"]) == (
        "ValueError",
        "boom",
        "exception",
    )
    assert "raise error" in stage.metadata["traceback"]
    assert training.depends_on == (stage.id,)


def test_an_error_that_was_caught_is_not_the_cause(chain: Chain) -> None:
    """An outer block that fails of something else does not rest on what was caught inside."""

    def work() -> None:
        with pytest.raises(ValueError), traced_stage(chain, "inner"):
            raise ValueError
        raise KeyError("other")

    with pytest.raises(KeyError), traced_stage(chain, "outer"):
        work()
    assert chain[-1].depends_on == ()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, asyncio.CancelledError, Cancelled, SystemExit, GeneratorExit])
def test_stopping_is_told_as_such(chain: Chain, stop: type[BaseException]) -> None:
    """Somebody who ends the work on purpose is told apart from a failure, and goes on ending it."""
    with pytest.raises(stop), traced_stage(chain, "s"):
        raise stop
    assert (chain[-1].type, chain[-1].decision) == ("stage_failed", "Stage s cancelled")
    assert chain[-1].metadata["status"] == "cancelled"
    with pytest.raises(SystemExit), traced_stage(chain, "s"):
        raise SystemExit(2)
    assert chain[-1].decision == "Stage s failed"


def test_words_of_errors_are_bounded(chain: Chain) -> None:
    """Huge messages, endless recursion, and errors that cannot say what they are do not blow up the chain."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def deeper(depth: int) -> int:
        return deeper(depth + 1) + 1

    with pytest.raises(ValueError), traced_stage(chain, "s"):
        raise ValueError("x" * 1_000_000 + "\ud800")
    with pytest.raises(Mute), traced_stage(chain, "s"):
        raise Mute
    with pytest.raises(RecursionError), traced_stage(chain, "s"):
        deeper(0)
    for event in chain.by_type("stage_failed"):
        assert len(str(event.to_dict())) < 60_000
        assert event.validate() == []
    assert "characters left out" in chain[1].metadata["error"]
    assert "could not be made" in chain[3].metadata["error"]


class Full(Chain):
    """A chain whose disk is full after some events."""

    def __init__(self, room: int) -> None:
        super().__init__("full")
        self.room = room

    def add(self, event: Event) -> Event:
        """Append while there is room."""
        if len(self) >= self.room:
            raise StoreError("disk full")
        return super().add(event)


def test_a_chain_that_is_full_hides_no_error() -> None:
    """An error of the block goes on with a note; without one, the lost event is the error."""
    with pytest.raises(ValueError, match="mine") as caught, traced_stage(Full(1), "s"):
        raise ValueError("mine")
    assert caught.value.__notes__ == ["the trace could not take the event that closes the block: disk full"]
    with pytest.raises(StoreError), traced_stage(Full(1), "s"):
        pass
    ran = []
    with pytest.raises(StoreError), traced_stage(Full(0), "s"):
        ran.append(1)
    assert ran == []
    full = Full(1)
    assert enclosing(full) is None


def test_functions_of_all_kinds(chain: Chain) -> None:
    """A decorated function returns what it returns, falsy values, too, and keeps its name and kind."""

    @traced_stage(chain, "plain")
    def plain(x: int) -> int:
        """Return it."""
        assert enclosing(chain) is not None
        return x

    @traced_stage(chain, "async")
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        assert enclosing(chain) is not None
        return x

    class Callable:
        async def __call__(self) -> str:
            return ""

    assert plain(0) == 0
    assert (plain.__name__, plain.__doc__) == ("plain", "Return it.")
    assert asyncio.iscoroutinefunction(later)
    assert asyncio.run(later(0)) == 0
    assert asyncio.run(traced_stage(chain, "object")(Callable())()) == ""
    assert asyncio.run(traced_stage(chain, "partial")(functools.partial(later, 3))()) == 3
    with pytest.raises(TypeError, match="function to trace"):
        traced_stage(chain, "s")(Callable)
    assert [event.decision for event in chain.by_type("stage_completed")] == [
        "Stage plain completed",
        "Stage async completed",
        "Stage object completed",
        "Stage async completed",
        "Stage partial completed",
    ]
    assert enclosing(chain) is None


def test_recursion_and_errors_of_functions(chain: Chain) -> None:
    """Each call is a block inside its caller's; an error passes through all of them."""

    @traced_stage(chain, "f")
    def f(depth: int) -> None:
        if depth == 0:
            raise ValueError("deep")
        f(depth - 1)

    with pytest.raises(ValueError, match="deep"):
        f(2)
    assert [depth for depth, _ in tree(chain)] == [0, 1, 2, 3, 2, 1]
    assert len(chain.by_type("stage_failed")) == 3


def test_generators_are_inside_only_while_they_run(chain: Chain) -> None:
    """A consumer between two steps is not in the generator's block; what the generator opens is."""

    @traced_stage(chain, "gen")
    def steps() -> Generator[int, str, int]:
        with traced_stage(chain, "inner"):
            got = yield 1
            assert got == "sent"
            current = enclosing(chain)
            assert current is not None
            current.event("decision_made", "in inner", "r")
            with pytest.raises(KeyError):
                yield 2
        return 0

    def use() -> Generator[int, str, None]:
        assert (yield from steps()) == 0

    running = use()
    assert next(running) == 1
    assert enclosing(chain) is None
    with traced_stage(chain, "consumer"):
        assert running.send("sent") == 2
        current = enclosing(chain)
        assert current is not None
        assert current.started.decision == "Stage consumer started"
    with pytest.raises(StopIteration):
        running.throw(KeyError("thrown"))
    assert tree(chain) == [
        (0, "Stage gen started"),
        (1, "Stage inner started"),
        (0, "Stage consumer started"),
        (2, "in inner"),
        (1, "Stage consumer completed"),
        (2, "Stage inner completed"),
        (1, "Stage gen completed"),
    ]
    abandoned = steps()
    next(abandoned)
    abandoned.close()
    assert chain[-1].decision == "Stage gen cancelled"
    assert enclosing(chain) is None


def test_async_generators(chain: Chain) -> None:
    """An async generator is inside its block while it runs, is closed as cancelled, and fails as failed."""

    @traced_stage(chain, "agen")
    async def steps(*, fails: bool = False) -> AsyncGenerator[int, int]:
        got = yield 1
        assert enclosing(chain) is not None
        if fails:
            raise ValueError("late")
        yield got

    async def use() -> None:
        running = steps()
        assert await anext(running) == 1
        assert enclosing(chain) is None
        assert await running.asend(0) == 0
        with pytest.raises(StopAsyncIteration):
            await anext(running)
        closed = steps()
        await anext(closed)
        await closed.aclose()
        failing = steps(fails=True)
        await anext(failing)
        with pytest.raises(ValueError, match="late"):
            await anext(failing)
        thrown = steps()
        await anext(thrown)
        with pytest.raises(KeyError):
            await thrown.athrow(KeyError("x"))

    asyncio.run(use())
    assert [event.decision.split()[-1] for event in chain if event.type != "stage_started"] == [
        "completed",
        "cancelled",
        "failed",
        "failed",
    ]


def test_a_with_block_in_a_generator(chain: Chain) -> None:
    """Blocks that generators leave in another order than they entered them leave no block behind."""

    def work(name: str) -> Generator[None]:
        with traced_stage(chain, name):
            yield

    one, two = work("one"), work("two")
    next(one)
    next(two)
    assert list(one) == []
    with traced_stage(chain, "three"):
        pass
    assert list(two) == []
    assert enclosing(chain) is None
    assert chain.parent(chain[3].id) == chain[1]  # three is inside of two, which is open, not of one
    leaking = contextvars.copy_context().run(work("four").__next__)
    assert leaking is None
    assert enclosing(chain) is None


def test_nesting_across_calls_and_chains(chain: Chain) -> None:
    """Blocks of one chain hang on each other; those of another chain are not in between."""
    other = Chain("other")

    def inner() -> None:
        with traced_stage(chain, "inner", parent_id="given"), traced_stage(chain, "root", parent_id=None):
            pass

    with traced_training(chain, "m") as training, traced_stage(other, "elsewhere"):
        inner()
        with traced_stage(chain, "second") as second:
            assert enclosing(chain) is second
        assert enclosing(chain) is training
    assert chain[1].parent_id == "given"
    assert chain[2].parent_id is None
    assert second.started.parent_id == training.started.id
    assert other[0].parent_id is None


def test_one_object_again_but_not_twice_at_once(chain: Chain) -> None:
    """A context manager is used one block at a time; later it can be used again, each time with ids of its own."""
    stage = traced_stage(chain, "s")
    with stage, pytest.raises(ContractError, match="already open"), stage:
        pass
    with stage:
        pass
    assert len(chain) == 4


def test_tasks_do_not_mix(chain: Chain) -> None:
    """Tasks start inside their maker's block and open their own beside each other, also with `async with`."""

    @traced_stage(chain, "task")
    async def task(name: str) -> None:
        async with traced_stage(chain, name):
            await asyncio.sleep(0.001)
            block = enclosing(chain)
            assert block is not None
            block.event("decision_made", f"of {name}", "r")

    async def main() -> None:
        with traced_training(chain, "m"):
            await asyncio.gather(*(task(f"t{number}") for number in range(10)))

    asyncio.run(main())
    assert len(chain) == 2 + 10 * 5
    for event in chain.by_type("decision_made"):
        parent = chain.parent(event.id)
        assert parent is not None
        assert parent.decision == f"Stage {event.decision.removeprefix('of ')} started"
        outer = chain.parent(parent.id)
        assert outer is not None
        assert outer.parent_id == chain[0].id
    assert chain.validate_relationships() == []


def test_a_task_that_is_cancelled(chain: Chain) -> None:
    """A cancelled task ends its block as cancelled, and stays cancelled."""

    @traced_stage(chain, "slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert chain[-1].decision == "Stage slow cancelled"


def test_threads_do_not_mix_and_take_turns(chain: Chain) -> None:
    """Threads start outside of every block, unless they are given a context; their events all arrive, once."""

    @traced_stage(chain, "thread")
    def work(name: str) -> None:
        for number in range(100):
            with traced_stage(chain, f"{name}-{number}"):
                pass

    with traced_training(chain) as training:
        threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(6)]
        given = threading.Thread(target=contextvars.copy_context().run, args=(work, "given"))
        for thread in (*threads, given):
            thread.start()
        for thread in (*threads, given):
            thread.join()
    assert len(chain) == 2 + 7 * 202
    assert len({event.id for event in chain}) == len(chain)
    roots = [event for event in chain.roots() if event.stage_id == "thread"]
    assert len(roots) == 6
    assert len([event for event in chain.children(training.started.id) if event.stage_id == "thread"]) == 1
    for event in chain.by_type("stage_completed"):
        parent = chain.parent(event.id)
        assert parent is not None
        assert parent.stage_id == event.stage_id


def test_anything_with_add() -> None:
    """Whatever has `add(event)` can be traced to, such as a list in disguise."""

    class Sink:
        def __init__(self) -> None:
            self.events: list[Event] = []

        def add(self, event: Event, /) -> None:
            self.events.append(event)

    sink = Sink()
    with traced_stage(sink, "s") as block:
        block.event("decision_made", "a", "b")
    assert len(sink.events) == 3
    odd: Any = object()
    with pytest.raises(TypeError, match=r"add\(event\)"):
        traced_stage(odd, "s")


def test_wrong_arguments(chain: Chain) -> None:
    """Arguments of the wrong type are refused before anything runs."""
    odd: Any = 5
    with pytest.raises(TypeError, match="stage_id must be text"):
        traced_stage(chain, odd)
    with pytest.raises(TypeError, match="given twice"):
        traced_stage(chain, "s", stage_id="t")
    with pytest.raises(TypeError, match="model_name must be text"):
        traced_training(chain, odd)
    with pytest.raises(TypeError, match="metadata must be a mapping"), traced_stage(chain, "s", metadata=odd):
        pass
    assert len(chain) == 0


def test_nothing_is_held_after_the_last_user(chain: Chain) -> None:
    """The lock of a chain, and with it the chain, is forgotten with the last block and collector."""
    before = len(turns._in_use)
    with traced_stage(chain, "s"), collect(chain=chain):
        assert len(turns._in_use) == before + 1
    assert len(turns._in_use) == before


def test_what_is_inside_inherits_stage_and_experiment() -> None:
    """A training inside a stage, and events made elsewhere that are added to it, carry its stage and experiment."""
    chain = Chain("lanes")
    with traced_stage(chain, "fit", experiment_id="e"), traced_training(chain, "m") as block:
        block.add(Event.new("epoch_completed", "Epoch 1 completed", "R"))
        own = block.add(Event.new("epoch_completed", "Epoch 2 completed", "R", stage_id="mine"))
    assert own.stage_id == "mine"
    assert {event.experiment_id for event in chain} == {"e"}
    assert [event.stage_id for event in chain].count("fit") == len(chain) - 1


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """An error that refuses to be changed."""

    code: int


def test_errors_that_cannot_be_changed_go_on_as_they_are(chain: Chain) -> None:
    """An error that refuses notes and attributes leaves blocks, generators and a full chain as itself."""

    @traced_stage(chain, "steps")
    def steps() -> Generator[int]:
        yield 1
        raise Frozen(3)

    @traced_stage(chain, "async steps")
    async def async_steps() -> AsyncGenerator[int]:
        yield 1
        raise Frozen(3)

    async def consume() -> None:
        async for _ in async_steps():
            pass

    with pytest.raises(Frozen), traced_training(chain), traced_stage(chain, "s"):
        raise Frozen(3)
    with pytest.raises(Frozen):
        list(steps())
    with pytest.raises(Frozen):
        asyncio.run(consume())
    with pytest.raises(Frozen), traced_stage(Full(1), "s"):
        raise Frozen(3)
    assert {event.metadata["error_type"] for event in chain.by_type("stage_failed")} == {"Frozen"}
    assert enclosing(chain) is None


async def work(chain: Chain, fails: bool) -> int:
    """Work inside a block, or fail."""
    await asyncio.sleep(0)
    assert enclosing(chain) is not None
    if fails:
        raise ValueError("late")
    return 7


class Worker:
    """Something to call that is no function."""

    async def __call__(self, chain: Chain, fails: bool) -> int:
        """Call `work`."""
        return await work(chain, fails)


def to_be_awaited(chain: Chain) -> list[Any]:
    """Return traced functions whose calls are over only when what they return is."""

    class Methods:
        @traced_stage(chain, "static")
        @staticmethod
        async def static(chain: Chain, fails: bool) -> int:
            """Call `work`."""
            return await work(chain, fails)

    @functools.wraps(work)
    def wrapper(chain: Chain, fails: bool) -> Any:
        return work(chain, fails)

    def task(chain: Chain, fails: bool) -> Any:
        return asyncio.get_running_loop().create_task(work(chain, fails))

    assert asyncio.iscoroutinefunction(Methods.static)
    assert Methods.static.__doc__ == "Call `work`."
    plain = [wrapper, functools.partial(Worker()), task]
    return [Methods.static, Methods().static, *(traced_stage(chain, "plain")(each) for each in plain)]


def test_calls_that_return_what_is_to_be_awaited(chain: Chain) -> None:
    """A static method, a wrapper, a partial call, a task: over when what they return is, failed when it fails."""

    async def main(call: Any, fails: bool) -> int:
        before = len(chain)
        made = call(chain, fails)
        assert {event.type for event in chain.since(before)} <= {"stage_started"}
        assert enclosing(chain) is None
        return await made

    calls = to_be_awaited(chain)
    for call in calls:
        assert asyncio.run(main(call, False)) == 7
    assert len(chain.by_type("stage_failed")) == 0
    for call in calls:
        with pytest.raises(ValueError, match="late"):
            asyncio.run(main(call, True))
    assert len(chain.by_type("stage_failed")) == len(chain.by_type("stage_completed")) == len(calls)
    assert enclosing(chain) is None


def test_a_task_that_is_returned_stays_itself(chain: Chain) -> None:
    """A returned task can be cancelled, which is told; what can be entered, too, is handed on untouched."""

    class Session:
        def __await__(self) -> Generator[Any, Any, Session]:
            yield from asyncio.sleep(0).__await__()
            return self

        async def __aenter__(self) -> Session:
            return self

        async def __aexit__(self, *error: object) -> None:
            pass

    start = traced_stage(chain, "task")(lambda: asyncio.get_running_loop().create_task(asyncio.sleep(9)))

    def opened() -> Session:
        return Session()

    async def main() -> None:
        task = start()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with traced_stage(chain, "session")(opened)() as session:
            assert isinstance(session, Session)

    asyncio.run(main())
    assert [event.decision for event in chain] == [
        "Stage task started",
        "Stage task cancelled",
        "Stage session started",
        "Stage session completed",
    ]


def test_a_group_of_errors_rests_on_all_that_failed_inside(chain: Chain) -> None:
    """A block that several tasks failed rests on each of them, also where groups are in groups."""

    async def bad(name: str) -> None:
        with traced_stage(chain, name):
            await asyncio.sleep(0)
            raise ValueError(name)

    async def several(*names: str) -> None:
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(bad(name))

    async def main() -> None:
        async with traced_training(chain, "m"):
            with traced_stage(chain, "caught"), pytest.raises(ValueError):
                await bad("other")
            async with asyncio.TaskGroup() as group:
                group.create_task(several("a", "b"))
                group.create_task(bad("c"))

    with pytest.raises(ExceptionGroup):
        asyncio.run(main())
    causes = {event.decision for event in chain.rests_on(chain[-1].id)}
    assert "Stage c failed" in causes
    assert causes == {event.decision for event in chain.by_type("stage_failed")} - {"Stage other failed"}


def test_handles_that_can_be_awaited_stay_themselves() -> None:
    """A result with a face of its own is handed on as it is, and the block ends when the function returns."""

    class Handle:
        def __await__(self) -> Generator[None, None, int]:
            yield
            return 1

        def result(self) -> int:
            return 1

    chain = Chain("handles")

    def make() -> Handle:
        return Handle()

    made = traced_stage(chain, "s")(make)()
    assert isinstance(made, Handle)
    assert made.result() == 1
    assert [event.type for event in chain] == ["stage_started", "stage_completed"]
