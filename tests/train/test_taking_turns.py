"""A training that saves, a store that prunes and a reader that has one opened share a folder without harm."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from crucible import pipeline
from crucible.backends import Session, verify_checkpoint
from crucible.backends.checkpoint import read_checkpoint
from crucible.errors import Cancelled, CheckpointError, StoreError
from crucible.train.checkpoints import CheckpointFolder, TrainState
from crucible.train.folder_lock import beside, locked
from crucible.train.keeping import open_checkpoints, prune_checkpoints

IDENTITY = {"base_model": "tiny", "data": "d1", "base_digest": "b1", "rank": 4}


def folder(place: Path, keep: int = 9) -> CheckpointFolder:
    """Return the checkpoints of a training."""
    return CheckpointFolder(place, IDENTITY, model="m", keep=keep)


def save(kept: CheckpointFolder, session: Session, *numbers: int) -> None:
    """Save a checkpoint a step; step 2 is the best."""
    for step in numbers:
        kept.save(session, TrainState(initial_loss=9.0, step=step), validation_loss=abs(step - 2) + 1.0)


def hold(lock: Path, for_s: float) -> threading.Thread:
    """Hold a lock for a while, on another thread; return when it is held."""
    held = threading.Event()

    def work() -> None:
        with locked(lock, "it", "wait", extra="train", feature="a test"):
            held.set()
            time.sleep(for_s)

    thread = threading.Thread(target=work)
    thread.start()
    assert held.wait(5)
    return thread


def test_pruning_while_a_training_saves_breaks_neither(session: Session, tmp_path: Path) -> None:
    """Whatever the moment: the best and the newest stay, whole, and the training can go on from them."""
    kept, store = folder(tmp_path / "c", keep=4), open_checkpoints(tmp_path / "c")
    save(kept, session, 2, 4)
    failures: list[Exception] = []
    done = threading.Event()

    def others() -> None:
        try:
            while not done.is_set():
                prune_checkpoints(store, 2)
                for each in store.list_checkpoints():
                    try:
                        with store.opened(each.name) as opened:
                            verify_checkpoint(opened)
                    except CheckpointError as error:
                        if "there is no checkpoint" not in str(error):
                            raise
        except Exception as error:  # for the assertion below
            failures.append(error)

    thread = threading.Thread(target=others)
    thread.start()
    save(kept, session, *range(6, 26, 2))
    done.set()
    thread.join()
    assert failures == []
    prune_checkpoints(store, 2)
    assert [each.name for each in store.list_checkpoints()] == ["step-000002", "step-000024"]
    assert [path.name for path in (tmp_path / "c").iterdir() if path.name.startswith(".")] == []
    state = folder(tmp_path / "c").resume(session)
    assert state is not None
    assert state.step == 24


def test_pruning_does_not_count_a_checkpoint_in_the_making(session: Session, tmp_path: Path) -> None:
    """A folder that has its manifest, and no record yet, would take the place of the last one: pruning waits."""
    kept = folder(tmp_path / "c")
    save(kept, session, 2, 4, 6)
    with locked(beside(tmp_path / "c"), "it", "wait", extra="train", feature="a test"):
        session.save_checkpoint(tmp_path / "c" / "step-000008").result()
        removed: list[str] = []
        pruner = threading.Thread(
            target=lambda: removed.extend(each.name for each in prune_checkpoints(open_checkpoints(tmp_path / "c"), 2))
        )
        pruner.start()
        pruner.join(0.3)
        assert pruner.is_alive()
        (tmp_path / "c" / "step-000008").rename(tmp_path / "gone")  # the process that wrote it dies, and is swept
    pruner.join()
    assert removed == ["step-000004"]


def test_what_is_opened_stays_while_it_is_pruned_or_written_anew(session: Session, tmp_path: Path) -> None:
    """The reader's folder has the name and the bytes of the checkpoint as it was, and goes when the block ends."""
    kept, store = folder(tmp_path / "c"), open_checkpoints(tmp_path / "c")
    save(kept, session, 2, 4, 6)
    before = read_checkpoint(tmp_path / "c" / "step-000004")
    with store.opened("step-000004") as opened:
        assert opened.name == "step-000004"
        assert (opened / "optimizer.safetensors").stat().st_nlink == 2
        assert [each.name for each in prune_checkpoints(store, 2)] == ["step-000004"]
        save(kept, session, 4)
        assert read_checkpoint(opened) == before
    assert not opened.exists()
    assert [path.name for path in (tmp_path / "c").iterdir() if path.name.startswith(".")] == []


