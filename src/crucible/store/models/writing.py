"""The side of the repository of models that writes: every call is one transaction, with its line of the audit in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, update

from crucible.errors import SpecError, StoreError
from crucible.store import tables
from crucible.store.codec import encode, storable
from crucible.store.models.graph import Edge, circle
from crucible.store.models.names import (
    check_metrics,
    check_model,
    check_paths,
    check_relation,
    check_sha256,
    check_short,
    check_stage,
    check_tags,
)
from crucible.store.models.reading import ModelReading
from crucible.store.models.records import (
    ChangeKind,
    ModelChange,
    ModelParent,
    ModelScores,
    NewModelVersion,
    StoredModelVersion,
    tree_sha256,
)
from crucible.store.models.rows import ModelRows
from crucible.store.models.semver import Version, next_version

__all__ = ["ModelWriting", "check_scores"]

_versions, _scores = tables.model_versions, tables.model_scores


class ModelWriting(ModelReading):
    """The part of the repository that writes, stages aside."""

    def register(self, new: NewModelVersion) -> StoredModelVersion:
        """Write a new version; its files are kept already.

        Raises:
            SpecError: A name, a number or a stage cannot be taken.
            StoreError: There is a version of the same precedence, a parent is unknown, a file is not kept here, or the
                same source was registered with other files.
        """
        _check(new)
        with self._writing(f"register {new.model}") as rows:
            return self._registered(rows, new, at=self._now(), kind="registered")

    def update_metrics(
        self, version: StoredModelVersion, metrics: Mapping[str, float], *, by: str, why: str = ""
    ) -> StoredModelVersion:
        """Merge measurements into those of a version: new ones are added, known ones replaced, the others stay."""
        measured = check_metrics(metrics)
        with self._writing(f"measure {version.reference}") as rows:
            now = rows.find(version.model, version.version)
            row = _versions.c.id == rows.id_of(now.model, now.version)
            rows.execute(update(_versions).where(row), {"metrics_json": encode(now.metrics | measured)})
            before = {name: now.metrics[name] for name in measured if name in now.metrics}
            self._note(rows, now, "metrics", by, why, evidence={"metrics": measured, "before": before})
            return rows.find(now.model, now.version)

    def record_scores(self, version: StoredModelVersion, scores: ModelScores, *, by: str) -> StoredModelVersion:
        """Keep the scores of a version item by item, in place of those by the same metric."""
        with self._writing(f"keep the scores of {version.reference}") as rows:
            self._put_scores(rows, rows.id_of(version.model, version.version), scores, self._now())
            evidence = {"metric": scores.metric, "items": len(scores.items)}
            self._note(rows, version, "scores", by, "", evidence=evidence)
            return rows.find(version.model, version.version)

    def tag(
        self, version: StoredModelVersion, add: Iterable[str] = (), remove: Iterable[str] = (), *, by: str
    ) -> StoredModelVersion:
        """Add tags to a version and take others away."""
        added, removed = check_tags(add), check_tags(remove)
        with self._writing(f"tag {version.reference}") as rows:
            row = rows.id_of(version.model, version.version)
            rows.untag(row, removed)
            rows.tag(row, added)
            self._note(rows, version, "tags", by, "", evidence={"added": list(added), "removed": list(removed)})
            return rows.find(version.model, version.version)

    def link(self, version: StoredModelVersion, parent: ModelParent, *, by: str, why: str = "") -> StoredModelVersion:
        """Say that a version came of another one; the same said twice is said once.

        Raises:
            StoreError: There is no such other version, or the lines of descent would make a circle, which is named.
        """
        check_relation(parent.relation)
        with self._writing(f"say where {version.reference} comes from") as rows:
            if self._linked(rows, version.model, version.version, parent):
                self._note(rows, version, "linked", by, why, evidence=msgspec.to_builtins(parent))
            return rows.find(version.model, version.version)

    def remove(self, version: StoredModelVersion, *, by: str, why: str) -> None:
        """Remove a version; what was done to it stays in the audit, and its files go with the next `gc`.

        Raises:
            SpecError: `why` is empty.
            StoreError: It is in production, or another version came of it.
        """
        if not why.strip():
            raise SpecError("say why a version is removed: the audit keeps it", code="why")
        with self._writing(f"remove {version.reference}") as rows:
            now = rows.find(version.model, version.version)
            if now.stage == "production":
                raise StoreError(f"{now.reference} is in production, so it is not removed; archive it first")
            row = rows.id_of(now.model, now.version)
            came = [edge for edge in rows.edges() if edge.parent == (now.model, now.version)]
            if came:
                names = ", ".join("@".join(edge.child) for edge in came[:3])
                raise StoreError(f"{now.reference} is not removed: {names} came of it; remove what came of it first")
            rows.execute(delete(_versions).where(_versions.c.id == row))
            if now.tree_sha256 is not None:
                rows.forget_tree(now.tree_sha256)
            self._note(rows, now, "removed", by, why, evidence={"tree_sha256": now.tree_sha256, "metrics": now.metrics})

    def gc(self, *, dry_run: bool = True, grace_s: float = 3600.0) -> tuple[list[str], int]:
        """Remove kept files that no version needs.

        Args:
            dry_run: Only say what would go.
            grace_s: Only files that nobody kept or wanted again for so long; younger ones may be of a version that is
                just being registered.

        Returns:
            Digests (or names of half-written files), and their bytes together.

        Raises:
            StoreError: A file cannot be removed.
        """
        with self._writing("look for files of models that no version needs") as rows:
            paths = self.objects.left_over(rows.needed(), grace_s=grace_s)
            size_bytes = sum(path.lstat().st_size for path in paths)
            if not dry_run:
                size_bytes = self.objects.remove(paths)  # nobody registers meanwhile: this transaction is theirs
        return [path.name for path in paths], size_bytes

    # --- inside a transaction ---

    def _registered(self, rows: ModelRows, new: NewModelVersion, *, at: str, kind: ChangeKind) -> StoredModelVersion:
        tree = tree_sha256(new.files) if new.files else None
        if (same := self._same_source(rows, new, tree)) is not None:
            return same
        there = rows.load(_versions.c.model == new.model)
        version = _version_of(new, there)
        gone = [file.path for file in new.files if not self.objects.is_here(file)]
        if gone and kind == "registered":
            raise StoreError(
                f"{new.model}@{version} is not registered: the content of {', '.join(gone[:3])} is not kept here any "
                "more; register it again"
            )
        parents = [_exact(rows, parent) for parent in new.parents]  # `latest` is the one before this
        row = rows.add(new, version, tree=tree, at=at)
        for parent in parents:
            self._linked(rows, new.model, str(version), parent)
        for scores in new.scores:
            self._put_scores(rows, row, scores, at)
        made = rows.find(new.model, str(version))
        evidence: dict[str, Any] = {"tree_sha256": tree, "metrics": new.metrics}
        evidence |= {"parents": [msgspec.to_builtins(parent) for parent in parents]} if parents else {}
        self._note(rows, made, kind, new.by, new.why, stages=(None, new.stage), evidence=evidence)
        return made

    def _same_source(self, rows: ModelRows, new: NewModelVersion, tree: str | None) -> StoredModelVersion | None:
        if new.source_key is None:
            return None
        same = (_versions.c.model == new.model) & (_versions.c.source_key == storable(new.source_key))
        found = rows.load(same)
        if not found:
            return None
        if found[0].tree_sha256 != tree or (new.version not in (None, found[0].version)):
            raise StoreError(
                f"{found[0].reference} was registered from the same source ({new.source_key}) as another version or "
                "with other files; a source makes one version"
            )
        return found[0]

    def _linked(self, rows: ModelRows, model: str, version: str, parent: ModelParent) -> bool:
        """Write a line of descent that is not there yet; say whether it is new."""
        below, above = rows.find(model, version), rows.find(parent.model, parent.version)
        edge = Edge((below.model, below.version), parent.relation, (above.model, above.version))
        edges = rows.edges()
        if edge in edges:
            return False
        if (way := circle(edges, edge)) is not None:
            raise StoreError(f"a version cannot come of itself: {way}; leave out the line that is wrong")
        rows.link(rows.id_of(*edge.child), parent.relation, rows.id_of(*edge.parent))
        return True

    def _put_scores(self, rows: ModelRows, row: int, scores: ModelScores, at: str) -> None:
        check_scores(scores)
        same = (_scores.c.version_id == row) & (_scores.c.metric == scores.metric)
        rows.execute(delete(_scores).where(same))
        values = {
            "version_id": row,
            "metric": scores.metric,
            "asked_sha256": scores.asked_sha256,
            "is_share": int(scores.is_share),
            "recorded_at": scores.recorded_at or at,
            "items_json": encode(scores.items),
        }
        rows.execute(insert(_scores), values)

    def _note(
        self,
        rows: ModelRows,
        version: StoredModelVersion,
        kind: ChangeKind,
        by: str,
        why: str,
        *,
        stages: tuple[str | None, str | None] = (None, None),
        forced: bool = False,
        evidence: Mapping[str, Any] | None = None,
    ) -> ModelChange:
        """Write a line of the audit and return it; `stages` are those before and after."""
        change = ModelChange(
            model=version.model,
            version=version.version,
            kind=kind,
            at=self._now(),
            by=by,
            why=why,
            from_stage=stages[0],
            to_stage=stages[1],
            forced=forced,
            evidence=dict(evidence or {}),
        )
        rows.note(change)
        return change


def _exact(rows: ModelRows, parent: ModelParent) -> ModelParent:
    """Return a line of descent with the version that it stands for now."""
    above = rows.find(parent.model, parent.version)
    return ModelParent(parent.relation, above.model, above.version)


def check_scores(scores: ModelScores) -> None:
    """Refuse scores that nothing can be held against.

    Raises:
        SpecError: There are none, an id is empty, or a score is no finite number.
    """
    check_metrics({scores.metric: 0.0})
    if not scores.items:
        raise SpecError(f"the scores by {scores.metric} are of no item", code="scores")
    for item, value in scores.items.items():
        if not item:
            raise SpecError(f"a score by {scores.metric} is of an item without an id", code="scores")
        if value is not None:
            check_metrics({f"{scores.metric} of item {item[:80]!r}": value})


def _check(new: NewModelVersion) -> None:
    check_model(new.model)
    check_short("the run", new.run_id)
    check_short("the source", new.source_key)
    check_tags(new.tags)
    check_metrics(new.metrics)
    check_paths(file.path for file in new.files)
    for file in new.files:
        check_sha256(file.sha256)
    for parent in new.parents:
        check_relation(parent.relation)
        check_model(parent.model)
    for scores in new.scores:
        check_scores(scores)
    if check_stage(new.stage) not in ("development", "staging"):
        raise SpecError(
            f"a new version of {new.model} begins in development or staging, not in {new.stage}; promote it there",
            code="stage",
        )


def _version_of(new: NewModelVersion, there: Sequence[StoredModelVersion]) -> Version:
    if new.version is None:
        latest = max((Version.parse(each.version) for each in there), key=lambda each: each.key, default=None)
        return next_version(latest, new.bump, label=new.label)
    wanted = Version.parse(new.version)
    for each in there:
        if Version.parse(each.version).precedence == wanted.precedence:
            latest = max((Version.parse(one.version) for one in there), key=lambda one: one.key)
            raise StoreError(
                f"{new.model}@{wanted} is not registered: {each.reference} is there already, and a version never "
                f"changes; the next is {next_version(latest, 'patch')}, {next_version(latest, 'minor')} or "
                f"{next_version(latest, 'major')}"
            )
    return wanted
