"""What a training is: for checkpoints, so that none goes on as another one; for files beside weights; for events."""

from __future__ import annotations

from typing import Any

from crucible.backends import Session
from crucible.ir import LoraConfig, to_dict
from crucible.train.objective import Material, Objective
from crucible.train.supervised import Supervised

__all__ = ["identity_of", "origin_of", "told_of"]


def identity_of(config: LoraConfig, objective: Objective, session: Session, begun_with: str | None) -> dict[str, Any]:
    """Return what must be equal for a resumed training to be the same one, JSON.

    Args:
        config: How it trains; hooks look at a training and change nothing of it, so they may differ.
        objective: What it is trained for.
        session: Of the base model.
        begun_with: Digest of the adapter that it began with; None: a fresh one.
    """
    values = to_dict(config)
    del values["gradient_hooks"]
    data, base = objective.material.digest, session.base_digest
    identity = {**values, "data": data, "base_digest": base, **objective.identity}
    if not isinstance(objective, Supervised):  # whose checkpoints are older than other kinds
        identity["objective"] = objective.kind
    if begun_with is not None:
        identity["adapter"] = begun_with
    return identity


def origin_of(config: LoraConfig, session: Session, material: Material | None, *, model: str) -> dict[str, Any]:
    """Return what a saved adapter was made from, JSON; its `data` is None if it was never trained.

    Args:
        config: How it was trained.
        session: Of the base model.
        material: What it read; None: it was never trained.
        model: Name of the adapter.
    """
    data = material
    trained = {"items": data.items, "sha256": data.digest, "synthetic": data.synthetic} if data else None
    return {
        "model": model,
        "base_model": config.base_model,
        "base_digest": session.base_digest,
        "data": trained,
    }


def told_of(config: LoraConfig, objective: Objective, session: Session, *, model: str) -> dict[str, Any]:
    """Return what the events of a training say of it.

    Args:
        config: How it trains.
        objective: What it is trained for.
        session: Of the adapter.
        model: Name of the adapter.
    """
    material = objective.material
    return {
        "model": model,
        "base_model": config.base_model,
        "rank": config.rank,
        "objective": objective.kind,
        **({"loss_function": objective.loss_function} if objective.loss_function else {}),
        "total_steps": objective.total_steps,
        "items": material.items,
        "validation_items": material.held_out,
        "truncated": material.truncated,
        "refused": material.refused,
        "seed": config.seed,
        "parameters_trained": session.trainable_parameters,
    }
