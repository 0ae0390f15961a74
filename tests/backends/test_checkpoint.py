"""Checkpoint folders: whole or absent, and every kind of damage named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crucible.backends import placing, verify_checkpoint
from crucible.backends.checkpoint import (
    FILES,
    MANIFEST,
    REQUIRED,
    add_files,
    copy_checkpoint,
    read_checkpoint,
    read_manifest,
    write_checkpoint,
)
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
    """On a system that cannot swap folders: if the new one cannot take its place, the old checkpoint returns to it."""
    real = Path.rename
    monkeypatch.setattr(placing, "exchange", lambda a, b: False)

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp"):
            raise OSError(5, os.strerror(5))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match="Input/output error"):
        write_checkpoint(saved, {**CONTENT, "state.json": b"newer"})
    assert read_checkpoint(saved) == CONTENT


# --- any set of files ---


def test_any_files_may_go_along_and_are_listed(tmp_path: Path) -> None:
    """More files, and a remote state instead of an optimiser's: all come back, all are hashed."""
    files = {name: CONTENT[name] for name in REQUIRED} | {"remote.json": b"tinker://run/1", "notes-1.txt": b"mine"}
    folder = write_checkpoint(tmp_path / "c", files)
    assert read_checkpoint(folder) == files
    manifest = read_manifest(folder)
    assert manifest.files.keys() == files.keys()
    assert manifest.size_bytes == sum(map(len, files.values()))
    assert manifest.created_at is not None
    (folder / "notes-1.txt").write_bytes(b"Mine")
    with pytest.raises(CheckpointError, match=r"notes-1\.txt is corrupt"):
        verify_checkpoint(folder)


@pytest.mark.parametrize("missing", [*REQUIRED, "optimizer.safetensors"])
def test_what_makes_a_checkpoint_may_not_be_missing(tmp_path: Path, missing: str) -> None:
    """Without it nothing is written, and the name is said."""
    files = {name: content for name, content in CONTENT.items() if name != missing}
    with pytest.raises(CheckpointError, match=f"does not list {missing}"):
        write_checkpoint(tmp_path / "c", files)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/b", "..", ".hidden", "", "manifest.json", "a\\b", "a\nb"])
def test_hostile_names_are_refused_both_ways(saved: Path, name: str) -> None:
    """No name of a file leads out of the folder, when it is written or when a manifest says it."""
    with pytest.raises(CheckpointError, match="names a file"):
        write_checkpoint(saved, {**CONTENT, name: b"x"})
    with pytest.raises(CheckpointError, match="names a file"):
        add_files(saved, {name: b"x"})
    manifest = json.loads((saved / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "size_bytes": 1}
    (saved / MANIFEST).write_text(json.dumps(manifest))
    for read in (verify_checkpoint, read_checkpoint, read_manifest):
        with pytest.raises(CheckpointError, match="names a file"):
            read(saved)


@pytest.mark.parametrize(
    "entry",
    [None, {}, {"sha256": "0" * 64}, {"sha256": "xyz", "size_bytes": 1}, {"sha256": "0" * 64, "size_bytes": -1}],
)
def test_an_entry_without_digest_or_size_is_refused(saved: Path, entry: object) -> None:
    """A manifest that does not say what a file must be says nothing."""
    manifest = json.loads((saved / MANIFEST).read_text())
    manifest["files"]["state.json"] = entry
    (saved / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"lists no SHA-256 and size of state\.json"):
        read_checkpoint(saved)


def test_the_old_format_is_read(saved: Path) -> None:
    """A checkpoint that an earlier version wrote: four files and no time."""
    manifest = json.loads((saved / MANIFEST).read_text())
    old = {"format": "crucible-checkpoint/1", "files": manifest["files"]}
    (saved / MANIFEST).write_text(json.dumps(old))
    assert read_checkpoint(saved) == CONTENT
    assert read_manifest(saved).created_at is None


def test_files_are_added_and_never_changed(saved: Path) -> None:
    """What it was made from is listed beside the rest; a name that is there is refused."""
    add_files(saved, {"training.json": b"{}"})
    assert read_checkpoint(saved) == {**CONTENT, "training.json": b"{}"}
    with pytest.raises(CheckpointError, match=r"has a file state\.json already"):
        add_files(saved, {"state.json": b"other"})
    verify_checkpoint(saved)


def test_a_copy_is_verified_while_it_is_made(saved: Path, tmp_path: Path) -> None:
    """To the bit, manifest included; of a damaged one nothing is left."""
    copy = copy_checkpoint(saved, tmp_path / "copy")
    assert (copy / MANIFEST).read_bytes() == (saved / MANIFEST).read_bytes()
    assert read_checkpoint(copy) == CONTENT
    (saved / "state.json").write_bytes(b"damaged, other size")
    with pytest.raises(CheckpointError, match=r"state\.json is truncated or altered"):
        copy_checkpoint(saved, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "runs"]


# --- faults ---


@pytest.mark.parametrize("name", ["state.json", MANIFEST])
def test_a_link_in_the_folder_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    """Even one to the right content: where it leads may change after it was checked."""
    real = tmp_path / "elsewhere"
    (saved / name).rename(real)
    (saved / name).symlink_to(real)
    for read in (verify_checkpoint, read_checkpoint):
        with pytest.raises(CheckpointError, match=f"{name} cannot be read: it is a link"):
            read(saved)


def test_a_link_to_the_folder_may_be_read_and_is_replaced_as_a_link(saved: Path, tmp_path: Path) -> None:
    """Whoever names a link to a checkpoint means the checkpoint; writing there leaves the old one where it lies."""
    link = tmp_path / "latest"
    link.symlink_to(saved)
    assert read_checkpoint(link) == CONTENT
    write_checkpoint(link, {**CONTENT, "state.json": b"newer"})
    assert read_checkpoint(link)["state.json"] == b"newer"
    assert read_checkpoint(saved) == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "runs"]


