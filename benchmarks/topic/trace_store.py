"""Chains in a SQLite store: 10,000 listed, 1,000,000 events searched and queried.

The large chain has ten words of 200 in each decision; "needle" stands in 1,000 events, "unicorn" in 10.
"""

import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.clock import Budget, Figure, figure_of, timed
from benchmarks.topic import Scale

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = 1

_TOPICS = ("learning", "rate", "schedule", "batch", "adapter", "rank", "loss", "gradient", "optimizer", "decay")
_WORDS = [f"{topic}{letter}" for topic in _TOPICS for letter in "abcdefghijklmnopqrst"]


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures."""
    from crucible.store import open_store
    from crucible.trace import Chain, Condition, TraceStore

    count, budget = scale.trace_events, scale.budget
    few = Budget(seconds=0.0, least=min(3, budget.most), most=3)
    with tempfile.TemporaryDirectory() as folder, open_store(folder) as store:
        traces = TraceStore(store)
        made = [Chain(f"chain {index}") for index in range(scale.trace_chains)]
        start = time.perf_counter_ns()
        for small in made:
            small.extend(_events(3))
            traces.save(small)
        yield figure_of("`save`, a chain of 3 events", "ms", [time.perf_counter_ns() - start], per=len(made))
        yield timed(f"`list`, {scale.trace_chains:,} chains", "ms", traces.list, budget)
        large = Chain("large")
        large.extend(_events(count))
        start = time.perf_counter_ns()
        traces.save(large)
        yield figure_of(
            f"`save`, {count:,} events, with the full-text index", "µs", [time.perf_counter_ns() - start], per=count
        )
        for text in ("needle", "unicorn", "needle -unicorn", '"needle lossa"', "need*"):
            name = f"`search_all`, {text}, {count:,} events"
            yield timed(name, "ms", lambda text=text: traces.search_all(text), budget)
        rare = Condition.from_dict({"stage_id": "stage1", "confidence": {"gte": 0.98}, "metadata.step": {"lt": 5_000}})
        yield timed(f"`query`, {count:,} events", "ms", lambda: traces.query(rare), few)
        yield timed(f"`load`, {count:,} events", "ms", lambda: traces.load(large.id), Budget(0.0, 1, 1))


def _events(count: int) -> Iterator[Any]:
    from crucible.trace import Event

    drawn = random.Random(7)
    every, rarely = max(1, count // 1_000), max(1, count // 10)
    for index in itertools.islice(itertools.count(), count):
        words = drawn.choices(_WORDS, k=10)
        if index % every == 0:
            words[3] = "needle"
        if index % rarely == 0:
            words[5] = "unicorn"
        yield Event.new(
            "hypothesis_formed",
            " ".join(words),
            "Because it was drawn",
            confidence=0.5 + (index % 50) / 100,
            metadata={"step": index},
            stage_id=f"stage{index % 9}",
            experiment_id="bench",
        )
