"""The stage `register_model`: keeps a model that the run trained, and promotes it if it passes its gates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from pydantic import BaseModel

from crucible.errors import ContractError, PromotionRefused
from crucible.ir import Experiment
from crucible.pipeline import Context, StageBase
from crucible.store import Store, open_store
from crucible.store.models import StoredModelVersion
from crucible.train.registry.details import Details
from crucible.train.registry.from_run import TrainedInRun, trained_in
from crucible.train.registry.registry import ModelRegistry
from crucible.train.registry.stage_options import RegisterModelOptions

__all__ = ["RegisterModelOptions", "RegisterModelStage"]

_ENVIRONMENT = "CRUCIBLE_STORE"
_SHOWN = ("metric", "gate", "outcome", "measured", "wanted", "against")


class RegisterModelStage(StageBase):
    """Register a model of this run, and promote it if it passes its gates.

    Its files, what they were made from, losses, scores and the scores item by item go into the registry of the run's
    store. With `promote_to` it is held against thresholds and, item by item, against the version in production. What
    was decided, measured and wanted goes to the metric `registry.<name>@<version>`. A run that was interrupted
    registers once.
    """

    name: ClassVar[str] = "register_model"
    Options: ClassVar[type[BaseModel]] = RegisterModelOptions
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def check(self, experiment: Experiment, options: RegisterModelOptions) -> list[tuple[str, str]]:
        """Return what of the options cannot be carried out, as (path, message)."""
        return options.problems(experiment.id)

    def announces(self, experiment: Experiment, options: RegisterModelOptions) -> Mapping[str, Any]:
        """Say that it leaves nothing that a later stage names."""
        del experiment, options
        return {}

    def run(self, context: Context, options: RegisterModelOptions) -> Context:
        """Register, and promote where that is asked for.

        Raises:
            ContractError: The run trained no such model, has no such evaluation, or is kept in no store.
            PromotionRefused: It does not pass its gates, under `on_refused: fail`.
            StoreError: The registry cannot take it: such a version is there, a file or row cannot be kept.
            CheckpointError: The adapter's files are damaged.
        """
        trained = trained_in(
            context.metrics,
            lambda name: context.artifact_path(name) if context.has_artifact(name) else None,
            model=options.model,
            evaluation=options.evaluation,
        )
        name = options.name or context.experiment.id
        with _opened(context) as store:
            registry = ModelRegistry.open(store)
            version = registry.register(name, trained.folder, **_details(context, options, trained, name))
            facts = _decided(registry, version, context, options)
        return context.put_metric(f"registry.{version.reference}", facts)

    def rebuild(self, context: Context, options: RegisterModelOptions) -> Context:
        """Return the context: the version is in the registry, and no later stage needs more of it."""
        del options
        return context


def _details(context: Context, options: RegisterModelOptions, trained: TrainedInRun, name: str) -> Details:
    found: Details = {
        "version": options.version,
        "bump": options.bump,
        "label": options.label,
        "stage": "staging" if options.promote_to == "production" else "development",
        "description": options.description,
        "metrics": trained.metrics,
        "tags": options.tags,
        "parents": options.parents,
        "run_id": context.run_id,
        "origin": trained.origin,
        "source_key": f"run {context.run_id}, {options.model} as {name}",
        "by": f"run {context.run_id}",
        "why": options.description or "",
    }
    if trained.scores is not None and trained.scorers:
        found |= {"scores": trained.scores, "score_metrics": trained.scorers}
    return found


def _decided(
    registry: ModelRegistry, version: StoredModelVersion, context: Context, options: RegisterModelOptions
) -> dict[str, Any]:
    """Promote the version where that is asked for, and return what came of it, as JSON data."""
    facts: dict[str, Any] = {"version": version.reference, "decision": "registered", "stage": version.stage}
    if options.promote_to is None:
        return facts
    if version.stage == options.promote_to:  # the run was interrupted after it
        return {**facts, "decision": "promoted", "gates": _gates(_kept(registry, version))}
    why = options.why or options.description or f"asked for by {context.experiment.id}"
    try:
        done = registry.promote(
            version.reference,
            options.promote_to,
            why=why,
            gates=options.to_gates(),
            keep_current=options.keep_current,
            by=f"run {context.run_id}",
            evidence={"run_id": context.run_id},
        )
    except PromotionRefused as refused:
        if options.on_refused == "fail":
            raise
        return {**facts, "decision": f"not promoted to {options.promote_to}", "gates": _gates(refused.gates)}
    facts |= {"decision": "promoted", "stage": done.to_stage, "gates": _gates(done.report.to_list())}
    return facts | ({"replaced": ", ".join(done.replaced)} if done.replaced else {})


def _kept(registry: ModelRegistry, version: StoredModelVersion) -> list[dict[str, Any]]:
    changes = registry.history(version.model, version.version)
    found = [change for change in changes if change.to_stage == version.stage and change.kind == "promoted"]
    gates: Any = found[-1].evidence.get("gates") if found else None
    return cast("list[dict[str, Any]]", gates) if isinstance(gates, list) else []


def _gates(gates: Any) -> list[dict[str, Any]]:
    """Return what a reader of the report needs of every gate; the audit has all of it."""
    return [{name: gate.get(name) for name in _SHOWN} for gate in gates]


def _opened(context: Context) -> Store:
    """Open the store that the run is kept in, once more.

    Raises:
        ContractError: It is kept in none, or in memory.
        StoreError: It cannot be opened.
    """
    provenance: Any = context.assigns.get("provenance")
    kept: Any = cast("Mapping[str, Any]", provenance).get("store") if isinstance(provenance, Mapping) else None
    if not isinstance(kept, str) or kept == ":memory:":
        raise ContractError(
            "register_model needs a store that outlives the run; run with one (--store or CRUCIBLE_STORE)"
        )
    if "://" not in kept:
        folder = context.workspace.parent  # also where a run is resumed from another working directory
        return open_store(folder.parent if folder.name == "artifacts" else kept, create=False)
    url = os.environ.get(_ENVIRONMENT) if ":***@" in kept else kept
    if not url:
        raise ContractError(f"the run's store {kept} needs a password; set {_ENVIRONMENT} to its URL")
    return open_store(url, create=False)
