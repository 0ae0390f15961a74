"""The side of the repository of models that reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import true

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.engine import Database
from crucible.store.models.graph import Edge, LineageStep, walk
from crucible.store.models.names import ModelStage, check_stage, split_reference
from crucible.store.models.objects import ModelObjects, objects_folder
from crucible.store.models.records import ModelChange, ModelFile, ModelScores, StoredModelVersion
from crucible.store.models.rows import ModelRows
from crucible.store.models.semver import Version
from crucible.store.run_rows import moment_text

__all__ = ["ModelReading"]

_versions, _changes = tables.model_versions, tables.model_changes


class ModelReading:
    """The part of the repository that reads.

    Args:
        database: The open database.
        artifacts_dir: Folder of the store's files.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, artifacts_dir: Path, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.objects = ModelObjects(objects_folder(artifacts_dir, database))

    def find(self, reference: str) -> StoredModelVersion:
        """Return one version.

        Args:
            reference: `triage@1.2.0`, `triage@production` (the highest version there), `triage@latest` or `triage`
                (the highest of all).

        Raises:
            StoreError: There is none; the message names what there is.
            SpecError: The reference cannot be understood.
        """
        model, which = split_reference(reference)
        with self._reading(f"look for {reference}") as rows:
            return rows.find(model, which)

    def list(
        self, model: str | None = None, *, stage: ModelStage | None = None, run_id: str | None = None
    ) -> Sequence[StoredModelVersion]:
        """Return versions, by model, the lowest version first.

        Args:
            model: Only those of this model.
            stage: Only those in this stage.
            run_id: Only those that this run trained.
        """
        wanted = true()
        if model is not None:
            wanted &= _versions.c.model == model
        if stage is not None:
            wanted &= _versions.c.stage == check_stage(stage)
        if run_id is not None:
            wanted &= _versions.c.run_id == run_id
        with self._reading("list models") as rows:
            return rows.load(wanted)

    def files(self, version: StoredModelVersion) -> Sequence[ModelFile]:
        """Return the kept files of a version, by path.

        Raises:
            StoreError: None are kept.
        """
        if version.tree_sha256 is None:
            where = f"they are at {version.artifact_uri}" if version.artifact_uri else "it was registered without any"
            raise StoreError(f"no files of {version.reference} are kept here; {where}")
        with self._reading(f"list the files of {version.reference}") as rows:
            return rows.files(version.tree_sha256)

    def scores(self, version: StoredModelVersion, metric: str) -> ModelScores | None:
        """Return the scores of a version item by item, None if it has none by this metric."""
        with self._reading(f"read the scores of {version.reference}") as rows:
            return rows.scores(rows.id_of(version.model, version.version), metric)

    def changes(self, model: str, version: str | None = None) -> Sequence[ModelChange]:
        """Return what was done to a model, or to one version of it, the first first."""
        wanted = _changes.c.model == model
        if version is not None:
            wanted &= _changes.c.version == version
        with self._reading(f"read what was done to {model}") as rows:
            return rows.changes(wanted)

    def lineage(self, version: StoredModelVersion, direction: Literal["up", "down"]) -> Sequence[LineageStep]:
        """Return all that a version came of (`up`), or all that came of it (`down`), the nearest first."""
        with self._reading(f"follow where {version.reference} comes from") as rows:
            return walk(rows.edges(), (version.model, version.version), direction)

    def edges(self) -> Sequence[Edge]:
        """Return all lines of descent."""
        with self._reading("read who came of whom") as rows:
            return rows.edges()

    def latest(self, model: str) -> Version | None:
        """Return the highest version of a model, None if there is no such model."""
        found = self.list(model)
        return Version.parse(found[-1].version) if found else None

    def problems(self, version: StoredModelVersion) -> dict[str, str]:
        """Hold the kept files of a version against their digests and return what is wrong, by path.

        Raises:
            StoreError: None are kept, or the store cannot be read.
        """
        found: dict[str, str] = {}
        for file in self.files(version):
            try:
                self.objects.verify(file)
            except StoreError as error:
                found[file.path] = str(error)
        return found

    @contextlib.contextmanager
    def _reading(self, doing: str) -> Generator[ModelRows]:
        with self._database.reading(doing) as connection:
            yield ModelRows(connection, self._database.location)

    @contextlib.contextmanager
    def _writing(self, doing: str) -> Generator[ModelRows]:
        with self._database.writing(doing) as connection:
            rows = ModelRows(connection, self._database.location)
            rows.lock()
            yield rows

    def _now(self) -> str:
        return moment_text(self._clock())
