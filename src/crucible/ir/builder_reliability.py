"""The reliability part of the builder: how sure the experimenter wants to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from crucible.ir.builder_draft import Draft, given
from crucible.ir.feedback import FeedbackConfig
from crucible.ir.model import Model
from crucible.ir.monitoring import CircuitBreakerConfig, DriftConfig, MonitoringConfig
from crucible.ir.reliability import EnsembleConfig, FairnessConfig, GuardrailConfig, HedgingConfig, StatsConfig

__all__ = ["ReliabilityBuilder"]


class ReliabilityBuilder:
    """The builders of `Experiment.reliability`; each sets one part and leaves the others as they are.

    Each takes the built part, or its first field and the others by keyword: the fields are those of the type.
    """

    draft: Draft

    def _followed_by(self, draft: Draft) -> Self:
        raise NotImplementedError

    def with_ensemble(self, strategy: str | EnsembleConfig | None = None, /, **fields: Any) -> Self:
        """Ask several models and count their votes: a strategy and the fields of `EnsembleConfig`."""
        return self._part("ensemble", given(strategy, "strategy", fields))

    def with_hedging(self, strategy: str | HedgingConfig | None = None, /, **fields: Any) -> Self:
        """Send second requests for slow ones: a strategy and the fields of `HedgingConfig`."""
        return self._part("hedging", given(strategy, "strategy", fields))

    def with_stats(self, tests: Sequence[str] | StatsConfig | None = None, /, **fields: Any) -> Self:
        """Test differences: names of tests and the fields of `StatsConfig`."""
        return self._part("stats", given(tests, "tests", fields))

    def with_fairness(self, config: FairnessConfig | None = None, /, **fields: Any) -> Self:
        """Compare groups: the fields of `FairnessConfig`; `enabled` unless the fields say otherwise."""
        return self._part(
            "fairness", given(config, "enabled", {"enabled": True, **fields} if config is None else fields)
        )

    def with_guardrails(self, profiles: Sequence[str] | GuardrailConfig | None = None, /, **fields: Any) -> Self:
        """Look at what goes in and comes out: profiles and the fields of `GuardrailConfig`."""
        return self._part("guardrails", given(profiles, "profiles", fields))

    def with_feedback_config(self, config: FeedbackConfig | None = None, /, **fields: Any) -> Self:
        """Collect what users say: the fields of `FeedbackConfig`; `enabled` unless the fields say otherwise."""
        return self._part(
            "feedback", given(config, "enabled", {"enabled": True, **fields} if config is None else fields)
        )

    with_feedback = with_feedback_config

    def with_monitoring(self, config: MonitoringConfig | Mapping[str, Any] | None = None, /, **fields: Any) -> Self:
        """Watch metrics: the fields of `MonitoringConfig`, or any mapping."""
        return self._loose("monitoring", MonitoringConfig, config, fields)

    def with_drift(self, config: DriftConfig | Mapping[str, Any] | None = None, /, **fields: Any) -> Self:
        """Say when data counts as changed: the fields of `DriftConfig`, or any mapping."""
        return self._loose("drift", DriftConfig, config, fields)

    def with_circuit_breaker(
        self, config: CircuitBreakerConfig | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> Self:
        """Stop asking a backend that fails: the fields of `CircuitBreakerConfig`, or any mapping."""
        return self._loose("circuit_breaker", CircuitBreakerConfig, config, fields)

    def _part(self, name: str, data: Mapping[str, Any]) -> Self:
        return self._followed_by(self.draft.put(f"reliability.{name}", data))

    def _loose(self, name: str, kind: type[Model], config: Any, fields: Mapping[str, Any]) -> Self:
        """Set a part that may be any mapping; by keyword it must fit its type, or a slip would go unseen."""
        must_fit = kind if not isinstance(config, Mapping) or fields else None
        return self._followed_by(self.draft.put(f"reliability.{name}", given(config, "", fields), must_fit))
