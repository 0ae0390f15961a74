"""How many items, how sure, how small an effect: power and sample size before a run, and what a run could have found.

Exact where the distribution is known (non-central t and F, enumeration of counts), approximate only where `method` says
so, by simulation for the rest. Nothing here turns a measured effect into a power.
"""

from crucible.stats.planning.after_run import detectable_difference
from crucible.stats.planning.design import Alternative, PowerDesign
from crucible.stats.planning.designs import DESIGN_ALIASES, DESIGNS
from crucible.stats.planning.margins import Equivalence, NonInferiority
from crucible.stats.planning.means import Anova, Independent, OneSample, Paired, Welch
from crucible.stats.planning.pairs import McNemar
from crucible.stats.planning.planned import Planned
from crucible.stats.planning.proportions import Proportion, Proportions
from crucible.stats.planning.questions import detectable_effect, detectable_margin, needed_alpha, power, sample_size
from crucible.stats.planning.repeats import Repeats, repeats_from_pilot
from crucible.stats.planning.simulation import simulated_power

__all__ = [
    "DESIGNS",
    "DESIGN_ALIASES",
    "Alternative",
    "Anova",
    "Equivalence",
    "Independent",
    "McNemar",
    "NonInferiority",
    "OneSample",
    "Paired",
    "Planned",
    "PowerDesign",
    "Proportion",
    "Proportions",
    "Repeats",
    "Welch",
    "detectable_difference",
    "detectable_effect",
    "detectable_margin",
    "needed_alpha",
    "power",
    "repeats_from_pilot",
    "sample_size",
    "simulated_power",
]
