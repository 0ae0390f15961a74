"""The names of all events, with their category, what they mean, their measurements and who emits them.

A name that Crucible emits is in here; a test holds both to each other. `causal_trace.*`, the predecessor's spelling of
`crucible_trace.*`, is an alias: looking it up finds the name that Crucible emits.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["EventInfo", "aliases", "canonical_name", "categories", "event_info", "register", "standard_events"]


class EventInfo(msgspec.Struct, frozen=True):
    """What the registry knows of an event.

    Args:
        name: Dotted name.
        category: Group, such as `training`.
        description: What happened, in one sentence.
        emitted_by: The room that emits it, `external`, or `planned`.
        measurements: Unit by measurement; `1` for counts and ratios.
        aliases: Other names for the same event, which Crucible understands but does not emit.
    """

    name: str
    category: str
    description: str
    emitted_by: str
    measurements: Mapping[str, str] = {}
    aliases: tuple[str, ...] = ()


_registry: dict[str, EventInfo] = {}
_names: dict[str, str] = {}  # alias -> name


def register(info: EventInfo) -> None:
    """Add an event, or replace what is known of it."""
    _registry[info.name] = info
    for alias in info.aliases:
        _names[alias] = info.name


def canonical_name(name: str) -> str:
    """Return the name that an alias stands for; any other name comes back unchanged."""
    return _names.get(name, name)


def aliases() -> Mapping[str, str]:
    """Return the names that stand for others, and those they stand for."""
    return {alias: name for alias, name in _names.items() if alias != name}


def event_info(name: str) -> EventInfo | None:
    """Return what is known of an event, by name or alias; None for a name that is not registered."""
    return _registry.get(canonical_name(name))


def standard_events() -> tuple[str, ...]:
    """Return all registered names, aliases left out, in order of registration."""
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


def _traced(name: str, description: str, emitted_by: str, **measurements: str) -> None:
    aliases = (f"causal_trace.{name}",)
    register(EventInfo(f"crucible_trace.{name}", "trace", description, emitted_by, measurements, aliases))


_traced("decision.made", "Decision taken, with reason and alternatives.", "every room")
_traced("event.created", "Event of a trace made.", "trace")
_traced("chain.created", "Chain of a trace made.", "trace", event_count="1")
_traced("chain.saved", "Chain of a trace saved.", "trace", event_count="1")
_traced("chain.loaded", "Chain of a trace loaded.", "trace", event_count="1")

# What the rooms of several models and of bounded latency will emit; the trace tells it already.
_span("ensemble.prediction", "ensemble", "Ensemble prediction", "planned", models="1", succeeded="1", failed="1")
_event(
    "ensemble.vote.completed",
    "ensemble",
    "Several models' answers became one.",
    "planned",
    votes="1",
    agreement="1",
    confidence="1",
    duration_ns="ns",
)
_span("hedging.request", "hedging", "Request with bounded latency", "planned", requests="1", duplicates="1")
_event(
    "hedging.request.duplicated",
    "hedging",
    "A second request was sent, `duration_ns` after the first one.",
    "planned",
    attempt="1",
    duration_ns="ns",
)
