"""An event on the bus: unheard, heard by one, heard by none of those who listen, and a span around nothing."""

from collections.abc import Callable, Iterator

from benchmarks.clock import Budget, Figure, timed
from benchmarks.topic import Scale

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = None

MEASUREMENTS = {"step": 1, "loss": 0.5}
METADATA = {"model": "tuned"}
HANDLER = "benchmark"


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures."""
    from crucible import events

    def emit() -> None:
        events.emit("crucible_train.batch.stop", MEASUREMENTS, METADATA)

    def span() -> None:
        with events.span("crucible_data.evaluation"):
            pass

    def span_with_words() -> None:
        with events.span("crucible_data.evaluation", METADATA):
            pass

    @events.span("crucible_data.evaluation")
    def function() -> None:
        pass

    calls: dict[str, Callable[[], None]] = {
        "`events.emit`": emit,
        "`events.span`": span,
        "`events.span` with metadata": span_with_words,
        "`@events.span`": function,
    }
    yield from _timed(calls, "nobody listening", scale.budget)
    events.attach(HANDLER, "crucible_data.dataset.loaded", lambda _event: None)
    try:
        yield from _timed(calls, "one handler of other events", scale.budget)
        events.attach(HANDLER, "*", lambda _event: None)
        yield from _timed(calls, "one handler that does nothing", scale.budget)
        with events.scope(run_id="r", stage="s"), events.span("crucible_framework.stage"):
            yield timed("`events.span` in a span, one handler that does nothing", "ns", span, scale.budget)
    finally:
        events.detach(HANDLER)


def _timed(calls: dict[str, Callable[[], None]], listening: str, budget: Budget) -> Iterator[Figure]:
    for name, call in calls.items():
        yield timed(f"{name}, {listening}", "ns", call, budget)
