"""One vocabulary for tests, effect sizes and corrections, with the other words that people use for the same thing.

`TEST_ALIASES`, `EFFECT_ALIASES` and `CORRECTION_ALIASES` map every accepted word to its canonical one. A word that is
in none is an error with a did-you-mean; a test or an effect that is known but that a caller cannot execute is for that
caller to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from crucible.errors import StatsError
from crucible.ir import did_you_mean

__all__ = [
    "CORRECTION_ALIASES",
    "EFFECT_ALIASES",
    "TEST_ALIASES",
    "TEST_TITLES",
    "canonical_correction",
    "canonical_effect",
    "canonical_test",
]

TEST_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "auto": "the test that the written rule chooses",
        "mcnemar": "McNemar's exact test",
        "mcnemar_midp": "McNemar's mid-p test",
        "paired_ttest": "paired t-test",
        "clustered_ttest": "t-test with clustered standard errors",
        "crossed_ttest": "t-test with two-way clustered standard errors",
        "sign": "exact sign test",
        "bootstrap": "paired bootstrap-t test",
        "bootstrap_independent": "bootstrap-t test of independent samples",
        "welch": "Welch's t-test",
        "student": "Student's t-test",
        "fisher": "Fisher's exact test",
        "ttest": "t-test: paired on paired scores, Welch's on independent ones",
        "wilcoxon": "Wilcoxon signed-rank test",
        "mannwhitney": "Mann-Whitney test",
        "permutation": "paired permutation test",
        "permutation_independent": "permutation test of independent samples",
        "permutation_stratified": "stratified permutation test",
        "two_proportion_z": "z-test of two proportions",
        "one_sample_ttest": "one-sample t-test",
        "one_sample_wilcoxon": "one-sample Wilcoxon signed-rank test",
        "binomial": "exact binomial test",
        "anova": "one-way analysis of variance",
        "welch_anova": "Welch's analysis of variance",
        "brown_forsythe": "Brown-Forsythe analysis of variance",
        "kruskal": "Kruskal-Wallis test",
        "friedman": "Friedman test",
        "cochran_q": "Cochran's Q test",
        "posthoc": "the test of pairs that goes with the test of all groups",
        "tukey": "Tukey's honestly significant difference test",
        "games_howell": "Games-Howell test",
        "dunn": "Dunn's test",
        "nemenyi": "Nemenyi's test",
    }
)
"""What each canonical test name stands for."""

TEST_ALIASES: Mapping[str, str] = MappingProxyType(
    {name: name for name in TEST_TITLES}
    | {
        "binom_test": "binomial",
        "binomial_test": "binomial",
        "binomtest": "binomial",
        "bootstrap_t": "bootstrap",
        "brown_forsythe_anova": "brown_forsythe",
        "cochran": "cochran_q",
        "cochrans_q": "cochran_q",
        "dunn_test": "dunn",
        "dunns": "dunn",
        "fisher_exact": "fisher",
        "gameshowell": "games_howell",
        "kruskal_wallis": "kruskal",
        "mann_whitney": "mannwhitney",
        "mann_whitney_u": "mannwhitney",
        "mannwhitneyu": "mannwhitney",
        "mcnemar_exact": "mcnemar",
        "mcnemar_mid_p": "mcnemar_midp",
        "mid_p": "mcnemar_midp",
        "nemenyi_test": "nemenyi",
        "one_sample_t": "one_sample_ttest",
        "one_sample_t_test": "one_sample_ttest",
        "one_way_anova": "anova",
        "paired_t": "paired_ttest",
        "paired_t_test": "paired_ttest",
        "permutation_paired": "permutation",
        "permutation_test": "permutation",
        "post_hoc": "posthoc",
        "proportions_ztest": "two_proportion_z",
        "q_test": "cochran_q",
        "sign_flip": "permutation",
        "sign_test": "sign",
        "student_t": "student",
        "student_t_test": "student",
        "student_ttest": "student",
        "t_test": "ttest",
        "ttest_1samp": "one_sample_ttest",
        "ttest_rel": "paired_ttest",
        "tukey_hsd": "tukey",
        "tukeyhsd": "tukey",
        "two_proportion": "two_proportion_z",
        "two_proportion_z_test": "two_proportion_z",
        "ttest_ind": "student",
        "welch_f": "welch_anova",
        "welch_t": "welch",
        "welch_t_test": "welch",
        "welch_ttest": "welch",
        "wilcoxon_signed_rank": "wilcoxon",
    }
)
"""Canonical test name by accepted word."""

EFFECT_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "cohens_d": "cohens_d",
        "cohens_dz": "cohens_dz",
        "cohens_g": "cohens_g",
        "cohens_h": "cohens_h",
        "hedges_g": "hedges_g",
        "glass_delta": "glass_delta",
        "hodges_lehmann": "hodges_lehmann",
        "odds_ratio": "odds_ratio",
        "risk_ratio": "risk_ratio",
        "rank_biserial": "rank_biserial",
        "eta_squared": "eta_squared",
        "omega_squared": "omega_squared",
        "epsilon_squared": "epsilon_squared",
        "cliffs_delta": "rank_biserial",
        "cohen_d": "cohens_d",
        "cohen_dz": "cohens_dz",
        "cohen_g": "cohens_g",
        "cohen_h": "cohens_h",
        "d": "cohens_d",
        "dz": "cohens_dz",
        "eta2": "eta_squared",
        "g": "cohens_g",
        "glass": "glass_delta",
        "glasss_delta": "glass_delta",
        "h": "cohens_h",
        "hl": "hodges_lehmann",
        "omega2": "omega_squared",
        "or": "odds_ratio",
        "oddsratio": "odds_ratio",
        "relative_risk": "risk_ratio",
        "rr": "risk_ratio",
    }
)
"""Canonical name of an effect size that can be asked for, by accepted word."""

CORRECTION_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "none": "none",
        "bonferroni": "bonferroni",
        "holm": "holm",
        "hochberg": "hochberg",
        "bh": "bh",
        "by": "by",
        "holm_bonferroni": "holm",
        "simes_hochberg": "hochberg",
        "benjamini_hochberg": "bh",
        "fdr_bh": "bh",
        "fdr": "bh",
        "benjamini_yekutieli": "by",
        "fdr_by": "by",
    }
)
"""Canonical name of a correction for multiple testing, by accepted word."""


def canonical_test(word: str) -> str:
    """Return the canonical name of a test.

    Raises:
        StatsError: No test goes by that word.
    """
    return _canonical(word, TEST_ALIASES, "test")


def canonical_effect(word: str) -> str:
    """Return the canonical name of an effect size.

    Raises:
        StatsError: No effect size goes by that word.
    """
    return _canonical(word, EFFECT_ALIASES, "effect size")


def canonical_correction(word: str) -> str:
    """Return the canonical name of a correction for multiple testing.

    Raises:
        StatsError: No correction goes by that word.
    """
    return _canonical(word, CORRECTION_ALIASES, "correction")


def _canonical(word: str, aliases: Mapping[str, str], noun: str) -> str:
    key = word.strip().lower().replace("'", "").replace("-", "_").replace(" ", "_")
    if key in aliases:
        return aliases[key]
    known = ", ".join(sorted(set(aliases.values())))
    raise StatsError(f'unknown {noun} "{word}"{did_you_mean(key, aliases)}; known: {known}')
