"""The cache never holds more than its bound, never removes what is in use, and never hands out damage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.backends.checkpoint import copy_checkpoint, read_checkpoint
from crucible.errors import CheckpointError, StoreError
from crucible.train.keeping import CheckpointCache

Make = Callable[..., Path]

_HOLD = """
import sys, time
from pathlib import Path
from crucible.backends.checkpoint import copy_checkpoint
from crucible.train.keeping.cache import CheckpointCache
source, folder, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def fill(to):
    if sys.argv[4] == "slow":
        print("filling", flush=True)
        time.sleep(60)
    copy_into(source, to)
def copy_into(source, to):
    for path in source.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
with CheckpointCache(folder, 100_000).using("held", size, fill):
    print("holding", flush=True)
    time.sleep(60)
"""


def filler(source: Path) -> Callable[[Path], None]:
    """Return what copies a checkpoint into the cache."""

    def fill(to: Path) -> None:
        for path in source.iterdir():
            (to / path.name).write_bytes(path.read_bytes())

    return fill


def size_of(folder: Path) -> int:
    """Return the size of a folder's files."""
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
def source(make: Make) -> Path:
    """A checkpoint of ten kilobytes."""
    return make(1, weights=b"w" * 10_000)


def use(cache: CheckpointCache, key: str, source: Path) -> None:
    """Have a copy and let it go."""
    with cache.using(key, size_of(source), filler(source)) as path:
        assert read_checkpoint(path) == read_checkpoint(source)


def test_a_copy_is_filled_once(tmp_path: Path, source: Path) -> None:
    """The second use reads what is there."""
    cache = CheckpointCache(tmp_path / "cache", 100_000)
    use(cache, "a", source)

    def never(to: Path) -> None:
        raise AssertionError("it is there")

    with cache.using("a", 1, never) as path:
        assert path.is_dir()
    assert cache.size_bytes == size_of(source)


def test_the_least_recently_used_goes_first(tmp_path: Path, source: Path) -> None:
    """Room for two: of three, the one that was used longest ago is gone; the bound always holds."""
    cache = CheckpointCache(tmp_path / "cache", int(2.5 * size_of(source)))
    for key in ("a", "b", "a", "c"):
        use(cache, key, source)
        time.sleep(0.01)
        assert cache.size_bytes <= cache.max_bytes
    assert cache.names() == ["a", "c"]


def test_what_is_in_use_stays_and_too_little_room_is_said(tmp_path: Path, source: Path) -> None:
    """One in use is never removed, even the oldest; where nothing may go, the error says what to raise."""
    cache = CheckpointCache(tmp_path / "cache", int(2.5 * size_of(source)))
    with cache.using("a", size_of(source), filler(source)) as held:
        use(cache, "b", source)
        use(cache, "c", source)
        assert cache.names() == ["a", "c"]
        with (
            cache.using("c", size_of(source), filler(source)),
            pytest.raises(StoreError, match=r"no room for a checkpoint of .* raise CRUCIBLE_CHECKPOINT_CACHE_BYTES"),
        ):
            use(cache, "d", source)
        assert read_checkpoint(held) == read_checkpoint(source)
        assert cache.clear() == ["c"]
    assert cache.clear() == ["a"]
    with pytest.raises(StoreError, match="and it is empty"):
        cache.using("big", 10**9, filler(source)).__enter__()
    assert list((tmp_path / "cache" / "locks").glob("*.use")) == []


def test_a_damaged_copy_is_filled_anew(tmp_path: Path, source: Path) -> None:
    """Truncated on the disk meanwhile: it is not handed out."""
    cache = CheckpointCache(tmp_path / "cache", 100_000)
    use(cache, "a", source)
    (tmp_path / "cache" / "a" / "optimizer.safetensors").write_bytes(b"m")
    use(cache, "a", source)


def test_a_fill_that_fails_leaves_nothing(tmp_path: Path, source: Path) -> None:
    """No folder, no reservation, no lock in use."""
    cache = CheckpointCache(tmp_path / "cache", 100_000)

    def fail(to: Path) -> None:
        (to / "half").write_bytes(b"x")
        raise OSError(28, os.strerror(28))

    with pytest.raises(StoreError, match="No space left on device"):
        cache.using("a", 10, fail).__enter__()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["locks"]
    use(cache, "a", source)


def test_threads_that_want_the_same_fill_it_once(tmp_path: Path, source: Path) -> None:
    """The others wait for the first."""
    cache = CheckpointCache(tmp_path / "cache", 100_000)
    fills: list[int] = []

    def fill(to: Path) -> None:
        fills.append(1)
        time.sleep(0.05)
        filler(source)(to)

    def want() -> None:
        with cache.using("a", size_of(source), fill) as path:
            read_checkpoint(path)

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fills == [1]


def spawn(source: Path, folder: Path, how: str) -> subprocess.Popen[str]:
    """Start a process that uses the copy `held`, and wait for its first word."""
    command = [sys.executable, "-c", _HOLD, str(source), str(folder), str(size_of(source)), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_what_another_process_uses_stays_while_it_lives(tmp_path: Path, source: Path) -> None:
    """Its copy is not removed for another; after `kill -9` it is."""
    folder = tmp_path / "cache"
    cache = CheckpointCache(folder, int(1.5 * size_of(source)))
    process = spawn(source, folder, "fast")
    try:
        with pytest.raises(StoreError, match="by copies in use"):
            use(cache, "mine", source)
        assert cache.names() == ["held"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    use(cache, "mine", source)
    assert cache.names() == ["mine"]


def test_a_process_that_was_killed_in_a_download_is_not_in_the_way(tmp_path: Path, source: Path) -> None:
    """While it lives, room is reserved for it; after `kill -9` neither its part nor its reservation stays."""
    folder = tmp_path / "cache"
    process = spawn(source, folder, "slow")
    try:
        cache = CheckpointCache(folder, size_of(source) + 10)
        with pytest.raises(StoreError, match="no room"):
            use(cache, "other", source)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert [path.name for path in folder.iterdir() if path.name.endswith((".tmp", ".reserved"))] != []
    use(cache, "other", source)
    assert [path.name for path in folder.iterdir() if path.name.endswith((".tmp", ".reserved"))] == []


def test_the_environment_says_where_and_how_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`CRUCIBLE_CACHE`, `XDG_CACHE_HOME`, `CRUCIBLE_CHECKPOINT_CACHE_BYTES`; nonsense is refused."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path))
    monkeypatch.setenv("CRUCIBLE_CHECKPOINT_CACHE_BYTES", "1234")
    assert (CheckpointCache().folder, CheckpointCache().max_bytes) == (tmp_path / "checkpoints", 1234)
    monkeypatch.delenv("CRUCIBLE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert CheckpointCache().folder == tmp_path / "xdg" / "crucible" / "checkpoints"
    monkeypatch.setenv("CRUCIBLE_CHECKPOINT_CACHE_BYTES", "10 GB")
    with pytest.raises(StoreError, match="must be a number of bytes such as"):
        CheckpointCache()


def test_mistakes_and_places_that_cannot_be_written(tmp_path: Path, source: Path) -> None:
    """A key that is no name, a cache below a file."""
    with pytest.raises(CheckpointError, match="cannot name a copy"):
        CheckpointCache(tmp_path).using("../x", 1, filler(source)).__enter__()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="set CRUCIBLE_CACHE to a writable folder"):
        use(CheckpointCache(tmp_path / "file" / "cache"), "a", source)
    assert copy_checkpoint(source, tmp_path / "plain") == tmp_path / "plain"
