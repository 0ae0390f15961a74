"""Checkpoint folders: whole or absent, and every kind of damage named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from crucible.backends import verify_checkpoint
from crucible.backends.checkpoint import FILES, MANIFEST, read_checkpoint, write_checkpoint
from crucible.errors import CheckpointError, StoreError

CONTENT = {name: f"content of {name}".encode() for name in FILES}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A good checkpoint."""
    return write_checkpoint(tmp_path / "runs" / "step-2", CONTENT)


def test_what_was_written_is_read(saved: Path) -> None:
    """All files come back, and nothing but the checkpoint is left in its parent."""
    assert read_checkpoint(saved) == CONTENT
    assert [path.name for path in saved.parent.iterdir()] == ["step-2"]
    manifest = json.loads((saved / MANIFEST).read_text())
    assert set(manifest["files"]) == set(FILES)
    assert all(len(entry["sha256"]) == 64 for entry in manifest["files"].values())


def test_a_checkpoint_is_replaced_whole(saved: Path) -> None:
    """Writing to the same place again leaves the new one only."""
    write_checkpoint(saved, {**CONTENT, "state.json": b"newer"})
    assert read_checkpoint(saved)["state.json"] == b"newer"
    assert [path.name for path in saved.parent.iterdir()] == ["step-2"]


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    """The error says which file."""
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        verify_checkpoint(saved)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(saved: Path, name: str) -> None:
    """The error says which file, and both sizes."""
    (saved / name).write_bytes(CONTENT[name][:-1])
    with pytest.raises(CheckpointError, match=f"{name} is truncated or altered: {len(CONTENT[name]) - 1} bytes"):
        verify_checkpoint(saved)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_named(saved: Path, name: str) -> None:
    """Same size, other content."""
    content = bytearray(CONTENT[name])
    content[3] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} is corrupt"):
        verify_checkpoint(saved)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("{", "manifest.json is corrupt"),
        ("[]", "says format None"),
        ('{"format": "crucible-checkpoint/9", "files": {}}', "says format 'crucible-checkpoint/9'"),
        ('{"format": "crucible-checkpoint/1", "files": []}', "does not list"),
        ('{"format": "crucible-checkpoint/1", "files": {"state.json": {}}}', "does not list"),
    ],
)
def test_a_bad_manifest_is_refused(saved: Path, manifest: str, says: str) -> None:
    """A manifest that is damaged, of another version, or incomplete."""
    (saved / MANIFEST).write_text(manifest)
    with pytest.raises(CheckpointError, match=says):
        verify_checkpoint(saved)


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    """A path where nothing is."""
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        verify_checkpoint(tmp_path / "nothing")


def test_a_file_that_cannot_be_read_is_named(saved: Path) -> None:
    """A folder in the place of a file."""
    (saved / "state.json").unlink()
    (saved / "state.json").mkdir()
    with pytest.raises(CheckpointError, match=r"state.json cannot be read"):
        verify_checkpoint(saved)


def test_a_parent_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    """What cannot be written is said, with the place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the checkpoint .*step-1 cannot be written \(Not a directory\)"):
        write_checkpoint(tmp_path / "file" / "step-1", CONTENT)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_leaves_no_trace(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write fails with the reason, the old checkpoint is still good, and no half-written folder is left."""
    real = Path.open

    def full(self: Path, mode: str = "r") -> object:
        return real(Path("/dev/full") if self.name == "state.json" and "w" in mode else self, mode, buffering=0)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(StoreError, match="No space left on device"):
            write_checkpoint(saved, {**CONTENT, "state.json": b"newer"})
    assert read_checkpoint(saved) == CONTENT
    assert [path.name for path in saved.parent.iterdir()] == ["step-2"]


def test_a_failed_rename_puts_the_old_one_back(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new folder cannot take its place, the old checkpoint returns to it."""
    real = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp"):
            raise OSError(5, os.strerror(5))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match="Input/output error"):
        write_checkpoint(saved, {**CONTENT, "state.json": b"newer"})
    assert read_checkpoint(saved) == CONTENT
