"""Whole studies in one call: an A/B test with guardrails, an ablation, a sweep of parameters.

Each takes conditions (`crucible.stats.conditions.observations`), compares them by the rule of `compare_conditions` and
a `Design`, corrects for there being several comparisons, and returns a struct that `crucible.stats.rendering` shows.
"""

from crucible.stats.studies.ab import AbTest, Decision, ab_test
from crucible.stats.studies.ablating import Ablation, ablation
from crucible.stats.studies.condition_mean import ConditionMean
from crucible.stats.studies.guardrail import Guardrail, GuardrailResult
from crucible.stats.studies.sweeping import HeldOut, Sweep, Trial, sweep

__all__ = [
    "AbTest",
    "Ablation",
    "ConditionMean",
    "Decision",
    "Guardrail",
    "GuardrailResult",
    "HeldOut",
    "Sweep",
    "Trial",
    "ab_test",
    "ablation",
    "sweep",
]
