"""What a training keeps: how many, which is best by what, where else, and with two processes at once."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crucible import events
from crucible.backends import Session
from crucible.backends.checkpoint import read_checkpoint
from crucible.errors import CheckpointError, StoreError
from crucible.train.checkpoints import CheckpointFolder, TrainState
from crucible.train.keeping import CheckpointCache, open_checkpoints

IDENTITY = {"base_model": "tiny", "data": "d1", "base_digest": "b1", "rank": 4}


def folder(place: Path, **how: object) -> CheckpointFolder:
    """Return the checkpoints of a training."""
    return CheckpointFolder(place, IDENTITY, model="m", **how)  # type: ignore[arg-type]


def save_all(kept: CheckpointFolder, session: Session, losses: dict[int, float], **more: float) -> None:
    """Save one checkpoint a step."""
    for step, loss in losses.items():
        kept.save(session, TrainState(initial_loss=9.0, step=step), validation_loss=loss, metrics=more)


def steps(kept: CheckpointFolder) -> list[int]:
    """Return the steps that are kept."""
    return [each.step for each in kept.checkpoints()]


def test_keep_says_how_many_and_the_best_is_always_among_them(session: Session, tmp_path: Path) -> None:
    """The best is old, the newest are worse: it and the newest others stay."""
    losses = {2: 3.0, 4: 1.0, 6: 2.0, 8: 4.0, 10: 5.0}
    for keep, left in ((2, [4, 10]), (3, [4, 8, 10]), (4, [4, 6, 8, 10]), (9, [2, 4, 6, 8, 10])):
        kept = folder(tmp_path / str(keep), keep=keep)
        save_all(kept, session, losses)
        assert steps(kept) == left
        assert kept.best().step == 4
    with pytest.raises(CheckpointError, match="keep must be at least 2"):
        folder(tmp_path, keep=1)


def test_best_by_any_recorded_metric(session: Session, tmp_path: Path) -> None:
    """Highest accuracy decides what is kept; any other metric can be asked for; unknown ones are named."""
    kept = folder(tmp_path / "c", keep=2, metric="accuracy", mode="max")
    for step, (loss, accuracy) in {2: (1.0, 0.5), 4: (2.0, 0.9), 6: (3.0, 0.7), 8: (0.5, 0.1)}.items():
        state = TrainState(initial_loss=9.0, step=step)
        saved = kept.save(session, state, metrics={"validation_loss": loss, "accuracy": accuracy, "nan": math.nan})
        assert saved.metrics == {"validation_loss": loss, "accuracy": accuracy}
    assert steps(kept) == [4, 8]
    assert kept.best().step == 4
    assert kept.best("validation_loss", "min").step == 8
    with pytest.raises(CheckpointError, match="'f1'; the metrics are accuracy, validation_loss"):
        kept.best("f1", "max")
    with pytest.raises(CheckpointError, match="there are no checkpoints"):
        folder(tmp_path / "empty").best()
    again = folder(tmp_path / "c", metric="accuracy", mode="max")  # as another process reads it
    assert again.best().metrics["accuracy"] == 0.9


def test_the_best_survives_a_resume_and_a_lost_record_does_no_harm(session: Session, tmp_path: Path) -> None:
    """What is best is read from the records, so that another process goes on alike."""
    save_all(folder(tmp_path / "c"), session, {2: 1.0, 4: 2.0, 6: 3.0})
    kept = folder(tmp_path / "c")
    assert kept.resume(session) is not None
    save_all(kept, session, {8: 4.0, 10: 5.0})
    assert steps(kept) == [2, 8, 10]
    (tmp_path / "c" / "step-000002.json").write_text("{")
    kept = folder(tmp_path / "c")
    assert kept.best().step == 8


def test_each_checkpoint_says_what_it_was_made_from(session: Session, tmp_path: Path) -> None:
    """Step, metrics and origin lie in the folder, hashed, so that they go wherever it goes."""
    origin = {"model": "m", "base_model": "tiny", "data": {"synthetic": True}}
    save_all(folder(tmp_path / "c", origin=origin), session, {2: 1.5})
    said = json.loads(read_checkpoint(tmp_path / "c" / "step-000002")["training.json"])
    assert said == {**origin, "step": 2, "metrics": {"validation_loss": 1.5}}
    found = open_checkpoints(tmp_path / "c").find("step-000002")
    assert (found.step, found.metrics) == (2, {"validation_loss": 1.5})
    save_all(folder(tmp_path / "d"), session, {2: 1.5})
    assert json.loads(read_checkpoint(tmp_path / "d" / "step-000002")["training.json"])["base_digest"] == "b1"


def test_saved_loaded_and_pruned_are_told_once_each(session: Session, tmp_path: Path) -> None:
    """With step, model and path."""
    with events.collect("crucible_train.checkpoint.*") as found:
        kept = folder(tmp_path / "c", keep=2)
        save_all(kept, session, {2: 3.0, 4: 2.0, 6: 1.0})
        kept.load(session, 4)
    told = [(event.name.rpartition(".")[2], event.measurements["step"]) for event in found]
    assert told == [("saved", 2), ("saved", 4), ("saved", 6), ("pruned", 2), ("loaded", 4)]
    assert {event.metadata["model"] for event in found} == {"m"}


@pytest.fixture
def mirror(tmp_path: Path) -> object:
    """A place elsewhere."""
    import fsspec

    files = fsspec.filesystem("memory")
    if files.exists("/mirror"):
        files.rm("/mirror", recursive=True)
    return open_checkpoints("memory://mirror", cache=CheckpointCache(tmp_path / "cache"))


def test_a_mirror_holds_the_same_and_a_lost_machine_goes_on_from_it(
    session: Session, tmp_path: Path, mirror: object
) -> None:
    """Each checkpoint is copied, each removed one removed; with the folder gone, the training goes on from there."""
    kept = folder(tmp_path / "c", keep=2, mirror=mirror)
    save_all(kept, session, {2: 1.0, 4: 3.0, 6: 2.0})
    assert [each.step for each in mirror.list_checkpoints()] == steps(kept) == [2, 6]  # type: ignore[attr-defined]
    weights = read_checkpoint(tmp_path / "c" / "step-000006")
    shutil.rmtree(tmp_path / "c")
    again = folder(tmp_path / "c", keep=2, mirror=mirror)
    state = again.resume(session)
    assert state is not None
    assert (state.step, state.initial_loss) == (6, 9.0)
    assert (steps(again), again.best().step) == ([2, 6], 2)  # the best is back as well
    assert read_checkpoint(tmp_path / "c" / "step-000006") == weights
    with pytest.raises(CheckpointError, match="of another training: rank was 4 and is 8"):
        CheckpointFolder(tmp_path / "e", {**IDENTITY, "rank": 8}, model="m", mirror=mirror).resume(session)  # type: ignore[arg-type]


def test_a_damaged_copy_in_the_mirror_is_skipped(session: Session, tmp_path: Path, mirror: object) -> None:
    """The one before is taken, and the trace says which was skipped."""
    import fsspec

    save_all(folder(tmp_path / "c", mirror=mirror), session, {2: 1.0, 4: 3.0})
    fsspec.filesystem("memory").pipe_file("/mirror/step-000004/optimizer.safetensors", b"damaged")
    with events.collect("crucible_trace.decision.made") as found:
        state = folder(tmp_path / "d", mirror=mirror).resume(session)
    assert state is not None
    assert state.step == 2
    assert "optimizer.safetensors" in found[0].metadata["reasoning"]


@pytest.mark.parametrize("record", [b"damaged", None], ids=["damaged", "of another"])
def test_a_bad_record_in_the_mirror_is_skipped(
    session: Session, tmp_path: Path, mirror: object, record: bytes | None
) -> None:
    """The checkpoint before is taken, not the beginning of the training."""
    import fsspec

    save_all(folder(tmp_path / "c", mirror=mirror), session, {2: 1.0, 4: 3.0})
    files = fsspec.filesystem("memory")
    files.pipe_file("/mirror/step-000004.json", record or files.cat_file("/mirror/step-000002.json"))
    with events.collect("crucible_trace.decision.made") as found:
        state = folder(tmp_path / "d", mirror=mirror).resume(session)
    assert state is not None
    assert state.step == 2
    assert "step-000004.json in memory://mirror is" in found[0].metadata["reasoning"]


def test_only_torn_checkpoints_are_swept(session: Session, tmp_path: Path) -> None:
    """A folder that somebody put beside the checkpoints stays."""
    place = tmp_path / "c"
    save_all(folder(place), session, {2: 1.0})
    for name in ("notes-on-step-2", "step-by-step", "step-000004", ".step-000004.0a1b2c3d.tmp"):
        (place / name).mkdir()
        (place / name / "file").write_text("text")
    folder(place).resume(session)
    assert sorted(path.name for path in place.iterdir() if path.is_dir()) == [
        "notes-on-step-2",
        "step-000002",
        "step-by-step",
    ]


_SAVE = """
import json, sys
from pathlib import Path
from crucible.backends.checkpoint import FILES, write_checkpoint
from crucible.train.checkpoints import CheckpointFolder, TrainState

