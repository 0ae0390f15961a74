"""One odd or damaged event costs no other event and no other chain anything, on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from crucible.errors import SpecError, SpecErrors, StoreError
from crucible.store import Store
from crucible.trace import Chain, Event
from crucible.trace.integrity.verification import verify
from crucible.trace.queries import query
from crucible.trace.queries.condition import Condition
from crucible.trace.stored.chain_row import event_of, row_of
from crucible.trace.stored.trace_store import TraceStore

START = datetime(2026, 1, 1, 12, 30, 0, 123457, tzinfo=UTC)
EVERYWHERE = Condition.from_dict({"decision": {"contains": "d"}})


@pytest.fixture
def traces(store: Store) -> TraceStore:
    """The chains of an open store, with a good one in it."""
    traces = TraceStore(store)
    traces.save(chain_with(Event("g", START, "t", "d", "r"), name="good"))
    return traces


def chain_with(*events: Event, name: str = "odd") -> Chain:
    """Return a chain of events."""
    chain = Chain(name, id=name, created_at=START)
    chain.extend(events)
    return chain


def damage(store: Store, statement: str) -> None:
    """Change rows behind the store's back."""
    with store.database.writing("damage") as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "metadata",
    [
        {"$float": "NaN"},
        {"x": {"$float": "NaN"}},
        {"x": [{"$float": "=Infinity"}], "y": None},
        {"$float": "NaN", "half": "\ud800"},
        {"x": {"$float": "-Infinity"}, "half": "\ud800"},
    ],
)
def test_metadata_that_looks_like_our_mark(traces: TraceStore, metadata: dict[str, Any]) -> None:
    """A user's own `{"$float": "NaN"}` comes back, and is found as in memory."""
    chain = chain_with(Event("e", START, "t", "d", "r", metadata=metadata))
    chain.metadata = {"of the chain": metadata}
    traces.save(chain)
    assert traces.load("odd") == chain
    assert traces.load("odd").metadata == chain.metadata
    assert [found.event for found in traces.query(EVERYWHERE)] == [Event("g", START, "t", "d", "r"), chain[0]]
    for condition in ({"metadata.x": {"contains": "$float"}}, {"metadata.$float": {"contains": "N"}}):
        expected = [event.id for event in query(chain, condition)]
        assert [found.event.id for found in traces.query(condition, chain_id="odd")] == expected


def test_keys_of_later_versions_that_look_like_our_mark(traces: TraceStore) -> None:
    """Of a chain and of an event, alone and beside others."""
    event = {"id": "e", "timestamp": START.isoformat(), "type": "t", "$float": "NaN"}
    chain = Chain.from_dict({"id": "odd", "$float": "NaN", "events": [event]})
    traces.save(chain)
    assert traces.load("odd").to_dict() == chain.to_dict()


def test_entries_that_are_no_text_come_back(traces: TraceStore) -> None:
    """Numbers among the alternatives, None among the dependencies: as they were given, sealed or not."""
    odd: Any = [(0.1, 0.01), (None,), (True, "a"), (["a", 1],), (math.inf,)]
    events = [Event(f"e{place}", START, "t", "d", "r", words, depends_on=words) for place, words in enumerate(odd)]
    chain = chain_with(*events)
    chain.seal()
    traces.save(chain)
    assert traces.load("odd") == chain
    assert verify(traces.load("odd")).ok
    assert [found.event.id for found in traces.query(EVERYWHERE)] == ["g", "e0", "e1", "e2", "e3", "e4"]
    assert [hit.event.id for hit in traces.search_all('"0.01"')] == ["e0"]


def test_fields_that_are_no_text_come_back() -> None:
    """A number where a text belongs stays one; what JSON has no word for comes back as the nearest value."""
    odd: Any = [5, None, True, [1], "high"]
    for value in odd:
        event = Event("e", START, value, value, value, confidence=value, code_section=value, stage_id=value)
        assert event_of(row_of(event)) == event
    fraction: Any = Fraction(1, 4)
    event = event_of(row_of(Event("e", START, "t", fraction, "r", (fraction,), fraction, metadata={"a": fraction})))
    assert (event.decision, event.alternatives, event.confidence, event.metadata) == (0.25, (0.25,), 0.25, {"a": 0.25})


def test_lists_of_numbers_that_were_stored_before_are_read(traces: TraceStore, store: Store) -> None:
    """Once they were stored as they were; they are read, and no damage."""
    damage(store, "UPDATE trace_events SET alternatives_json = '[0.1, \"a\"]', depends_on_json = '[null]'")
    [event] = traces.load("good")
    assert (event.alternatives, event.depends_on) == ((0.1, "a"), (None,))
    assert len(event.validate()) == 3  # its type is unknown, too


