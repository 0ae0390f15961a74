"""Rows of traces are appended while a run goes on, in order, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from crucible.errors import StoreError
from crucible.pipeline import RunInfo
from crucible.store import Store, TraceRow
from crucible.trace import Event
from crucible.trace.stored.chain_row import row_of

RUN = RunInfo("r", "e", {"id": "e"})


def row(event_id: str, decision: str = "d", **fields: object) -> TraceRow:
    """Return an event as a row."""
    return row_of(Event.new("decision", decision, "why", id=event_id, **fields))  # type: ignore[arg-type]


def decisions(store: Store, chain_id: str = "c") -> list[tuple[str, str]]:
    """Return ids and decisions of a chain's events."""
    return [(found[0], found[3]) for found in store.traces.load_chain(chain_id)[1]]


def test_events_are_appended_in_order(store: Store, opened: Callable[[], Store]) -> None:
    """What was saved is read back by another connection, column by column, in the order in which it was saved."""
    first = [row("b", alternatives=["x"], code_section="f()", parent_id="p"), row("a", confidence=0.25)]
    store.traces.save_rows("r", "c", "run r", first)
    store.traces.save_rows("r", "c", "run r", [last := row("c", metadata={"n": 1})])
    [chain] = opened().traces.load("r")
    assert (chain.chain_id, chain.name, chain.run_id, chain.event_count) == ("c", "run r", "r", 3)
    assert opened().traces.load_chain("c")[1] == [*first, last]


def test_saving_an_event_again_replaces_it_in_place(store: Store) -> None:
    """A retried save makes no second copy, and the count stays right."""
    store.traces.save_rows("r", "c", "n", [row("a", "1"), row("b")])
    store.traces.save_rows("r", "c", "n", [row("a", "2"), row("z"), row("z", "3")])
    assert decisions(store) == [("a", "2"), ("b", "d"), ("z", "3")]
    assert store.traces.find("c").event_count == 3


def test_the_chain_follows_its_last_event(store: Store) -> None:
    """`updated_at` is the latest event's time, and never goes back."""
    late = Event.new("decision", "d", "r", id="a")
    store.traces.save_rows("r", "c", "n", [row_of(late)])
    store.traces.save_rows("r", "c", "n", [("b", 0, *row("b")[2:])])
    assert store.traces.find("c").updated_at >= late.timestamp.isoformat(timespec="microseconds")


def test_a_run_has_several_chains_and_no_other_runs(store: Store) -> None:
    """They come oldest first; the id of a chain is its own in the whole store."""
    for run_id, chain_id in (("r", "first"), ("r", "second"), ("other", "third")):
        store.traces.save_rows(run_id, chain_id, chain_id, [row("a")])
    assert [chain.chain_id for chain in store.traces.load("r")] == ["first", "second"]
    assert list(store.traces.load("unknown")) == []
    with pytest.raises(StoreError, match="the chain first is of run r; give it another id"):
        store.traces.save_rows("other", "first", "n", [row("b")])
    assert decisions(store, "first") == [("a", "d")]


def test_a_failed_transaction_leaves_neither_chain_nor_events(store: Store) -> None:
    """What was looked up in it is not believed later on."""
    with contextlib.suppress(StoreError), store.database.writer.transaction("try") as cursor:
        store.traces.put(cursor, "r", "c", "n", [row("a")])
        raise StoreError("in the middle")
    assert list(store.traces.load("r")) == []
    store.traces.save_rows("s", "other", "n", [row("x")])  # takes the number that the first would have had
    store.traces.save_rows("r", "c", "n", [row("a")])
    assert (decisions(store, "other"), decisions(store)) == ([("x", "d")], [("a", "d")])


def test_a_chain_that_somebody_deleted_begins_anew(store: Store, opened: Callable[[], Store]) -> None:
    """Its number may be another chain's by then, which gets nothing."""
    store.traces.save_rows("r", "c", "n", [row("a")])
    other = opened()
    other.traces.delete("c")
    other.traces.save_rows("s", "new", "n", [row("x")])
    store.traces.save_rows("r", "c", "n", [row("b")])
    assert (decisions(store), decisions(store, "new")) == ([("b", "d")], [("x", "d")])
    assert store.traces.find("c").event_count == 1


def test_a_killed_process_leaves_whole_transactions(url: str, opened: Callable[[], Store]) -> None:
    """What was committed before `kill -9` is there, what was not is not, and the count says so."""
    script = (
        "import os, signal, sys\n"
        "from crucible.store import open_store\n"
        "from crucible.trace import Event\n"
        "from crucible.trace.stored.chain_row import row_of\n"
        "store = open_store(sys.argv[1])\n"
        "rows = [row_of(Event.new('decision', 'd', 'r', id=str(place))) for place in range(6)]\n"
        "store.traces.save_rows('r', 'c', 'n', rows[:2])\n"
        "with store.database.writer.transaction('x') as cursor:\n"
        "    store.traces.put(cursor, 'r', 'c', 'n', rows[2:])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, url], capture_output=True, check=False)
    assert killed.returncode == -9
    store = opened()
    assert decisions(store) == [("0", "d"), ("1", "d")]
    assert store.traces.find("c").event_count == 2


def test_several_writers_lose_nothing(opened: Callable[[], Store]) -> None:
    """Threads with stores of their own add to one chain and to several; counts and events are all there."""
    stores = [opened() for _ in range(4)]

    def write(number: int) -> None:
        for place in range(25):
            stores[number].traces.save_rows("r", "shared", "n", [row(f"{number}-{place}")])
            stores[number].traces.save_rows("r", f"own {number}", "n", [row(f"{place}")])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chains = {chain.chain_id: chain.event_count for chain in stores[0].traces.load("r")}
    assert chains == {"shared": 100, **{f"own {number}": 25 for number in range(4)}}
    assert len(decisions(stores[0], "shared")) == 100


def test_a_chain_of_a_run_under_way_is_not_deleted(store: Store) -> None:
    """Once the run has ended, it can be."""
    store.runs.run_started(RUN)
    store.traces.save_rows("r", "c", "n", [row("a")])
    with pytest.raises(StoreError, match="its run r is still running"):
        store.traces.delete("c")
    store.runs.run_finished("r", "completed", None)
    assert store.traces.delete("c").event_count == 1
    assert list(store.traces.load("r")) == []
