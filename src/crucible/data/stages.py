"""The stages of this room, where the entry points find them."""

from crucible.data.evaluate_stage import EvaluateOptions, EvaluateStage
from crucible.data.load_stage import DataLoadOptions, DataLoadStage

__all__ = ["DataLoadOptions", "DataLoadStage", "EvaluateOptions", "EvaluateStage"]
