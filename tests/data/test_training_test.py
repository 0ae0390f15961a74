from __future__ import annotations

import json
from pathlib import Path

import pytest

from crucible import events
from crucible.data.options import DatasetOptions
from crucible.data.training_test import TrainTest, load_train_test
from crucible.errors import DataError
from crucible.ir import DatasetRef


def write(path: Path, *prompts: str) -> Path:
    """Write one item a prompt."""
    path.write_text(
        "\n".join(json.dumps({"id": f"{path.stem}/{prompt}", "input": prompt, "expected": "x"}) for prompt in prompts)
    )
    return path


def both(path: Path, split: str = "train", **options: object) -> TrainTest:
    """Load both parts of a JSONL dataset."""
    return load_train_test(DatasetRef(name="jsonl", split=split, options={"path": str(path), **options}))


def prompts(data: object) -> list[str]:
    """Return the inputs in order."""
    return [item.input for item in data]  # type: ignore[attr-defined]


LETTERS = list("abcdefghij")


def test_a_split_of_its_own_is_the_test(tmp_path: Path) -> None:
    """`test` if there is one; another if it is named."""
    write(tmp_path / "train.jsonl", *LETTERS)
    write(tmp_path / "test.jsonl", "t", "u")
    write(tmp_path / "dev.jsonl", "d")
    found = both(tmp_path)
    assert (prompts(found.train), prompts(found.test), found.test_from) == (LETTERS, ["t", "u"], "the split test")
    assert prompts(both(tmp_path, test_split="dev").test) == ["d"]
    assert prompts(both(tmp_path, split="test", test_split="train").test) == LETTERS


def test_a_file_of_its_own_is_the_test(tmp_path: Path) -> None:
    """A path to it, wherever it is."""
    train, test = write(tmp_path / "a.jsonl", *LETTERS), write(tmp_path / "b.jsonl", "t")
    found = both(train, test_path=str(test))
    assert (prompts(found.train), prompts(found.test)) == (LETTERS, ["t"])
    assert found.test_from == f"the split test of {test}"


@pytest.mark.parametrize(("as_file", "why"), [(True, "path is one file"), (False, "has no test.jsonl")])
def test_without_one_the_seed_holds_a_share_out(tmp_path: Path, as_file: bool, why: str) -> None:
    """Every item is on exactly one side, and the reason is kept."""
    file = write(tmp_path / "train.jsonl", *LETTERS)
    found = both(file if as_file else tmp_path, seed=1)
    assert len(found.test) == 2
    assert sorted(prompts(found.train) + prompts(found.test)) == LETTERS
    assert why in found.test_from
    assert "0.2 of the split train, held out" in found.test_from
    assert prompts(found.test) != prompts(both(file, seed=2).test)


def test_a_share_can_be_asked_for(tmp_path: Path) -> None:
    """Even where there is a split to test on; not together with one."""
    write(tmp_path / "train.jsonl", *LETTERS)
    write(tmp_path / "test.jsonl", "t")
    assert len(both(tmp_path, test_fraction=0.5).test) == 5
    with pytest.raises(DataError, match="give test_fraction, or test_split and test_path, not both"):
        both(tmp_path, test_fraction=0.5, test_split="test")


def test_training_on_the_split_test_holds_out_of_it(tmp_path: Path) -> None:
    """Nobody is tested on what was trained on by default."""
    write(tmp_path / "test.jsonl", *LETTERS)
    found = both(tmp_path, split="test")
    assert len(found.train) + len(found.test) == 10
    assert "is trained on" in found.test_from


def test_limits_are_applied_last(tmp_path: Path) -> None:
    """The held-out share is one of all items, not of the limited ones."""
    found = both(write(tmp_path / "train.jsonl", *LETTERS), limit=3, test_limit=1, test_fraction=0.4)
    assert (len(found.train), len(found.test)) == (3, 1)
    assert found.test.provenance.notes[0] == "4 of 10 items of train held out, seed 0"


