"""What comparing two samples found: one test a field (of text, two), corrected for each other, and one sentence."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.data.drift.rules import DriftRules
from crucible.stats.wording import show_p

__all__ = ["DriftResult", "FieldTest", "Untested"]


class FieldTest(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one field.

    Args:
        field: The field.
        aspect: `value`, `missing` (how often there is none), or of a text `length` and `content`.
        kind: `numeric`, `categorical` or `text`.
        test: Such as `ks`, `chi_square` or `mmd`.
        statistic: Its statistic.
        p: P-value of the same distribution on both sides, before correction.
        p_adjusted: After the correction over all tests.
        alpha: Error rate of all tests together.
        n_reference: Values of the reference.
        n_current: Values of the current sample.
        reference: The reference in a few words.
        current: The current sample in a few words.
        psi: Population stability index, a figure alone; None of a text's content.
    """

    field: str
    aspect: str
    kind: str
    test: str
    statistic: float
    p: float
    p_adjusted: float
    alpha: float
    n_reference: int
    n_current: int
    reference: str = ""
    current: str = ""
    psi: float | None = None

    @property
    def name(self) -> str:
        """The field, with the aspect where it is not the value."""
        return self.field if self.aspect == "value" else f"{self.field} ({self.aspect})"

    @property
    def found(self) -> bool:
        """Whether drift was found: the corrected p-value is below alpha."""
        return self.p_adjusted < self.alpha


class Untested(msgspec.Struct, frozen=True):
    """A field about which nothing is said.

    Args:
        field: The field.
        reason: Why, in one clause.
        n_reference: Values of the reference.
        n_current: Values of the current sample.
    """

    field: str
    reason: str
    n_reference: int
    n_current: int


class DriftResult(msgspec.Struct, frozen=True):
    """What comparing two samples found.

    Args:
        rules: How they were compared.
        tests: In the order of the fields.
        untested: Fields about which nothing is said.
        cautions: What a reader has to know, one sentence each.
    """

    rules: DriftRules
    tests: tuple[FieldTest, ...]
    untested: tuple[Untested, ...]
    cautions: tuple[str, ...] = ()

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the tests that found drift."""
        return tuple(one.name for one in self.tests if one.found)

    @property
    def status(self) -> str:
        """`drift_found`, `no_drift_found`, or `nothing_tested`."""
        return "drift_found" if self.drifted else "no_drift_found" if self.tests else "nothing_tested"

    @property
    def wording(self) -> str:
        """The result in a sentence or two that claim no more than the numbers do."""
        rules = self.rules
        corrected = f", {rules.correction} correction" if len(self.tests) > 1 and rules.correction != "none" else ""
        how = f"{len(self.tests)} test{'s' * (len(self.tests) != 1)} at alpha {rules.alpha:g}{corrected}"
        if self.drifted:
            told = "; ".join(_told(one) for one in self.tests if one.found)
            parts = [f"Drift was found in {', '.join(self.drifted)} ({how}): {told}."]
        elif self.tests:
            names = ", ".join(one.name for one in self.tests)
            parts = [f"No drift found in {names} ({how}); a change too small for these samples remains possible."]
        else:
            parts = ["Nothing was tested for drift."]
        if self.untested:
            parts.append("Not tested: " + "; ".join(f"{one.field}, {one.reason}" for one in self.untested) + ".")
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, flat enough for a table."""
        rules = self.rules
        return {
            "status": self.status,
            "wording": self.wording,
            "drifted": list(self.drifted),
            "method": rules.method,
            "alpha": rules.alpha,
            "correction": rules.correction,
            "min_samples": rules.min_samples,
            "tests": [
                {
                    "field": one.name,
                    "found": one.found,
                    "test": one.test,
                    "p_adjusted": one.p_adjusted,
                    "reference": one.reference,
                    "current": one.current,
                    "p": one.p,
                    "statistic": one.statistic,
                    "psi": one.psi,
                    "n_reference": one.n_reference,
                    "n_current": one.n_current,
                    "kind": one.kind,
                    "aspect": one.aspect,
                }
                for one in self.tests
            ],
            "untested": [msgspec.to_builtins(one) for one in self.untested],
            **({"cautions": list(self.cautions)} if self.cautions else {}),
        }


def _told(one: FieldTest) -> str:
    change = f" {one.reference} became {one.current}" if one.reference else f" {one.current}".rstrip()
    return f"{one.name}{change} ({one.test}, {show_p(one.p_adjusted, one.alpha)})"
