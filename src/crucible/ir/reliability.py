"""How sure the experimenter wants to be: ensembles, hedging, statistics, fairness, guardrails."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crucible.ir.feedback import FeedbackConfig
from crucible.ir.model import Document, Seq
from crucible.ir.monitoring import CircuitBreakerConfig, DriftConfig, MonitoringConfig
from crucible.ir.opaque import Loose, Opaque
from crucible.ir.predecessor import Percent
from crucible.ir.words import Name, Words, aliased

__all__ = [
    "EnsembleConfig",
    "FairnessConfig",
    "GuardrailConfig",
    "HedgingConfig",
    "ReliabilityConfig",
    "StatsConfig",
]

_TESTS = Words(
    ("ttest", "bootstrap", "anova", "mannwhitney", "wilcoxon", "kruskal"),
    also=("t_test", "mann_whitney", "mannwhitneyu"),
)
_EFFECTS = Words(
    ("cohens_d", "eta_squared", "omega_squared"),
    also=("cohen_d", "cohens_dz", "cohen_dz", "cohens_g", "cohen_g", "cohens_h", "cohen_h"),
)


class EnsembleConfig(Document):
    """How the answers of several models become one."""

    strategy: Annotated[
        Literal["none", "majority", "weighted", "best_confidence", "unanimous"], *aliased(majority_vote="majority")
    ] = Field(default="none", description="How votes are counted.")
    execution_mode: Literal["parallel", "sequential", "hedged", "cascade"] = Field(
        default="parallel", description="In which order the models are asked."
    )
    models: Seq[Name] | None = Field(default=None, description="Models that vote.")
    weights: dict[str, Annotated[float, Field(ge=0)]] | None = Field(default=None, description="Weight by model.")
    min_agreement: float | None = Field(default=None, ge=0, le=1, description="Share of votes that an answer needs.")
    timeout_ms: int | None = Field(default=None, gt=0, description="Milliseconds to wait for all votes.")
    options: Opaque | None = Field(default=None, description="Options of the strategy.")


class HedgingConfig(Document):
    """When a second request is sent because the first one is slow."""

    strategy: Annotated[
        Literal["off", "fixed", "percentile", "adaptive", "workload_aware", "exponential_backoff"],
        *aliased(fixed_delay="fixed"),
    ] = Field(default="off", description="How the delay is chosen.")
    delay_ms: int | None = Field(default=None, ge=0, description="Milliseconds before the second request.")
    percentile: Annotated[float, Field(gt=0, lt=1), Percent()] | None = Field(
        default=None, description="Quantile of past latencies to wait for, such as 0.95; 95 is read as percent."
    )
    max_hedges: int | None = Field(default=None, ge=1, description="Further requests at most.")
    budget_percent: float | None = Field(
        default=None, ge=0, le=100, description="Further requests at most, in percent of all requests."
    )
    options: Opaque | None = Field(default=None, description="Options of the strategy.")


class StatsConfig(Document):
    """Which tests, at which level, corrected how."""

    tests: Seq[Annotated[Name, _TESTS]] = Field(default=("ttest", "bootstrap"), description="Tests, such as mcnemar.")
    alpha: float = Field(default=0.05, gt=0, lt=1, description="Type-I error rate that is accepted.")
    confidence_level: float | None = Field(default=None, gt=0, lt=1, description="Level of the intervals.")
    effect_size_type: Annotated[Name, _EFFECTS] | None = Field(default=None, description="Effect size to report.")
    multiple_testing_correction: Annotated[Name, Words(("bonferroni", "holm", "fdr"))] | None = Field(
        default=None, description="bonferroni, holm, hochberg, bh, by."
    )
    bootstrap_iterations: int | None = Field(default=None, ge=1, description="Resamples of a bootstrap.")
    options: Opaque | None = Field(default=None, description="Options of the tests.")


class FairnessConfig(Document):
    """Whether groups are treated alike."""

    enabled: bool = Field(default=False, description="Whether it is checked.")
    metrics: (
        Seq[Annotated[Name, Words(("demographic_parity", "equalized_odds", "equal_opportunity", "predictive_parity"))]]
        | None
    ) = Field(default=None, description="What is compared between groups.")
    group_by: Name | None = Field(default=None, description="Field of the dataset that names the group.")
    threshold: float | None = Field(default=None, ge=0, le=1, description="Limit, such as 0.8 for the 80 % rule.")
    fail_on_violation: bool | None = Field(default=None, description="Whether a violation ends the run.")
    options: Opaque | None = Field(default=None, description="Options of the metrics.")


class GuardrailConfig(Document):
    """What may not go into a model or come out of one; null: as the profiles say."""

    profiles: Seq[Annotated[Name, Words(("default", "strict", "moderate", "permissive"))]] = Field(
        default=("default",), description="Sets of rules."
    )
    prompt_injection_detection: bool | None = Field(default=None, description="Look for injected instructions.")
    jailbreak_detection: bool | None = Field(default=None, description="Look for attempts to break out.")
    pii_detection: bool | None = Field(default=None, description="Look for personal data.")
    pii_redaction: bool | None = Field(default=None, description="Replace personal data.")
    content_moderation: bool | None = Field(default=None, description="Look for content that is not wanted.")
    fail_on_detection: bool | None = Field(default=None, description="Whether a finding ends the run.")
    options: Opaque | None = Field(default=None, description="Options of the adapter.")


class ReliabilityConfig(Document):
    """The reliability part of an experiment."""

    ensemble: EnsembleConfig | None = Field(default=None, description="Several models, one answer.")
    hedging: HedgingConfig | None = Field(default=None, description="Second requests for slow ones.")
    guardrails: GuardrailConfig | None = Field(default=None, description="What may not go in or come out.")
    stats: StatsConfig | None = Field(default=None, description="Statistical tests.")
    fairness: FairnessConfig | None = Field(default=None, description="Whether groups are treated alike.")
    monitoring: Loose[MonitoringConfig] | None = Field(default=None, description="What is watched.")
    drift: Loose[DriftConfig] | None = Field(default=None, description="When data counts as changed.")
    circuit_breaker: Loose[CircuitBreakerConfig] | None = Field(default=None, description="When to stop asking.")
    feedback: FeedbackConfig | None = Field(default=None, description="What users say.")
