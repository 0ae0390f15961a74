"""The stage `supervised_train` (alias `train`): LoRA-tunes the base model on the items of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel

from crucible.backends import get_backend
from crucible.data import Dataset
from crucible.errors import DataError
from crucible.ir import Experiment, LoraConfig
from crucible.pipeline import Context, StageBase
from crucible.train.conversations import conversation
from crucible.train.resolution import SupervisedTrainOptions, TrainNaming, problems, resolve
from crucible.train.trained import check_unused, come_back, facts_of, leave
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
        check_unused(context, model)
        dataset: Dataset = context.resource(options.dataset)
        config = resolve(context.experiment, options, len(dataset))
        _check_chats(config, dataset)
        backend = get_backend(context.experiment.backend)
        folder = context.workspace / "train" / model
        with Trainer.start(config, backend, workspace=folder, name=model) as trainer:
            result = trainer.train(dataset, resume=True)
            facts = facts_of(config, dataset, result, role=options.dataset)
            return leave(context, trainer, result, facts, backend=backend, on_missed_target=options.on_missed_target)

    def rebuild(self, context: Context, options: TrainNaming) -> Context:
        """Load the adapter that an interrupted run has trained.

        Raises:
            CheckpointError: Its files are damaged, or those of the base model are not the ones it was trained on.
            BackendError: The base model cannot be loaded.
        """
        return come_back(context, options.model)


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
