"""Pictures of comparisons, as matplotlib figures: paired differences, forests, distributions, calibration.

Needs the extra `plots`. No function opens a window or leaves a setting of matplotlib changed, and none reads the
settings of the user: the same data give the same picture. `save` writes it, the same bytes each time.
"""

from crucible.stats.plots.calibration import calibration
from crucible.stats.plots.distribution import ecdf
from crucible.stats.plots.forest import forest
from crucible.stats.plots.paired import paired_differences
from crucible.stats.plots.reliability import Reliability, reliability
from crucible.stats.plots.saving import save

__all__ = [
    "Reliability",
    "calibration",
    "ecdf",
    "forest",
    "paired_differences",
    "reliability",
    "save",
]
