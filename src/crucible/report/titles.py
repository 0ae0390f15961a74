"""Names of tests, corrections and effects as people write them; a word that is not known is shown as it came."""

from __future__ import annotations

from crucible.stats.names import TEST_TITLES

__all__ = ["correction_title", "effect_title", "test_title"]

_CORRECTIONS = {
    "bonferroni": "Bonferroni",
    "holm": "Holm",
    "hochberg": "Hochberg",
    "bh": "Benjamini-Hochberg",
    "by": "Benjamini-Yekutieli",
}
_EFFECTS = {
    "cohens_d": "Cohen's d",
    "cohens_dz": "Cohen's dz",
    "cohens_g": "Cohen's g",
    "cohens_h": "Cohen's h",
    "glass_delta": "Glass' delta",
    "hedges_g": "Hedges' g",
    "hodges_lehmann": "Hodges-Lehmann shift",
    "mean_rank_difference": "difference of mean ranks",
}


def test_title(name: str) -> str:
    """Return the name of a test, such as `McNemar's exact test`."""
    return TEST_TITLES.get(name, name.replace("_", " "))


def correction_title(name: str) -> str:
    """Return the name of a correction for several comparisons, such as `Holm`."""
    return _CORRECTIONS.get(name, name.replace("_", " "))


def effect_title(name: str) -> str:
    """Return the name of an effect size, such as `Cohen's g`."""
    return _EFFECTS.get(name, name.replace("_", " "))