def test_a_reader_on_a_disk_without_second_names_has_copies(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of their own bytes, which nothing reaches."""

    def unable(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    save(folder(tmp_path / "c"), session, 2)
    monkeypatch.setattr(os, "link", unable)
    with open_checkpoints(tmp_path / "c").opened("step-000002") as opened:
        assert (opened / "optimizer.safetensors").stat().st_nlink == 1
        assert read_checkpoint(opened) == read_checkpoint(tmp_path / "c" / "step-000002")


def test_a_folder_that_may_only_be_read_is_read_and_not_changed(session: Session, tmp_path: Path) -> None:
    """No lock can be made beside it: listing, opening, verifying and fetching work, pruning says why it does not."""
    save(folder(tmp_path / "c"), session, 2)
    beside(tmp_path / "c").unlink()
    beside(tmp_path / "c").mkdir()
    store = open_checkpoints(tmp_path / "c")
    store.verify("step-000002")
    with store.opened("step-000002") as opened:
        assert read_checkpoint(opened)
    assert read_checkpoint(store.fetch("step-000002", tmp_path / "copy"))
    with pytest.raises(StoreError, match=r"the checkpoints in .*c cannot be written .*choose a writable folder"):
        prune_checkpoints(store, 2)


@pytest.mark.parametrize("fault", [OSError(37, "No locks available"), NotImplementedError("no flock here")], ids=str)
def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """As a place that cannot be written, with what to do; nothing is saved unguarded."""

    def refuse(*_: object, **__: object) -> None:
        raise fault

    (tmp_path / "c").mkdir()
    monkeypatch.setattr("filelock.FileLock._acquire", refuse)
    with pytest.raises(StoreError, match=r"c cannot be written \((No locks available|no flock here)\); free space or"):
        prune_checkpoints(open_checkpoints(tmp_path / "c"), 2)


def test_waiting_for_a_training_can_be_cancelled(session: Session, tmp_path: Path) -> None:
    """A run that is asked to stop does not wait for another one's lock."""
    save(folder(tmp_path / "c"), session, 2)
    thread = hold(beside(tmp_path / "c"), 1.0)
    with pipeline.cancellable() as cancellation:
        threading.Timer(0.2, cancellation.request).start()
        with pytest.raises(Cancelled):
            prune_checkpoints(open_checkpoints(tmp_path / "c"), 2)
    thread.join()


def test_reading_leaves_nothing_behind(session: Session, tmp_path: Path) -> None:
    """Where nobody writes, a reader needs no lock: neither beside the folder nor in it is anything new."""
    save(folder(tmp_path / "c"), session, 2)
    place = (tmp_path / "c").rename(tmp_path / "downloads")
    (tmp_path / ".c.lock").unlink()
    store = open_checkpoints(place / "step-000002")
    store.verify("step-000002")
    with store.opened("step-000002") as opened:
        assert read_checkpoint(opened)
    assert [path.name for path in tmp_path.iterdir()] == ["downloads"]
    assert sorted(path.name for path in place.iterdir()) == ["step-000002", "step-000002.json"]


def test_a_folder_that_is_not_there_is_not_made_by_pruning(tmp_path: Path) -> None:
    """Neither it, nor the one above it, nor a lock."""
    with pytest.raises(StoreError, match="there is no folder"):
        prune_checkpoints(open_checkpoints(tmp_path / "no" / "where"), 2)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_folder_is_one_however_it_is_spelled(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a link, from inside, or in full; whoever holds it may take it again."""
    place = tmp_path / "c"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    monkeypatch.chdir(place)
    assert beside(Path()) == beside(place) == beside(tmp_path / "link") == tmp_path / ".c.lock"
    with locked(beside(place), "it", "wait", extra="train", feature="a test"):
        save(folder(tmp_path / "link"), session, 2)
    assert prune_checkpoints(open_checkpoints("."), 2) == []
