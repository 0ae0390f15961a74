"""Names of fields, effects and corrections as people write them; a name that is not known is shown in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from crucible.stats.names import TEST_TITLES

__all__ = ["UNSIGNED_EFFECTS", "correction_title", "effect_title", "field_title", "test_title", "verdict_title"]

_EFFECTS: Mapping[str, str] = MappingProxyType(
    {
        "cliffs_delta": "Cliff's delta",
        "cohens_d": "Cohen's d",
        "cohens_dz": "Cohen's dz",
        "cohens_g": "Cohen's g",
        "cohens_h": "Cohen's h",
        "glass_delta": "Glass' delta",
        "hedges_g": "Hedges' g",
        "kendalls_w": "Kendall's W",
        "rank_biserial": "rank-biserial r",
    }
)
UNSIGNED_EFFECTS = frozenset(
    {
        *("cramers_v", "epsilon_squared", "eta_squared", "kendalls_w", "odds_ratio", "omega_squared"),
        *("rank_epsilon_squared", "risk_ratio"),
    }
)
"""Sizes of effect without a direction, or whose point of no effect is not 0."""

_CORRECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "bonferroni": "Bonferroni",
        "holm": "Holm",
        "hochberg": "Hochberg",
        "bh": "Benjamini-Hochberg",
        "by": "Benjamini-Yekutieli",
        "none": "no",
    }
)
_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "alpha": "Alpha",
        "attainable": "Attainable size",
        "contrasts": "Comparisons",
        "df": "Degrees of freedom",
        "df_within": "Degrees of freedom within",
        "ece": "ECE",
        "n": "n",
        "name": "Test",
        "omnibus": "All groups at once",
        "p": "p",
        "p_adjusted": "p, corrected",
        "p_high": "p against +margin",
        "p_low": "p against \N{MINUS SIGN}margin",
        "p_one_sided": "p, one-sided",
        "std": "SD",
        "test": "Made of",
    }
)


_TESTS: Mapping[str, str] = MappingProxyType(
    {**TEST_TITLES, "tost": "two one-sided tests", "non_inferiority": "one-sided test against a margin"}
)


def test_title(name: str) -> str:
    """Return the name of a test, such as `McNemar's exact test`."""
    return _TESTS.get(name, name.replace("_", " "))


def effect_title(name: str) -> str:
    """Return the name of an effect size, such as `Cohen's g`."""
    return _EFFECTS.get(name, name.replace("_", " "))


def correction_title(name: str) -> str:
    """Return the name of a correction for several comparisons, such as `Holm`."""
    return _CORRECTIONS.get(name, name.replace("_", " "))


def field_title(name: str) -> str:
    """Return the name of a field in words, such as `Baseline mean`."""
    words = name.replace("_", " ").strip()
    return _FIELDS.get(name, words[:1].upper() + words[1:])


def verdict_title(verdict: object) -> str:
    """Return a verdict in plain words, such as `no difference found`."""
    return "difference found" if verdict == "difference" else str(verdict).replace("_", " ")
