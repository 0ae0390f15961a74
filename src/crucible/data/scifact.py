"""SciFact: is a scientific claim supported or refuted? The claims alone, without the corpus of abstracts.

The verdict comes from `evidence`: the label that all of its rationales share. No evidence means NOT_ENOUGH_INFO. A
claim whose rationales disagree has no single verdict and is left out, counted in the provenance; the published training
and development claims hold none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from crucible.data.items import Item
from crucible.data.reading import Request
from crucible.data.rows import Row, as_text, field_of
from crucible.data.source import Files, Source, local_place, named_file
from crucible.errors import DataError

__all__ = ["SCIFACT", "VERDICTS", "claim_item"]

VERDICTS: Final = ("SUPPORT", "REFUTE", "NOT_ENOUGH_INFO")
"""The closed vocabulary of answers."""

_LABELS: Final = {"SUPPORT": "SUPPORT", "REFUTE": "REFUTE", "CONTRADICT": "REFUTE"}
_FILES: Final = {
    "train": "claims_train.jsonl",
    "dev": "claims_dev.jsonl",
    "validation": "claims_dev.jsonl",
    "test": "claims_dev.jsonl",
}
_TEST_NOTE: Final = 'the split "test" is claims_dev.jsonl: the labels of SciFact\'s own test claims are not public'


def claim_item(row: Row, default_id: str) -> Item | str:
    """Make an item of a claim, or say why it is left out.

    Args:
        row: With `claim` and `evidence`, and perhaps `id` and `cited_doc_ids`.
        default_id: The id of a claim that has none.

    Raises:
        DataError: A field is missing or of the wrong form, or a label is unknown.
    """
    claim = as_text(field_of(row, "claim"), row, "claim").strip()
    evidence = field_of(row, "evidence", hint="; without it a claim has no verdict")
    labels = {_verdict(label, row) for label in _labels(evidence, row)}
    if len(labels) > 1:
        return "claims whose evidence both supports and refutes them"
    given = row.values.get("id")
    return Item(
        id=default_id if given is None else as_text(given, row, "id"),
        input=f"Claim: {claim}\n\nVerdict:",
        expected=labels.pop() if labels else "NOT_ENOUGH_INFO",
        metadata={"cited_doc_ids": row.values.get("cited_doc_ids", []), "evidence": evidence},
    )


def _labels(evidence: object, row: Row) -> list[object]:
    wrong = f'{row.where}: "evidence" maps document ids to lists of rationales, each an object with a "label"'
    if not isinstance(evidence, Mapping):
        raise DataError(wrong)
    labels: list[object] = []
    for rationales in cast("Mapping[str, Any]", evidence).values():
        if not isinstance(rationales, list):
            raise DataError(wrong)
        for rationale in cast("list[Any]", rationales):
            if not isinstance(rationale, Mapping) or "label" not in rationale:
                raise DataError(wrong)
            labels.append(cast("Mapping[str, Any]", rationale)["label"])
    return labels


def _verdict(label: object, row: Row) -> str:
    if not isinstance(label, str) or label not in _LABELS:
        raise DataError(f'{row.where}: the label "{label}" is unknown; expected {", ".join(_LABELS)}')
    return _LABELS[label]


def _find(request: Request) -> Files:
    place = local_place(request, folder="scifact", home="https://github.com/allenai/scifact")
    notes = (_TEST_NOTE,) if request.split == "test" else ()
    return named_file(request, place, _FILES, claim_item, *notes)


SCIFACT = Source(frozenset({"path"}), _find)
"""The source `scifact`."""
