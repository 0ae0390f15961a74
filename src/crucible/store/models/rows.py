"""Versions of models inside a transaction: found, read with all that belongs to them, and written.

Whoever writes holds `lock` first: of two processes that register or promote at once, one sees what the other did.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Executable, delete, func, insert, select, true

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.codec import decode, encode, storable
from crucible.store.models.graph import Edge
from crucible.store.models.names import STAGES
from crucible.store.models.records import (
    ModelChange,
    ModelFile,
    ModelParent,
    ModelScores,
    NewModelVersion,
    StoredModelVersion,
)
from crucible.store.models.semver import Version

__all__ = ["ModelRows"]

_versions, _tags, _parents = tables.model_versions, tables.model_tags, tables.model_parents
_files, _scores, _changes = tables.model_files, tables.model_scores, tables.model_changes
_LOCK_KEY = 0x6372_6D6F  # "crmo": PostgreSQL's advisory lock of whoever changes models


class ModelRows:
    """The rows of models as one transaction sees them.

    Args:
        connection: The transaction.
        location: How messages name the store.
    """

    def __init__(self, connection: Connection, location: str) -> None:
        self._connection = connection
        self._location = location

    def lock(self) -> None:
        """Wait until no other process changes models; SQLite's writers have their turn already."""
        if self._connection.dialect.name != "sqlite":
            self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")

    # --- finding ---

    def ids(self) -> dict[tuple[str, str], int]:
        """Return the row ids of all versions by model and version."""
        rows = self._connection.execute(select(_versions.c.model, _versions.c.version, _versions.c.id))
        return {(row.model, row.version): row.id for row in rows}

    def id_of(self, model: str, version: str) -> int:
        """Return the row id of a version; without build metadata, of the one of that precedence.

        Raises:
            StoreError: There is none; the message names what there is.
        """
        wanted = Version.parse(version)
        same = (_versions.c.model == model) & (_versions.c.precedence == wanted.precedence)
        found = self._connection.execute(select(_versions.c.id, _versions.c.version).where(same)).first()
        if found is None or (wanted.build and found.version != version):  # another build is another text, other files
            raise StoreError(self._unknown(model, version))
        return found.id

    def find(self, model: str, which: str | None = None) -> StoredModelVersion:
        """Return one version.

        Args:
            model: Name of the model.
            which: A version, a stage (the highest version in it), `latest` or None for the highest of all.

        Raises:
            StoreError: There is none; the message names what there is.
            SpecError: `which` is neither a version nor a stage.
        """
        if which is not None and which not in (*STAGES, "latest"):
            return self.load(_versions.c.id == self.id_of(model, which))[0]
        wanted = _versions.c.model == model
        if which in STAGES:
            wanted &= _versions.c.stage == which
        found = self.load(wanted)
        if not found:
            raise StoreError(self._unknown(model, which))
        return max(found, key=lambda each: each.order)

    def load(self, wanted: ColumnElement[bool] | None = None) -> list[StoredModelVersion]:
        """Return versions with their tags and parents, by model, the lowest version first."""
        where = true() if wanted is None else wanted
        rows = self._connection.execute(select(_versions).where(where)).all()
        chosen = select(_versions.c.id).where(where)
        tags = self._grouped(select(_tags.c.version_id, _tags.c.tag).where(_tags.c.version_id.in_(chosen)))
        scored = self._grouped(select(_scores.c.version_id, _scores.c.metric).where(_scores.c.version_id.in_(chosen)))
        parents: dict[int, list[ModelParent]] = {}
        for row in self._edge_rows(_parents.c.version_id.in_(chosen)):
            parents.setdefault(row.version_id, []).append(ModelParent(row.relation, row.parent, row.parent_version))
        found = [
            StoredModelVersion(
                model=row.model,
                version=row.version,
                stage=row.stage,
                created_at=row.created_at,
                created_by=row.created_by,
                description=row.description,
                run_id=row.run_id,
                source_key=row.source_key,
                artifact_uri=row.artifact_uri,
                tree_sha256=row.tree_sha256,
                metrics=decode(row.metrics_json),
                tags=tuple(sorted(tags.get(row.id, ()))),
                parents=tuple(sorted(parents.get(row.id, ()), key=msgspec.structs.astuple)),
                origin=decode(row.origin_json),
                scored=tuple(sorted(scored.get(row.id, ()))),
            )
            for row in rows
        ]
        return sorted(found, key=lambda each: (each.model, each.order))

    def edges(self) -> list[Edge]:
        """Return all lines of descent, in the order of their children's rows."""
        return [
            Edge((row.child, row.child_version), row.relation, (row.parent, row.parent_version))
            for row in self._edge_rows(true())
        ]

    def files(self, tree: str) -> list[ModelFile]:
        """Return the files of a tree, by path."""
        query = select(_files.c.path, _files.c.sha256, _files.c.size_bytes).where(_files.c.tree_sha256 == tree)
        found = [ModelFile(*row) for row in self._connection.execute(query)]
        return sorted(found, key=lambda file: file.path)  # here: every database has its own order of letters

    def scores(self, version_id: int, metric: str) -> ModelScores | None:
        """Return the scores of a version by one metric, None if there are none."""
        query = select(_scores).where(_scores.c.version_id == version_id, _scores.c.metric == metric)
        row = self._connection.execute(query).first()
        if row is None:
            return None
        return ModelScores(row.metric, decode(row.items_json), row.asked_sha256, bool(row.is_share), row.recorded_at)

    def changes(self, wanted: ColumnElement[bool]) -> list[ModelChange]:
        """Return lines of the audit, the first first."""
        rows = self._connection.execute(select(_changes).where(wanted).order_by(_changes.c.id))
        return [
            ModelChange(
                model=row.model,
                version=row.version,
                kind=row.kind,
                at=row.at,
                by=row.made_by,
                why=row.why,
                from_stage=row.from_stage,
                to_stage=row.to_stage,
                forced=bool(row.forced),
                evidence=decode(row.evidence_json),
            )
            for row in rows
        ]

    def needed(self) -> set[str]:
        """Return the digests of all files that a version needs."""
        return set(self._connection.scalars(select(_files.c.sha256)))

    # --- writing ---

    def execute(self, statement: Executable, values: Mapping[str, Any] | None = None) -> None:
        """Carry out a statement on the rows of models."""
        self._connection.execute(statement, values)

    def add(self, new: NewModelVersion, version: Version, *, tree: str | None, at: str) -> int:
        """Write the row of a new version, its files and its tags, and return the row's id."""
        row = {
            "model": new.model,
            "version": str(version),
            "precedence": version.precedence,
            "stage": new.stage,
            "description": None if new.description is None else storable(new.description),
            "run_id": None if new.run_id is None else storable(new.run_id),
            "source_key": None if new.source_key is None else storable(new.source_key),
            "artifact_uri": None if new.artifact_uri is None else storable(new.artifact_uri),
            "tree_sha256": tree,
            "created_at": at,
            "created_by": storable(new.by),
            "metrics_json": encode(new.metrics),
            "origin_json": encode(new.origin),
        }
        made = self._connection.execute(insert(_versions).returning(_versions.c.id), row).scalar_one()
        if tree is not None and not self.files(tree):
            rows = [{"tree_sha256": tree, **msgspec.structs.asdict(file)} for file in new.files]
            self._connection.execute(insert(_files), rows)
        self.tag(made, new.tags)
        return made

    def tag(self, version_id: int, tags: Iterable[str]) -> None:
        """Add tags that are not there yet."""
        there = set(self._connection.scalars(select(_tags.c.tag).where(_tags.c.version_id == version_id)))
        if rows := [{"version_id": version_id, "tag": tag} for tag in tags if tag not in there]:
            self._connection.execute(insert(_tags), rows)

    def untag(self, version_id: int, tags: Sequence[str]) -> None:
        """Take tags away; one that is not there is no error."""
        self._connection.execute(delete(_tags).where(_tags.c.version_id == version_id, _tags.c.tag.in_(tags)))

    def link(self, child: int, relation: str, parent: int) -> None:
        """Write a line of descent."""
        self._connection.execute(insert(_parents), {"version_id": child, "relation": relation, "parent_id": parent})

    def note(self, change: ModelChange) -> None:
        """Write a line of the audit."""
        row = {
            "model": change.model,
            "version": change.version,
            "kind": change.kind,
            "at": change.at,
            "made_by": storable(change.by),
            "why": storable(change.why),
            "from_stage": change.from_stage,
            "to_stage": change.to_stage,
            "forced": int(change.forced),
            "evidence_json": encode(change.evidence),
        }
        self._connection.execute(insert(_changes), row)

    def forget_tree(self, tree: str) -> None:
        """Delete the list of a tree's files, if no version has that tree any more."""
        query = select(func.count()).select_from(_versions).where(_versions.c.tree_sha256 == tree)
        if not self._connection.scalar(query):
            self._connection.execute(delete(_files).where(_files.c.tree_sha256 == tree))

    def _edge_rows(self, wanted: ColumnElement[bool]) -> Sequence[Any]:
        child, parent = _versions.alias("child"), _versions.alias("parent")
        joined = _parents.join(child, child.c.id == _parents.c.version_id).join(
            parent, parent.c.id == _parents.c.parent_id
        )
        query = select(
            _parents.c.version_id,
            _parents.c.relation,
            child.c.model.label("child"),
            child.c.version.label("child_version"),
            parent.c.model.label("parent"),
            parent.c.version.label("parent_version"),
        )
        order = (_parents.c.version_id, _parents.c.relation, _parents.c.parent_id)
        return self._connection.execute(query.select_from(joined).where(wanted).order_by(*order)).all()

    def _grouped(self, query: Any) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        rows: Any = self._connection.execute(query)
        for version_id, word in rows:
            found.setdefault(version_id, []).append(word)
        return found

    def _unknown(self, model: str, which: str | None) -> str:
        known = list(self._connection.scalars(select(_versions.c.model).distinct().order_by(_versions.c.model)))
        if model not in known:
            near = difflib.get_close_matches(model, known, n=3) or known[:5]
            return f'there is no model "{model}"; registered are {", ".join(near) or "none"}'
        if which in STAGES:
            return f"no version of {model} is in {which}; see what there is with: crucible models show {model}"
        rows = self._connection.scalars(select(_versions.c.version).where(_versions.c.model == model))
        latest = sorted(rows, key=lambda text: Version.parse(text).key)[-5:]
        return f"{model} has no version {which}; its latest are {', '.join(latest)}"
