"""The stage `dpo_train`: LoRA-tunes a model on preferences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from crucible.backends import Sampler, get_backend
from crucible.data import Dataset
from crucible.data.base_sampler import with_base
from crucible.errors import ContractError
from crucible.ir import Experiment, to_dict
from crucible.pipeline import Context, StageBase
from crucible.train.preference.options import (
    DPOTrainOptions,
    PreferenceNaming,
    preference_problems,
    resolve_preference,
)
from crucible.train.preference.sampled import with_rejected
from crucible.train.preference.trainer import PreferenceTrainer
from crucible.train.trained import check_unused, come_back, facts_of, leave

__all__ = ["DPOTrainOptions", "DPOTrainStage"]


class DPOTrainStage(StageBase):
    """Train a LoRA adapter on comparisons: which of two answers is preferred (dpo, ipo, cdpo, orpo), or kto.

    Provides the resources `sampler.<model>` and `sampler.base`. Writes checkpoints, what the reference says, the
    adapter (artifact `adapter.<model>`) and loss, margin and accuracy of every step (artifact `history.<model>`) below
    `train/<model>`, and the resolved configuration, losses, rewards, counts of ties and of items left out to the metric
    `train.<model>`. A run that was interrupted goes on from the newest good checkpoint.
    """

    name: ClassVar[str] = "dpo_train"
    Options: ClassVar[type[BaseModel]] = DPOTrainOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"training_config"})

    def check(self, experiment: Experiment, options: PreferenceNaming) -> list[tuple[str, str]]:
        """Return what of the document's training cannot be carried out, as (path, message)."""
        return preference_problems(experiment, options)

    def announces(self, experiment: Experiment, options: PreferenceNaming) -> Mapping[str, Any]:
        """Say that it leaves nothing that a later stage names."""
        del experiment, options
        return {}

    def run(self, context: Context, options: PreferenceNaming) -> Context:
        """Train one adapter.

        Raises:
            ContractError: No stage provides the dataset or the model to start from, or the model's name was used.
            DataError: The dataset cannot be trained on.
            BackendError: The base model or the reference cannot be loaded.
            TrainError: Training cannot go on; or a quality target is missed, under `on_missed_target: fail`.
            StoreError: A file cannot be written.
        """
        check_unused(context, options.model)
        dataset: Dataset = context.resource(options.dataset)
        config, settings = resolve_preference(context.experiment, options, len(dataset))
        backend = get_backend(context.experiment.backend)
        folder = context.workspace / "train" / options.model
        if options.rejected_from is not None:
            if options.rejected_from == "base":
                context = with_base(context, backend, config.base_model, config.device)
            dataset = _compared(context, dataset, options, config.seed, folder, keeps_verdicts=not settings.takes_pairs)
        with PreferenceTrainer.start(
            config,
            backend,
            workspace=folder,
            name=options.model,
            adapter=_start(context, options.start_from),
            preference=settings,
        ) as trainer:
            result = trainer.train(dataset, resume=True)
            facts = facts_of(config, dataset, result, role=options.dataset) | {
                "preference": to_dict(settings),
                "start_from": options.start_from,
                "rejected_from": options.rejected_from,
                "initial_validation": result.initial_validation,
                "kept_metrics": result.kept.metrics,
                "comparisons": msgspec.to_builtins(trainer.counts),
            }
            return leave(context, trainer, result, facts, backend=backend, on_missed_target=options.on_missed_target)

    def rebuild(self, context: Context, options: PreferenceNaming) -> Context:
        """Load the adapter that an interrupted run has trained.

        Raises:
            CheckpointError: Its files are damaged, or those of the base model are not the ones it was trained on.
            BackendError: The base model cannot be loaded.
        """
        return come_back(context, options.model)


def _compared(
    context: Context, dataset: Dataset, options: PreferenceNaming, seed: int, folder: Path, *, keeps_verdicts: bool
) -> Dataset:
    """Return the dataset with the wrong answers of a model as what is rejected."""
    name = str(options.rejected_from)
    sampler: Sampler = context.resource(f"sampler.{name}")
    items = with_rejected(
        list(dataset),
        sampler,
        model=name,
        seed=seed,
        max_tokens=options.rejected_max_tokens,
        path=folder / "rejected.json",
        keeps_verdicts=keeps_verdicts,
    )
    return dataset.replaced(items, f"rejected: wrong answers of {name}, drawn with seed {seed}")


def _start(context: Context, model: str | None) -> Path | None:
    """Return the folder of an adapter that an earlier stage left."""
    if model is None:
        return None
    if not context.has_metric(f"train.{model}"):
        raise ContractError(f'start_from: no stage of this run has trained "{model}" before this one')
    return context.artifact_path(f"adapter.{model}").parent
