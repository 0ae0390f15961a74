"""Where a version of a model is to serve, and how that stands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crucible.ir.instant import Instant
from crucible.ir.model import Document
from crucible.ir.opaque import Loose, Opaque
from crucible.ir.words import Name, Words

__all__ = [
    "CanaryConfig",
    "DeploymentConfig",
    "DeploymentStatus",
    "EndpointConfig",
    "HealthCheckConfig",
    "ResourceSpec",
    "ScalingConfig",
]


class ResourceSpec(Document):
    """What one replica needs."""

    cpus: float | None = Field(default=None, gt=0, description="CPU cores.")
    memory_bytes: int | None = Field(default=None, ge=1, description="Main memory in bytes.")
    gpus: int = Field(default=0, ge=0, description="GPUs.")
    gpu_type: str | None = Field(default=None, description="Kind of GPU.")
    disk_bytes: int | None = Field(default=None, ge=1, description="Disk in bytes.")


class ScalingConfig(Document):
    """How the number of replicas follows the load."""

    min_replicas: int = Field(default=1, ge=0, description="Replicas at least.")
    max_replicas: int = Field(default=1, ge=1, description="Replicas at most.")
    metric: Annotated[Name, Words(("cpu", "requests_per_second", "queue_length", "latency_ms"))] = Field(
        default="requests_per_second", description="What the number follows."
    )
    target: float | None = Field(default=None, gt=0, description="Value of the metric per replica.")


class HealthCheckConfig(Document):
    """How it is seen whether a replica works."""

    path: str = Field(default="/health", pattern="^/", description="Path that is asked.")
    interval_s: float = Field(default=10.0, gt=0, description="Seconds between two checks.")
    timeout_s: float = Field(default=2.0, gt=0, description="Seconds before a check counts as failed.")
    unhealthy_threshold: int = Field(default=3, ge=1, description="Failed checks in a row that count.")


class EndpointConfig(Document):
    """Where requests come in."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65_535, description="Port; 0: a free one.")
    path: str = Field(default="/", pattern="^/", description="Path in front of all others.")
    api_key_env: str | None = Field(default=None, description="Environment variable that holds the key asked for.")


class CanaryConfig(Document):
    """How a new version takes over the traffic step by step."""

    initial_percent: float = Field(default=5.0, gt=0, le=100, description="Share of the traffic at first.")
    step_percent: float = Field(default=10.0, gt=0, le=100, description="Share added at each step.")
    interval_s: float = Field(default=300.0, gt=0, description="Seconds between two steps.")
    max_error_frac: float = Field(default=0.01, ge=0, le=1, description="Share of failed requests that ends it.")


class DeploymentConfig(Document):
    """Where and how one version of a model is to serve."""

    id: Name = Field(description="Name of the deployment.")
    model_version_id: Name = Field(description="Version that serves.")
    target: Opaque | None = Field(default=None, description="Where to.")
    replicas: int = Field(default=1, ge=1, description="Copies that serve.")
    resources: Loose[ResourceSpec] | None = Field(default=None, description="What one replica needs.")
    scaling: Loose[ScalingConfig] | None = Field(default=None, description="How the number of replicas changes.")
    environment: Annotated[Name, Words(("development", "staging", "production"))] = Field(
        default="development", description="development, staging, production."
    )
    strategy: Annotated[Name, Words(("rolling", "blue_green", "canary", "recreate"))] = Field(
        default="rolling", description="How the new version takes over."
    )
    health_check: Loose[HealthCheckConfig] | None = Field(default=None, description="How replicas are watched.")
    endpoint: Loose[EndpointConfig] | None = Field(default=None, description="Where requests come in.")
    canary: Loose[CanaryConfig] | None = Field(default=None, description="Steps of the strategy `canary`.")
    metadata: Opaque | None = Field(default=None, description="Anything else worth keeping.")
    options: Opaque | None = Field(default=None, description="Anything else.")


class DeploymentStatus(Document):
    """How a deployment stands."""

    id: Name = Field(description="Name of the status.")
    deployment_id: Name = Field(description="The deployment.")
    state: Literal["pending", "deploying", "active", "degraded", "failed", "terminated"] = Field(
        default="pending", description="How it stands."
    )
    ready_replicas: int | None = Field(default=None, ge=0, description="Replicas that serve.")
    total_replicas: int | None = Field(default=None, ge=0, description="Replicas asked for.")
    endpoint_url: str | None = Field(default=None, description="Where requests come in.")
    traffic_percent: float | None = Field(default=None, ge=0, le=100, description="Share of the traffic.")
    health: Literal["unknown", "healthy", "unhealthy", "degraded"] = Field(
        default="unknown", description="What the health check says."
    )
    last_health_check: Instant | None = Field(default=None, description="When it was last checked.")
    error_message: str | None = Field(default=None, description="What is wrong.")
    created_at: Instant | None = Field(default=None, description="When it was made.")
    updated_at: Instant | None = Field(default=None, description="When it last changed.")
