"""Runs go with all that belongs to them, and nothing else does, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crucible.errors import StoreError
from crucible.pipeline import ContextDelta, RunInfo, StageRecord
from crucible.store import Happened, Store, event_row, open_store, tables
from crucible.trace import Event
from crucible.trace.stored.chain_row import row_of

START = datetime(2026, 1, 1, tzinfo=UTC)
TRACE_ROW = row_of(Event.new("decision", "d", "r"))
REF = {"path": "a", "sha256": "0" * 64, "size_bytes": 5, "media_type": "text/plain", "made_from": ["b"]}


@pytest.fixture
def moment() -> list[datetime]:
    """What the store's clock says."""
    return [START]


@pytest.fixture
def timed(url: str, moment: list[datetime]) -> Iterator[Store]:
    """A store with that clock."""
    with open_store(url, clock=lambda: moment[0]) as store:
        yield store


def record(store: Store, run_id: str, *, status: str = "completed", document: str = "d") -> None:
    """Keep a whole run: stage, file, telemetry, trace and report; an empty status leaves it running."""
    (store.workspace(run_id) / "a").write_text("hello")
    store.runs.run_started(RunInfo(run_id, "e", {"id": document}))
    event = event_row(run_id, "x", 1)
    happened = Happened([event], [(run_id, "loss", 1, 0.5, 0)], f"c-{run_id}", "n", [TRACE_ROW])
    store.runs.stage_finished(run_id, StageRecord(0, "s", "ok"), ContextDelta(artifacts={"a": REF}), happened)
    store.reports.save(run_id, "report", "csv", "text/csv", "x")
    if status:
        store.runs.run_finished(run_id, status, None)  # type: ignore[arg-type]


def rows(store: Store) -> dict[str, int]:
    """Return how many rows each table has."""
    with store.database.reading("count") as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables.metadata.tables.items()
        }


