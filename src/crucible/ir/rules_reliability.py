"""Rules of the reliability part: votes, hedging, levels, groups, guardrails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from crucible.ir.issue import Issue
from crucible.ir.reliability import (
    EnsembleConfig,
    FairnessConfig,
    GuardrailConfig,
    HedgingConfig,
    ReliabilityConfig,
    StatsConfig,
)
from crucible.ir.rules import error, rule, warning
from crucible.ir.wording_text import did_you_mean, hidden, show

__all__ = ["delay", "groups", "hedged_execution", "levels", "redaction", "voters", "weights"]


@rule(EnsembleConfig)
def voters(ensemble: EnsembleConfig) -> Iterable[Issue]:
    """Who votes is named."""
    if ensemble.strategy != "none" and not ensemble.models:
        message = f"models is required when strategy is {ensemble.strategy}"
        yield error("models", "missing", message)


@rule(EnsembleConfig)
def weights(ensemble: EnsembleConfig) -> Iterable[Issue]:
    """A weighted vote has one weight for each model, and not all of them zero."""
    if ensemble.strategy != "weighted":
        if ensemble.weights:
            message = f"weights has no effect when strategy is {ensemble.strategy}; it belongs to the strategy weighted"
            yield warning("weights", "no_effect", message)
        return
    if not ensemble.weights:
        yield error("weights", "missing", "weights is required when strategy is weighted")
        return
    if not any(ensemble.weights.values()):
        yield error("weights", "range", "weights must not all be zero")
    if ensemble.models:
        yield from _matching(ensemble.models, ensemble.weights)


def _matching(models: Sequence[str], weights: Mapping[str, float]) -> Iterator[Issue]:
    without = [model for model in models if model not in weights]
    if without:
        yield error(
            "weights", "mismatch", f"weights must name every model; without a weight: {', '.join(map(show, without))}"
        )
    for name in weights:
        if name not in models:
            hint = did_you_mean(name, models)
            message = f"{hidden(name)} must be one of the models, got {show(name)}{hint}"
            yield error(f"weights.{hidden(name)}", "mismatch", message)


@rule(HedgingConfig)
def delay(hedging: HedgingConfig) -> Iterable[Issue]:
    """A strategy has what it computes the delay from."""
    if hedging.strategy == "fixed" and hedging.delay_ms is None:
        yield error("delay_ms", "missing", "delay_ms is required when strategy is fixed")
    if hedging.strategy == "percentile" and hedging.percentile is None:
        yield error("percentile", "missing", "percentile is required when strategy is percentile")


@rule(ReliabilityConfig)
def hedged_execution(reliability: ReliabilityConfig) -> Iterable[Issue]:
    """Asking models with hedges needs to know when to hedge."""
    if reliability.ensemble is None or reliability.ensemble.execution_mode != "hedged":
        return
    if reliability.hedging is None or reliability.hedging.strategy == "off":
        message = "execution_mode hedged needs a hedging strategy other than off; set reliability.hedging.strategy"
        yield error("ensemble.execution_mode", "mismatch", message)


@rule(StatsConfig)
def levels(stats: StatsConfig) -> Iterable[Issue]:
    """Tests and intervals tell the same story at the same level."""
    if stats.confidence_level is not None and abs(1 - stats.alpha - stats.confidence_level) > 1e-9:
        message = (
            f"confidence_level and alpha differ: {stats.confidence_level:g} against {1 - stats.alpha:g} (1 - alpha), "
            "so an interval may exclude zero where the test finds nothing, or the other way about"
        )
        yield warning("confidence_level", "mismatch", message)


@rule(FairnessConfig)
def groups(fairness: FairnessConfig) -> Iterable[Issue]:
    """Groups are compared only if somebody says what they are."""
    if fairness.enabled and fairness.group_by is None:
        yield error("group_by", "missing", "group_by is required when enabled is true")


@rule(GuardrailConfig)
def redaction(guardrails: GuardrailConfig) -> Iterable[Issue]:
    """What nobody looks for cannot be replaced."""
    if guardrails.pii_redaction and guardrails.pii_detection is False:
        message = "pii_redaction needs pii_detection, which is false; leave one of them out"
        yield error("pii_redaction", "mismatch", message)
