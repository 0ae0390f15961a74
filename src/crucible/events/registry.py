"""The names of all events, with their category, what they mean, their measurements and who emits them.

A name that Crucible emits is in here; a test holds both to each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["EventInfo", "categories", "event_info", "register", "standard_events"]


class EventInfo(msgspec.Struct, frozen=True):
    """What the registry knows of an event.

    Args:
        name: Dotted name.
        category: Group, such as `training`.
        description: What happened, in one sentence.
        emitted_by: The room that emits it, `external`, or `planned`.
        measurements: Unit by measurement; `1` for counts and ratios.
    """

    name: str
    category: str
    description: str
    emitted_by: str
    measurements: Mapping[str, str] = {}


_registry: dict[str, EventInfo] = {}


def register(info: EventInfo) -> None:
    """Add an event, or replace what is known of it."""
    _registry[info.name] = info


def event_info(name: str) -> EventInfo | None:
    """Return what is known of an event; None for a name that is not registered."""
    return _registry.get(name)


def standard_events() -> tuple[str, ...]:
    """Return all registered names, in order of registration."""
    return tuple(_registry)


def categories() -> dict[str, tuple[str, ...]]:
    """Return the registered names by category."""
    result: dict[str, tuple[str, ...]] = {}
    for info in _registry.values():
        result[info.category] = (*result.get(info.category, ()), info.name)
    return result


def _span(name: str, category: str, noun: str, emitted_by: str, **measurements: str) -> None:
    register(EventInfo(f"{name}.start", category, f"{noun} started.", emitted_by))
    closing = {"duration_ns": "ns", **measurements}
    register(EventInfo(f"{name}.stop", category, f"{noun} completed.", emitted_by, closing))
    register(EventInfo(f"{name}.exception", category, f"{noun} failed.", emitted_by, closing))


def _event(name: str, category: str, description: str, emitted_by: str, **measurements: str) -> None:
    register(EventInfo(name, category, description, emitted_by, measurements))


_span("crucible_framework.pipeline", "framework", "Pipeline", "pipeline")
_span("crucible_framework.stage", "framework", "Stage", "pipeline", attempts="1")
_event(
    "crucible_framework.stage.retry",
    "framework",
    "An attempt at a stage failed, and another follows.",
    "pipeline",
    attempt="1",
    wait_s="s",
)
_event("crucible_framework.run.cancelling", "framework", "The run was asked to stop.", "pipeline")
_span(
    "req_llm.request", "llm", "Request to a sampler", "backends", prompts="1", prompt_tokens="1", completion_tokens="1"
)
_span(
    "crucible_train.training",
    "training",
    "Training",
    "train",
    initial_loss="nat",
    final_loss="nat",
    steps="1",
    tokens="1",
)
_span("crucible_train.epoch", "training", "Epoch", "train", loss="nat", epoch="1", steps="1")
_event(
    "crucible_train.batch.stop",
    "training",
    "Optimiser step completed.",
    "train",
    step="1",
    loss="nat",
    gradient_norm="1",
    learning_rate="1",
    tokens="1",
    duration_ns="ns",
)
_event("crucible_train.validation.stop", "training", "Validation loss measured.", "train", step="1", loss="nat")
_event("crucible_train.checkpoint.saved", "training", "Model checkpoint saved.", "train", step="1")
_span("crucible_train.base_build", "training", "Building of a base model", "train", loss="nat", steps="1")
_event("crucible_train.base_build.progress", "training", "Base model trained further.", "train", step="1", loss="nat")
_event("crucible_data.dataset.loaded", "data", "Dataset loaded.", "data", items="1")
_span("crucible_data.evaluation", "data", "Evaluation", "data", items="1", prompt_tokens="1", completion_tokens="1")
_event("crucible_data.evaluation.progress", "data", "Items evaluated.", "data", items="1")
_event("crucible_trace.decision.made", "trace", "Decision taken, with reason and alternatives.", "every room")
