"""Reading the rows below a run: attempts at its stages, and what each completed stage added to the context.

Works inside a transaction that somebody else opens. The context of a run is never kept whole: it is the fold of the
stages' deltas in pipeline order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from crucible.pipeline.records import ContextDelta, Failure, StageRecord
from crucible.store import tables
from crucible.store.codec import decode

__all__ = ["StageRows", "fold"]

_records, _deltas, _artifacts = tables.stage_records, tables.context_deltas, tables.artifacts
_inputs = tables.artifact_inputs


class StageRows:
    """The stage rows of one run.

    Args:
        connection: Inside a transaction.
        run_id: The run's full id.
    """

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._connection = connection
        self._run_id = run_id

    def close_running(self, reason: str) -> None:
        """Write down that the stages that were running will not end."""
        running = (_records.c.run_id == self._run_id) & (_records.c.status == "running")
        self._connection.execute(update(_records).where(running), {"status": "cancelled", "reason": reason})

    def load(self) -> list[StageRecord]:
        """Return every attempt, in pipeline order, earlier attempts first."""
        same = (_deltas.c.run_id == _records.c.run_id) & (_deltas.c.stage_index == _records.c.stage_index)
        joined = _records.outerjoin(_deltas, same & (_deltas.c.attempt == _records.c.attempt))
        query = select(_records, _deltas.c.metrics_json).select_from(joined).where(_records.c.run_id == self._run_id)
        rows = self._connection.execute(query.order_by(_records.c.stage_index, _records.c.attempt))
        return [
            StageRecord(
                index=row.stage_index,
                name=row.name,
                status=row.status,
                reason=row.reason,
                attempt=row.attempt,
                started_at=row.started_at,
                duration_ns=row.duration_ns or 0,
                error=None if row.error_json is None else msgspec.convert(decode(row.error_json), Failure),
                metrics={} if row.metrics_json is None else decode(row.metrics_json),
            )
            for row in rows
        ]

    def deltas(self) -> dict[int, ContextDelta]:
        """Return what each completed stage added, by index, in pipeline order."""
        files = self._files()
        query = select(_deltas).where(_deltas.c.run_id == self._run_id).order_by(_deltas.c.stage_index)
        return {
            row.stage_index: ContextDelta(
                metrics=decode(row.metrics_json),
                outputs=decode(row.outputs_json),
                artifacts=files.get(row.stage_index, {}),
                assigns=decode(row.assigns_json),
            )
            for row in self._connection.execute(query)
        }

    def _files(self) -> dict[int, dict[str, dict[str, Any]]]:
        """Return the artifacts by the stage that made them, as the stage gave them."""
        found: dict[int, dict[str, dict[str, Any]]] = {}
        query = select(_artifacts).where(_artifacts.c.run_id == self._run_id)
        for row in self._connection.execute(query.order_by(_artifacts.c.stage_index, _artifacts.c.name)):
            found.setdefault(row.stage_index, {})[row.name] = {
                "path": row.path,
                "sha256": row.sha256,
                "size_bytes": row.size_bytes,
                "media_type": row.media_type,
                "made_from": [],
            }
        inputs = select(_inputs).where(_inputs.c.run_id == self._run_id).order_by(_inputs.c.input_name)
        for row in self._connection.execute(inputs):
            found[row.stage_index][row.name]["made_from"].append(row.input_name)
        return found


def fold(deltas: dict[int, ContextDelta]) -> ContextDelta:
    """Return the persistent context after the last of the stages, in pipeline order."""
    whole = ContextDelta(metrics={}, outputs=[], artifacts={}, assigns={})
    for index in sorted(deltas):
        delta = deltas[index]
        whole.metrics.update(delta.metrics)
        whole.outputs.extend(delta.outputs)
        whole.artifacts.update(delta.artifacts)
        whole.assigns.update(delta.assigns)
    return whole
