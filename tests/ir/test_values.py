"""Outcomes, artifact references and files that are whole or absent."""

import os
from pathlib import Path

import pytest

from crucible import ir
from crucible.errors import StoreError


@pytest.mark.parametrize("outcome", [ir.Scored(0.5), ir.Failed("no answer"), ir.Skipped("over budget")])
def test_outcomes_round_trip(outcome: ir.Outcome) -> None:
    """An outcome comes back as the same kind with the same value."""
    assert ir.outcome_from_dict(ir.outcome_to_dict(outcome)) == outcome


def test_outcome_form_is_tagged() -> None:
    """The stored form says its kind."""
    assert ir.outcome_to_dict(ir.Scored(1.0)) == {"kind": "scored", "value": 1.0}


def test_atomic_write_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The file is replaced as a whole and no temporary file stays."""
    path = tmp_path / "deep" / "f.txt"
    ir.atomic_write(path, "one")
    ir.atomic_write(path, b"two")
    assert path.read_text() == "two"
    assert os.listdir(path.parent) == ["f.txt"]  # noqa: PTH208  # hidden files must show
    assert ir.file_sha256(path) == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"


def test_atomic_write_onto_a_folder_or_below_a_file_is_a_store_error(tmp_path: Path) -> None:
    """A path that cannot be written is a StoreError that names it, and the old content stays."""
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(StoreError, match="folder cannot be written"):
        ir.atomic_write(target, "x")
    plain = tmp_path / "file"
    plain.write_text("kept")
    with pytest.raises(StoreError):
        ir.atomic_write(plain / "below", "x")
    assert plain.read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]  # noqa: PTH208  # hidden files must show
    with pytest.raises(StoreError, match="cannot be read"):
        ir.file_sha256(tmp_path / "none")
