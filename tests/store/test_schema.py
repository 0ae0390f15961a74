"""One chain of migrations makes the tables, up and down, on both databases, however many processes open at once."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import crucible.store
from crucible.errors import StoreError
from crucible.store import Store, decode, encode, open_store
from crucible.store.schema import REVISIONS, VERSION_TABLE, downgrade, ensure_current, upgrade
from crucible.store.tables import metadata
from crucible.store.trace_index import INDEX_TABLES
from crucible.trace import Event
from crucible.trace.stored.chain_row import row_of
from crucible.trace.stored.trace_store import TraceStore


def tables_of(store: Store) -> set[str]:
    """Return the names of all tables."""
    with store.database.reading("look") as connection:
        return set(inspect(connection).get_table_names())


def test_known_versions_are_the_files_of_the_chain() -> None:
    """The cheap check at opening knows every migration, in order, and there is one chain only."""
    config = Config()
    config.set_main_option("script_location", str(Path(crucible.store.__file__).parent / "migrations"))
    chain = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(chain)) == REVISIONS


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether something is made by `tables` and not by the search index, which differs between databases."""
    return name not in INDEX_TABLES and (kind, name) not in {("column", "words"), ("index", "ix_trace_events_words")}


def test_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    """No column, index or constraint differs between the chain and `tables`, but for the search index."""
    options = {"compare_type": True, "version_table": VERSION_TABLE, "include_name": is_ours}
    with store.database.reading("look") as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_down_and_up_again(store: Store) -> None:
    """The chain can be taken back to nothing and run again."""
    with store.database.writing("go down") as connection:
        downgrade(connection)
    assert tables_of(store) == {VERSION_TABLE}
    with store.database.writing("go up") as connection:
        upgrade(connection)
    assert tables_of(store) - INDEX_TABLES == {VERSION_TABLE, *metadata.tables}
    assert store.runs.list() == []


def test_an_old_store_is_brought_up_to_date(url: str, opened: Callable[[], Store]) -> None:
    """Opening a store of an earlier version runs what is missing."""
    store = opened()
    with store.database.writing("go down") as connection:
        downgrade(connection)
    assert opened().runs.list() == []


def test_the_second_version_keeps_what_the_first_had(url: str, opened: Callable[[], Store]) -> None:
    """A run of version 1 is read, resumed and collected by version 2, and is still there after going back."""
    store = opened()
    with store.database.writing("go down") as connection:
        downgrade(connection, "0001")
        for statement in FIRST_VERSION:
            connection.exec_driver_sql(statement)
    assert "reports" not in tables_of(store)
    store = opened()
    old = store.runs.run("old")
    assert (old.status, old.lease_expires_at, old.workspace) == ("failed", None, "/runs/old")
    assert store.runs.artifacts("old")[0].made_from == ()
    assert store.runs.resume_state("old").deltas[0].metrics == {"n": 1}
    assert store.runs.claim_for_resume("old").attempt == 2
    store.reports.save("old", "report", "csv", "text/csv", "x")
    with store.database.reading("look") as connection:
        known = connection.exec_driver_sql("SELECT run_id, path, made_at FROM workspaces").all()
    assert [tuple(row) for row in known] == [("old", "/runs/old", "2026-01-01T00:00:00.000000+00:00")]
    with store.database.writing("go down") as connection:
        downgrade(connection, "0001")
        kept = connection.exec_driver_sql("SELECT run_id, attempt FROM runs").all()
    assert [tuple(row) for row in kept] == [("old", 2)]
    assert opened().runs.run("old").attempt == 2


THIRD_VERSION = (
    "INSERT INTO telemetry_events (id, run_id, name, timestamp_ns, measurements_json, metadata_json)"
    " VALUES (7, 'r', 'x', 5, '{\"n\": 1}', '{}')",
    "INSERT INTO telemetry_series (id, run_id, name) VALUES (3, 'r', 'loss')",
    "INSERT INTO telemetry_points (series_id, step, value, timestamp_ns) VALUES (3, 1, 0.5, 9)",
)


