"""Quality targets: what is to be reached, whether it was, by how much it was missed, and what that asks for.

Trainings and evaluations alike are held to them. A missed target is a value in the result, not an error: what it means
is for whoever set it.
"""

from crucible.data.quality.assessment import Assessment, QualityReport, assess
from crucible.data.quality.direction import Direction, direction_of
from crucible.data.quality.measured import Measured, known_figures, measured

__all__ = [
    "Assessment",
    "Direction",
    "Measured",
    "QualityReport",
    "assess",
    "direction_of",
    "known_figures",
    "measured",
]
