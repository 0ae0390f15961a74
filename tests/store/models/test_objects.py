"""Files by content: one copy of each, held against its digest on every read, whole or absent, whatever happens."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from crucible.errors import StoreError
from crucible.store.engine import Database, postgres_engine
from crucible.store.models import ModelFile, ModelObjects
from crucible.store.models.objects import objects_folder


@pytest.fixture
def objects(tmp_path: Path) -> ModelObjects:
    """An empty place for files."""
    return ModelObjects(tmp_path / "objects")


def kept_files(objects: ModelObjects) -> list[Path]:
    """Return all that lies in the place, temporary files included."""
    return [path for path in objects.folder.rglob("*") if path.is_file()]


def test_the_same_content_is_kept_once(objects: ModelObjects, folder: Path, tmp_path: Path) -> None:
    """Under its SHA-256, whatever it is called, and it comes back as it was."""
    first, second = objects.keep(folder / "a.bin", "a.bin"), objects.keep(folder / "deep" / "b.bin", "deep/b.bin")
    assert first.sha256 == second.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert (first.size_bytes, second.path) == (7, "deep/b.bin")
    assert kept_files(objects) == [objects.path(first.sha256)]
    objects.copy(second, tmp_path / "out" / "b.bin")
    assert (tmp_path / "out" / "b.bin").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"w3ights", "is corrupt, the content of a.bin"), (b"weig", "is truncated or altered, .*: 4 bytes")],
)
def test_damage_is_named_on_read(
    objects: ModelObjects, folder: Path, tmp_path: Path, content: bytes, said: str
) -> None:
    """Altered or cut, the kept file and what it is called are named; keeping the good one again mends it."""
    file = objects.keep(folder / "a.bin", "a.bin")
    objects.path(file.sha256).write_bytes(content)
    for read in (lambda: objects.verify(file), lambda: objects.copy(file, tmp_path / "out.bin")):
        with pytest.raises(StoreError, match=said):
            read()
    assert objects.keep(folder / "a.bin", "a.bin") == file
    objects.verify(file)


def test_what_is_missing_is_named(objects: ModelObjects) -> None:
    """With what to do about it."""
    with pytest.raises(StoreError, match="is missing, the content of x.bin; register it again"):
        objects.verify(ModelFile("x.bin", "0" * 64, 3))


def test_only_plain_files_are_kept(objects: ModelObjects, folder: Path) -> None:
    """A link is not followed, and a pipe is not opened, which would wait for ever."""
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    for name, kind in (("link", "a link"), ("pipe", "not a plain file"), ("deep", "not a plain file")):
        with pytest.raises(StoreError, match=f"{name} cannot be kept: it is {kind}"):
            objects.keep(folder / name, name)
    with pytest.raises(StoreError, match="cannot keep a file of a model: No such file"):
        objects.keep(folder / "absent", "absent")
    assert kept_files(objects) == []


def test_a_kept_file_that_became_a_link_is_not_followed(objects: ModelObjects, folder: Path) -> None:
    """Whoever may write to the store cannot make a reader read something else."""
    file = objects.keep(folder / "a.bin", "a.bin")
    objects.path(file.sha256).unlink()
    objects.path(file.sha256).symlink_to(folder / "deep" / "b.bin")
    with pytest.raises(StoreError, match="it is a link"):
        objects.verify(file)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_leaves_no_trace(objects: ModelObjects, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so, and no half-written file lies about."""
    real = Path.open

    def full(self: Path, mode: str = "r", **more: object) -> object:
        is_ours = self.suffix == ".tmp" and "x" in mode
        return real(Path("/dev/full"), "wb", buffering=0) if is_ours else real(self, mode, **more)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(StoreError, match="No space left on device"):
            objects.keep(folder / "a.bin", "a.bin")
    assert kept_files(objects) == []


def test_left_over_files_are_found_when_they_are_old(objects: ModelObjects, folder: Path) -> None:
    """A young file may be of a version that is just being registered; a stranger's file is never touched."""
    needed, other = objects.keep(folder / "a.bin", "a"), objects.keep(folder / "c.json", "c")
    torn = objects.folder / ".0123456789abcdef.tmp"
    torn.write_bytes(b"half")
    (objects.folder / "README").write_text("mine")
    assert objects.left_over({needed.sha256}) == []
    for path in (torn, objects.path(other.sha256), objects.path(needed.sha256)):
        os.utime(path, (1, 1))
    found = objects.left_over({needed.sha256})
    assert set(found) == {torn, objects.path(other.sha256)}
    assert objects.remove(found) == 6
    assert objects.remove(found) == 0
    assert set(kept_files(objects)) == {objects.path(needed.sha256), objects.folder / "README"}


def test_servers_have_folders_of_their_own(tmp_path: Path) -> None:
    """Two servers with a database of one name share no files, or clearing up for one would take the other's."""
    urls = [
        "postgresql://one.example/models",
        "postgresql://two.example/models",
        "postgresql://one.example:5433/models",
        "postgresql:///models?host=/run/one",
        "postgresql:///models?host=/run/two",
    ]
    folders = {objects_folder(tmp_path, Database(postgres_engine(make_url(url)), url)) for url in urls}
    assert len(folders) == len(urls)
