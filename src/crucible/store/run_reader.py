"""What anybody may read of runs: one of them, many by a query, stages, context, comparison, timeline, lineage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.ir import diff
from crucible.pipeline.records import ContextDelta, Resume, StageRecord
from crucible.store.lineage import StoredArtifact, artifacts_of, artifacts_with, upward
from crucible.store.parts import PartOfRuns
from crucible.store.query import RunQuery
from crucible.store.records import RunComparison, StoredRun
from crucible.store.run_list import find_runs
from crucible.store.stage_rows import StageRows, fold
from crucible.store.timeline import TimelineEntry, timeline

__all__ = ["RunReader"]


class RunReader(PartOfRuns):
    """The reading side of the run repository. Every `run_id` may be the unique beginning of one."""

    def run(self, run_id: str) -> StoredRun:
        """Return a run.

        Raises:
            StoreError: No run, or more than one, begins so; the message names the latest runs.
        """
        with self._parts.reading_runs("read a run") as (_, rows):
            return rows.find(run_id)

    def list(self, query: RunQuery | None = None, *, limit: int | None = None) -> Sequence[StoredRun]:
        """Return runs, the latest first unless the query says otherwise.

        Args:
            query: Which, and in which order; None for all.
            limit: At most so many, whatever the query says; None leaves it to the query.
        """
        query = query or RunQuery()
        if limit is not None:
            query = msgspec.structs.replace(query, limit=limit)
        with self._parts.reading_runs("list runs") as (connection, rows):
            return find_runs(connection, rows, query)

    def stages(self, run_id: str, *, all_attempts: bool = False) -> Sequence[StageRecord]:
        """Return what became of a run's stages, in pipeline order.

        Args:
            run_id: The run's id, or the unique beginning of one.
            all_attempts: Every attempt at a stage, not the last alone.
        """
        with self._parts.reading_runs("read the stages of a run") as (connection, rows):
            records = StageRows(connection, rows.find(run_id).run_id).load()
        return records if all_attempts else _last_attempts(records)

    def snapshot(self, run_id: str) -> ContextDelta:
        """Return the persistent context after the last completed stage: metrics, outputs, artifacts, assigns."""
        with self._parts.reading_runs("read the context of a run") as (connection, rows):
            return fold(StageRows(connection, rows.find(run_id).run_id).deltas())

    def resume_state(self, run_id: str) -> Resume:
        """Return where a run stands, as the runner needs it to go on."""
        with self._parts.reading_runs("read where a run stands") as (connection, rows):
            stages = StageRows(connection, rows.find(run_id).run_id)
            records, deltas = stages.load(), stages.deltas()
        return Resume(
            deltas=deltas,
            completed={record.index: record for record in records if record.status == "ok"},
            attempts={record.index: record.attempt for record in records},  # ordered: the last one stays
        )

    def compare(self, a: str, b: str) -> RunComparison:
        """Return how two runs differ in document, metrics and stages."""
        with self._parts.reading_runs("compare two runs") as (connection, rows):
            runs = [rows.find(run_id) for run_id in (a, b)]
            stages = [StageRows(connection, run.run_id) for run in runs]
            metrics_a, metrics_b = (fold(entry.deltas()).metrics for entry in stages)
            last_a, last_b = (_last_attempts(entry.load()) for entry in stages)
        return RunComparison(
            a=runs[0].run_id,
            b=runs[1].run_id,
            experiment=diff(runs[0].experiment, runs[1].experiment),
            metrics=diff(metrics_a, metrics_b),
            stages=diff([_comparable(record) for record in last_a], [_comparable(record) for record in last_b]),
            durations=diff([_duration(record) for record in last_a], [_duration(record) for record in last_b]),
        )

    def timeline(self, run_id: str, *, spans: bool = False) -> Sequence[TimelineEntry]:
        """Return what happened when in a run: its starts, every attempt at a stage, failures, its end.

        Args:
            run_id: The run's id, or the unique beginning of one.
            spans: Also the ends of the spans that were emitted, such as epochs and requests.
        """
        with self._parts.reading_runs("read the timeline of a run") as (connection, rows):
            return timeline(connection, rows.find(run_id), spans=spans)

    def artifacts(self, run_id: str) -> Sequence[StoredArtifact]:
        """Return the files that a run made, in the order of the stages that made them."""
        with self._parts.reading_runs("read the artifacts of a run") as (connection, rows):
            return artifacts_of(connection, rows.find(run_id).run_id)

    def lineage(self, run_id: str, artifact: str) -> Sequence[StoredArtifact]:
        """Return an artifact, what it was made from, what that was made from, and so on, each once.

        Args:
            run_id: The run's id, or the unique beginning of one.
            artifact: Its name in the run; of several with this name, the last.

        Raises:
            StoreError: The run has no such artifact; the message names those it has.
        """
        with self._parts.reading_runs("read where an artifact comes from") as (connection, rows):
            found = rows.find(run_id).run_id
            return upward(artifacts_of(connection, found), found, artifact)

    def runs_with_artifact(self, sha256: str) -> Sequence[StoredArtifact]:
        """Return every artifact with this content, of all runs, the earliest run first.

        Args:
            sha256: Hex digest of the content, or its first eight digits or more.

        Raises:
            StoreError: `sha256` is too short to mean one content.
        """
        with self._parts.reading_runs("look for an artifact") as (connection, _):
            return artifacts_with(connection, sha256)


def _last_attempts(records: Sequence[StageRecord]) -> Sequence[StageRecord]:
    return list({record.index: record for record in records}.values())  # ordered by attempt: the last one stays


def _comparable(record: StageRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "status": record.status,
        "reason": record.reason,
        "attempt": record.attempt,
    }


def _duration(record: StageRecord) -> dict[str, int]:
    return {"duration_ns": record.duration_ns}
