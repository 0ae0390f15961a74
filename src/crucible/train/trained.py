"""What every stage that trains leaves in the run, and how it comes back when a resumed run skips the stage."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from crucible.backends import Backend, get_backend
from crucible.data import Dataset
from crucible.data.base_sampler import with_base
from crucible.errors import CheckpointError, ContractError, TrainError
from crucible.ir import LoraConfig, atomic_write, to_dict
from crucible.pipeline import Context
from crucible.train.records import TrainResult
from crucible.train.trainer import Trainer

__all__ = ["check_unused", "come_back", "facts_of", "leave"]


def check_unused(context: Context, model: str) -> None:
    """Refuse a name that a model of this run has already.

    Raises:
        ContractError: It has.
    """
    if context.has_metric(f"train.{model}"):
        raise ContractError(f'"{model}" was trained before in this run; give this stage another model name')


def leave(
    context: Context,
    trainer: Trainer,
    result: TrainResult,
    facts: Mapping[str, Any],
    *,
    backend: Backend,
    on_missed_target: Literal["report", "fail"],
) -> Context:
    """Save the adapter and return a context with all that later stages use of a training.

    These are the resources `sampler.<model>` and `sampler.base`, the artifacts `adapter.<model>` and `history.<model>`,
    and the metric `train.<model>`, where <model> is the trainer's name.

    Args:
        context: The run so far.
        trainer: Of the adapter; its workspace lies in the run's.
        result: How its training went.
        facts: What the metric holds, JSON.
        backend: Where the model lives.
        on_missed_target: Whether a quality target that is missed fails the stage once all is saved.

    Raises:
        TrainError: A quality target is missed, and that is to fail the stage.
        StoreError: A file cannot be written.
    """
    model, config = trainer.name, trainer.config
    adapter = trainer.save("adapter")
    if on_missed_target == "fail" and result.quality is not None and not result.quality.passed:
        words = f"{result.quality.summary}: {result.quality.words()}"
        raise TrainError(f"{model}: {words} (on_missed_target: fail); its adapter is in {adapter.local_path}")
    context = context.put_resource(f"sampler.{model}", trainer.create_sampler())
    stamp = {"synthetic": True} if result.synthetic else {}
    steps = [{**record, **stamp} for record in result.history]
    history = atomic_write(trainer.workspace / "history.json", json.dumps(steps))
    context = context.add_file(f"history.{model}", history, media_type="application/json").add_file(
        f"adapter.{model}", adapter.local_path / "adapter_model.safetensors"
    )
    context = context.put_metric(f"train.{model}", dict(facts))
    return with_base(context, backend, config.base_model, config.device)


def come_back(context: Context, model: str) -> Context:
    """Return a context with the resources of a model that an interrupted run has trained.

    Raises:
        CheckpointError: Its files are damaged, or those of the base model are not the ones it was trained on.
        BackendError: The base model cannot be loaded.
    """
    facts: dict[str, Any] = context.get_metric(f"train.{model}")
    config = LoraConfig.read(facts["config"], source=f"train.{model}")
    backend = get_backend(context.experiment.backend)
    folder = context.artifact_path(f"adapter.{model}").parent
    session = backend.start_session(config)
    try:
        _check_base(config.base_model, facts.get("base_digest"), session.base_digest)
        session.load_checkpoint(folder).result()
        context = context.put_resource(f"sampler.{model}", session.create_sampler())
    finally:
        session.close()
    return with_base(context, backend, config.base_model, config.device)


def facts_of(config: LoraConfig, dataset: Dataset, result: TrainResult, *, role: str) -> dict[str, Any]:
    """Return what is to be known of a training, JSON: its configuration, losses, counts, how it ended, its targets.

    Args:
        config: How it was trained.
        dataset: On what.
        result: How it went.
        role: What the run calls the dataset, such as `train`.
    """
    best = result.best_checkpoint
    return {
        "config": to_dict(config),
        "base_digest": result.base_digest,
        "dataset": dataset.name,
        "synthetic": result.synthetic,
        "items": result.items,
        "truncated": result.truncated,
        "refused": result.refused,
        "initial_loss": _number(result.initial_loss),
        "final_loss": _number(result.final_loss),
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
        "dataset_role": role,
    }


def _number(value: float) -> float | None:
    """Return None for NaN, which stands for a loss that an objective does not have."""
    return None if math.isnan(value) else value


def _check_base(name: str, before: str | None, now: str | None) -> None:
    if before != now:
        raise CheckpointError(
            f"the files of the base model {name} are not those that the adapter was trained on: base_digest was "
            f"{before} and is {now}; restore them, or start a new run"
        )


def _quality(result: TrainResult) -> dict[str, Any] | None:
    """Return how the training stands with its targets; None where it has none."""
    report = result.quality
    if report is None:
        return None
    return {
        "passed": report.passed,
        "summary": report.summary,
        "recommendations": list(report.recommendations),
        "targets": [msgspec.to_builtins(each) for each in report.assessments],
    }
