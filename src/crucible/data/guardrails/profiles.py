"""The four profiles: which kinds of findings count, and from which severity on.

Several profiles together look for what any of them looks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from crucible.data.guardrails.finding import Category, Severity
from crucible.ir import did_you_mean

__all__ = ["PROFILES", "Thresholds", "thresholds_of", "unknown_profile"]

Thresholds = Mapping[Category, Severity]
"""The least severity that counts, by category; a category that is not in it is not looked for."""

PROFILES: Final[Mapping[str, Thresholds]] = {
    "permissive": dict.fromkeys(Category, Severity.HIGH),
    "default": {**dict.fromkeys(Category, Severity.MEDIUM), Category.CONTENT: Severity.HIGH},
    "moderate": dict.fromkeys(Category, Severity.MEDIUM),
    "strict": dict.fromkeys(Category, Severity.LOW),
}
"""From the one that finds least to the one that finds most."""


def unknown_profile(name: str) -> str | None:
    """Return why a document may not use this profile; None if it may."""
    if name in PROFILES:
        return None
    return f'unknown profile "{name}"{did_you_mean(name, PROFILES)}; known: {", ".join(PROFILES)}'


def thresholds_of(profiles: Iterable[str], switches: Mapping[Category, bool | None]) -> Thresholds:
    """Return what is looked for.

    Args:
        profiles: Names of profiles, all known.
        switches: True looks for a category, False does not, None leaves it to the profiles.
    """
    found: dict[Category, Severity] = {}
    for name in profiles:
        for category, severity in PROFILES[name].items():
            known = found.get(category, severity)
            found[category] = min(known, severity, key=lambda each: each.rank)
    return {category: severity for category, severity in found.items() if switches.get(category) is not False}