def test_the_fourth_version_keeps_the_telemetry_of_the_third(opened: Callable[[], Store]) -> None:
    """Events and points come as they were; going back, segments are rows again, the newest of each step."""
    store = opened()
    with store.database.writing("go down") as connection:
        downgrade(connection, "0003")
        for statement in THIRD_VERSION:
            connection.exec_driver_sql(statement)
    store = opened()
    (event,) = store.telemetry.events("r")
    assert (event.event_id, event.measurements, event.latency_ms) == ("0000000000000007", {"n": 1}, None)
    assert store.telemetry.points("r", "loss") == [(1, 0.5)]
    many = [("r", "loss", step, math.nan if step == 2 else float(step), step) for step in range(500)]
    store.telemetry.write_events([], many)
    store.telemetry.write_events([], [("r", "loss", 3, 30.0, 1)])
    with store.database.writing("go down") as connection:
        downgrade(connection, "0003")
        rows = connection.exec_driver_sql("SELECT step, value FROM telemetry_points ORDER BY step").all()
    assert [tuple(row) for row in rows[:4]] == [(0, 0.0), (1, 1.0), (2, None), (3, 30.0)]
    assert len(rows) == 500
    store = opened()
    found = store.telemetry.points("r", "loss")
    assert (len(found), found[3]) == (500, (3, 30.0))


SECOND_VERSION = (
    "INSERT INTO trace_chains VALUES ('r', 'c', 'run r', '2026-01-01T00:00:00.000000+00:00')",
    "INSERT INTO trace_chains VALUES ('s', 'c', 'run s', '2026-01-02T00:00:00.000000+00:00')",
    "INSERT INTO trace_events VALUES (7, 's', 'c', 'e', '{}')",
)


def test_the_third_version_keeps_the_traces_of_the_second(opened: Callable[[], Store]) -> None:
    """Events come as they were, NaN and unknown keys too; a second chain of the same id gets its own; all goes back."""
    event = Event.new(
        "decision",
        "“Élan”",
        "why",
        id="x",
        alternatives=["a", 'b "c"\n'],
        confidence=0.1,
        metadata={"loss": math.nan, "n": [1, {}]},
        parent_id="p",
        depends_on=["q"],
        stage_id="s",
    )
    written = [event.to_dict(), {**event.to_dict(), "id": "y", "confidence": None, "later": {"k": math.inf}}]
    store = opened()
    with store.database.writing("go down") as connection:
        downgrade(connection, "0002")
        for statement in SECOND_VERSION:
            connection.exec_driver_sql(statement)
        mark = "?" if store.database.is_sqlite else "%s"
        for number, document in ((9, written[0]), (4, written[1])):
            connection.exec_driver_sql(
                f"INSERT INTO trace_events VALUES ({number}, 'r', 'c', {mark}, {mark})",
                (document["id"], encode(document)),
            )
    store = opened()
    traces = TraceStore(store)
    infos = traces.list(archived=None)
    assert [(info.id, info.run_id, info.event_count) for info in infos] == [("c@s", "s", 1), ("c", "r", 2)]
    chain = traces.load("c")
    assert [as_text(found.to_dict()) for found in chain] == [as_text(one) for one in reversed(written)]
    assert chain[1].timestamp == event.timestamp
    assert infos[1].updated_at == event.timestamp.isoformat(timespec="microseconds")
    [empty] = traces.load("c@s")
    assert (empty.id, empty.decision, empty.timestamp.year) == ("e", "", 1970)
    assert [hit.event.id for hit in traces.search_all("élan")] == ["x", "y"]
    chain.add(Event.new("decision", "new", "new", id="z"))
    traces.save(chain)
    with store.database.writing("go down") as connection:
        downgrade(connection, "0002")
        query = "SELECT run_id, chain_id, event_id, document_json FROM trace_events ORDER BY id"
        rows = [tuple(row) for row in connection.exec_driver_sql(query)]
    assert [row[:3] for row in rows] == [("r", "c", "y"), ("s", "c@s", "e"), ("r", "c", "x"), ("r", "c", "z")]
    assert [as_text(decode(rows[place][3])) for place in (2, 0)] == [as_text(one) for one in written]
    assert len(TraceStore(opened()).load("c")) == 3


