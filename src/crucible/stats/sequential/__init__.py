"""May I look early: confidence sequences and p-values that stay valid at every look, and Wald's sequential test.

An ordinary test that is looked at after every item and stopped at the first p < .05 finds a difference where there is
none, sooner or later, almost surely. Everything here may be looked at after every score. States go to JSON data and
back, so that a run can be resumed.
"""

from crucible.stats.sequential.bounded import BoundedSequence
from crucible.stats.sequential.confidence_sequence import ConfidenceSequence
from crucible.stats.sequential.mean import MeanSequence
from crucible.stats.sequential.paired_wins import PairedWins
from crucible.stats.sequential.sprt import Sprt, SprtDecision, SprtOutlook

__all__ = [
    "BoundedSequence",
    "ConfidenceSequence",
    "MeanSequence",
    "PairedWins",
    "Sprt",
    "SprtDecision",
    "SprtOutlook",
]
