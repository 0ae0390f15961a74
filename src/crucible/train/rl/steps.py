"""From the rollouts of an iteration to the requests of its optimiser steps.

The weights of a step's data add up to 1, as those of a supervised step do: learning rate and gradient norm then mean
the same whatever the size of an iteration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from crucible import events
from crucible.errors import TrainError, require
from crucible.text import Datum
from crucible.train.rl.advantages import compute_advantages, is_constant, remove_constant_reward_groups
from crucible.train.rl.algorithm import Algorithm
from crucible.train.rl.data import assemble_training_data
from crucible.train.rl.settings import RLConfig
from crucible.train.rl.trajectory import Rollouts, TrajectoryGroup

if TYPE_CHECKING:
    from crucible.backends.losses import Loss  # PyTorch's tensors

__all__ = ["Part", "check_failures", "shares", "training_data", "weighed", "with_entropy"]


class Part(msgspec.Struct, frozen=True):
    """What a request needs beside its data.

    Attributes:
        loss: The loss.
        is_fresh: The weights in training are those that sampled, so that both must find the same probabilities.
    """

    loss: str
    is_fresh: bool


def check_failures(rollouts: Rollouts, settings: RLConfig, iteration: int) -> None:
    """Tell of rollouts that failed, and end the training where they are too many.

    Args:
        rollouts: Those of an iteration.
        settings: How many may fail.
        iteration: Its number, from 0.

    Raises:
        TrainError: None came to an end, or more failed than may.
    """
    failed = rollouts.started - rollouts.finished
    if not failed:
        return
    first = rollouts.failures[0]
    member = "" if first.member is None else f", member {first.member}"
    why = f"the first: {first.where} of group {first.group}{member}: {first.error}"
    if rollouts.finished == 0 or failed > settings.max_failed_frac * rollouts.started:
        raise TrainError(
            f"{failed} of {rollouts.started} rollouts of iteration {iteration} failed, and max_failed_frac is "
            f"{settings.max_failed_frac:g}; {why}"
        )
    events.decision(
        f"left out {failed} of {rollouts.started} rollouts of iteration {iteration}",
        f"they did not come to an end; {why}",
        metadata={"iteration": iteration, "failed": failed, "started": rollouts.started},
    )


def training_data(rollouts: Rollouts, settings: RLConfig, iteration: int) -> tuple[list[Datum], list[int]]:
    """Return what an iteration is trained on, and for each datum the place of its group in the batch.

    Groups whose rewards are all the same say nothing and are left out; where all are, or fewer data than steps would
    be left, some stay in: their gradient is 0.

    Args:
        rollouts: Those of the iteration.
        settings: How advantages are made; the steps of an iteration.
        iteration: Its number, from 0.

    Raises:
        TrainError: There are fewer trajectories than steps.
    """
    if rollouts.finished < settings.substeps:
        raise TrainError(
            f"iteration {iteration} has {rollouts.finished} rollouts for {settings.substeps} substeps; lower substeps"
        )
    telling = remove_constant_reward_groups(rollouts.groups)
    if is_constant(telling[0]):
        others = [name for name in ("kl_coef", "entropy_coef") if getattr(settings, name)]
        events.decision(
            f"took {settings.substeps} step{'s' if settings.substeps > 1 else ''} without a gradient"
            + (" of rewards" if others else ""),
            "All rewards are uniform. There will be no gradient"
            + (f" but that of {' and '.join(others)}" if others else ""),
            metadata={"iteration": iteration, "groups": len(rollouts.groups)},
        )
    kept: list[tuple[int, TrajectoryGroup]] = []
    filling = settings.substeps - sum(len(group.trajectories) for group in telling)
    for place, group in zip(rollouts.places, rollouts.groups, strict=True):
        is_kept = any(group is each for each in telling)
        if not is_kept and filling > 0:
            filling -= len(group.trajectories)
            is_kept = True
        if is_kept:
            kept.append((place, group))
    groups = [group for _, group in kept]
    advantages = compute_advantages(groups, scale=settings.scale, gamma=settings.gamma)
    data, origins = assemble_training_data(groups, advantages, gamma=settings.gamma)
    return data, [kept[origin.group][0] for origin in origins]


def weighed(data: Sequence[Datum], rule: Algorithm) -> tuple[list[Datum], str]:
    """Return the data of a step as its algorithm weighs them, and the loss that reads them.

    Args:
        data: With weights of 1 on the policy's tokens, and advantages.
        rule: The algorithm. One whose loss reads no advantages gets them as weights; a step without any keeps them
            beside, for a loss that is 0 then.
    """
    counts = [sum(weight != 0 for weight in datum.weights) for datum in data]
    total = sum(counts)
    each = [1 / (len(data) * count) if rule.per_answer else 1 / total for count in counts]
    scaled = [
        msgspec.structs.replace(datum, weights=tuple(weight * share for weight in datum.weights))
        for datum, share in zip(data, each, strict=True)
    ]
    if rule.loss != "cross_entropy":
        return scaled, rule.loss
    by_advantage = [
        msgspec.structs.replace(
            datum,
            weights=tuple(
                weight * advantage
                for weight, advantage in zip(datum.weights, datum.loss_inputs["advantages"], strict=True)
            ),
        )
        for datum in scaled
    ]
    moving = [datum for datum in by_advantage if any(datum.weights)]
    return (moving, rule.loss) if moving else (scaled, "importance_sampling")


def with_entropy(loss: str, config: Mapping[str, float], coef: float) -> Loss:
    """Return a loss less so many times the entropy of the whole distribution at each token, in nats.

    Raises:
        MissingExtra: PyTorch is not installed.
    """
    losses: Any = require("crucible.backends.losses", extra="train", feature="a bonus for entropy")
    return losses.composite([losses.get(loss).configured(config), "entropy"], [1.0, -coef])


def shares(count: int, parts: int) -> list[range]:
    """Return the places of so many things in parts of nearly the same size, none empty; `parts` is at most `count`."""
    bounds = [count * part // parts for part in range(parts + 1)]
    return [range(low, high) for low, high in pairwise(bounds)]
