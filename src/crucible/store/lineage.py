"""Where a file comes from: which stage made it, from which others, and which runs made the same content.

The rule is short: a stage names what it made a file from (`made_from`), and the store keeps the name and the content it
stood for then, made by the same stage or the nearest one before. A name that stood for nothing is kept without content.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from crucible.errors import StoreError
from crucible.store import tables

__all__ = ["ArtifactInput", "StoredArtifact", "artifacts_of", "artifacts_with", "upward"]

_artifacts, _inputs, _runs = tables.artifacts, tables.artifact_inputs, tables.runs
_deltas, _records = tables.context_deltas, tables.stage_records
_SHORTEST = 8


class ArtifactInput(msgspec.Struct, frozen=True):
    """What an artifact was made from, as the stage that made it said.

    Args:
        name: Name of the other artifact.
        sha256: Its content at that time; None if the run had no artifact of that name.
    """

    name: str
    sha256: str | None


class StoredArtifact(msgspec.Struct, frozen=True):
    """A file that a run made, and how it came to be.

    Args:
        run_id: The run.
        name: Its name in the run.
        path: Relative to the run's workspace, with `/` between parts.
        sha256: Hex digest of the content.
        size_bytes: Length of the content.
        media_type: Such as `text/html`.
        stage: Name of the stage that made it.
        stage_index: That stage's place in the pipeline, from 0.
        attempt: Which attempt at that stage made it.
        made_from: Artifacts that it stands on, by name.
    """

    run_id: str
    name: str
    path: str
    sha256: str
    size_bytes: int
    media_type: str
    stage: str
    stage_index: int
    attempt: int
    made_from: tuple[ArtifactInput, ...] = ()


def artifacts_of(connection: Connection, run_id: str) -> list[StoredArtifact]:
    """Return the artifacts of a run, by the place of the stage that made them, then by name."""
    return _load(connection, _artifacts.c.run_id == run_id)


def artifacts_with(connection: Connection, sha256: str) -> list[StoredArtifact]:
    """Return the artifacts of all runs whose content's digest begins so, the earliest run first.

    Raises:
        StoreError: `sha256` is too short.
    """
    if len(sha256) < _SHORTEST:
        raise StoreError(f'"{sha256}" is too short for a content; give {_SHORTEST} digits of its SHA-256 or more')
    return _load(connection, _artifacts.c.sha256.startswith(sha256.lower(), autoescape=True))


def upward(artifacts: Sequence[StoredArtifact], run_id: str, name: str) -> list[StoredArtifact]:
    """Return an artifact and what it stands on, breadth first, each once.

    Args:
        artifacts: All artifacts of the run.
        run_id: The run, for the message.
        name: The artifact to begin with; of several, the last.

    Raises:
        StoreError: There is none of this name.
    """
    by_name = {entry.name: entry for entry in artifacts}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=3) or sorted(by_name)
        raise StoreError(f'run {run_id} made no artifact "{name}"; it made {", ".join(near) or "none"}')
    by_content = {(entry.name, entry.sha256): entry for entry in artifacts}
    found = [by_name[name]]
    for entry in found:  # grows while it is walked
        for source in entry.made_from:
            known = by_content.get((source.name, source.sha256 or ""))
            if known is not None and known not in found:
                found.append(known)
    return found


def _load(connection: Connection, wanted: ColumnElement[bool]) -> list[StoredArtifact]:
    same = (_deltas.c.run_id == _artifacts.c.run_id) & (_deltas.c.stage_index == _artifacts.c.stage_index)
    made = (
        (_records.c.run_id == _deltas.c.run_id)
        & (_records.c.stage_index == _deltas.c.stage_index)
        & (_records.c.attempt == _deltas.c.attempt)
    )
    joined = _artifacts.join(_runs).join(_deltas, same).join(_records, made)
    query = select(_artifacts, _deltas.c.attempt, _records.c.name.label("stage")).select_from(joined).where(wanted)
    order = (_runs.c.started_at, _artifacts.c.run_id, _artifacts.c.stage_index, _artifacts.c.name)
    rows = connection.execute(query.order_by(*order)).all()
    key = (_inputs.c.run_id, _inputs.c.stage_index, _inputs.c.name)
    inputs = select(_inputs).join(_artifacts).where(wanted).order_by(*key, _inputs.c.input_name)
    sources: dict[tuple[str, int, str], list[ArtifactInput]] = {}
    for row in connection.execute(inputs):
        made_of = sources.setdefault((row.run_id, row.stage_index, row.name), [])
        made_of.append(ArtifactInput(row.input_name, row.input_sha256))
    return [
        StoredArtifact(
            run_id=row.run_id,
            name=row.name,
            path=row.path,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            media_type=row.media_type,
            stage=row.stage,
            stage_index=row.stage_index,
            attempt=row.attempt,
            made_from=tuple(sources.get((row.run_id, row.stage_index, row.name), ())),
        )
        for row in rows
    ]
