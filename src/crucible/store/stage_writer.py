"""Writing the rows below a run: an attempt at a stage, and what a completed stage added to the context.

Works on the cursor of a transaction of the database's `writer`. What depends on the order of columns is checked by a
test that reads everything back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.errors import StoreError
from crucible.pipeline.records import ContextDelta, StageRecord
from crucible.store import tables
from crucible.store.codec import encode, storable
from crucible.store.engine import Database

__all__ = ["StageWriter"]

_FIELDS = ("path", "sha256", "size_bytes", "media_type")


class StageWriter:
    """Writes the stage rows of runs.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        artifacts = tables.artifacts.name
        self._upsert_record = database.insert_text(tables.stage_records, ["run_id", "stage_index", "attempt"])
        self._upsert_delta = database.insert_text(tables.context_deltas, ["run_id", "stage_index"])
        self._insert_artifact = database.insert_text(tables.artifacts)
        self._insert_input = database.insert_text(tables.artifact_inputs)
        self._delete_artifacts = database.text(f"DELETE FROM {artifacts} WHERE run_id = ? AND stage_index = ?")  # noqa: S608  # our own name
        self._find_input = database.text(
            f"SELECT sha256 FROM {artifacts} WHERE run_id = ? AND name = ? AND stage_index <> ? "  # noqa: S608  # our own name
            "ORDER BY CASE WHEN stage_index < ? THEN 0 ELSE 1 END, stage_index DESC LIMIT 1"
        )

    def save(self, cursor: Any, run_id: str, record: StageRecord) -> None:
        """Keep an attempt; its end replaces its start."""
        cursor.execute(
            self._upsert_record,
            (
                run_id,
                record.index,
                record.attempt,
                record.name,
                record.status,
                None if record.reason is None else storable(record.reason),
                record.started_at,
                None if record.status == "running" else record.duration_ns,
                None if record.error is None else encode(record.error),
            ),
        )

    def save_delta(self, cursor: Any, run_id: str, record: StageRecord, delta: ContextDelta) -> None:
        """Keep what a completed stage added, in place of what an earlier attempt did.

        Raises:
            StoreError: An artifact lacks a field.
        """
        index = record.index
        texts = (encode(delta.metrics), encode(delta.outputs), encode(delta.assigns))
        cursor.execute(self._upsert_delta, (run_id, index, record.attempt, *texts))
        if record.attempt > 1 or delta.artifacts:
            cursor.execute(self._delete_artifacts, (run_id, index))
        for name, fields in delta.artifacts.items():
            if missing := [field for field in _FIELDS if fields.get(field) is None]:
                raise StoreError(
                    f"cannot save the end of stage {record.name} of run {run_id}: the artifact {name} has no "
                    f"{', '.join(missing)}; make its reference with `context.add_file`"
                )
            cursor.execute(self._insert_artifact, (run_id, index, name, *(fields[field] for field in _FIELDS)))
        for name, fields in delta.artifacts.items():
            for source in dict.fromkeys(fields.get("made_from") or ()):
                digest = self._digest(cursor, (run_id, index, name), source, delta.artifacts)
                cursor.execute(self._insert_input, (run_id, index, name, source, digest))

    def _digest(
        self, cursor: Any, made: tuple[str, int, str], source: str, together: Mapping[str, Mapping[str, Any]]
    ) -> str | None:
        """Return the content that a name stood for: made by the same stage, else by the nearest stage before it."""
        run_id, index, name = made
        if source in together and source != name:
            return together[source]["sha256"]
        cursor.execute(self._find_input, (run_id, source, index, index))
        row = cursor.fetchone()
        return None if row is None else row[0]
