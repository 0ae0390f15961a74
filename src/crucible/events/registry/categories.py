"""The standard events of each category, by a function of its own."""

from __future__ import annotations

from crucible.events.registry.names import events_of

__all__ = [
    "adversary_events",
    "data_events",
    "deployment_events",
    "ensemble_events",
    "framework_events",
    "hedging_events",
    "llm_events",
    "telemetry_events",
    "tool_events",
    "trace_events",
    "training_events",
    "xai_events",
]


def llm_events() -> tuple[str, ...]:
    """Return the names of requests to language models."""
    return events_of("llm")


def ensemble_events() -> tuple[str, ...]:
    """Return the names of ensembles' predictions and votes."""
    return events_of("ensemble")


def hedging_events() -> tuple[str, ...]:
    """Return the names of requests with bounded latency."""
    return events_of("hedging")


def training_events() -> tuple[str, ...]:
    """Return the names of trainings, epochs, batches, validations, checkpoints, sessions and base models' building."""
    return events_of("training")


def data_events() -> tuple[str, ...]:
    """Return the names of datasets and evaluations."""
    return events_of("data")


def deployment_events() -> tuple[str, ...]:
    """Return the names of deployed models: loading, inference, health."""
    return events_of("deployment")


def framework_events() -> tuple[str, ...]:
    """Return the names of runs and their stages."""
    return events_of("framework")


def telemetry_events() -> tuple[str, ...]:
    """Return the names of what recording itself tells: anomalies and alerts."""
    return events_of("telemetry")


def trace_events() -> tuple[str, ...]:
    """Return the names of decisions and of traces' events and chains."""
    return events_of("trace")


def tool_events() -> tuple[str, ...]:
    """Return the names of tools' invocations."""
    return events_of("tools")


def xai_events() -> tuple[str, ...]:
    """Return the names of explanations."""
    return events_of("xai")


def adversary_events() -> tuple[str, ...]:
    """Return the names of attacks on models."""
    return events_of("adversary")
