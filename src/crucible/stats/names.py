"""One vocabulary for tests and corrections, with the other words that people use for the same thing.

`TEST_ALIASES` and `CORRECTION_ALIASES` map every accepted word to its canonical one. A word that is in neither is an
error with a did-you-mean; a test that is known but that a caller cannot execute is for that caller to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from crucible.errors import StatsError
from crucible.ir import did_you_mean

__all__ = ["CORRECTION_ALIASES", "TEST_ALIASES", "TEST_TITLES", "canonical_correction", "canonical_test"]

TEST_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "auto": "the test that the written rule chooses",
        "mcnemar": "McNemar's exact test",
        "paired_ttest": "paired t-test",
        "sign": "exact sign test",
        "bootstrap": "paired bootstrap-t test",
        "welch": "Welch's t-test",
        "fisher": "Fisher's exact test",
        "ttest": "t-test: paired on paired scores, Welch's on independent ones",
        "wilcoxon": "Wilcoxon signed-rank test",
        "mannwhitney": "Mann-Whitney test",
        "permutation": "permutation test",
        "anova": "one-way analysis of variance",
        "kruskal": "Kruskal-Wallis test",
        "friedman": "Friedman test",
    }
)
"""What each canonical test name stands for."""

TEST_ALIASES: Mapping[str, str] = MappingProxyType(
    {name: name for name in TEST_TITLES}
    | {
        "bootstrap_t": "bootstrap",
        "fisher_exact": "fisher",
        "kruskal_wallis": "kruskal",
        "mann_whitney": "mannwhitney",
        "mann_whitney_u": "mannwhitney",
        "mannwhitneyu": "mannwhitney",
        "mcnemar_exact": "mcnemar",
        "one_way_anova": "anova",
        "paired_t": "paired_ttest",
        "paired_t_test": "paired_ttest",
        "permutation_test": "permutation",
        "sign_test": "sign",
        "t_test": "ttest",
        "ttest_rel": "paired_ttest",
        "welch_t": "welch",
        "welch_t_test": "welch",
        "welch_ttest": "welch",
        "wilcoxon_signed_rank": "wilcoxon",
    }
)
"""Canonical test name by accepted word."""

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


def canonical_correction(word: str) -> str:
    """Return the canonical name of a correction for multiple testing.

    Raises:
        StatsError: No correction goes by that word.
    """
    return _canonical(word, CORRECTION_ALIASES, "correction")


def _canonical(word: str, aliases: Mapping[str, str], noun: str) -> str:
    key = word.strip().lower().replace("-", "_").replace(" ", "_")
    if key in aliases:
        return aliases[key]
    known = ", ".join(sorted(set(aliases.values())))
    raise StatsError(f'unknown {noun} "{word}"{did_you_mean(key, aliases)}; known: {known}')
