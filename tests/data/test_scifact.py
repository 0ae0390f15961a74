from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from crucible.data import load
from crucible.errors import DataError


def rationale(label: str) -> dict[str, object]:
    """Return a rationale with a label."""
    return {"sentences": [1], "label": label}


def write(folder: Path, *claims: dict[str, object], name: str = "claims_train.jsonl") -> Path:
    """Write a file of claims."""
    (folder / name).write_text("\n".join(json.dumps(claim) for claim in claims))
    return folder


def claim(number: int, **evidence: list[dict[str, object]]) -> dict[str, object]:
    """Return a claim with its evidence by document."""
    return {"id": number, "claim": f"Claim {number}.", "evidence": evidence, "cited_doc_ids": [number]}


def test_the_verdict_comes_from_the_evidence(tmp_path: Path) -> None:
    """All rationales agree: their label, CONTRADICT being REFUTE; none at all: not enough information."""
    write(
        tmp_path,
        claim(1, a=[rationale("SUPPORT")], b=[rationale("SUPPORT"), rationale("SUPPORT")]),
        claim(2, a=[rationale("REFUTE")]),
        claim(3, a=[rationale("CONTRADICT"), rationale("REFUTE")]),
        claim(4),
        claim(5, a=[]),
    )
    found = load("scifact", path=tmp_path)
    assert [item.expected for item in found] == ["SUPPORT", "REFUTE", "REFUTE", "NOT_ENOUGH_INFO", "NOT_ENOUGH_INFO"]
    assert found[0].input == "Claim: Claim 1.\n\nVerdict:"
    assert found[0].id == "1"
    assert found[0].metadata["cited_doc_ids"] == [1]


def test_a_claim_whose_evidence_disagrees_is_left_out_and_counted(tmp_path: Path) -> None:
    """It has no single verdict; the provenance says how many there were."""
    write(tmp_path, claim(1, a=[rationale("SUPPORT")], b=[rationale("REFUTE")]), claim(2))
    found = load("scifact", path=tmp_path)
    assert [item.id for item in found] == ["2"]
    assert found.provenance.notes == ("1 left out: claims whose evidence both supports and refutes them",)


def test_only_claims_without_a_verdict_are_an_empty_dataset(tmp_path: Path) -> None:
    """The error says what was left out."""
    write(tmp_path, claim(1, a=[rationale("SUPPORT"), rationale("REFUTE")]))
    with pytest.raises(DataError, match=r"holds no item \(1 left out: claims whose evidence"):
        load("scifact", path=tmp_path)


@pytest.mark.parametrize("evidence", [[], {"a": {}}, {"a": ["x"]}, {"a": [{}]}, "none"])
def test_evidence_of_another_form_is_refused(tmp_path: Path, evidence: object) -> None:
    """It is never read as not enough information."""
    write(tmp_path, {"id": 1, "claim": "c", "evidence": evidence})
    with pytest.raises(DataError, match=r'claims_train.jsonl:1: "evidence" maps document ids'):
        load("scifact", path=tmp_path)


def test_a_claim_without_evidence_field_is_refused(tmp_path: Path) -> None:
    """SciFact's own test claims look so; taking them for NOT_ENOUGH_INFO would be a made-up label."""
    write(tmp_path, {"id": 1, "claim": "c"})
    with pytest.raises(DataError, match=r'no field "evidence".*without it a claim has no verdict'):
        load("scifact", path=tmp_path)


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    """With the ones that are known."""
    write(tmp_path, claim(1, a=[rationale("MAYBE")]))
    with pytest.raises(DataError, match='label "MAYBE" is unknown; expected SUPPORT, REFUTE, CONTRADICT'):
        load("scifact", path=tmp_path)


def test_the_split_test_is_the_development_file_and_says_so(tmp_path: Path) -> None:
    """The real test labels are not public."""
    write(tmp_path, claim(1), name="claims_dev.jsonl")
    assert (
        "labels of SciFact's own test claims are not public"
        in load("scifact", split="test", path=tmp_path).provenance.notes[0]
    )
    assert load("scifact", split="dev", path=tmp_path / "claims_dev.jsonl").provenance.notes == ()


def test_the_folder_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By `${CRUCIBLE_DATA}` in the path, or without a path at all; without both, the error says what to do."""
    folder = tmp_path / "scifact"
    folder.mkdir()
    write(folder, claim(1))
    monkeypatch.delenv("CRUCIBLE_DATA", raising=False)
    with pytest.raises(
        DataError, match=r"scifact needs its files: give .* CRUCIBLE_DATA .*//github.com/allenai/scifact"
    ):
        load("scifact")
    with pytest.raises(DataError, match="CRUCIBLE_DATA is not set"):
        load("scifact", path="${CRUCIBLE_DATA}/scifact")
    monkeypatch.setenv("CRUCIBLE_DATA", str(tmp_path))
    assert len(load("scifact")) == len(load("scifact", path="${CRUCIBLE_DATA}/scifact")) == 1


def test_the_real_claims(real_data: Path) -> None:
    """809 and 300 claims, with the verdicts that their evidence has; none is left out."""
    train, test = (load("scifact", split=split, path=real_data / "scifact") for split in ("train", "test"))
    assert Counter(item.expected for item in train) == {"SUPPORT": 332, "NOT_ENOUGH_INFO": 304, "REFUTE": 173}
    assert Counter(item.expected for item in test) == {"SUPPORT": 124, "NOT_ENOUGH_INFO": 112, "REFUTE": 64}
    assert train.provenance.notes == ()
