"""Rules of deployments: replicas, steps, dates."""

from __future__ import annotations

from collections.abc import Iterable

from crucible.ir.deployment import DeploymentConfig, DeploymentStatus, ScalingConfig
from crucible.ir.issue import Issue
from crucible.ir.rules import error, rule, warning

__all__ = ["bounds", "canary", "replicas", "status"]


@rule(DeploymentConfig)
def canary(config: DeploymentConfig) -> Iterable[Issue]:
    """The steps of a canary and the strategy of that name come together."""
    if config.canary is not None and config.strategy != "canary":
        message = f"canary has no effect when strategy is {config.strategy}; set strategy to canary, or leave it out"
        yield error("canary", "no_effect", message)
    if config.canary is None and config.strategy == "canary":
        message = "canary says nothing of the steps, so those that CanaryConfig has by itself are taken"
        yield warning("canary", "missing", message)


@rule(DeploymentConfig)
def replicas(config: DeploymentConfig) -> Iterable[Issue]:
    """A deployment starts with a number of replicas that it may have."""
    scaling = config.scaling
    if isinstance(scaling, ScalingConfig) and scaling.min_replicas <= scaling.max_replicas:
        low, high = scaling.min_replicas, scaling.max_replicas
        if not low <= config.replicas <= high:
            message = f"replicas is outside what scaling allows ({low} to {high}), got {config.replicas}"
            yield warning("replicas", "range", message)


@rule(ScalingConfig)
def bounds(scaling: ScalingConfig) -> Iterable[Issue]:
    """There is a number between the bounds."""
    if scaling.min_replicas > scaling.max_replicas:
        message = f"max_replicas must be at least min_replicas ({scaling.min_replicas}), got {scaling.max_replicas}"
        yield error("max_replicas", "range", message)


@rule(DeploymentStatus)
def status(status: DeploymentStatus) -> Iterable[Issue]:
    """No more replicas serve than were asked for, and time goes forward."""
    ready, total = status.ready_replicas, status.total_replicas
    if ready is not None and total is not None and ready > total:
        yield error("ready_replicas", "range", f"ready_replicas must be at most total_replicas ({total}), got {ready}")
    if status.created_at and status.updated_at and status.updated_at < status.created_at:
        message = f"updated_at must not be before created_at, got {status.updated_at.isoformat()}"
        yield error("updated_at", "order", message)
