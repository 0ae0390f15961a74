"""The rows below a run: attempts at its stages, and what each completed stage added to the context.

Works inside a transaction that `RunRepository` opens. The context of a run is never kept whole: it is the fold of the
stages' deltas in pipeline order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, update

from crucible.pipeline.records import ContextDelta, Failure, StageRecord
from crucible.store import tables
from crucible.store.codec import decode, encode, storable
from crucible.store.engine import Database

__all__ = ["StageRows"]

_records, _deltas, _artifacts = tables.stage_records, tables.context_deltas, tables.artifacts


class StageRows:
    """The stage rows of one run.

    Args:
        database: The open database.
        connection: Inside a transaction.
        run_id: The run's full id.
    """

    def __init__(self, database: Database, connection: Connection, run_id: str) -> None:
        self._database = database
        self._connection = connection
        self._run_id = run_id

    def save(self, record: StageRecord) -> None:
        """Keep an attempt; its end replaces its start."""
        row = {
            "run_id": self._run_id,
            "stage_index": record.index,
            "attempt": record.attempt,
            "name": record.name,
            "status": record.status,
            "reason": None if record.reason is None else storable(record.reason),
            "started_at": record.started_at,
            "duration_ns": record.duration_ns,
            "error_json": None if record.error is None else encode(record.error),
        }
        self._connection.execute(self._database.upsert(_records, ["run_id", "stage_index", "attempt"]), row)

    def save_delta(self, record: StageRecord, delta: ContextDelta) -> None:
        """Keep what a completed stage added, in place of what an earlier attempt did."""
        row = {
            "run_id": self._run_id,
            "stage_index": record.index,
            "attempt": record.attempt,
            "metrics_json": encode(delta.metrics),
            "outputs_json": encode(delta.outputs),
            "assigns_json": encode(delta.assigns),
        }
        self._connection.execute(self._database.upsert(_deltas, ["run_id", "stage_index"]), row)
        mine = (_artifacts.c.run_id == self._run_id) & (_artifacts.c.stage_index == record.index)
        self._connection.execute(delete(_artifacts).where(mine))
        files = [self._artifact(record.index, name, fields) for name, fields in delta.artifacts.items()]
        if files:
            self._connection.execute(_artifacts.insert(), files)

    def close_running(self, reason: str) -> None:
        """Write down that the stages that were running will not end."""
        running = (_records.c.run_id == self._run_id) & (_records.c.status == "running")
        self._connection.execute(update(_records).where(running), {"status": "cancelled", "reason": reason})

    def load(self) -> list[StageRecord]:
        """Return every attempt, in pipeline order, earlier attempts first."""
        query = select(_records).where(_records.c.run_id == self._run_id)
        rows = self._connection.execute(query.order_by(_records.c.stage_index, _records.c.attempt))
        return [
            StageRecord(
                index=row.stage_index,
                name=row.name,
                status=row.status,
                reason=row.reason,
                attempt=row.attempt,
                started_at=row.started_at,
                duration_ns=row.duration_ns,
                error=None if row.error_json is None else msgspec.convert(decode(row.error_json), Failure),
            )
            for row in rows
        ]

    def snapshot(self) -> ContextDelta:
        """Return the fold of all deltas: the persistent context after the last completed stage."""
        whole = ContextDelta(metrics={}, outputs=[], artifacts={}, assigns={})
        query = select(_deltas).where(_deltas.c.run_id == self._run_id).order_by(_deltas.c.stage_index)
        for row in self._connection.execute(query):
            whole.metrics.update(decode(row.metrics_json))
            whole.outputs.extend(decode(row.outputs_json))
            whole.assigns.update(decode(row.assigns_json))
        files = select(_artifacts).where(_artifacts.c.run_id == self._run_id)
        for row in self._connection.execute(files.order_by(_artifacts.c.stage_index, _artifacts.c.name)):
            whole.artifacts[row.name] = {
                "path": row.path,
                "sha256": row.sha256,
                "size_bytes": row.size_bytes,
                "media_type": row.media_type,
            }
        return whole

    def _artifact(self, stage_index: int, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"run_id": self._run_id, "stage_index": stage_index, "name": name, **fields}
