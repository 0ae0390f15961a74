"""Transactions: whole or not at all, synced where it matters, safe between threads, processes and forks."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url

import crucible.store.engine as room
from crucible.errors import MissingExtra, StoreError
from crucible.pipeline import RunInfo
from crucible.store import Store, open_store


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Store]:
    """An open SQLite store."""
    with open_store(tmp_path / "store") as store:
        yield store


def pragma(connection: Connection, name: str) -> object:
    """Return the value of a pragma."""
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_is_set_up_for_two_processes(lite: Store) -> None:
    """Write-ahead log, foreign keys, and a minute of patience."""
    with lite.database.reading("look") as connection:
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "foreign_keys") == 1
        assert pragma(connection, "busy_timeout") == 60_000


def test_state_is_synced_and_telemetry_need_not_be(lite: Store) -> None:
    """A state change is committed with synchronous=FULL (2), the rest with NORMAL (1), on whatever connection."""
    for synced, level in ((True, 2), (False, 1), (True, 2)):
        with lite.database.writing("look", synced=synced) as connection:
            assert pragma(connection, "synchronous") == level


def test_an_error_in_the_block_undoes_it(store: Store) -> None:
    """What raises, whoever raises it, leaves nothing behind, and the error arrives as it is."""
    with pytest.raises(ZeroDivisionError), store.database.writing("try") as connection:
        assert connection.exec_driver_sql("DELETE FROM crucible_version").rowcount / 0
    with store.database.reading("look") as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM crucible_version").scalar() == 1


def test_a_reader_sees_one_moment(lite: Store) -> None:
    """What is written while somebody reads is not seen half-way."""
    with lite.database.reading("look") as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM runs").scalar()
        lite.runs.run_started(RunInfo("r", "e", {}))
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar() == before


def test_threads_write_at_once(store: Store) -> None:
    """Many threads on one store lose nothing and meet no lock."""

    def work(name: int) -> None:
        for number in range(10):
            store.runs.run_started(RunInfo(f"{name}-{number}", "e", {"id": "e"}))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.runs.list()) == 80


def test_a_lock_that_is_never_released_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lite: Store
) -> None:
    """The message names the file and what to do."""
    monkeypatch.setattr(room, "BUSY_TIMEOUT_S", 0.05)
    holder = sqlite3.connect(tmp_path / "store" / "crucible.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with (
            open_store(tmp_path / "store") as impatient,
            pytest.raises(StoreError, match=r"crucible\.db: cannot save .* locked; another process has held it"),
        ):
            impatient.runs.run_started(RunInfo("r", "e", {}))
    finally:
        holder.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_its_own_connections(store: Store) -> None:
    """Parent and child go on with the same store, and both rows are there."""
    store.runs.run_started(RunInfo("parent", "e", {}))
    child = os.fork()
    if child == 0:
        try:
            store.runs.run_started(RunInfo("child", "e", {}))
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    store.runs.run_finished("parent", "completed", None)
    assert {run.run_id for run in store.runs.list()} == {"parent", "child"}


def test_postgres_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the message holds the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"a store on PostgreSQL.*crucible-ml\[postgres\]"):
        room.postgres_engine(make_url("postgresql://localhost/x"))


def test_a_url_keeps_its_own_timeout() -> None:
    """Ten seconds to connect, unless the URL says otherwise."""
    pytest.importorskip("psycopg")
    assert room.postgres_engine(make_url("postgresql://h/d")).url.query == {"connect_timeout": "10"}
    assert room.postgres_engine(make_url("postgres://h/d?connect_timeout=3")).url.query == {"connect_timeout": "3"}