ODD_DOCUMENTS = {
    "confidence beyond a double": '{"type":"t","decision":"odd","confidence":1' + "0" * 400 + "}",
    "confidence between two doubles": '{"type":"t","decision":"odd","confidence":9007199254740993}',
    "confidence that is true": '{"type":"t","decision":"odd","confidence":true}',
    "before the year 1": '{"type":"t","decision":"odd","timestamp":"0001-01-01T00:00:00+14:00"}',
    "after the year 9999": '{"type":"t","decision":"odd","timestamp":"9999-12-31T23:59:59.999999-14:00"}',
    "no time": '{"type":"t","decision":"odd","timestamp":[1]}',
    "lists that are none": '{"type":"t","decision":"odd","alternatives":0,"depends_on":"","metadata":false}',
    "an infinity": '{"type":"t","decision":"odd","metadata":{"x":1e999}}',
}
NOT_SAVED = {"timestamp", "alternatives", "depends_on", "metadata"}  # an event has a time and lists, and saves those
DAMAGED_DOCUMENTS = {
    "broken": '{broken "“É"',
    "empty": "",
    "list": '[1, {"a": 2}]',
    "number": "1" + "0" * 5_000,
    "long number": '{"type": "t", "decision": 1' + "0" * 5_000 + "}",
    "deep": "[" * 100_000,
    "deep metadata": '{"metadata": {"a": ' + "[" * 900 + "]" * 900 + "}}",
}


@pytest.mark.parametrize("is_saved_anew", [False, True])
def test_damaged_documents_keep_no_store_from_migrating(opened: Callable[[], Store], is_saved_anew: bool) -> None:
    """Each is an event that can be read, beside the others, and goes back as it came, a damaged one to the letter."""
    store = opened()
    documents = {"sound": encode(Event.new("decision", "sound", "why", id="sound").to_dict())}
    documents |= ODD_DOCUMENTS | DAMAGED_DOCUMENTS
    insert = text("INSERT INTO trace_events VALUES (:id, 'r', 'c', :event, :document)")
    with store.database.writing("go down") as connection:
        downgrade(connection, "0002")
        connection.exec_driver_sql(SECOND_VERSION[0])
        for number, (event, document) in enumerate(documents.items(), start=1):
            connection.execute(insert, {"id": number, "event": event, "document": document})
    store = opened()
    chain = TraceStore(store).load("c")
    assert [event.id for event in chain] == list(documents)
    assert {event.id for event in chain if event.type == "damaged_document"} == set(DAMAGED_DOCUMENTS)
    assert {hit.event.id for hit in TraceStore(store).search_all("odd")} == set(ODD_DOCUMENTS)
    assert next(event for event in chain if event.id == "an infinity").metadata == {"x": math.inf}
    if is_saved_anew:
        chain.add(Event.new("decision", "new", "new", id="new"))
        TraceStore(store).save(chain)
    with store.database.writing("go down") as connection:
        downgrade(connection, "0002")
        rows = connection.exec_driver_sql("SELECT event_id, document_json FROM trace_events")
        back = {row[0]: row[1] for row in rows}
    assert list(back) == ([*documents, "new"] if is_saved_anew else list(documents))
    for event in (*DAMAGED_DOCUMENTS, "confidence beyond a double", "an infinity"):
        assert back[event] == documents[event]
    for event, document in ODD_DOCUMENTS.items():
        for name, value in json.loads(document).items():
            if not is_saved_anew or name not in NOT_SAVED:
                assert json.loads(back[event])[name] == value


