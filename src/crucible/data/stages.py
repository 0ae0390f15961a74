"""The stages of this room, where the entry points find them."""

from crucible.data.checks_stage import DataChecksOptions, DataChecksStage
from crucible.data.drift.settings import DriftOptions
from crucible.data.drift.stage import DriftStage
from crucible.data.evaluate_stage import EvaluateOptions, EvaluateStage
from crucible.data.fairness.settings import FairnessOptions
from crucible.data.fairness.stage import FairnessStage
from crucible.data.guardrails.settings import GuardrailsOptions
from crucible.data.guardrails.stage import GuardrailsStage
from crucible.data.load_stage import DataLoadOptions, DataLoadStage

__all__ = [
    "DataChecksOptions",
    "DataChecksStage",
    "DataLoadOptions",
    "DataLoadStage",
    "DriftOptions",
    "DriftStage",
    "EvaluateOptions",
    "EvaluateStage",
    "FairnessOptions",
    "FairnessStage",
    "GuardrailsOptions",
    "GuardrailsStage",
]
