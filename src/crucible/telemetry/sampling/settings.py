"""The settings of the samplers, as a document has them."""

from __future__ import annotations

from pydantic import Field

from crucible.ir import Model

__all__ = [
    "AdaptiveSettings",
    "ImportanceSettings",
    "ReservoirSettings",
    "SamplerSettings",
    "StratifiedSettings",
    "UniformSettings",
]


class SamplerSettings(Model):
    """What every sampler has."""

    seed: int = Field(default=0, ge=0, lt=2**63, description="The same seed keeps the same of the same events.")


class UniformSettings(SamplerSettings):
    """Every event with the same probability."""

    rate: float = Field(ge=0, le=1, description="Probability with which an event is kept.")


class ReservoirSettings(SamplerSettings):
    """So many events, however many there are."""

    size: int = Field(ge=1, description="Events kept.")


class StratifiedSettings(SamplerSettings):
    """Events of each stratum with a probability of its own."""

    rates: dict[str, float] = Field(min_length=1, description="Probability by stratum.")
    by: str = Field(
        default="success",
        min_length=1,
        description="What makes a stratum: success, name, stage, condition, or a field, such as model.",
    )
    default: float = Field(default=1.0, ge=0, le=1, description="Probability in the strata that have none.")


class AdaptiveSettings(SamplerSettings):
    """Few events as long as a metric is as it was, and more where it deviates."""

    base_rate: float = Field(default=0.1, ge=0, le=1, description="Probability of ordinary events.")
    anomaly_rate: float = Field(default=1.0, ge=0, le=1, description="Probability of deviating ones.")
    metric: str = Field(
        default="latency_ms", min_length=1, description="What is watched: latency_ms, cost_usd, a field, a measurement."
    )
    threshold: float = Field(default=3.0, gt=0, description="Standard deviations from the mean that are too many.")
    min_samples: int = Field(
        default=1000, ge=2, description="Values of events of one name before any of them counts as deviating."
    )


class ImportanceSettings(SamplerSettings):
    """The slowest and the dearest events always, and few of the others."""

    rate: float = Field(default=0.1, ge=0, le=1, description="Probability of the other events.")
    quantile: float = Field(
        default=0.99, gt=0, lt=1, description="What lies above this share of the latest values is always kept."
    )
    window: int = Field(default=1000, ge=10, description="How many of the latest values of events of one name count.")
    min_samples: int = Field(
        default=100, ge=1, description="Values before any event of the name counts as slow or dear."
    )
    min_cost_usd: float | None = Field(default=None, ge=0, description="Always kept from this cost on; null: none is.")
