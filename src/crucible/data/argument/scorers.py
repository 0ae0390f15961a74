"""Scorers of what an answer argues, 0.0 to 1.0, larger is better: metrics of an evaluation, or rewards of a training.

None of them says that an answer is right. Each can be had by saying little, so a reward puts them beside one that
cannot: the answer's own score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from crucible.data.argument.balance import balance
from crucible.data.argument.claims import read_argument
from crucible.data.argument.topology import topology
from crucible.data.argument.validity import citation_validity
from crucible.data.items import Item
from crucible.data.scoring.citations import read_citations
from crucible.data.scoring.scorer import bounded
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped

__all__ = ["chirality", "claim_consistency", "valid_citations"]


@bounded(0.0, 1.0)
def claim_consistency(item: Item, output: str) -> Outcome:  # noqa: ARG001  # the item does not matter
    """Score the share of an answer's claims that lie on no circle of support; without a claim 0.0.

    Args:
        item: Any.
        output: The answer; see `read_argument`. Relations of other kinds than `supports` make no circle.
    """
    argument = read_argument(output)
    found = topology((claim.id for claim in argument.claims), argument.edges()).consistency
    return Scored(0.0 if found is None else found)


@bounded(0.0, 1.0)
def chirality(item: Item, output: str) -> Outcome:
    """Score how evenly and how fully an answer uses the evidence of both sides: balance times coverage.

    Args:
        item: Skipped without the lists of ids `metadata["thesis"]` and `metadata["antithesis"]`; failed where one is
            empty or no list.
        output: The answer; its citations are those of its claims, or else `[doc-3]` in its text.
    """
    if not {"thesis", "antithesis"} <= item.metadata.keys():
        return Skipped("the item does not say which evidence is of which side (thesis, antithesis)")
    try:
        found = balance(_cited(output), _ids(item, "thesis"), _ids(item, "antithesis"))
    except DataError as error:
        return Failed(str(error))
    return Scored(found.chirality)


@bounded(0.0, 1.0)
def valid_citations(item: Item, output: str) -> Outcome:
    """Score the share of an answer's citations that are of the evidence it was given; without a citation 0.0.

    Args:
        item: Skipped without the list of ids `metadata["sources"]`. Where the list is empty, an answer without a
            citation scores 1.0.
        output: The answer; its citations are those of its claims, or else `[doc-3]` in its text.
    """
    if "sources" not in item.metadata:
        return Skipped("the item does not say which evidence there is (sources)")
    try:
        return Scored(citation_validity(_cited(output), _ids(item, "sources")).precision)
    except DataError as error:
        return Failed(str(error))


def _cited(output: str) -> tuple[str, ...]:
    argument = read_argument(output)
    return argument.citations if argument.claims else read_citations(output)


def _ids(item: Item, field: str) -> list[str]:
    given = item.metadata[field]
    if not isinstance(given, (list, tuple)):
        raise DataError(f'item "{item.id}": "{field}" is a list of ids, got {given!r:.80}')
    return [str(each) for each in cast("Sequence[Any]", given)]