def test_damaged_columns_and_far_times_go_back(opened: Callable[[], Store]) -> None:
    """Going back reads what it can, keeps the rest under the column's name, and writes every time that a zone has."""
    store = opened()
    store.traces.save_rows("r", "c", "n", [row_of(Event.new("decision", "d", "r", id=name)) for name in "abc"])
    damage = {
        "a": {"metadata_json": "{broken", "extra_json": "[1]", "timestamp_us": -62135596800_000_000 - 14 * HOUR_US},
        "b": {"depends_on_json": "5", "extra_json": "{", "timestamp_us": 253402300799_999_999 + 14 * HOUR_US},
        "c": {"timestamp_us": 2**62},
    }
    with store.database.writing("damage and go down") as connection:
        for event, columns in damage.items():
            changes = ", ".join(f"{name} = :{name}" for name in columns)
            change = text(f"UPDATE trace_events SET {changes} WHERE event_id = :event")
            connection.execute(change, {"event": event, **columns})
        downgrade(connection, "0002")
        rows = connection.exec_driver_sql("SELECT event_id, document_json FROM trace_events")
        back = {row[0]: json.loads(row[1]) for row in rows}
    assert (back["a"]["metadata"], back["a"]["metadata_json"], back["a"]["extra_json"]) == ({}, "{broken", "[1]")
    assert (back["b"]["depends_on"], back["b"]["depends_on_json"], back["b"]["extra_json"]) == ([], "5", "{")
    times = [datetime.fromisoformat(back[event]["timestamp"]) for event in "ab"]
    assert times[0] == datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert times[1] == datetime.max.replace(tzinfo=timezone(-timedelta(hours=14)))
    assert back["c"]["timestamp"].startswith("9999-12-31T23:59:59")
    assert [event.id for event in TraceStore(opened()).load("c")] == ["a", "b", "c"]


HOUR_US = 3_600_000_000


def as_text(value: object) -> str:
    """Return a value such that NaN equals NaN."""
    return json.dumps(value, sort_keys=True)


FIRST_VERSION = (
    "INSERT INTO experiments VALUES ('x', 'e', '{}', '2026-01-01T00:00:00.000000+00:00')",
    "INSERT INTO runs VALUES ('old', 'e', 'x', NULL, '/runs/old', '{}', 'failed', '2026-01-01T00:00:00.000000+00:00', "
    "NULL, NULL, 1, 1, 'host', '')",
    "INSERT INTO stage_records VALUES ('old', 0, 1, 's', 'ok', NULL, '', 0, NULL)",
    "INSERT INTO context_deltas VALUES ('old', 0, 1, '{\"n\":1}', '[]', '{}')",
    "INSERT INTO artifacts VALUES ('old', 0, 'a', 'a', 'x', 1, 'text/plain')",
)


def test_a_failed_migration_leaves_nothing(store: Store) -> None:
    """Tables are made in one transaction: what fails half-way is as if it had not begun."""
    with store.database.writing("go down") as connection:
        downgrade(connection)
        connection.exec_driver_sql("CREATE TABLE runs (x INTEGER)")
    with pytest.raises(StoreError, match=r"cannot make the tables: .*runs.* already exists"):
        ensure_current(store.database)
    assert tables_of(store) == {VERSION_TABLE, "runs"}


def test_a_newer_store_is_refused(store: Store, url: str) -> None:
    """Tables of a version that this Crucible does not know are not touched; the message says to upgrade."""
    with store.database.writing("pretend") as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"newer Crucible .*version 9999.*pip install --upgrade crucible-ml"):
        open_store(url)


@pytest.mark.slow
def test_processes_that_open_a_new_store_at_once_all_succeed(url: str, opened: Callable[[], Store]) -> None:
    """One of them makes the tables, the others wait; then all write, and nothing is lost."""
    script = (
        "import sys\n"
        "from crucible.pipeline import RunInfo\n"
        "from crucible.store import open_store\n"
        "import alembic.command\n"
        "print('ready', flush=True)\n"
        "input()\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    for number in range(20):\n"
        "        store.runs.run_started(RunInfo(f'{sys.argv[2]}-{number}', 'e', {'id': 'e'}))\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, said = child.communicate()
        assert (child.returncode, said) == (0, "")
    assert len(opened().runs.list()) == 80
