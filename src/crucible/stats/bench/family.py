"""The contrasts of one run as one family: corrected for each other, test by test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.stats.bench.contrast import NotTested, Sides
from crucible.stats.correction import correct
from crucible.stats.result import TestResult

__all__ = ["Contrasted", "family"]


class Contrasted(msgspec.Struct, frozen=True):
    """One contrast after all its tests.

    Args:
        sides: What was compared.
        result: The first test of the plan that applies; where none does, why the first one does not.
        also: The other tests, in the order of the plan; one that gave the same test is left out.
    """

    sides: Sides
    result: TestResult | NotTested
    also: tuple[TestResult | NotTested, ...] = ()

    @property
    def wording(self) -> str:
        """What was found, or why nothing was tested, in one sentence."""
        if isinstance(self.result, TestResult):
            return self.result.wording
        sides = self.sides
        return f"{sides.treatment} against {sides.baseline} on {sides.metric} was not tested: {self.result.reason}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data: the fields of `TestResult`, None where there was no test, `also` and the counts."""
        beside = {"also": [other.to_dict() for other in self.also], **self.sides.scores.counts}
        if isinstance(self.result, TestResult):
            return {**self.result.to_dict(), **beside}
        sides = self.sides
        absent = ("statistic", "df", "p", "p_adjusted", "correction", "difference", "interval", "effect", "verdict")
        return {
            **dict.fromkeys(absent),
            **self.result.to_dict(),
            "baseline": sides.baseline,
            "treatment": sides.treatment,
            "metric": sides.metric,
            "failures": sides.scores.failures,
            "n": sides.n,
            "counts": {},
            "assumptions": [],
            "method": "",
            "comparisons": 1,
            "wording": self.wording,
            **beside,
        }


def family(
    sides: Sequence[Sides], results: Sequence[list[TestResult | NotTested]], correction: str
) -> list[Contrasted]:
    """Correct the contrasts of one run for each other, test by test, and choose what decides.

    Args:
        sides: What was compared, by contrast.
        results: What each test of the plan said, by contrast; all in the plan's order.
        correction: Name of the correction.
    """
    first = [next((i for i, one in enumerate(found) if isinstance(one, TestResult)), 0) for found in results]
    deciding = _corrected([found[i] for found, i in zip(results, first, strict=True)], correction)
    columns = [_corrected(list(column), correction) for column in zip(*results, strict=True)]
    done: list[Contrasted] = []
    for i, result in enumerate(deciding):
        others = {result.name: result}
        for j, column in enumerate(columns):
            if j != first[i]:
                others.setdefault(column[i].name, column[i])
        done.append(Contrasted(sides[i], result, tuple(others.values())[1:]))
    return done


def _corrected(results: list[TestResult | NotTested], correction: str) -> list[TestResult | NotTested]:
    """Correct one test for all contrasts together; one of a label with itself asks no question and is not counted.

    A test that brings its own correction for all pairs, such as Tukey's, is not corrected again.
    """
    asked = {
        i: result
        for i, result in enumerate(results)
        if isinstance(result, TestResult) and result.baseline != result.treatment and result.p_adjusted is None
    }
    if correction == "none" or len(asked) < 2:
        return results
    alone = f"the intervals hold for each contrast alone, they are not adjusted for {len(asked)} comparisons"
    corrected = list(results)
    for (i, result), p in zip(asked.items(), correct([r.p for r in asked.values()], correction), strict=True):
        corrected[i] = msgspec.structs.replace(
            result,
            p_adjusted=p,
            correction=correction,
            comparisons=len(asked),
            assumptions=(*result.assumptions, alone),
        )
    return corrected
