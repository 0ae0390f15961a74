"""Drift: is the data still distributed as it was? Tests with p-values that hold, corrected over all fields.

Below a minimum of values nothing is tested, so that emptiness is never drift; the population stability index is shown
as a figure and decides nothing by a constant. Importing this needs no numpy; comparing needs the extra `stats`.
"""

from crucible.data.drift.comparing import Sample, compare_samples
from crucible.data.drift.result import DriftResult, FieldTest, Untested
from crucible.data.drift.rules import METHODS, DriftRules
from crucible.data.drift.settings import DriftOptions
from crucible.data.drift.stage import DriftStage

__all__ = [
    "METHODS",
    "DriftOptions",
    "DriftResult",
    "DriftRules",
    "DriftStage",
    "FieldTest",
    "Sample",
    "Untested",
    "compare_samples",
]
