"""Every kind of place keeps checkpoints alike: a folder, another file system, a bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible import events
from crucible.backends import verify_checkpoint
from crucible.backends.checkpoint import read_checkpoint
from crucible.errors import CheckpointError, StoreError
from crucible.train.keeping import (
    CheckpointStore,
    best_checkpoint,
    open_checkpoints,
    prune_checkpoints,
)

Make = Callable[..., Path]


def names(store: CheckpointStore) -> list[str]:
    """Return what is kept."""
    return [each.name for each in store.list_checkpoints()]


def test_an_empty_place_has_none(store: CheckpointStore) -> None:
    """An empty list, and an error for the best of none."""
    assert store.list_checkpoints() == []
    with pytest.raises(CheckpointError, match="there are no checkpoints"):
        best_checkpoint(store)


def test_what_is_put_is_listed_with_all_that_is_known(store: CheckpointStore, make: Make) -> None:
    """Step, metrics, size, digest, time, files and provenance; by step, whatever the order of putting."""
    store.put(make(20))
    folder = make(3, validation_loss=0.9, accuracy=0.1)
    store.put(folder)
    found = store.list_checkpoints()
    assert [each.step for each in found] == [3, 20]
    first = found[0]
    assert first.metrics == {"validation_loss": 0.9, "accuracy": 0.1}
    assert first.size_bytes == sum(p.stat().st_size for p in folder.iterdir() if p.name != "manifest.json")
    assert len(first.sha256) == 64
    assert first.created_at is not None
    assert first.files[0] == "adapter_config.json"
    assert first.about["data"] == {"synthetic": True}
    assert first.problem is None
    assert store.find("step-000003") == first
    assert first.location.startswith(store.location)


def test_the_same_again_is_not_copied_again_and_another_replaces(store: CheckpointStore, make: Make) -> None:
    """Its digest tells; after a replacement only the new one is there."""
    old = store.put(make(1))
    assert store.put(make(1).parent / "step-000001").step == 1
    new = store.put(make(1, weights=b"other", validation_loss=1.0))
    assert names(store) == ["step-000001"]
    assert new.sha256 != old.sha256
    store.verify("step-000001")


def test_a_record_belongs_to_what_it_was_put_with(store: CheckpointStore, make: Make) -> None:
    """It may come later; one of a checkpoint that is replaced goes with it."""
    store.put(make(1))
    assert store.record("step-000001") is None
    same = make(1).parent / "step-000001"
    store.put(same, record=b"first")
    store.put(same, record=b"second")
    store.put(same)
    assert store.record("step-000001") == b"second"
    store.put(make(1, weights=b"other"))
    assert store.record("step-000001") is None


def test_a_copy_is_the_original_to_the_bit(store: CheckpointStore, make: Make, tmp_path: Path) -> None:
    """Opened in place or through the cache, and fetched to a folder."""
    folder = make(7, weights=bytes(range(256)) * 100)
    store.put(folder, "chosen")
    with store.opened("chosen") as opened:
        assert read_checkpoint(opened) == read_checkpoint(folder)
    fetched = store.fetch("chosen", tmp_path / "elsewhere" / "c")
    assert read_checkpoint(fetched) == read_checkpoint(folder)
    digest = hashlib.sha256((fetched / "manifest.json").read_bytes()).hexdigest()
    assert digest == store.find("chosen").sha256


def test_fetch_leaves_what_somebody_else_put_there(store: CheckpointStore, make: Make, tmp_path: Path) -> None:
    """A folder with other files is never replaced; an old copy is."""
    store.put(make(1))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="holds something other than a checkpoint"):
        store.fetch("step-000001", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    for _ in range(2):
        store.fetch("step-000001", tmp_path / "copy")


def test_best_by_any_metric_low_or_high(store: CheckpointStore, make: Make) -> None:
    """`min` and `max`, and the names of what there is where the metric is unknown."""
    for step, loss, accuracy in ((1, 3.0, 0.2), (2, 1.0, 0.9), (3, 2.0, 0.95)):
        store.put(make(step, validation_loss=loss, accuracy=accuracy))
    assert best_checkpoint(store).step == 2
    assert best_checkpoint(store, "accuracy", "max").step == 3
    with pytest.raises(CheckpointError, match=r"'acuracy'; the metrics are accuracy, validation_loss; did you mean"):
        best_checkpoint(store, "acuracy", "max")


def test_pruning_never_takes_the_best_or_the_last(store: CheckpointStore, make: Make) -> None:
    """The old best stays beside the newest; what went is told once, and why."""
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 4.0)):
        store.put(make(step, validation_loss=loss), record=b"record")
    with events.collect("crucible_train.checkpoint.*") as pruned, events.collect("crucible_trace.*") as decided:
        removed = prune_checkpoints(store, 2)
    assert [each.step for each in removed] == [1, 3]
    assert names(store) == ["step-000002", "step-000004"]
    assert [event.measurements["step"] for event in pruned if event.name.endswith("pruned")] == [1, 3]
    assert len(decided) == 1
    assert "the best (step-000002, validation_loss 1)" in decided[0].metadata["reasoning"]
    assert store.record("step-000001") is None
    assert store.record("step-000002") == b"record"
    assert prune_checkpoints(store, 2) == []
    with pytest.raises(CheckpointError, match="keep must be at least 2"):
        prune_checkpoints(store, 1)


def test_removing_is_complete_and_forgives(store: CheckpointStore, make: Make) -> None:
    """Nothing is left of it; one that is not there is no error."""
    store.put(make(1), record=b"record")
    store.remove("step-000001")
    store.remove("step-000001")
    assert names(store) == []
    with pytest.raises(CheckpointError, match="there is no checkpoint 'step-000001' in .*; it has none"):
        store.verify("step-000001")


def test_hostile_names_are_refused(store: CheckpointStore, make: Make, tmp_path: Path) -> None:
    """No name leads out of the place, whatever is asked for."""
    folder = make(1)
    for name in ("../secret", "a/b", "..", ".hidden", "", "a\\b", "x" * 201, "a\nb"):
        for call in (
            lambda name=name: store.find(name),
            lambda name=name: store.remove(name),
            lambda name=name: store.record(name),
            lambda name=name: store.verify(name),
            lambda name=name: store.fetch(name, tmp_path / "x"),
        ):
            with pytest.raises(CheckpointError, match="cannot name a checkpoint"):
                call()
        if name:
            with pytest.raises(CheckpointError, match="cannot name a checkpoint"):
                store.put(folder, name)


def test_a_damaged_one_is_never_put(store: CheckpointStore, make: Make) -> None:
    """It is verified before the first byte is sent."""
    folder = make(1)
    (folder / "adapter_model.safetensors").write_bytes(b"weighty")
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors is corrupt"):
        store.put(folder)
    assert names(store) == []


def test_a_damaged_replacement_takes_nothing_away(store: CheckpointStore, make: Make) -> None:
    """The one that is there stays, with its record: without it no training would go on from it."""
    old = store.put(make(1), record=b"record")
    folder = make(1, weights=b"other")
    (folder / "adapter_model.safetensors").write_bytes(b"OTHER")
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors is corrupt"):
        store.put(folder)
    assert store.find("step-000001") == old
    assert store.record("step-000001") == b"record"


def test_uploads_and_downloads_are_told_once(store: CheckpointStore, make: Make, tmp_path: Path) -> None:
    """With name, place, count of files and size."""
    with events.collect("crucible_train.checkpoint.*") as found:
        store.put(make(1))
    assert [event.name for event in found] == ["crucible_train.checkpoint.uploaded"]
    assert found[0].metadata["name"] == "step-000001"
    assert found[0].metadata["files"] == 5
    assert found[0].measurements["size_bytes"] == store.find("step-000001").size_bytes


def test_a_local_url_is_a_folder(make: Make, tmp_path: Path) -> None:
    """`file://` and a path are the same place; the folder of one checkpoint is a place with that one."""
    folder = make(5)
    make(6)
    assert names(open_checkpoints(folder.parent.as_uri())) == ["step-000005", "step-000006"]
    assert names(open_checkpoints(folder)) == ["step-000005"]
    with pytest.raises(StoreError, match="there is no folder"):
        open_checkpoints(tmp_path / "nowhere").list_checkpoints()


def test_a_workspace_stands_for_its_checkpoints(make: Make, tmp_path: Path) -> None:
    """Those of the training, and where there are none, those that were saved by name."""
    work = tmp_path / "work"
    (work / "checkpoints").mkdir(parents=True)
    assert names(open_checkpoints(work)) == []
    open_checkpoints(work / "saved").put(make(3), "tuned")
    assert names(open_checkpoints(work)) == ["tuned"]
    open_checkpoints(work).put(make(4), "more")
    open_checkpoints(work / "checkpoints").put(make(4))
    assert names(open_checkpoints(work)) == ["step-000004"]


def test_damage_in_a_folder_is_shown_and_named(make: Make) -> None:
    """A truncated file, a missing one, a bad manifest: listed with the problem, the others are fine."""
    for step in (1, 2, 3, 4):
        make(step)
    place = make(5).parent
    (place / "step-000001" / "optimizer.safetensors").write_bytes(b"mom")
    (place / "step-000002" / "adapter_config.json").unlink()
    (place / "step-000003" / "manifest.json").write_text("{")
    (place / "step-000004" / "training.json").write_bytes(
        b"x" * (place / "step-000004" / "training.json").stat().st_size
    )
    found = {each.name: each.problem for each in open_checkpoints(place).list_checkpoints()}
    assert "optimizer.safetensors is truncated or altered: 3 bytes" in str(found["step-000001"])
    assert "adapter_config.json is missing" in str(found["step-000002"])
    assert "manifest.json is corrupt" in str(found["step-000003"])
    assert "training.json is corrupt" in str(found["step-000004"])
    assert found["step-000005"] is None
    verify_checkpoint(place / "step-000005")
