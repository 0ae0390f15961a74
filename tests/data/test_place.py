from __future__ import annotations

from pathlib import Path

import pytest

from crucible.data._missing import SplitMissing
from crucible.data.place import expand, find_file
from crucible.errors import DataError

FILES = {"train": "a_train.jsonl", "dev": "a_dev.jsonl", "test": "a_dev.jsonl"}


def test_variables_and_home_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${NAME}` anywhere in the text; `$NAME` is just text."""
    monkeypatch.setenv("FOLDER", "/data")
    monkeypatch.setenv("HOME", "/home/me")
    assert expand("${FOLDER}/scifact") == "/data/scifact"
    assert expand("~/x") == "/home/me/x"
    assert expand("$FOLDER/x") == "$FOLDER/x"


@pytest.mark.parametrize(("value", "state"), [(None, "not set"), ("", "empty")])
def test_an_unset_variable_is_named_with_what_to_do(
    value: str | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable is no folder either."""
    monkeypatch.delenv("CRUCIBLE_NOWHERE", raising=False)
    if value is not None:
        monkeypatch.setenv("CRUCIBLE_NOWHERE", value)
    with pytest.raises(DataError, match=rf"variable CRUCIBLE_NOWHERE is {state}; set it \(export CRUCIBLE_NOWHERE="):
        expand("${CRUCIBLE_NOWHERE}/scifact")


@pytest.mark.parametrize("text", ["${", "${A", "${A-b}", "${}", "${1}"])
def test_a_malformed_variable_is_refused(text: str) -> None:
    """It is never taken for a folder of that name."""
    with pytest.raises(DataError, match=r"expected \$\{NAME\}"):
        expand(text)


def test_a_place_is_the_folder_or_the_file(tmp_path: Path) -> None:
    """Both lead to the same file; a file of any other name is taken as it is."""
    for name in ("a_train.jsonl", "mine.jsonl"):
        (tmp_path / name).write_text("")
    assert find_file(tmp_path, FILES, "train", name="a") == tmp_path / "a_train.jsonl"
    assert find_file(tmp_path / "a_train.jsonl", FILES, "train", name="a") == tmp_path / "a_train.jsonl"
    assert find_file(tmp_path / "mine.jsonl", FILES, "test", name="a") == tmp_path / "mine.jsonl"


def test_the_file_of_another_split_is_refused(tmp_path: Path) -> None:
    """Nobody is tested on the training file by a slip."""
    (tmp_path / "a_train.jsonl").write_text("")
    with pytest.raises(DataError, match='holds the split "train", not "test"; give the folder or a_dev.jsonl'):
        find_file(tmp_path / "a_train.jsonl", FILES, "test", name="a")


def test_two_splits_may_share_a_file(tmp_path: Path) -> None:
    """`dev` and `test` are the same one here."""
    (tmp_path / "a_dev.jsonl").write_text("")
    for split in ("dev", "test"):
        assert find_file(tmp_path / "a_dev.jsonl", FILES, split, name="a").name == "a_dev.jsonl"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """An unknown split, an empty place and a folder without the file are three different sentences."""
    with pytest.raises(SplitMissing, match='a has no split "tset"; it has: train, dev, test'):
        find_file(tmp_path, FILES, "tset", name="a")
    with pytest.raises(DataError, match=r"there is nothing at .*/none; give the folder with a_train.jsonl"):
        find_file(tmp_path / "none", FILES, "train", name="a")
    with pytest.raises(SplitMissing, match=r"has no a_train.jsonl .* it has: no .jsonl"):
        find_file(tmp_path, FILES, "train", name="a")
    (tmp_path / "b.jsonl").write_text("")
    with pytest.raises(SplitMissing, match=r"it has: b.jsonl"):
        find_file(tmp_path, FILES, "train", name="a")