def test_a_file_in_the_place_is_not_replaced(tmp_path: Path) -> None:
    """Somebody's file stays."""
    (tmp_path / "c").write_text("mine")
    with pytest.raises(StoreError, match="is left as it is"):
        write_checkpoint(tmp_path / "c", CONTENT)
    assert (tmp_path / "c").read_text() == "mine"
    with pytest.raises(StoreError, match="cannot be written"), placing.placed(tmp_path / "c"):
        pass
    assert (tmp_path / "c").read_text() == "mine"


def test_a_folder_of_anything_else_is_not_replaced(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither written nor copied over; what is left of a checkpoint that was being removed is."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    for put in (lambda: write_checkpoint(mine, CONTENT), lambda: copy_checkpoint(saved, mine)):
        with pytest.raises(StoreError, match="mine holds something other than a checkpoint"):
            put()
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
    (saved / MANIFEST).unlink()
    assert read_checkpoint(write_checkpoint(saved, CONTENT)) == CONTENT
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(StoreError, match=r"cannot take the place of \.; name a new folder, such as copy"):
        copy_checkpoint(saved, Path())


_WRITE = """
import sys
from pathlib import Path
from crucible.backends.checkpoint import FILES, write_checkpoint
folder, mark, count = Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
print("ready", flush=True)
for number in range(count):
    write_checkpoint(folder, {name: mark * 50_000 for name in FILES})
"""


def writer(folder: Path, mark: str, count: int) -> subprocess.Popen[str]:
    """Start a process that writes the same checkpoint again and again, and wait until it begins."""
    command = [sys.executable, "-c", _WRITE, str(folder), mark, str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_killed_while_saving_the_checkpoint_is_whole(tmp_path: Path) -> None:
    """`kill -9` at five different moments of replacing: the old one or the new, at no moment neither."""
    folder = write_checkpoint(tmp_path / "runs" / "c", CONTENT)
    for number in range(5):
        process = writer(folder, "ab"[number % 2], 10_000)
        until = time.monotonic() + 0.03 + 0.013 * number
        while time.monotonic() < until:
            verify_now(folder)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        verify_checkpoint(folder)
    write_checkpoint(folder, CONTENT)
    assert read_checkpoint(folder) == CONTENT


def verify_now(folder: Path) -> None:
    """Check that the manifest is there; its files may be those of the next one by the time they are read."""
    assert read_manifest(folder).files.keys() == set(FILES)


def test_two_processes_that_save_into_the_same_folder_both_succeed(tmp_path: Path) -> None:
    """The last one wins, whole; nothing of either is left beside it."""
    folder = tmp_path / "c"
    processes = [writer(folder, mark, 20) for mark in "ab"]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert len(set(read_checkpoint(folder).values())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
def test_a_disk_that_takes_no_more_leaves_the_old_one(saved: Path) -> None:
    """A real write that fails in the middle of a file: a typed error, the old checkpoint, and no rest of the new."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from crucible.backends.checkpoint import FILES, write_checkpoint\n"
        "from crucible.errors import StoreError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        "    write_checkpoint(Path(sys.argv[1]), {name: b'x' * 50_000 for name in FILES})\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(saved)], capture_output=True, text=True, check=True)
    assert "cannot be written (File too large); free space or choose a writable folder" in done.stdout
    assert read_checkpoint(saved) == CONTENT
    assert [path.name for path in saved.parent.iterdir()] == ["step-2"]
