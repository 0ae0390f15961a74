"""How two samples are compared: which tests, from how many values on, at which error rate for all fields together."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from crucible.errors import DataError

__all__ = ["METHODS", "DriftRules", "Kind", "Method"]

Kind = Literal["numeric", "categorical", "text"]
Method = Literal["ks", "mannwhitney", "energy", "psi", "chi_square", "g"]

METHODS: Final[tuple[Method, ...]] = ("ks", "mannwhitney", "energy", "psi", "chi_square", "g")
"""What numeric fields can be tested by; the last three bin them."""


class DriftRules(msgspec.Struct, frozen=True):
    """How samples are compared.

    Args:
        method: Test of numeric fields. `psi`, `chi_square` and `g` bin them, and are the statistic of categories, too;
            with the others, categories are tested by `chi_square`.
        alpha: Type-I error rate of all fields together.
        min_samples: Values that each side needs; below, a field is not tested.
        correction: Name of the correction over all tests.
        resamples: Permutations of the tests that are made by them, at least 99.
        seed: Of the permutations.
        ngram: Characters of an n-gram of text, at least 1.
        max_texts: Most texts a side whose content is compared; more are drawn from by the seed.

    Raises:
        DataError: A value is out of range.
    """

    method: Method = "ks"
    alpha: float = 0.05
    min_samples: int = 100
    correction: str = "holm"
    resamples: int = 9_999
    seed: int = 0
    ngram: int = 3
    max_texts: int = 2_000

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise DataError(f'unknown method "{self.method}"; known: {", ".join(METHODS)}')
        if not 0.0 < self.alpha < 1.0:
            raise DataError(f"alpha must lie between 0 and 1, got {self.alpha!r}")
        for name, least in (("min_samples", 2), ("resamples", 99), ("ngram", 1), ("max_texts", 2)):
            if getattr(self, name) < least:
                raise DataError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.resamples < 1.0 / self.alpha:
            raise DataError(f"{self.resamples} resamples cannot give a p-value below {self.alpha:g}; take more")
