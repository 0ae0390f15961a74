"""The recorder works on PostgreSQL as it does on SQLite; its other behaviour is tested with telemetry."""

from __future__ import annotations

from collections.abc import Callable

from crucible import events
from crucible.store import Store
from crucible.telemetry import Recorder


def test_a_run_is_recorded_on_either_database(store: Store, opened: Callable[[], Store]) -> None:
    """Two recorders at once on one store: every event and point is there when they stopped."""
    recorders = [Recorder(store, name) for name in ("a", "b")]
    for recorder in recorders:
        recorder.start()
    for step in range(3000):
        for name in ("a", "b"):
            with events.scope(run_id=name):
                events.emit("x", {"step": step, "loss": step / 2, "text\u0000": float("nan")}, {"note": "\u0000"})
    assert [recorder.stop() for recorder in recorders] == [3000, 3000]
    reader = opened()
    assert reader.telemetry.event_counts("b") == {"x": 3000}
    assert reader.telemetry.points("b", "x:loss")[-1] == (2999, 1499.5)
