"""An event on the bus: unheard, heard by one, and a span around nothing."""

from collections.abc import Iterator

from benchmarks.clock import Figure, timed
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

    yield timed("`events.emit`, nobody listening", "ns", emit, scale.budget)
    yield timed("`events.span`, nobody listening", "ns", span, scale.budget)
    events.attach(HANDLER, "crucible_train.batch.stop", lambda _event: None)
    try:
        yield timed("`events.emit`, one handler that does nothing", "ns", emit, scale.budget)
    finally:
        events.detach(HANDLER)