@pytest.mark.parametrize(
    "change", ["metadata_json = '['", "extra_json = '7'", "alternatives_json = '[[1e999]]'", "extra_json = '{'"]
)
def test_damaged_event_costs_other_chains_nothing(traces: TraceStore, store: Store, change: str) -> None:
    """All other answers come, and a warning says what is missing; the chain itself, asked for, is an error."""
    traces.save(chain_with(*(Event(f"e{number}", START, "t", f"d {number}", "r") for number in range(3))))
    damage(store, f"UPDATE trace_events SET {change} WHERE event_id = 'e1'")
    expected = r"leaves out: 1; the first: chain odd, event e1 is damaged in the store"
    with pytest.warns(UserWarning, match=expected) as caught:
        assert [found.event.id for found in traces.query(EVERYWHERE)] == ["g", "e0", "e2"]
    assert caught[0].filename == __file__
    assert [found.event.id for found in traces.query(EVERYWHERE, chain_id="good")] == ["g"]
    assert [found.event.id for found in traces.query(EVERYWHERE, limit=2)] == ["g", "e0"]
    assert len(traces.load("good")) == 1
    with pytest.raises(StoreError, match="event e1 is damaged"):
        traces.query(EVERYWHERE, chain_id="odd")
    with pytest.raises(StoreError, match="the chain odd cannot be read: event e1 is damaged"):
        traces.load("odd")


def test_search_leaves_out_what_is_damaged(traces: TraceStore, store: Store) -> None:
    """Words of other events are found, with a warning; in the one chain asked for it is an error."""
    traces.save(chain_with(*(Event(f"e{number}", START, "t", "d", "r") for number in range(2))))
    damage(store, "UPDATE trace_events SET metadata_json = '[' WHERE event_id = 'e1'")
    with pytest.warns(UserWarning, match="leaves out: 1; the first: chain odd, event e1"):
        assert {hit.event.id for hit in traces.search_all("d")} == {"g", "e0"}
    with pytest.raises(StoreError, match="event e1 is damaged"):
        traces.search_all("d", chain_id="odd")


def test_query_takes_what_a_query_in_memory_takes(traces: TraceStore) -> None:
    """A plain mapping, with every problem named; a limit below 0 is refused as in `search`."""
    assert [found.event.id for found in traces.query({"id": "g"})] == ["g"]
    assert traces.query({"id": "g"}, limit=0) == []
    with pytest.raises(SpecErrors) as caught:
        traces.query({"confidnce": 1})
    assert [problem.path for problem in caught.value.errors] == ["confidnce"]
    with pytest.raises(SpecError, match="limit must be 0 or more, got -1"):
        traces.query({}, limit=-1)


CHANGES = {
    "event_id": "'other'",
    "timestamp_us": "timestamp_us + 1",
    "type": "'other'",
    "decision": "'other'",
    "reasoning": "'other'",
    "alternatives_json": "'[\"other\"]'",
    "confidence": "0.25",
    "code_section": "'other'",
    "spec_reference": "NULL",
    "metadata_json": "'{\"a\": 2}'",
    "parent_id": "NULL",
    "depends_on_json": "'[]'",
    "stage_id": "'other'",
    "experiment_id": "'other'",
    "extra_json": "'{\"later\": 1}'",
    "hash": "'0'",
}


def sealed() -> Chain:
    """Return a sealed chain of full events."""
    chain = Chain("sealed", id="sealed", created_at=START)
    for number in range(3):
        chain.add(
            Event.new(
                "decision_made",
                f"d {number}",
                "r \0 “é”",
                id=f"e{number}",
                timestamp=START + timedelta(seconds=number),
                alternatives=[0.1, "a"],
                confidence=0.5,
                code_section="c",
                spec_reference="s",
                metadata={"a": 1, "nan": math.nan, "mark": {"$float": "NaN"}},
                parent_id="e0" if number else None,
                depends_on=["e0"] if number else [],
                stage_id="s",
                experiment_id="x",
            )
        )
    chain.seal()
    return chain


def test_sealed_chain_verifies_after_loading(traces: TraceStore) -> None:
    """Every field full, with what columns hold only nearly; also after it grew, and once it is archived."""
    chain = sealed()
    traces.save(chain)
    assert verify(traces.load("sealed")).ok
    chain.add(Event("more", START, "t", "d", "r"))
    traces.save(chain)
    traces.archive("sealed")
    found = verify(traces.load("sealed"))
    assert (found.ok, found.event_count, found.head) == (True, 4, verify(chain).head)


@pytest.mark.parametrize("column", CHANGES)
def test_column_changed_by_sql_is_named(traces: TraceStore, store: Store, column: str) -> None:
    """Whoever changes a stored event with SQL is found out, with the event."""
    traces.save(sealed())
    damage(store, f"UPDATE trace_events SET {column} = {CHANGES[column]} WHERE event_id = 'e1'")
    first = verify(traces.load("sealed")).first
    assert first is not None
    assert (first.place, first.event_id) == (1, "other" if column == "event_id" else "e1")
