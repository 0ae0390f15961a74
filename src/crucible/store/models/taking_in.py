"""Versions that another store wrote down, taken in: all of them in one transaction, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import update

from crucible.errors import SpecError, StoreError
from crucible.store import tables
from crucible.store.codec import encode, storable
from crucible.store.models.moving import ModelMoving, in_production
from crucible.store.models.names import (
    check_metrics,
    check_model,
    check_moment,
    check_paths,
    check_relation,
    check_sha256,
    check_short,
    check_stage,
    check_tags,
)
from crucible.store.models.records import (
    ModelChange,
    ModelFile,
    ModelScores,
    NewModelVersion,
    StoredModelVersion,
    tree_sha256,
)
from crucible.store.models.rows import ModelRows
from crucible.store.models.semver import Version
from crucible.store.models.writing import check_scores

__all__ = ["ModelRepository", "TakenVersion"]

_versions, _changes = tables.model_versions, tables.model_changes
_LARGEST_BYTES: Final = 2**63  # what a database's integer holds


class TakenVersion(msgspec.Struct, frozen=True):
    """A version with what belongs to it, on its way from one store to another.

    Args:
        version: The version.
        files: Its files, by digest.
        scores: Its scores item by item.
    """

    version: StoredModelVersion
    files: tuple[ModelFile, ...] = ()
    scores: tuple[ModelScores, ...] = ()


class ModelRepository(ModelMoving):
    """The models of a store: versions, stages, lineage, files, and what was done to them by whom."""

    def take_in(
        self, taken: Sequence[TakenVersion], changes: Sequence[ModelChange], *, merge: bool, by: str, why: str
    ) -> Sequence[StoredModelVersion]:
        """Write versions of another store, and return those that are new here.

        Args:
            taken: The versions; what they came of is among them or here.
            changes: Their audit.
            merge: What is known here and differs: refuse, or keep what is here and add what is missing. A version in
                production there, where another one is in production here, begins in staging.
            by: Who takes them in.
            why: Why.

        Raises:
            SpecError: Something of it cannot be taken: a name, a path, a number.
            StoreError: It contradicts what is here or itself.
        """
        for each in taken:
            _check(each)
        for change in changes:
            _check_change(change)
        with self._writing("take in models") as rows:
            before = rows.ids()
            held = {model: there for model, _ in before if (there := in_production(rows, model))}
            here = {(each.model, Version.parse(each.version).precedence): each for each in rows.load()}
            new: list[TakenVersion] = []
            for each in taken:
                version = each.version
                place = version.model, Version.parse(version.version).precedence
                known = here.get(place)
                if known is None:
                    self._begin(rows, each, held.get(version.model, ()), merge=merge)
                    here[place] = version
                    new.append(each)
                elif not merge:
                    _refuse_difference(known, version)
                else:
                    self._merge(rows, known, each, by=by, why=why)
            made = {(each.version.model, each.version.version) for each in new}
            for each in taken:
                for parent in each.version.parents:
                    is_new = self._linked(rows, each.version.model, each.version.version, parent)
                    if is_new and (each.version.model, each.version.version) not in made:
                        self._note(rows, each.version, "linked", by, why, evidence=msgspec.to_builtins(parent))
            self._audit(rows, changes, before)
            for each in new:
                stored = rows.find(each.version.model, each.version.version)
                evidence = {"tree_sha256": stored.tree_sha256, "stage_there": each.version.stage}
                self._note(rows, stored, "imported", by, why, stages=(None, stored.stage), evidence=evidence)
            return [rows.find(each.version.model, each.version.version) for each in new]

    def _begin(self, rows: ModelRows, taken: TakenVersion, held: Sequence[StoredModelVersion], *, merge: bool) -> None:
        """Write a version that is new here, beside what was in production here before."""
        version, stage = taken.version, taken.version.stage
        if stage == "production" and held:
            if not merge:
                raise StoreError(
                    f"{version.reference} is in production there and {held[0].reference} is here; merge to take it in "
                    "as a version in staging"
                )
            stage = "staging"
        if version.source_key is not None:
            same = (_versions.c.model == version.model) & (_versions.c.source_key == storable(version.source_key))
            if there := rows.load(same):
                raise StoreError(
                    f"{version.reference} is of the same source ({version.source_key[:80]}) as {there[0].reference}, "
                    "and a source makes one version; export without one of them"
                )
        row = rows.add(
            NewModelVersion(
                model=version.model,
                stage=stage,
                description=version.description,
                run_id=version.run_id,
                source_key=version.source_key,
                artifact_uri=version.artifact_uri,
                files=taken.files,
                metrics=version.metrics,
                tags=version.tags,
                origin=version.origin,
                by=version.created_by,
            ),
            Version.parse(version.version),
            tree=version.tree_sha256,
            at=version.created_at,
        )
        for scores in taken.scores:
            self._put_scores(rows, row, scores, version.created_at)

    def _merge(self, rows: ModelRows, known: StoredModelVersion, taken: TakenVersion, *, by: str, why: str) -> None:
        """Add what is missing here, each with its line of the audit; what is here stays."""
        version = taken.version
        if version.version != known.version:
            raise StoreError(
                f"{version.reference} and {known.reference}, which is here, differ in build metadata alone, so one of "
                "them can be here; register the other one under a new version"
            )
        if version.tree_sha256 != known.tree_sha256:
            raise StoreError(
                f"{version.reference} has other files there than here, and a version never changes; register the other "
                "one under a new version"
            )
        row = rows.id_of(known.model, known.version)
        if tags := [tag for tag in version.tags if tag not in known.tags]:
            rows.tag(row, tags)
            self._note(rows, known, "tags", by, why, evidence={"added": tags, "removed": []})
        if measured := {name: value for name, value in version.metrics.items() if name not in known.metrics}:
            both = {"metrics_json": encode(known.metrics | measured)}
            rows.execute(update(_versions).where(_versions.c.id == row), both)
            self._note(rows, known, "metrics", by, why, evidence={"metrics": measured, "before": {}})
        for scores in taken.scores:
            if scores.metric not in known.scored:
                self._put_scores(rows, row, scores, version.created_at)
                evidence = {"metric": scores.metric, "items": len(scores.items)}
                self._note(rows, known, "scores", by, why, evidence=evidence)

    def _audit(self, rows: ModelRows, changes: Sequence[ModelChange], before: Mapping[tuple[str, str], int]) -> None:
        """Take over the audit of versions that were not here before; of the others it is known here."""
        for model in dict.fromkeys(change.model for change in changes):
            there = {msgspec.json.encode(change) for change in rows.changes(_changes.c.model == model)}
            for change in changes:
                is_known = (model, change.version) in before or msgspec.json.encode(change) in there
                if change.model == model and not is_known:
                    rows.note(change)


def _check(taken: TakenVersion) -> None:
    version = taken.version
    check_model(version.model)
    Version.parse(version.version)
    check_stage(version.stage)
    check_moment(version.created_at)
    check_short("the run", version.run_id)
    check_short("the source", version.source_key)
    check_tags(version.tags)
    check_metrics(version.metrics)
    check_paths(file.path for file in taken.files)
    for file in taken.files:
        check_sha256(file.sha256)
        if not 0 <= file.size_bytes < _LARGEST_BYTES:
            raise SpecError(
                f"{version.reference}: {file.path} has {file.size_bytes} bytes; expected 0 to 2^63 - 1", code="size"
            )
    for parent in version.parents:
        check_relation(parent.relation)
        check_model(parent.model)
        Version.parse(parent.version)
    for scores in taken.scores:
        check_scores(scores)
        if scores.recorded_at:
            check_moment(scores.recorded_at)
    tree = tree_sha256(taken.files) if taken.files else None
    if tree != version.tree_sha256:
        raise SpecError(f"{version.reference}: the digest of its files together is not that of the files it lists")


def _check_change(change: ModelChange) -> None:
    check_model(change.model)
    Version.parse(change.version)
    check_moment(change.at)
    for stage in (change.from_stage, change.to_stage):
        if stage is not None:
            check_stage(stage)


def _refuse_difference(known: StoredModelVersion, taken: StoredModelVersion) -> None:
    ours: dict[str, Any] = msgspec.to_builtins(known)
    theirs: dict[str, Any] = msgspec.to_builtins(taken)
    differing = [name for name in ours if ours[name] != theirs[name]]
    if differing:
        raise StoreError(
            f"{known.reference} is known here and differs from that of the file in {', '.join(differing)}; merge to "
            "keep what is here and add what is missing"
        )
