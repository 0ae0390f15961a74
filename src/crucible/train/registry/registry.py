"""The model registry: what was trained, where it stands, what it came of, and whether it may go to production.

Everything is kept in the store, rows in its database and files by content among its artifacts; what is decided here is
written there in one transaction with its line of the audit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from crucible import events
from crucible.store import Store
from crucible.store.models import NewModelVersion, StoredModelVersion, check_model
from crucible.train.registry.asking import RegistryAsking
from crucible.train.registry.details import Details, check_details, parents_of, who, words
from crucible.train.registry.exchange import read_models, write_models
from crucible.train.registry.from_run import trained_in
from crucible.train.registry.gates import GateReport, Gates
from crucible.train.registry.origin import Source, keep_files, origin_of
from crucible.train.registry.promoting import Promotion, Promotions
from crucible.train.registry.scores import ScoreSource, read_scores

__all__ = ["ModelRegistry"]


class ModelRegistry(RegistryAsking):
    """The models of a store. Made by `open`; a context manager that closes what `open` opened.

    Versions are named by references: `triage@1.2.0`, `triage@production`, `triage@staging`, `triage@latest`, or
    `triage` for the highest version.

    Args:
        store: An open store, which stays its owner's to close.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._promotions = Promotions(store.models)

    # --- registering ---

    def register(self, name: str, source: Source | None = None, **details: Unpack[Details]) -> StoredModelVersion:
        """Register a version: its files by content, what they were made from, what was measured.

        Args:
            name: Name of the model; made with its first version.
            source: How a training went, a saved checkpoint, or a folder; None: no files are kept.
            **details: See `Details`.

        Returns:
            The version, with the number that it got.

        Raises:
            SpecError: A name, a number or a word cannot be taken.
            CheckpointError: The source is a damaged checkpoint, or no folder.
            StoreError: There is such a version already, a parent is unknown, or a file or row cannot be kept.
        """
        check_details(details)
        check_model(name)
        origin = origin_of(source) if source is not None else None
        files = keep_files(origin.folder, self._models.objects) if origin is not None else ()
        facts = (origin.facts if origin else {}) | dict(details.get("origin") or {})
        measured = (origin.metrics if origin else {}) | dict(details.get("metrics") or {})
        new = NewModelVersion(
            model=name,
            version=details.get("version"),
            bump=details.get("bump", "minor"),
            label=details.get("label", "rc"),
            stage=details.get("stage", "development"),
            description=details.get("description"),
            run_id=details.get("run_id"),
            source_key=details.get("source_key"),
            artifact_uri=details.get("artifact_uri"),
            files=files,
            metrics=measured,
            tags=words(details.get("tags", ())),
            parents=parents_of(details.get("parents") or {}),
            origin=facts,
            scores=read_scores(details["scores"], details.get("score_metrics", ())) if "scores" in details else (),
            by=who(details.get("by")),
            why=details.get("why", ""),
        )
        made = self._models.register(new)
        events.emit(
            "crucible_train.model.registered",
            {"files": len(files), "size_bytes": sum(file.size_bytes for file in files)},
            {"model": made.model, "version": made.version, "stage": made.stage, "run_id": made.run_id, "by": new.by},
        )
        return made

    def register_run(
        self,
        name: str,
        run_id: str,
        /,
        model: str = "tuned",
        *,
        evaluation: str | None = None,
        **details: Unpack[Details],
    ) -> StoredModelVersion:
        """Register a model that a run of this store trained, with its configuration, losses and scores.

        Args:
            name: Name of the model in the registry.
            run_id: The run's id, or the unique beginning of one.
            model: What the training stage called it.
            evaluation: Label of its evaluation; None: the one of its own name, if there is one.
            **details: See `Details`; they win over what the run says.

        Raises:
            ContractError: The run trained no such model, or has no such evaluation.
            StoreError: There is no such run, or as for `register`.
        """
        run = self.store.runs.run(run_id)
        snapshot = self.store.runs.snapshot(run.run_id)
        paths = {each: Path(run.workspace) / entry["path"] for each, entry in snapshot.artifacts.items()}
        trained = trained_in(snapshot.metrics, paths.get, model=model, evaluation=evaluation)
        found: Details = {
            "run_id": run.run_id,
            "source_key": f"run {run.run_id}, {model} as {name}",
            **details,
            "origin": trained.origin | dict(details.get("origin") or {}),
            "metrics": trained.metrics | dict(details.get("metrics") or {}),
        }
        if trained.scores is not None and trained.scorers and "scores" not in details:
            found |= {"scores": trained.scores, "score_metrics": trained.scorers}
        return self.register(name, trained.folder, **found)

    # --- changing ---

    def update_metrics(
        self, reference: str, metrics: Mapping[str, float], *, by: str | None = None, why: str = ""
    ) -> StoredModelVersion:
        """Merge measurements into those of a version: known ones are replaced, the others stay."""
        return self._models.update_metrics(self.get(reference), metrics, by=who(by), why=why)

    def record_scores(
        self,
        reference: str,
        scores: ScoreSource | Iterable[ScoreSource],
        metrics: Iterable[str] = (),
        *,
        by: str | None = None,
    ) -> StoredModelVersion:
        """Keep scores of a version item by item, in place of those by the same metrics; see `read_scores`."""
        version = self.get(reference)
        for each in read_scores(scores, metrics):
            version = self._models.record_scores(version, each, by=who(by))
        return version

    def tag(
        self, reference: str, add: Iterable[str] = (), remove: Iterable[str] = (), *, by: str | None = None
    ) -> StoredModelVersion:
        """Add tags to a version and take others away."""
        return self._models.tag(self.get(reference), words(add), words(remove), by=who(by))

    def link(
        self, reference: str, relation: str, parent: str, *, by: str | None = None, why: str = ""
    ) -> StoredModelVersion:
        """Say that a version came of another one.

        Raises:
            StoreError: There is no such version, or it would come of itself; the circle is named.
            SpecError: The relation is unknown.
        """
        (edge,) = parents_of({relation: parent})
        return self._models.link(self.get(reference), edge, by=who(by), why=why)

    def remove(self, reference: str, *, why: str, by: str | None = None) -> None:
        """Remove a version that is not in production and that nothing came of; the audit stays.

        Raises:
            SpecError: `why` is empty.
            StoreError: It is in production, or another version came of it.
        """
        version = self.get(reference)
        self._models.remove(version, by=who(by), why=why)
        about = {"model": version.model, "version": version.version, "by": who(by)}
        events.emit("crucible_train.model.removed", {}, about)

    def gc(self, *, dry_run: bool = True, grace_s: float = 3600.0) -> tuple[Sequence[str], int]:
        """Remove kept files that no version needs; see `ModelRepository.gc`."""
        return self._models.gc(dry_run=dry_run, grace_s=grace_s)

    # --- stages ---

    def judge(self, reference: str, gates: Gates) -> GateReport:
        """Return how a version stands with gates, and change nothing."""
        return self._promotions.judge(self.get(reference), gates)

    def promote(
        self,
        reference: str,
        to: str = "production",
        *,
        why: str,
        gates: Gates | None = None,
        force: bool = False,
        keep_current: bool = False,
        by: str | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> Promotion:
        """Move a version to another stage, if it passes its gates; see `Promotions.promote`."""
        return self._promotions.promote(
            self.get(reference),
            to,
            gates or Gates(),
            why=why,
            by=who(by),
            force=force,
            keep_current=keep_current,
            evidence=evidence,
        )

    def rollback(self, name: str, *, why: str, by: str | None = None) -> Promotion:
        """Bring back what was in production before, and archive what is there; see `Promotions.rollback`."""
        return self._promotions.rollback(check_model(name), why=why, by=who(by))

    # --- carrying to another store ---

    def export(self, into: Path | str, names: Iterable[str] = (), *, with_files: bool = False) -> Path:
        """Write models as JSON, and return the file.

        Args:
            into: A file; with `with_files` a new folder, with `models.json` and the kept files in it.
            names: Only these models; empty: all.
            with_files: Whether the kept files are carried along.

        Raises:
            StoreError: There is no such model, a kept file is missing or damaged, or it cannot be written.
        """
        return write_models(self._models, Path(into), words(names), with_files=with_files)

    def import_models(
        self, source: Path | str, *, merge: bool = False, by: str | None = None, why: str = ""
    ) -> Sequence[StoredModelVersion]:
        """Take in models that `export` wrote, all of them or none, and return the versions that are new here.

        Args:
            source: The file, or the folder with files.
            merge: What is known here and differs there: refuse (the default), or keep what is here and add what is
                missing: tags, metrics, scores, lineage. A version's files never change either way.
            by: Who.
            why: Why.

        Raises:
            SpecError: It is no such file, or holds a name, path or number that cannot be taken.
            StoreError: It contradicts what is here, a file of it is damaged, or it cannot be kept.
        """
        return read_models(self._models, Path(source), merge=merge, by=who(by), why=why)
