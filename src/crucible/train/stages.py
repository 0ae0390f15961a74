"""The stage `supervised_train` (alias `train`): LoRA-tunes the base model on the items of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from crucible.backends import get_backend
from crucible.data import Dataset
from crucible.data.base_sampler import with_base
from crucible.errors import CheckpointError, ContractError, DataError, TrainError
from crucible.ir import Experiment, LoraConfig, atomic_write, to_dict
from crucible.pipeline import Context, StageBase
from crucible.train.conversations import conversation
from crucible.train.records import TrainResult
from crucible.train.resolution import SupervisedTrainOptions, TrainNaming, problems, resolve
from crucible.train.trainer import Trainer

__all__ = ["SupervisedTrainOptions", "SupervisedTrainStage"]


class SupervisedTrainStage(StageBase):
    """Train a LoRA adapter on the training items.

    Provides the resources `sampler.<model>` and `sampler.base`. Writes checkpoints, the adapter (artifact
    `adapter.<model>`) and the loss of every step (artifact `history.<model>`) below `train/<model>`, and the resolved
    configuration, losses, counts, how it ended and which quality targets are met to the metric `train.<model>`. A run
    that was interrupted goes on from the newest good checkpoint.
    """

    name: ClassVar[str] = "supervised_train"
    Options: ClassVar[type[BaseModel]] = SupervisedTrainOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"training_config"})

    def check(self, experiment: Experiment, options: TrainNaming) -> list[tuple[str, str]]:
        """Return what of the document's training cannot be carried out, as (path, message)."""
        return problems(experiment, options)

    def announces(self, experiment: Experiment, options: TrainNaming) -> Mapping[str, Any]:
        """Say that it leaves nothing that a later stage names."""
        del experiment, options
        return {}

    def run(self, context: Context, options: TrainNaming) -> Context:
        """Train one adapter.

        Raises:
            ContractError: No stage provides the dataset, or the model's name was used before.
            DataError: The dataset cannot be trained on, or has no chat where one is to be rendered.
            BackendError: The base model cannot be loaded.
            TrainError: Training cannot go on; or a quality target is missed, under `on_missed_target: fail`.
            StoreError: A file cannot be written.
        """
        model = options.model
        if context.has_metric(f"train.{model}"):
            raise ContractError(f'"{model}" was trained before in this run; give this stage another model name')
        dataset: Dataset = context.resource(options.dataset)
        config = resolve(context.experiment, options, len(dataset))
        _check_chats(config, dataset)
        backend = get_backend(context.experiment.backend)
        folder = context.workspace / "train" / model
        with Trainer.start(config, backend, workspace=folder, name=model) as trainer:
            result = trainer.train(dataset, resume=True)
            adapter = trainer.save("adapter")
            if options.on_missed_target == "fail" and result.quality is not None and not result.quality.passed:
                words = f"{result.quality.summary}: {result.quality.words()}"
                raise TrainError(f"{model}: {words} (on_missed_target: fail); its adapter is in {adapter.local_path}")
            context = context.put_resource(f"sampler.{model}", trainer.create_sampler())
        history = atomic_write(folder / "history.json", json.dumps(_history(result)))
        context = context.add_file(f"history.{model}", history, media_type="application/json").add_file(
            f"adapter.{model}", adapter.local_path / "adapter_model.safetensors"
        )
        facts = {**_facts(config, dataset, result), "dataset_role": options.dataset}
        context = context.put_metric(f"train.{model}", facts)
        return with_base(context, backend, config.base_model, config.device)

    def rebuild(self, context: Context, options: TrainNaming) -> Context:
        """Load the adapter that an interrupted run has trained.

        Raises:
            CheckpointError: Its files are damaged, or those of the base model are not the ones it was trained on.
            BackendError: The base model cannot be loaded.
        """
        facts: dict[str, Any] = context.get_metric(f"train.{options.model}")
        config = LoraConfig.read(facts["config"], source=f"train.{options.model}")
        backend = get_backend(context.experiment.backend)
        folder = context.artifact_path(f"adapter.{options.model}").parent
        session = backend.start_session(config)
        try:
            _check_base(config.base_model, facts.get("base_digest"), session.base_digest)
            session.load_checkpoint(folder).result()
            context = context.put_resource(f"sampler.{options.model}", session.create_sampler())
        finally:
            session.close()
        return with_base(context, backend, config.base_model, config.device)


def _check_base(name: str, before: str | None, now: str | None) -> None:
    if before != now:
        raise CheckpointError(
            f"the files of the base model {name} are not those that the adapter was trained on: base_digest was "
            f"{before} and is {now}; restore them, or start a new run"
        )


def _check_chats(config: LoraConfig, dataset: Dataset) -> None:
    """Refuse what says how chats are trained on where no item is one, and it would change nothing."""
    default = LoraConfig.model_fields["train_on"].default
    asked = {"renderer": config.renderer is not None, "train_on": config.train_on != default}
    said = [name for name, is_said in asked.items() if is_said]
    if said and all(conversation(item) is None for item in dataset):
        raise DataError(
            f"{' and '.join(said)}: none of the {len(dataset)} items of {dataset.name} is a chat, with a list of "
            "messages as its input or in its metadata, so it would change nothing; leave it out"
        )


def _facts(config: LoraConfig, dataset: Dataset, result: TrainResult) -> dict[str, Any]:
    best = result.best_checkpoint
    return {
        "config": to_dict(config),
        "base_digest": result.base_digest,
        "dataset": dataset.name,
        "synthetic": result.synthetic,
        "items": result.items,
        "truncated": result.truncated,
        "refused": result.refused,
        "initial_loss": result.initial_loss,
        "final_loss": result.final_loss,
        "initial_validation_loss": result.initial_validation_loss,
        "steps": result.steps,
        "stopped_early": result.stopped_early,
        "stop_reason": result.stop_reason,
        "kept_step": result.kept.step,
        "kept_validation_loss": result.kept.metrics.get("validation_loss"),
        "best_step": best.step if best else None,
        "best_metrics": best.metrics if best else None,
        "checkpoints": [checkpoint.step for checkpoint in result.checkpoints],
        "optimizer": config.optimizer,
        "parameters_trained": result.parameters_trained,
        "tokens": result.tokens,
        "quality": _quality(result),
    }


def _quality(result: TrainResult) -> dict[str, Any] | None:
    """Return how the training stands with its targets; None where it has none."""
    report = result.quality
    if report is None:
        return None
    return {
        "passed": report.passed,
        "summary": report.summary,
        "targets": [msgspec.to_builtins(each) for each in report.assessments],
    }


def _history(result: TrainResult) -> list[dict[str, Any]]:
    """Return one mapping a step, with a stamp where the data is made up."""
    stamp = {"synthetic": True} if result.synthetic else {}
    return [{**record, **stamp} for record in result.history]