def test_a_deleted_run_leaves_nothing(store: Store) -> None:
    """No row and no file; another run keeps all of its own."""
    record(store, "a", document="shared")
    record(store, "b", document="shared")
    one = rows(store)
    store.runs.delete("b")
    assert rows(store) == {name: 1 if name == "experiments" else count // 2 for name, count in one.items()}
    assert not (store.artifacts_dir / "b").exists()
    assert (store.artifacts_dir / "a" / "a").read_text() == "hello"
    store.runs.delete("a")
    assert set(rows(store).values()) == {0}
    record(store, "a")  # the same id may be used again, through the same store
    assert store.telemetry.points("a", "loss") == [(1, 0.5)]


def test_a_living_run_is_not_deleted(store: Store) -> None:
    """The message says which process works on it; an unknown run is named."""
    record(store, "r", status="")
    with pytest.raises(StoreError, match=rf"r is still running \(process {os.getpid()} .*, so it is not deleted"):
        store.runs.delete("r")
    assert store.runs.run("r").status == "running"
    with pytest.raises(StoreError, match='no run "x"'):
        store.runs.delete("x")


def test_old_runs_go_and_the_latest_stay(timed: Store, moment: list[datetime]) -> None:
    """Age and number hold together; a dry run says the same and removes nothing; what goes on stays."""
    for day, name in enumerate("abcde"):
        moment[0] = START + timedelta(days=day)
        record(timed, name, status="" if name == "b" else "failed")
    moment[0] = START + timedelta(days=10)
    before = rows(timed)

    def names(**rule: object) -> str:
        found = timed.gc(**rule)  # type: ignore[arg-type]
        assert found.dry_run
        assert found.size_bytes == 5 * len(found.runs)
        return "".join(run.run_id for run in found.runs)

    assert names() == ""
    assert names(older_than=timedelta(days=6)) == "acd"
    assert names(keep_last=2) == "ac"
    assert names(older_than=timedelta(days=6), keep_last=3) == "a"
    assert names(keep_last=0) == "acde"
    assert rows(timed) == before
    done = timed.gc(older_than=timedelta(days=7), keep_last=2, dry_run=False)
    assert [(run.run_id, run.experiment_id, run.status, run.size_bytes) for run in done.runs] == [
        ("a", "e", "failed", 5),
        ("c", "e", "failed", 5),
    ]
    assert [run.run_id for run in timed.runs.list()] == ["e", "d", "b"]
    assert sorted(path.name for path in timed.artifacts_dir.iterdir()) == ["b", "d", "e"]


def test_what_belongs_to_no_run_goes(timed: Store, moment: list[datetime]) -> None:
    """Folders of runs that never started, and telemetry and traces without a run, once they are an hour old."""
    (timed.workspace("never") / "x").write_text("123")
    timed.workspace("gone").rmdir()
    (timed.artifacts_dir / "stranger").mkdir()
    early = int(START.timestamp()) * 10**9
    timed.telemetry.write_events([event_row("lost", "x", early)], [("serie", "l", 1, 1.0, early)])
    timed.telemetry.write_events([event_row("young", "x", early + 3 * 10**12)])
    timed.traces.save_rows("trace", "c", "n", [TRACE_ROW])
    record(timed, "kept")
    assert timed.gc(dry_run=False).folders == {}
    moment[0] += timedelta(hours=1, minutes=1)
    timed.workspace("fresh")
    found = timed.gc(dry_run=False)
    assert (found.runs, found.folders, found.size_bytes) == ((), {"never": 3}, 3)
    assert found.dangling == ("lost", "serie", "trace")
    assert sorted(path.name for path in timed.artifacts_dir.iterdir()) == ["fresh", "kept", "stranger"]
    assert timed.gc().dangling == ()
    assert timed.telemetry.event_counts("young") == {"x": 1}
    assert timed.telemetry.event_counts("kept") == {"x": 1}


def test_documents_that_no_run_uses_go(timed: Store) -> None:
    """They are counted, and gone with the last run that used them."""
    for name, document in (("a", "old"), ("b", "shared"), ("c", "shared")):
        record(timed, name, document=document)
    assert timed.gc(keep_last=1).experiments == 1
    timed.gc(keep_last=1, dry_run=False)
    assert rows(timed)["experiments"] == 1
    with timed.database.writing("pretend") as connection:
        connection.exec_driver_sql(
            "INSERT INTO experiments (sha256, experiment_id, document_json, first_seen_at) VALUES ('x', 'x', '{}', '')"
        )
    assert timed.gc(dry_run=False).experiments == 1
    assert rows(timed)["experiments"] == 1


def test_a_file_that_cannot_be_removed_is_an_error_and_found_again(
    timed: Store, moment: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is gone, its folder is left over, and the next collection takes it."""
    record(timed, "r")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        with pytest.raises(StoreError, match=r"artifacts/r: cannot remove the files of a run: Permission denied"):
            timed.runs.delete("r")
    assert timed.runs.list() == []
    moment[0] += timedelta(hours=2)
    assert timed.gc(dry_run=False).folders == {"r": 5}
    assert list(timed.artifacts_dir.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_deletion_that_was_killed_is_finished_by_the_next(url: str, opened: Callable[[], Store]) -> None:
    """Killed between rows and files: the store is readable, and only the folder is left."""
    record(opened(), "r")
    script = (
        "import os, shutil, signal, sys\n"
        "from crucible.store import open_store\n"
        "shutil.rmtree = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "open_store(sys.argv[1]).runs.delete('r')\n"
    )
    assert subprocess.run([sys.executable, "-c", script, url], check=False).returncode == -9
    store = opened()
    assert store.runs.list() == []
    assert (store.artifacts_dir / "r" / "a").exists()
    with open_store(url, clock=lambda: datetime.now(UTC) + timedelta(hours=2)) as later:
        assert later.gc(dry_run=False).folders == {"r": 5}


def test_folders_of_another_machine_are_left_to_it(
    postgres: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's store is used from several machines: who deletes a run elsewhere leaves its folder to be found."""
    url = postgres.database()  # type: ignore[attr-defined]
    later = datetime.now(UTC) + timedelta(hours=2)
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with open_store(url) as store:
        record(store, "r")
    monkeypatch.chdir(tmp_path / "there")
    with open_store(url, clock=lambda: later) as store:
        store.runs.delete("r")
        assert store.gc(dry_run=False).folders == {}
    monkeypatch.chdir(tmp_path / "here")
    with open_store(url, clock=lambda: later) as store:
        assert store.gc(dry_run=False).folders == {"r": 5}
