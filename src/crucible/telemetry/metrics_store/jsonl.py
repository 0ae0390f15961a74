"""Metrics as lines of JSON in one file: `JsonlMetricsStore`.

A line has exactly the keys `run_id, metric, value, step, timestamp, metadata`, which scripts of others read; see
`MetricEntry`. Nothing is buffered: each call is one append.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crucible.telemetry.importers.metric_entry import MetricEntry, line_of, read_entry
from crucible.telemetry.importers.problem import Problems
from crucible.telemetry.importers.reading import read_lines
from crucible.telemetry.metrics_store.shared_file import SharedFile

__all__ = ["JsonlMetricsStore"]


class JsonlMetricsStore:
    """Metrics in a file of JSON lines, which is made with its folders at the first value.

    What was recorded survives the death of the process, and another process can read it, as soon as the call returns;
    with `fsync` it survives a power loss too, once `flush` returns. Reading looks through the whole file.

    Args:
        path: The file.
        fsync: Whether `flush` and `close` wait for the disk.
        now: The clock.
    """

    def __init__(self, path: str | Path, *, fsync: bool = False, now: Callable[[], datetime] | None = None) -> None:
        self.path = Path(path)
        self.problems = Problems()
        """What the last reading could not read: a last line that is not whole is `torn`, any other `damaged`."""
        self._file = SharedFile(self.path, fsync=fsync)
        self._now = now or _utc_now
        self._counts = threading.Lock()
        self._unflushed: dict[str, int] = {}
        self._pid = os.getpid()

    def record(
        self,
        run_id: str,
        name: str,
        value: Any,
        step: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Append one value. What is no number is kept as malformed: nothing that is measured stops a run.

        Args:
            run_id: The run.
            name: The metric.
            value: Any number; NaN and infinities too.
            step: Where on its axis.
            metadata: What else there is to say.

        Raises:
            StoreError: The file cannot be written (nothing of the line stays in it), or the store is closed.
        """
        self._append(run_id, line_of(run_id, name, value, step, metadata, self._timestamp()), 1)

    def record_batch(self, run_id: str, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Append a value for each of several metrics, with one write and one timestamp.

        Raises:
            StoreError: As `record`; then none of them is in the file. A `kill -9` during the call may leave the first.
        """
        at = self._timestamp()
        lines = [line_of(run_id, name, value, step, None, at) for name, value in metrics.items()]
        if lines:
            self._append(run_id, b"".join(lines), len(lines))

    def flush(self, run_id: str | None = None) -> int:
        """Return how many values this store appended since the last flush, of one run or of all.

        Raises:
            StoreError: The disk does not take them; only where `fsync` is on.
        """
        self._look_for_fork()
        self._file.sync()
        with self._counts:
            if run_id is not None:
                return self._unflushed.pop(run_id, 0)
            count = sum(self._unflushed.values())
            self._unflushed.clear()
            return count

    def read(self, run_id: str) -> list[MetricEntry]:
        """Return everything of a run, in the file's order; `problems` tells what could not be read.

        Raises:
            StoreError: The file is there and cannot be read.
        """
        return list(self._entries(run_id))

    def get_history(
        self,
        run_id: str,
        name: str,
        step_min: int | None = None,
        step_max: int | None = None,
        limit: int | None = None,
    ) -> list[MetricEntry]:
        """Return a metric's values in the file's order.

        Args:
            run_id: The run.
            name: The metric.
            step_min: The lowest step; given this or the next, values without a step are left out.
            step_max: The highest step, inclusive.
            limit: How many at most, from the first; at least 0.

        Raises:
            StoreError: The file is there and cannot be read.
        """
        found: list[MetricEntry] = []
        for entry in self._entries(run_id):
            if limit is not None and len(found) >= limit:
                break
            if entry.metric == name and _is_between(entry.step, step_min, step_max):
                found.append(entry)
        return found

    def get_latest(self, run_id: str, name: str) -> MetricEntry | None:
        """Return the value of a metric that stands last in the file, whatever its step; None if there is none.

        Raises:
            StoreError: The file is there and cannot be read.
        """
        latest = None
        for entry in self._entries(run_id):
            if entry.metric == name:
                latest = entry
        return latest

    def list_metrics(self, run_id: str) -> list[str]:
        """Return the names of a run's metrics, in order of appearance.

        Raises:
            StoreError: The file is there and cannot be read.
        """
        return list(dict.fromkeys(entry.metric for entry in self._entries(run_id)))

    def close(self) -> None:
        """Flush and close the file; reading goes on working.

        Raises:
            StoreError: As `flush`.
        """
        try:
            self.flush()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _timestamp(self) -> str:
        return self._now().astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def _entries(self, run_id: str) -> Iterator[MetricEntry]:
        self.problems = problems = Problems()
        if not self.path.exists():
            return
        for line in read_lines(self.path, problems):
            try:
                entry = read_entry(line.text)
            except ValueError as error:
                if line.is_whole:
                    problems.report("damaged", self.path, f"is not JSON ({error}); it was left out", line=line.number)
                else:
                    message = f"the last line is not whole ({len(line.text)} bytes); it was left out"
                    problems.report("torn", self.path, message, line=line.number)
                continue
            if entry is None:
                message = "expected an object with `run_id`, `metric` and `value`; it was left out"
                problems.report("damaged", self.path, message, line=line.number)
            elif entry.run_id == run_id:
                yield entry

    def _append(self, run_id: str, data: bytes, count: int) -> None:
        self._look_for_fork()
        self._file.append(data)
        with self._counts:
            self._unflushed[run_id] = self._unflushed.get(run_id, 0) + count

    def _look_for_fork(self) -> None:
        """Count anew in a forked child."""
        if self._pid != os.getpid():
            self._pid, self._counts, self._unflushed = os.getpid(), threading.Lock(), {}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _is_between(step: int | None, low: int | None, high: int | None) -> bool:
    if low is None and high is None:
        return True
    return step is not None and (low is None or step >= low) and (high is None or step <= high)
