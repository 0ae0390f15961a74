"""Metrics of a recording while it grows, for one writer and any number of readers that never wait.

The writer publishes a pair by replacing one reference: a `Tally` that nobody changes any more, and the list of the
records that came after it, to which is only appended. A reader takes the pair, copies the list, and folds it into a
copy of the tally: it sees exactly the records up to some moment, and neither side takes a lock or tries again. When the
list is long the writer folds it in and publishes the next pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crucible.store import StoredEvent
from crucible.telemetry.streaming.metrics_config import MetricsConfig
from crucible.telemetry.streaming.snapshot import LiveSnapshot
from crucible.telemetry.streaming.tally import Tally

__all__ = ["LiveMetrics"]

_FOLD_EVERY = 512  # records; a reader folds fewer than these, and no more records than these are held on to


class LiveMetrics:
    """Latency, cost, reliability, tokens, training, counts, rates and windows of a stream of records.

    One thread at a time may call `add`, `add_many`, `publish` and `merge`; any thread may call `snapshot` at any time,
    in the midst of them too. Nothing that a record holds makes `add` raise. Up to 511 records that came by `add` are
    held on to until they are folded in; `publish` lets them go.

    Args:
        metrics_config: What to keep: `latency`, `cost`, `success_rate`, `tokens` (true or false), `custom` (names).

    Raises:
        SpecError: The configuration has an unknown key, or a value of the wrong type.
    """

    __slots__ = ("_published", "_tail")

    def __init__(self, metrics_config: MetricsConfig | Mapping[str, Any] | None = None) -> None:
        self._publish(Tally(MetricsConfig.of(metrics_config)))

    @classmethod
    def rebuild(
        cls, records: Iterable[StoredEvent], metrics_config: MetricsConfig | Mapping[str, Any] | None = None
    ) -> LiveMetrics:
        """Return the metrics of records that are there already, as after a restart.

        In whatever order and batches they were first added, counts, extremes, quantiles and losses are the same, and
        sums, means and deviations are the same to rounding (1e-12 of them).

        Args:
            records: Such as `store.telemetry.select(EventQuery(run_id))`; read once, one record at a time.
            metrics_config: As of the class.

        Raises:
            SpecError: The configuration has an unknown key, or a value of the wrong type.
        """
        metrics = cls(metrics_config)
        metrics.add_many(records)
        return metrics

    def _publish(self, tally: Tally) -> None:
        tail: list[StoredEvent] = []
        self._published = (tally, tail)  # the one reference that readers follow
        self._tail = tail

    @property
    def config(self) -> MetricsConfig:
        """What is kept."""
        return self._published[0].config

    def add(self, record: StoredEvent) -> None:
        """Take one record in."""
        tail = self._tail
        tail.append(record)
        if len(tail) >= _FOLD_EVERY:
            self.publish()

    def add_many(self, records: Iterable[StoredEvent]) -> None:
        """Take a batch in; readers see none of it or all of it."""
        tally = self._latest()
        tally.fold(records)
        self._publish(tally)

    def publish(self) -> None:
        """Fold in the records that are held on to, and let them go."""
        if self._tail:
            self._publish(self._latest())

    def merge(self, other: LiveMetrics) -> None:
        """Take in everything that another one saw, such as another process's part; the other stays as it is.

        Raises:
            StatsError: The other keeps other things.
        """
        tally = self._latest()
        tally.merge(other._latest())
        self._publish(tally)

    def snapshot(self, now_ns: int | None = None) -> LiveSnapshot:
        """Return the metrics as they are now, from any thread.

        Args:
            now_ns: The time at which the windows end, nanoseconds since 1970 UTC, such as `time.time_ns()` for a run
                that is on; the latest record's time if None, so that a run of the past reads the same every day.
        """
        tally, tail = self._published
        return (self._latest() if tail else tally).read(now_ns)

    def _latest(self) -> Tally:
        """Return a tally of everything added so far, which is the caller's own."""
        tally, tail = self._published
        latest = tally.copy()
        latest.fold(tail.copy())
        return latest
