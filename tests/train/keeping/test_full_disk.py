"""A disk that is really full: a small file system in memory, where the system lets a test mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible.backends.checkpoint import FILES, write_checkpoint
from crucible.errors import StoreError
from crucible.train.keeping import CheckpointCache, merge, open_checkpoints

Make = Callable[..., Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of 64 KB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_said_and_leaves_nothing(small_disk: Path, make: Make, tmp_path: Path, base: Path) -> None:
    """Saving, copying, fetching into the cache, merging: each a `StoreError`, and the disk is as empty as before."""
    large = make(1, weights=b"w" * 200_000)
    cache = CheckpointCache(small_disk / "cache", 10**6)
    import fsspec

    files = fsspec.filesystem("memory")
    if files.exists("/full"):
        files.rm("/full", recursive=True)
    remote = open_checkpoints("memory://full", cache=cache)
    remote.put(large)
    for call in (
        lambda: write_checkpoint(small_disk / "c", dict.fromkeys(FILES, b"x" * 50_000)),
        lambda: open_checkpoints(small_disk).put(large),
        lambda: remote.fetch("step-000001", small_disk / "c"),
        lambda: remote.opened("step-000001").__enter__(),
    ):
        with pytest.raises(StoreError, match="No space left on device"):
            call()
    adapter = make_adapter(base, tmp_path)
    with pytest.raises(StoreError, match="No space left on device|written"):
        merge(adapter, None, small_disk / "merged")
    assert [path.name for path in small_disk.iterdir() if path.name != "cache"] == []
    assert [path.name for path in (small_disk / "cache").iterdir()] == ["locks"]


def make_adapter(base: Path, folder: Path) -> Path:
    """Save an untrained adapter on the base."""
    from crucible.ir import LoraConfig
    from crucible.train import Trainer

    with Trainer.start(LoraConfig(base_model=str(base), rank=2), workspace=folder / "work") as trainer:
        return trainer.save("fresh").local_path
