"""Training, and the data that it and evaluations use."""

from __future__ import annotations

from crucible.events.registry.entry import EventInfo
from crucible.events.registry.forms import span_events

__all__ = ["EVENTS"]

_MODEL = {"model": "name of the adapter in training"}
_BASE = {"base_model": "name of the base model", "total_steps": "steps that pre-training takes"}
_PATH = {**_MODEL, "path": "where it lies"}
_LOSS = {"loss_function": "name of the loss, if it is one of the registry; of cross_entropy a perplexity is computed"}
_STEPS = {**_MODEL, **_LOSS, "total_steps": "optimiser steps that the training takes"}
_SPEED = {"tokens_per_second": "1/s", "memory_bytes": "B"}
"""Input tokens a second of the optimiser steps (or the validation) alone; the most memory so far, null if unknown."""
_EVALUATION = {
    "model": "name of the model that is asked",
    "total_items": "items to ask",
    "dataset": "name of the dataset",
}

EVENTS: tuple[EventInfo, ...] = (
    *span_events(
        "crucible_train.training",
        "training",
        ("Training job started.", "Training job completed.", "Training job failed."),
        "train",
        measures={"initial_loss": "nat", "final_loss": "nat", "steps": "1", "tokens": "1", **_SPEED},
        metadata={
            **_STEPS,
            "objective": "what it is trained for: supervised, preference and so on",
            "base_model": "what is adapted",
            "rank": "rank of the adapter",
            "items": "items trained on",
            "validation_items": "items held out",
            "truncated": "items that were cut to the window",
            "refused": "items that did not fit",
            "seed": "seed of the order of items",
            "parameters_trained": "trainable numbers",
        },
        ending={
            "resumed_from": "step of the checkpoint it went on from, 0 for none",
            "stopped_early": "whether early stopping ended it",
            "quality": "how many quality targets are met, null where there are none",
        },
    ),
    *span_events(
        "crucible_train.epoch",
        "training",
        ("Epoch started.", "Epoch completed with metrics.", "Epoch failed."),
        "train",
        measures={"loss": "nat", "epoch": "1", "steps": "1", "gradient_norm": "1", "tokens": "1", **_SPEED},
        metadata={**_STEPS, "epoch": "its number, from 0"},
    ),
    EventInfo(
        "crucible_train.batch.stop",
        "training",
        "Batch completed with loss.",
        "train",
        {
            "step": "1",
            "loss": "nat",
            "gradient_norm": "1",
            "learning_rate": "1",
            "tokens": "1",
            "duration_ns": "ns",
            **_SPEED,
        },
        metadata={
            **_STEPS,
            "epoch": "number of the epoch, from 0",
            "metrics": "what the objective measures beside the loss, by name, such as dpo/margin",
        },
    ),
    EventInfo(
        "crucible_train.validation.stop",
        "training",
        "Validation loss measured.",
        "train",
        {"step": "1", "loss": "nat", "duration_ns": "ns", **_SPEED},
        metadata={**_MODEL, **_LOSS, "items": "items held out", "metrics": "everything that was measured, by name"},
    ),
    *span_events(
        "crucible_train.rollout",
        "training",
        ("Rollouts of a batch of groups started.", "Rollouts came to an end.", "Rollouts failed."),
        "train",
        measures={"groups": "1", "trajectories": "1", "failed": "1", "completion_tokens": "1"},
        metadata={"sampler": "name of the model that acts"},
    ),
    EventInfo(
        "crucible_train.checkpoint.saved",
        "training",
        "Model checkpoint saved.",
        "train",
        {"step": "1"},
        metadata=_PATH,
    ),
    EventInfo(
        "crucible_train.checkpoint.loaded",
        "training",
        "Model checkpoint loaded.",
        "train",
        {"step": "1"},
        metadata=_PATH,
    ),
    *span_events(
        "crucible_train.teaching",
        "training",
        ("A teacher is asked what it would say.", "A teacher said what it would say.", "Asking a teacher failed."),
        "train",
        measures={"positions": "1", "kept_examples": "1"},
        metadata={
            "teacher": "name of the teacher",
            "examples": "examples that it is asked about",
            "top_k": "likeliest tokens asked of a position",
        },
    ),
    *span_events(
        "crucible_train.base_build",
        "training",
        ("Building of a base model started.", "Base model built.", "Building of a base model failed."),
        "train",
        measures={"loss": "nat", "steps": "1"},
        metadata={**_BASE, "seed": "seed of the recipe", "synthetic": "whether its text is made up"},
    ),
    EventInfo(
        "crucible_train.base_build.progress",
        "training",
        "Base model trained further.",
        "train",
        {"step": "1", "loss": "nat"},
        metadata=_BASE,
    ),
    EventInfo(
        "crucible_data.dataset.loaded",
        "data",
        "Dataset loaded.",
        "data",
        {"items": "1"},
        metadata={
            "name": "name of the dataset",
            "split": "split of it",
            "synthetic": "whether its items are made up",
            "sha256": "digest of the files or items",
            "source": "where it came from",
            "revision": "revision of the source, where it has them",
        },
    ),
    *span_events(
        "crucible_data.evaluation",
        "data",
        ("Evaluation started.", "Evaluation completed.", "Evaluation failed."),
        "data",
        measures={"items": "1", "prompt_tokens": "1", "completion_tokens": "1"},
        metadata=_EVALUATION,
        ending={"means": "mean score by scorer"},
    ),
    EventInfo(
        "crucible_data.evaluation.progress", "data", "Items evaluated.", "data", {"items": "1"}, metadata=_EVALUATION
    ),
)
