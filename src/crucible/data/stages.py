"""The stages of this room, where the entry points find them."""

from crucible.data.checks_stage import DataChecksOptions, DataChecksStage
from crucible.data.evaluate_stage import EvaluateOptions, EvaluateStage
from crucible.data.guardrails.settings import GuardrailsOptions
from crucible.data.guardrails.stage import GuardrailsStage
from crucible.data.load_stage import DataLoadOptions, DataLoadStage

__all__ = [
    "DataChecksOptions",
    "DataChecksStage",
    "DataLoadOptions",
    "DataLoadStage",
    "EvaluateOptions",
    "EvaluateStage",
    "GuardrailsOptions",
    "GuardrailsStage",
]
