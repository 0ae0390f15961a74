"""What was recorded elsewhere comes in whole or not at all, and once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crucible import events
from crucible.errors import StoreError
from crucible.store import Store, open_store
from crucible.telemetry import Experiment, Recorded, import_runs, restore

SOURCE = Path(__file__).parent / "importers" / "data"


@pytest.fixture
def archived(store: Store, tmp_path: Path) -> Experiment:
    """An experiment that lies in a file of JSON lines, too."""
    with Experiment.start("a", store=store) as experiment:
        for step in range(300):
            experiment.log_metric("loss", 1.0, step)
            events.emit("x", {"n": step})
    experiment.archive(tmp_path / "a.jsonl")
    return experiment


def test_data_that_was_kept_is_neither_doubled_nor_lost(archived: Experiment, store: Store, tmp_path: Path) -> None:
    """Restoring beside it is refused, from a whole archive and from a torn one, and what was kept is still there."""
    archived.cleanup(keep_data=True)
    whole = (tmp_path / "a.jsonl").read_text()
    for text in (whole, "\n".join(whole.splitlines()[:200])):
        (tmp_path / "a.jsonl").write_text(text)
        with pytest.raises(StoreError, match="data of an experiment"):
            restore(tmp_path / "a.jsonl", store)
    assert (archived.count(), len(archived.points("loss"))) == (300, 300)


def test_a_torn_archive_leaves_nothing(archived: Experiment, store: Store, tmp_path: Path) -> None:
    """It is refused by name, and nothing of it stays."""
    archived.cleanup()
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    (tmp_path / "a.jsonl").write_text("\n".join(lines[:200]))
    with pytest.raises(StoreError, match=r"a\.jsonl"):
        restore(tmp_path / "a.jsonl", store)
    assert store.telemetry.experiments.list() == []
    assert store.telemetry.event_counts(archived.id) == {}


@pytest.mark.slow
def test_a_killed_import_is_begun_anew(tmp_path: Path) -> None:
    """A part that a killed process left does not count as there: the next import has all of it."""
    source = tmp_path / "history.jsonl"
    source.write_text("".join(f'{{"_step": {step}, "_timestamp": 1.0, "loss": {step}}}\n' for step in range(60_000)))
    script = (
        "import os, sys\nfrom crucible.store import open_store\nfrom crucible.telemetry import import_runs\n"
        "store = open_store(sys.argv[2])\nwrite = store.telemetry.write_events\ncalls = iter(range(9))\n"
        "def dying(*rows, **how):\n    write(*rows, **how)\n    if next(calls) == 1: os._exit(9)\n"
        "store.telemetry.write_events = dying\nlist(import_runs(sys.argv[1], store))\n"
    )
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, "-c", script, str(source), str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain, timeout=120)
    assert done.returncode == 9, done.stderr
    with open_store(tmp_path / "s") as store:
        (part,) = store.telemetry.experiments.list()
        assert part.is_orphaned
        (found,) = import_runs(source, store)
        assert (found.points, found.info is not None) == (60_000, True)
        assert len(Recorded(part.id, store).points("loss")) == 60_000
        (info,) = store.telemetry.experiments.list()
        assert (info.status, info.recorded) == ("stopped", 60_000)
        (again,) = import_runs(source, store)
        assert again.info is None


def test_a_history_that_has_grown_is_brought_in_anew_where_that_is_wanted(store: Store, tmp_path: Path) -> None:
    """Otherwise it is said that it has changed; a copy that lies elsewhere is the same history."""
    lines = [f'{{"_step": {step}, "_timestamp": 1.0, "loss": {step}}}\n' for step in range(20)]
    source = tmp_path / "history.jsonl"
    source.write_text("".join(lines[:10]))
    (first,) = import_runs(source, store)
    assert first.info is not None
    assert [entry.problems for entry in import_runs(source, store)] == [()]
    source.write_text("".join(lines))
    (told,) = import_runs(source, store)
    assert told.info is None
    assert "has changed since" in told.problems[0]
    (anew,) = import_runs(source, store, replace=True)
    assert (anew.points, anew.info is not None) == (20, True)
    assert len(Recorded(first.info.id, store).points("loss")) == 20


@pytest.mark.parametrize("where", ["mlruns", "tensorboard", "wandb", "predecessor/archive.jsonl"])
def test_histories_of_other_trackers_become_experiments(where: str, store: Store) -> None:
    """Each fixture of a real tracker comes in, can be summed up, and comes in once."""
    found = [entry for entry in import_runs(SOURCE / where, store) if entry.source]
    made = [entry for entry in found if entry.info is not None]
    assert made
    for entry in made:
        assert entry.info is not None
        recorded = Recorded(entry.info.id, store)
        assert recorded.count() == entry.events
        assert sum(each.count for each in recorded.series_summary()) == entry.points
        assert entry.info.recorded == entry.events + entry.points
        assert recorded.metrics().total_events == entry.events
    again = [entry.info for entry in import_runs(SOURCE / where, store)]
    assert set(again) == {None}
