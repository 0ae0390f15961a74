"""What every store of metrics can do: the protocol `MetricsStore`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from crucible.telemetry.importers.metric_entry import MetricEntry

__all__ = ["MetricsStore"]


@runtime_checkable
class MetricsStore(Protocol):
    """Where metrics of runs are kept: by run and name, in the order in which they were recorded."""

    def record(
        self,
        run_id: str,
        name: str,
        value: Any,
        step: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep one value.

        Raises:
            StoreError: It cannot be kept.
        """
        ...

    def record_batch(self, run_id: str, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Keep one value of each of several metrics.

        Raises:
            StoreError: They cannot be kept.
        """
        ...

    def flush(self, run_id: str | None = None) -> int:
        """Make everything durable; return how many values this wrote since the last flush, of one run or of all.

        Raises:
            StoreError: Something cannot be kept.
        """
        ...

    def read(self, run_id: str) -> list[MetricEntry]:
        """Return everything of a run, in order; nothing for an unknown run."""
        ...

    def get_history(
        self,
        run_id: str,
        name: str,
        step_min: int | None = None,
        step_max: int | None = None,
        limit: int | None = None,
    ) -> list[MetricEntry]:
        """Return a metric's values in order: the first `limit` whose step lies within both bounds, inclusive."""
        ...

    def get_latest(self, run_id: str, name: str) -> MetricEntry | None:
        """Return the value of a metric that was recorded last; None if there is none."""
        ...

    def list_metrics(self, run_id: str) -> list[str]:
        """Return the names of a run's metrics, in order of appearance."""
        ...

    def close(self) -> None:
        """Flush, and take nothing more."""
        ...
