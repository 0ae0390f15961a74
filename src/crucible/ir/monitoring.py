"""Watching over what was made: circuit breakers, drift, monitoring and what starts a new training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crucible.ir.model import Document, Seq
from crucible.ir.opaque import Opaque
from crucible.ir.words import Name, Words

__all__ = ["CircuitBreakerConfig", "DriftConfig", "MonitoringConfig", "RetrainingTrigger"]


class CircuitBreakerConfig(Document):
    """When to stop asking a backend that fails, and when to try it again."""

    failure_threshold: int = Field(default=5, ge=1, description="Failures in a row that open the circuit.")
    reset_timeout_s: float = Field(default=30.0, gt=0, description="Seconds before one call is let through again.")
    half_open_calls: int = Field(default=1, ge=1, description="Calls let through to see whether it works again.")


class DriftConfig(Document):
    """When data or scores count as changed."""

    method: Annotated[Name, Words(("ks", "psi", "chi_square"))] = Field(
        default="ks", description="Test of change: ks, psi, chi_square."
    )
    fields: Seq[str] | None = Field(default=None, description="What to watch; null: everything numeric.")
    alpha: float = Field(default=0.05, gt=0, lt=1, description="Type-I error rate that is accepted.")
    min_samples: int = Field(default=100, ge=2, description="Samples before anything is said.")


class MonitoringConfig(Document):
    """What is watched while something runs."""

    metrics: Seq[str] = Field(default=(), description="Metrics to watch.")
    interval_s: float = Field(default=60.0, gt=0, description="Seconds between two looks.")
    alerts: Opaque | None = Field(default=None, description="Rules by metric.")


class RetrainingTrigger(Document):
    """What starts a new training."""

    metric: Name = Field(description="Metric to watch.")
    threshold: float = Field(description="Value beyond which a training starts.")
    direction: Literal["below", "above"] = Field(
        default="below", description="Whether a value below or above the threshold starts it."
    )
    min_events: int = Field(default=100, ge=1, description="Feedback events before anything is decided.")
    cooldown_s: float = Field(default=86_400.0, ge=0, description="Seconds between two trainings.")
