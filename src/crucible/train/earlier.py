"""Models that stages of a document train, by name: what a later training may begin with or learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crucible.ir import Experiment, did_you_mean
from crucible.ir.wording_text import show

__all__ = ["DEFAULT_MODELS", "earlier_model_problem"]

DEFAULT_MODELS: Final[Mapping[str, str]] = {
    "supervised_train": "tuned",
    "train": "tuned",
    "dpo_train": "preferred",
    "distillation": "distilled",
    "rl_train": "rewarded",
}
"""Stages that train, with the name that each gives its model where it is not told."""

_NAME_ONLY: Final = frozenset({"evaluate", "register_model"})  # stages whose `model` is one that is there already


def earlier_model_problem(experiment: Experiment, wanted: str, own: str) -> str | None:
    """Return why a stage cannot have a model of the same document; None where a stage before it trains that model.

    Args:
        experiment: The document.
        wanted: Name of the model that it asks for.
        own: Name of the model that the stage itself trains.
    """
    if wanted == own:
        return f"{show(wanted)} is what this stage itself trains; name another model"
    names = [_trained(entry.name, entry.options) for entry in experiment.pipeline if entry.enabled]
    trained = [name for name in names if name is not None]
    before = trained[: trained.index(own)] if own in trained else trained
    if wanted in before:
        return None
    if wanted in trained:
        return f"{show(wanted)} is trained only after this stage; let the stage that trains it stand before"
    hint = did_you_mean(wanted, before)
    return f"no stage of this document trains {show(wanted)}{hint}; let one stand before this stage"


def _trained(stage: str, options: Mapping[str, object] | None) -> str | None:
    """Return the name of the model that a stage trains, a stranger's too; None where it trains none."""
    if stage in _NAME_ONLY:
        return None
    name = (options or {}).get("model", DEFAULT_MODELS.get(stage))
    return name if isinstance(name, str) else None
