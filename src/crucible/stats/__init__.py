"""Is it real: tests, effect sizes, intervals and corrections, usable alone with two columns of scores.

Every difference and effect is treatment minus baseline. Distributions come from scipy and statsmodels; a formula of
our own cites its source. Importing this package needs neither; calling into it without them raises `MissingExtra`.
Training, datasets and stores stay out; the `bench` stage lives in `crucible.stats.stages`.
"""

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.bootstrap import bootstrap_independent, bootstrap_paired
from crucible.stats.contrast import NotTested, Plan
from crucible.stats.correction import correct
from crucible.stats.family import Contrasted
from crucible.stats.group_comparison import GroupComparison
from crucible.stats.group_summary import GroupSummary
from crucible.stats.groups import compare_groups
from crucible.stats.independent import compare
from crucible.stats.level import interval_level
from crucible.stats.mean import mean_interval
from crucible.stats.names import (
    CORRECTION_ALIASES,
    EFFECT_ALIASES,
    TEST_ALIASES,
    canonical_correction,
    canonical_effect,
    canonical_test,
)
from crucible.stats.omnibus import Omnibus
from crucible.stats.paired import compare_paired, mcnemar
from crucible.stats.proportion import clopper_pearson, newcombe_difference, tango_difference, wilson
from crucible.stats.result import Effect, TestResult, Verdict
from crucible.stats.wording import show_p

__all__ = [
    "CORRECTION_ALIASES",
    "EFFECT_ALIASES",
    "TEST_ALIASES",
    "Contrasted",
    "DegenerateSample",
    "Effect",
    "GroupComparison",
    "GroupSummary",
    "Interval",
    "NotTested",
    "Omnibus",
    "Plan",
    "StatsError",
    "TestResult",
    "TooFewSamples",
    "Verdict",
    "bootstrap_independent",
    "bootstrap_paired",
    "canonical_correction",
    "canonical_effect",
    "canonical_test",
    "clopper_pearson",
    "compare",
    "compare_groups",
    "compare_paired",
    "correct",
    "interval_level",
    "mcnemar",
    "mean_interval",
    "newcombe_difference",
    "show_p",
    "tango_difference",
    "wilson",
]
