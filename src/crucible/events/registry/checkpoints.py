"""Checkpoints that are no longer kept, and those that are carried to another place and back."""

from __future__ import annotations

from crucible.events.registry.entry import EventInfo

__all__ = ["EVENTS"]

_OF_A_MODEL = {"model": "name of the adapter", "path": "where the checkpoint lies or lay"}
_CARRIED = {"name": "name of the checkpoint", "location": "its folder or address", "files": "how many files it has"}

EVENTS: tuple[EventInfo, ...] = (
    EventInfo(
        "crucible_train.checkpoint.pruned",
        "training",
        "Model checkpoint removed because it need not be kept.",
        "train",
        {"step": "1"},
        metadata=_OF_A_MODEL,
    ),
    EventInfo(
        "crucible_train.checkpoint.uploaded",
        "training",
        "Model checkpoint copied to the place that keeps it.",
        "train",
        {"size_bytes": "B"},
        metadata=_CARRIED,
    ),
    EventInfo(
        "crucible_train.checkpoint.downloaded",
        "training",
        "Model checkpoint copied from the place that keeps it.",
        "train",
        {"size_bytes": "B"},
        metadata=_CARRIED,
    ),
)
