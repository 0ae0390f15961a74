"""Chirality: whether an answer uses the evidence of both sides, and uses it alike."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from crucible.errors import DataError

__all__ = ["Balance", "balance"]


class Balance(msgspec.Struct, frozen=True):
    """How an answer uses the evidence of a thesis and of its antithesis.

    Attributes:
        thesis: Share of the thesis's evidence that is cited.
        antithesis: Share of the antithesis's evidence that is cited.
        balance_score: 1 - |thesis - antithesis| / (thesis + antithesis): 1 where both shares are equal, 0 where one
            side is left out, and where nothing is cited.
        evidence_coverage: Share of the evidence of both sides together that is cited.
        chirality: `balance_score * evidence_coverage`: 1 where all evidence of both sides is cited, 0 where a side is
            left out. Neither factor alone will do: one source of each side is balanced, all of one side is coverage.
    """

    thesis: float
    antithesis: float
    balance_score: float
    evidence_coverage: float
    chirality: float


def balance(cited: Iterable[str], thesis: Iterable[str], antithesis: Iterable[str]) -> Balance:
    """Return how cited ids are spread over the evidence of two sides; order and repetition do not count.

    Args:
        cited: Ids that the answer cites; those of neither side do not count here.
        thesis: Ids of the evidence of the one side, at least one.
        antithesis: Ids of the evidence of the other, at least one; an id may be of both.

    Raises:
        DataError: A side has no evidence, so that it can be neither used nor left out.
    """
    given, one, other = set(cited), set(thesis), set(antithesis)
    for name, side in (("thesis", one), ("antithesis", other)):
        if not side:
            raise DataError(f"the {name} has no evidence, so nothing can be balanced; give the ids of its sources")
    of_one, of_other = len(given & one) / len(one), len(given & other) / len(other)
    total = of_one + of_other
    score = 1 - abs(of_one - of_other) / total if total else 0.0
    coverage = len(given & (one | other)) / len(one | other)
    return Balance(of_one, of_other, score, coverage, score * coverage)
