"""Is it real: tests, effect sizes, intervals and corrections, usable alone with two columns of scores.

Every difference and effect is treatment minus baseline. Distributions come from scipy and statsmodels; a formula of
our own cites its source. Importing this package needs neither; calling into it without them raises `MissingExtra`.
Training, datasets and stores stay out; the `bench` stage lives in `crucible.stats.stages`.
"""

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats import bayes, plots, rendering, studies
from crucible.stats.bench.contrast import NotTested, Plan
from crucible.stats.bench.family import Contrasted
from crucible.stats.comparing.independent import compare
from crucible.stats.comparing.one_sample import one_sample
from crucible.stats.comparing.paired import compare_paired
from crucible.stats.conditions.design import Design, compare_all, compare_conditions
from crucible.stats.conditions.observations import Condition, Observation, condition_of_scores
from crucible.stats.correction import correct
from crucible.stats.effects.odds import matched_odds_ratio, odds_ratio, risk_ratio
from crucible.stats.effects.shift import hodges_lehmann
from crucible.stats.effects.sizes import (
    cliffs_delta,
    cohens_d,
    cohens_dz,
    cohens_h,
    epsilon_squared,
    eta_squared,
    glass_delta,
    hedges_g,
    omega_squared,
    rank_biserial,
)
from crucible.stats.groups.comparing import compare_groups
from crucible.stats.groups.comparison import GroupComparison
from crucible.stats.groups.omnibus import Omnibus
from crucible.stats.groups.summary import GroupSummary
from crucible.stats.intervals.bootstrap_ci import bootstrap_ci, bootstrap_difference_ci
from crucible.stats.intervals.clustered import ClusterEstimate, clustered_difference, clustered_mean
from crucible.stats.intervals.level import interval_level
from crucible.stats.intervals.mean import mean_interval
from crucible.stats.intervals.proportion import clopper_pearson, jeffreys, newcombe_difference, tango_difference, wilson
from crucible.stats.intervals.variance_parts import VarianceParts, variance_parts
from crucible.stats.margins.equivalence import non_inferiority, tost
from crucible.stats.margins.result import EquivalenceResult, EquivalenceVerdict
from crucible.stats.names import (
    CORRECTION_ALIASES,
    EFFECT_ALIASES,
    TEST_ALIASES,
    canonical_correction,
    canonical_effect,
    canonical_test,
)
from crucible.stats.planning import (
    Planned,
    detectable_difference,
    detectable_effect,
    detectable_margin,
    needed_alpha,
    power,
    repeats_from_pilot,
    sample_size,
    simulated_power,
)
from crucible.stats.rendering import to_html, to_json, to_latex, to_markdown
from crucible.stats.result import Effect, TestResult, Verdict
from crucible.stats.sequential import (
    BoundedSequence,
    ConfidenceSequence,
    MeanSequence,
    PairedWins,
    Sprt,
    SprtDecision,
)
from crucible.stats.significance.bootstrap import bootstrap_independent, bootstrap_paired
from crucible.stats.significance.checks import Check, assumption_checks
from crucible.stats.significance.mcnemar import mcnemar
from crucible.stats.significance.permutation import permutation_independent, permutation_paired
from crucible.stats.significance.proportion_test import one_proportion, two_proportions
from crucible.stats.studies import Guardrail, Trial, ab_test, ablation, sweep
from crucible.stats.wording import show_p

__all__ = [
    "CORRECTION_ALIASES",
    "EFFECT_ALIASES",
    "TEST_ALIASES",
    "BoundedSequence",
    "Check",
    "ClusterEstimate",
    "Condition",
    "ConfidenceSequence",
    "Contrasted",
    "DegenerateSample",
    "Design",
    "Effect",
    "EquivalenceResult",
    "EquivalenceVerdict",
    "GroupComparison",
    "GroupSummary",
    "Guardrail",
    "Interval",
    "MeanSequence",
    "NotTested",
    "Observation",
    "Omnibus",
    "PairedWins",
    "Plan",
    "Planned",
    "Sprt",
    "SprtDecision",
    "StatsError",
    "TestResult",
    "TooFewSamples",
    "Trial",
    "VarianceParts",
    "Verdict",
    "ab_test",
    "ablation",
    "assumption_checks",
    "bayes",
    "bootstrap_ci",
    "bootstrap_difference_ci",
    "bootstrap_independent",
    "bootstrap_paired",
    "canonical_correction",
    "canonical_effect",
    "canonical_test",
    "cliffs_delta",
    "clopper_pearson",
    "clustered_difference",
    "clustered_mean",
    "cohens_d",
    "cohens_dz",
    "cohens_h",
    "compare",
    "compare_all",
    "compare_conditions",
    "compare_groups",
    "compare_paired",
    "condition_of_scores",
    "correct",
    "detectable_difference",
    "detectable_effect",
    "detectable_margin",
    "epsilon_squared",
    "eta_squared",
    "glass_delta",
    "hedges_g",
    "hodges_lehmann",
    "interval_level",
    "jeffreys",
    "matched_odds_ratio",
    "mcnemar",
    "mean_interval",
    "needed_alpha",
    "newcombe_difference",
    "non_inferiority",
    "odds_ratio",
    "omega_squared",
    "one_proportion",
    "one_sample",
    "permutation_independent",
    "permutation_paired",
    "plots",
    "power",
    "rank_biserial",
    "rendering",
    "repeats_from_pilot",
    "risk_ratio",
    "sample_size",
    "show_p",
    "simulated_power",
    "studies",
    "sweep",
    "tango_difference",
    "to_html",
    "to_json",
    "to_latex",
    "to_markdown",
    "tost",
    "two_proportions",
    "variance_parts",
    "wilson",
]