def test_options_given_on_top_win(tmp_path: Path) -> None:
    """Over those of the reference."""
    ref = DatasetRef(name="jsonl", options={"path": str(write(tmp_path / "train.jsonl", *LETTERS)), "limit": 3})
    assert len(load_train_test(ref, DatasetOptions(limit=2)).train) == 2


def test_an_explicit_split_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """It is not replaced by a share."""
    write(tmp_path / "train.jsonl", *LETTERS)
    with pytest.raises(DataError, match=r"has no tset.jsonl"):
        both(tmp_path, test_split="tset")


def test_one_file_is_not_trained_on_and_tested_on(tmp_path: Path) -> None:
    """Unless the same split is named for both on purpose; then the overlap says so."""
    file = write(tmp_path / "train.jsonl", *LETTERS)
    with pytest.raises(DataError, match="would be trained on and tested on; give test_path"):
        both(file, test_split="test")
    assert len(both(tmp_path, test_split="train").overlap) == 10


def test_shared_inputs_are_counted_and_kept_unless_told_otherwise(tmp_path: Path) -> None:
    """They can be dropped from training, or refused."""
    write(tmp_path / "train.jsonl", "A", "b", "c")
    write(tmp_path / "test.jsonl", "a ", "d")
    found = both(tmp_path)
    assert (found.overlap, len(found.train)) == (("test/a ",), 3)
    dropped = both(tmp_path, on_overlap="drop")
    assert (len(dropped.overlap), prompts(dropped.train), prompts(dropped.test)) == (1, ["b", "c"], ["a ", "d"])
    with pytest.raises(DataError, match='1 of 2 test items are also training items, such as "test/a "'):
        both(tmp_path, on_overlap="refuse")
    assert not both(tmp_path, on_overlap="refuse", test_fraction=0.4).overlap


def test_dropping_everything_is_an_error(tmp_path: Path) -> None:
    """There would be nothing to train on."""
    write(tmp_path / "train.jsonl", "a")
    write(tmp_path / "test.jsonl", "A")
    with pytest.raises(DataError, match="every training item is also a test item"):
        both(tmp_path, on_overlap="drop")


def test_the_test_of_tickets_has_a_size_of_its_own() -> None:
    """As many are made as its limit says, and no ticket is on both sides."""
    found = load_train_test(DatasetRef(name="tickets", options={"limit": 30, "test_limit": 20, "seed": 4}))
    assert (len(found.train), len(found.test), found.overlap) == (30, 20, ())


def test_both_datasets_are_told_on_the_bus(tmp_path: Path) -> None:
    """With the numbers that are used, after limits."""
    with events.collect("crucible_data.dataset.loaded") as seen:
        both(write(tmp_path / "train.jsonl", *LETTERS), limit=3)
    assert [(event.metadata["split"], event.measurements["items"]) for event in seen] == [("train", 3), ("held_out", 2)]


def test_the_version_is_that_of_the_training_file(tmp_path: Path) -> None:
    """The test file has another digest, of course."""
    from crucible.ir import file_sha256

    write(tmp_path / "train.jsonl", *LETTERS)
    write(tmp_path / "test.jsonl", "t")
    ref = DatasetRef(name="jsonl", options={"path": str(tmp_path)}, version=file_sha256(tmp_path / "train.jsonl"))
    assert len(load_train_test(ref).test) == 1


def test_the_real_claims_share_two_inputs(real_data: Path) -> None:
    """Two SciFact claims are in the training and in the development file; they are counted, not ignored."""
    ref = DatasetRef(name="scifact", options={"path": str(real_data / "scifact")})
    found = load_train_test(ref)
    assert (len(found.train), len(found.test), len(found.overlap)) == (809, 300, 2)
    with pytest.raises(DataError, match="would be trained on and tested on"):
        load_train_test(ref.model_copy(update={"split": "dev"}))
