"""The same span, an event with five attributes, in each of the peers; run with the peer's own interpreter."""

import time
from collections.abc import Callable
from importlib.metadata import version

from benchmarks.clock import budget, figure_of

BATCH = 1_000
ATTRIBUTES = {
    "type": "loss_computed",
    "decision": "Loss: 0.4312",
    "reasoning": "Loss value computed",
    "confidence": 0.9,
    "step": 12,
}


def report(distribution: str, name: str, note: str, spans: Callable[[int], object], *, batch: int = BATCH) -> None:
    """Make batches of spans until the budget is spent, and print what one span costs.

    Args:
        distribution: What is measured, as pip calls it.
        name: Name of the figure.
        note: What a reader must know.
        spans: Makes this many spans, and returns when they are as durable as the note says.
        batch: Spans a call.
    """
    allowed = budget()
    taken: list[float] = []
    spans(min(batch, 10))
    begun = time.perf_counter()
    while len(taken) < allowed.least or time.perf_counter() - begun < allowed.seconds:
        start = time.perf_counter_ns()
        spans(batch)
        taken.append(time.perf_counter_ns() - start)
    figure_of(name, "µs", taken, per=batch, version=version(distribution), note=note).report()
