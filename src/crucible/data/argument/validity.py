"""Citations against the evidence that there was: which are of it, how much of it they use, and which are made up."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from crucible.data.scoring.citations import citation_score

__all__ = ["CitationValidity", "citation_validity"]


class CitationValidity(msgspec.Struct, frozen=True):
    """How cited ids fare against a pool of evidence.

    Attributes:
        invalid_rate: Share of the cited ids that are not in the pool; None where nothing is cited.
        precision: Share of the cited ids that are; of none, 1.0 if the pool is empty, else 0.0.
        recall: Share of the pool that is cited; of an empty pool, 1.0 if nothing is cited, else 0.0.
        invalid: The ids that are not in the pool, sorted.
    """

    invalid_rate: float | None
    precision: float
    recall: float
    invalid: tuple[str, ...]


def citation_validity(cited: Iterable[str], evidence_pool: Iterable[str]) -> CitationValidity:
    """Return how cited ids fare against the evidence that could be cited; order and repetition do not count.

    Args:
        cited: Ids that the answer cites.
        evidence_pool: Ids of all evidence.
    """
    pool = set(evidence_pool)
    score = citation_score(cited, pool, pool)
    rate = len(score.invented) / score.cited if score.cited else None
    return CitationValidity(rate, score.precision, score.recall, score.invented)
