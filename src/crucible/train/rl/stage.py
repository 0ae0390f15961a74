"""The stage `rl_train`: trains the base model on rewards for its answers to the items of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from crucible.backends import get_backend
from crucible.data import Dataset
from crucible.errors import ContractError, DataError
from crucible.ir import Experiment, LoraConfig, to_dict
from crucible.pipeline import Context, StageBase
from crucible.train.conversations import conversation
from crucible.train.records import TrainResult
from crucible.train.rl.options import RLNaming, RLTrainOptions, resolve_rl, rl_problems
from crucible.train.rl.reward import find_reward
from crucible.train.rl.training import train_rl
from crucible.train.trained import check_unused, come_back, facts_of, leave
from crucible.train.trainer import Trainer

__all__ = ["RLTrainStage"]


class RLTrainStage(StageBase):
    """Train a LoRA adapter on rewards: answers are drawn, scored, and made likelier by how much better they were.

    Provides the resources `sampler.<model>` and `sampler.base`. Writes checkpoints, the adapter (artifact
    `adapter.<model>`) and the rewards and metrics of every step (artifact `history.<model>`) below `train/<model>`, and
    the resolved configuration, rewards, counts and how it ended to the metric `train.<model>`. A run that was
    interrupted goes on from the newest good checkpoint.
    """

    name: ClassVar[str] = "rl_train"
    Options: ClassVar[type[BaseModel]] = RLTrainOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"training_config"})

    def check(self, experiment: Experiment, options: RLNaming) -> list[tuple[str, str]]:
        """Return what of the document's training cannot be carried out, as (path, message)."""
        return rl_problems(experiment, options)

    def announces(self, experiment: Experiment, options: RLNaming) -> Mapping[str, Any]:
        """Say that it leaves nothing that a later stage names."""
        del experiment, options
        return {}

    def run(self, context: Context, options: RLNaming) -> Context:
        """Train one adapter.

        Raises:
            ContractError: No stage provides the dataset or the model to start from, the model's name was used before,
                or the reward's code is not allowed or cannot be imported.
            DataError: The dataset cannot be trained on.
            BackendError: The base model cannot be loaded, or the backend cannot carry out a request.
            TrainError: Training cannot go on; or a quality target is missed, under `on_missed_target: fail`.
            StoreError: A file cannot be written.
        """
        check_unused(context, options.model)
        dataset: Dataset = context.resource(options.dataset)
        reward = find_reward(options.reward_fn)
        config, settings = resolve_rl(context.experiment, options, len(dataset))
        _check_chats(config, dataset)
        backend = get_backend(context.experiment.backend)
        adapter = _start(context, options.start_from)
        folder = context.workspace / "train" / options.model
        with Trainer.start(config, backend, workspace=folder, name=options.model, adapter=adapter) as trainer:
            result = train_rl(trainer, dataset, settings, reward=reward, resume=True)
            facts = {
                **facts_of(config, dataset, result, role=options.dataset),
                "rl": to_dict(settings),
                "reward_fn": options.reward_fn,
                "start_from": options.start_from,
                **_rewards(result),
            }
            return leave(context, trainer, result, facts, backend=backend, on_missed_target=options.on_missed_target)

    def rebuild(self, context: Context, options: RLNaming) -> Context:
        """Load the adapter that an interrupted run has trained.

        Raises:
            CheckpointError: Its files are damaged, or those of the base model are not the ones it was trained on.
            BackendError: The base model cannot be loaded.
        """
        return come_back(context, options.model)


def _start(context: Context, model: str | None) -> Path | None:
    """Return the folder of an adapter that an earlier stage left; None: a fresh one is trained."""
    if model is None:
        return None
    if not context.has_metric(f"train.{model}"):
        raise ContractError(f'start_from: no stage of this run has trained "{model}" before this one')
    return context.artifact_path(f"adapter.{model}").parent


def _rewards(result: TrainResult) -> dict[str, Any]:
    """Return the rewards of the first and the last iteration, and of validation before training and of what is kept."""
    rewards = [record["metrics"]["rl/reward"] for record in result.history if "metrics" in record]
    return {
        "first_reward": rewards[0] if rewards else None,
        "last_reward": rewards[-1] if rewards else None,
        "initial_validation_reward": (result.initial_validation or {}).get("validation_reward"),
        "kept_validation_reward": result.kept.metrics.get("validation_reward"),
    }


def _check_chats(config: LoraConfig, dataset: Dataset) -> None:
    """Refuse a renderer where no item is a chat, and it would change nothing."""
    if config.renderer is not None and all(conversation(item) is None for item in dataset):
        raise DataError(
            f"renderer: none of the {len(dataset)} items of {dataset.name} is a chat, with a list of messages as its "
            "input or in its metadata, so it would change nothing; leave it out"
        )