class Done:
    def __init__(self, path): self.path = path
    def result(self): return self.path

class Session:
    def save_checkpoint(self, path):
        files = {name: sys.argv[2].encode() * 20_000 for name in FILES}
        return Done(write_checkpoint(path, {**files, "state.json": b"{}"}))

kept = CheckpointFolder(Path(sys.argv[1]), {"data": "d"}, model=sys.argv[2])
print("ready", flush=True)
for step in range(1, 11):
    kept.save(Session(), TrainState(initial_loss=1.0, step=step), validation_loss=1.0 / step)
"""


@pytest.mark.slow
def test_two_processes_that_save_into_one_folder_leave_whole_checkpoints(tmp_path: Path) -> None:
    """They take turns: every record belongs to the folder beside it, and none of them fails."""
    place = tmp_path / "c"
    running = [
        subprocess.Popen([sys.executable, "-c", _SAVE, str(place), mark], stderr=subprocess.PIPE, text=True)
        for mark in "ab"
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    kept = CheckpointFolder(place, {"data": "d"}, model="m")
    assert steps(kept)[-1] == 10
    assert all(each.metrics == {"validation_loss": 1.0 / each.step} for each in kept.checkpoints())
    store = open_checkpoints(place)
    for each in store.list_checkpoints():
        store.verify(each.name)
    assert sorted(path.name for path in place.iterdir() if path.is_dir()) == [each.name for each in kept.checkpoints()]


def test_a_folder_that_cannot_be_written_is_an_error(session: Session, tmp_path: Path) -> None:
    """A parent that is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        save_all(folder(tmp_path / "file" / "c"), session, {2: 1.0})
