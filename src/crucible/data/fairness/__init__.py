"""Fairness: are groups of items treated alike? Rates with intervals, gaps with corrected tests, a limit you set.

Any number of groups, several fields at once. What is undefined is None with a reason; what was not found is never
called equal. Importing this needs no numpy; comparing needs the extra `stats`.
"""

from crucible.data.fairness.assessing import assess
from crucible.data.fairness.measures import METRICS
from crucible.data.fairness.result import FairnessResult, Gap, GroupRate, MetricFinding
from crucible.data.fairness.rules import FairnessRules, Judgement
from crucible.data.fairness.settings import FairnessOptions
from crucible.data.fairness.stage import FairnessStage

__all__ = [
    "METRICS",
    "FairnessOptions",
    "FairnessResult",
    "FairnessRules",
    "FairnessStage",
    "Gap",
    "GroupRate",
    "Judgement",
    "MetricFinding",
    "assess",
]
