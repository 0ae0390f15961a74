"""Models in the registry: registered, promoted or refused, removed."""

from __future__ import annotations

from crucible.events.registry.entry import EventInfo

__all__ = ["EVENTS"]

_VERSION = {"model": "name of the model", "version": "its semantic version", "by": "who did it"}

EVENTS: tuple[EventInfo, ...] = (
    EventInfo(
        "crucible_train.model.registered",
        "training",
        "Version of a model registered.",
        "train",
        {"files": "1", "size_bytes": "B"},
        metadata={**_VERSION, "stage": "stage in which it begins", "run_id": "run that trained it, null if none"},
    ),
    EventInfo(
        "crucible_train.model.promoted",
        "training",
        "Version of a model moved to another stage.",
        "train",
        {"gates_passed": "1"},
        metadata={
            **_VERSION,
            "from_stage": "stage before",
            "to_stage": "stage now",
            "forced": "whether it was moved although a gate was not passed",
        },
    ),
    EventInfo(
        "crucible_train.model.refused",
        "training",
        "Version of a model not moved to another stage, for it did not pass its gates.",
        "train",
        {"gates_failed": "1"},
        metadata={**_VERSION, "stage": "stage that was asked for"},
    ),
    EventInfo(
        "crucible_train.model.removed", "training", "Version of a model removed.", "train", {}, metadata=_VERSION
    ),
)
