"""How epochs, checkpoints, evaluations and the building of base models read."""

from __future__ import annotations

from crucible import events
from crucible.trace.narration.words import Words, facts, measured

__all__ = ["SPEAKERS"]


def _epoch_completed(event: events.Event) -> Words:
    """Tell that a pass over the data ended."""
    known = facts(event)
    name = f"Epoch {known['epoch']}" if known.get("epoch") is not None else "Epoch"
    loss = f"Loss {measured(known['loss'])}" if known.get("loss") is not None else "Every item was seen"
    steps = f", {known['steps']} steps" if known.get("steps") is not None else ""
    return Words("epoch_completed", f"{name} completed", f"{loss}{steps}", known)


def _checkpoint_saved(event: events.Event) -> Words:
    """Tell that weights were saved."""
    known = facts(event)
    at = f" at step {known['step']}" if known.get("step") is not None else ""
    model = f" of {known['model']}" if known.get("model") else ""
    return Words("checkpoint_saved", f"Checkpoint{model} saved{at}", "Resumable from here", known)


def _checkpoint_loaded(event: events.Event) -> Words:
    """Tell that training goes on from saved weights."""
    known = facts(event)
    at = f" at step {known['step']}" if known.get("step") is not None else ""
    model = f" of {known['model']}" if known.get("model") else ""
    return Words("checkpoint_loaded", f"Checkpoint{model} loaded{at}", "Its weights go on from here", known)


def _evaluated(event: events.Event) -> Words:
    """Tell that an evaluation ended."""
    known = facts(event)
    items = known.get("items", known.get("total_items"))
    reasoning = f"{items} items attempted" if items is not None else "Items attempted"
    return Words("metric_recorded", f"Evaluated {known.get('model') or 'the model'}", reasoning, known)


def _base_built(event: events.Event) -> Words:
    """Tell that a base model was built on this machine, which happens once."""
    known = facts(event)
    steps = f"{known['steps']} steps" if known.get("steps") is not None else "A few steps"
    text = " on synthetic text" if known.get("synthetic") else ""
    loss = f", loss {measured(known['loss'])}" if known.get("loss") is not None else ""
    name = known.get("base_model") or "the base model"
    return Words(
        "model_loaded", f"Built {name} and kept it in the cache", f"{steps} of pre-training{text}{loss}", known
    )


SPEAKERS = {
    "crucible_train.epoch.stop": _epoch_completed,
    "crucible_train.checkpoint.saved": _checkpoint_saved,
    "crucible_train.checkpoint.loaded": _checkpoint_loaded,
    "crucible_train.base_build.stop": _base_built,
    "crucible_data.evaluation.stop": _evaluated,
}
"""Single events of training and evaluation that are told, and what tells them."""
