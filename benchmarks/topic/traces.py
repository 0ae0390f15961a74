"""A chain of 1,000,000 events in memory and in a live file, and the diff of two chains.

Every event has an id, a time, a type, a decision, a reason, a confidence, two numbers as metadata, a parent, a stage
and an experiment; one in ten rests on another one.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.clock import Budget, Figure, counted, figure_of, timed
from benchmarks.peers import SPANS
from benchmarks.topic import Scale

CREATE = "`Event.new`, nobody listening"
APPEND = "`Chain.add`"
DURABLE = "`LiveChain.add`, a durable line each"
DURABLE_MANY = "`LiveChain.extend`, 1,000 at a time"

PEERS = SPANS
AGAINST = {"in memory": (CREATE, APPEND), "durable": (DURABLE, DURABLE_MANY)}
ROUNDS = 1

_CHUNK = 1_000


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures."""
    from crucible import trace

    count, budget = scale.trace_events, scale.budget
    yield timed(CREATE, "µs", _create, budget)
    factory = "`training.loss_computed`"
    yield timed(factory, "µs", lambda: trace.training.loss_computed(0.43, metadata={"step": 12}), budget)
    before = _resident()
    chain, taken = _chain(count)
    bytes_an_event = (_resident() - before) / count
    yield figure_of(APPEND, "µs", taken, per=min(_CHUNK, count))
    yield counted(f"memory of an event in a chain of {count:,}, in bytes, indexes included", max(bytes_an_event, 1.0))
    middle = chain[count // 2].id
    yield timed(f"`children`, of {count:,} events", "µs", lambda: chain.children(middle), budget)
    yield timed(f"`parent`, of {count:,} events", "µs", lambda: chain.parent(chain[count - 1].id), budget)
    few = Budget(seconds=0.0, least=min(3, budget.most), most=3)
    yield timed(f"`validate_relationships`, {count:,} events", "ms", chain.validate_relationships, few)
    condition = {"type": "loss_computed", "confidence": {"gte": 0.95}, "not": {"metadata.step": {"lt": 100}}}
    yield timed(f"`query`, {count:,} events", "ms", lambda: trace.query(chain, condition), few)
    yield from _live(list(chain)[:_CHUNK], budget)
    yield from _diffs(scale.diff_events, few)


def _create() -> object:
    from crucible.trace import Event

    fields = {"loss": 0.43, "step": 12}
    return Event.new("loss_computed", "Loss: 0.4300", "Loss value computed", confidence=0.9, metadata=fields)


def _resident() -> int:
    """Return how many bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def events(count: int) -> Iterator[Any]:
    """Yield events of a training, each hundredth the parent of the next hundred."""
    from crucible.trace import Event

    parent, last = None, ""
    for index in range(count):
        event = Event.new(
            "loss_computed" if index % 10 else "decision_made",
            f"Loss: {index * 0.0001:.4f}",
            "Loss value computed",
            confidence=(index % 100) / 100,
            metadata={"loss": index * 0.0001, "step": index},
            parent_id=parent,
            stage_id="train",
            experiment_id="bench",
            **({"depends_on": (last,)} if index % 10 == 9 else {}),
        )
        if index % 100 == 0:
            parent = event.id
        last = event.id
        yield event


def _chain(count: int) -> tuple[Any, list[float]]:
    from crucible.trace import Chain

    chain, taken, made = Chain("bench"), [], events(count)
    while len(chain) < count:
        some = list(itertools.islice(made, _CHUNK))
        start = time.perf_counter_ns()
        for event in some:
            chain.add(event)
        taken.append(time.perf_counter_ns() - start)
    return chain, taken


def _live(some: list[Any], budget: Budget) -> Iterator[Figure]:
    from crucible.trace import LiveChain

    for name, write in ((DURABLE, _one_by_one), (DURABLE_MANY, _together)):
        with tempfile.TemporaryDirectory() as folder, LiveChain(Path(folder) / "live.jsonl", name="bench") as live:
            yield timed(name, "µs", _bound(write, live, some), budget, per=len(some))


def _bound(write: Callable[[Any, list[Any]], None], live: Any, some: list[Any]) -> Callable[[], None]:
    return lambda: write(live, some)


def _one_by_one(live: Any, some: list[Any]) -> None:
    for event in some:
        live.add(event)


def _together(live: Any, some: list[Any]) -> None:
    live.extend(some)


def _diffs(count: int, budget: Budget) -> Iterator[Figure]:
    import msgspec

    from crucible.trace import Chain, diff

    a, b, c = Chain("a"), Chain("b"), Chain("c")
    for index, event in enumerate(events(count)):
        a.add(event)
        changed = index % 20 == 0
        b.add(msgspec.structs.replace(event, id=f"b{index}", decision=f"{event.decision}{'!' * changed}"))
        c.add(msgspec.structs.replace(event, id=f"c{index}", decision=f"Something else entirely, number {index}"))
    yield timed(
        f"`diff`, two chains of {count:,} events, 5 % reworded, no ids shared", "ms", lambda: diff(a, b), budget
    )
    yield timed(f"`diff`, two chains of {count:,} events, all reworded", "ms", lambda: diff(a, c), budget)
