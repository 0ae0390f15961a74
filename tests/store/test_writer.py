"""The kept connection: whole transactions, one at a time, and never stuck with a broken connection."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StoreError
from crucible.pipeline import ContextDelta, RunInfo, StageRecord
from crucible.store import Store, open_store
from crucible.store import writer as room


def count(store: Store, table: str = "telemetry_series") -> int:
    """Return how many rows a table has."""
    with store.database.reading("count") as connection:
        return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0


def add(store: Store, name: str) -> None:
    """Write a row."""
    with store.database.writer.transaction("add") as cursor:
        cursor.execute(store.database.text("INSERT INTO telemetry_series (run_id, name) VALUES (?, ?)"), ("r", name))


def test_what_raises_in_the_block_undoes_it(store: Store) -> None:
    """Nothing is left behind, the error arrives as it is, and the next transaction works."""
    with pytest.raises(ZeroDivisionError), store.database.writer.transaction("try") as cursor:
        assert cursor.execute("INSERT INTO telemetry_series (run_id, name) VALUES ('r', 'x')").rowcount / 0
    assert count(store) == 0
    add(store, "y")
    assert count(store) == 1


def test_what_the_database_complains_of_is_our_error(store: Store) -> None:
    """It names the database and what was tried, whichever driver it came from."""
    add(store, "x")
    with pytest.raises(StoreError, match=r"cannot add: .*(UNIQUE|unique)"):
        add(store, "x")
    with pytest.raises(StoreError, match="cannot try"), store.database.writer.transaction("try") as cursor:
        cursor.execute("SELECT nonsense")
    add(store, "y")
    assert count(store) == 2


def test_it_is_not_synced_and_checkpoints_seldom(tmp_path: Path) -> None:
    """On SQLite, a commit costs no fsync, and the log is copied into the file every 16 MB."""
    with open_store(tmp_path) as store, store.database.writer.transaction("look") as cursor:
        assert cursor.execute("PRAGMA synchronous").fetchone() == (1,)
        assert cursor.execute("PRAGMA wal_autocheckpoint").fetchone() == (4000,)
        assert cursor.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_threads_take_turns(store: Store) -> None:
    """Nothing is lost or mixed up."""

    def work(name: int) -> None:
        for number in range(50):
            add(store, f"{name}-{number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store) == 200


def test_a_closed_store_may_be_used_again(store: Store) -> None:
    """Closing lets go of the connection; the next write opens another."""
    add(store, "x")
    store.close()
    store.close()
    add(store, "y")
    assert count(store) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_leaves_the_connection_of_its_parent_alone(store: Store) -> None:
    """Both go on with the same store."""
    add(store, "before")
    fork_and_add(store)
    add(store, "after")
    assert count(store) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_in_the_middle_of_a_transaction_does_not_wait_for_it(postgres: Any) -> None:
    """The thread that would end it does not exist in the child. (SQLite itself holds such a child up.)"""
    with open_store(postgres.database()) as store:
        writing, forked = threading.Event(), threading.Event()

        def hold() -> None:
            with store.database.writer.transaction("hold") as cursor:
                cursor.execute("INSERT INTO telemetry_series (run_id, name) VALUES ('r', 'held')")
                writing.set()
                forked.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        assert writing.wait(30)
        fork_and_add(store)
        forked.set()
        holder.join()
        assert count(store) == 2


def fork_and_add(store: Store) -> None:
    """Write a row in a forked child and wait for it."""
    child = os.fork()
    if child == 0:
        try:
            add(store, "child")
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def _end_backend(store: Store) -> None:
    """End the server's side of the kept connection."""
    with store.database.writer.transaction("look") as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    with store.database.writing("end") as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")


def test_a_connection_that_a_server_ended_is_opened_again(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lay idle is tried first; one that breaks at work costs that write, which says so, and no other."""
    with open_store(postgres.database()) as store:
        add(store, "x")
        _end_backend(store)
        with pytest.raises(StoreError, match="cannot add: "):
            add(store, "lost")
        add(store, "y")
        monkeypatch.setattr(room, "_TRUSTED_S", 0.0)
        add(store, "z")
        _end_backend(store)
        add(store, "idle")
        assert count(store) == 4


def test_everything_of_a_stage_is_read_back(store: Store) -> None:
    """Rows are written by place and read by name: every field of a record and a delta arrives where it belongs."""
    store.runs.run_started(RunInfo("r", "e", {}))
    record = StageRecord(3, "train", "ok", "because", 2, "2026-01-01T00:00:00+00:00", 17, None, {"m": 1.5})
    file = {"path": "p", "sha256": "a" * 64, "size_bytes": 2**40, "media_type": "text/x", "made_from": ["b"]}
    delta = ContextDelta({"m": 1.5}, [{"o": [None]}], {"a": file}, {"g": {"h": "ü"}})
    store.runs.stage_finished("r", record, delta)
    assert store.runs.stages("r") == [record]
    assert store.runs.resume_state("r").deltas == {3: delta}
