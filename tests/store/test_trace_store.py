"""Chains in the store: as they were saved, listed, put aside, deleted and queried, on SQLite and PostgreSQL."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.errors import SpecError, StoreError
from crucible.pipeline import RunInfo
from crucible.store import Store
from crucible.trace import Chain, Event
from crucible.trace.integrity.verification import verify
from crucible.trace.queries.condition import Condition
from crucible.trace.stored.chain_row import event_of, row_of
from crucible.trace.stored.found import ChainFilter
from crucible.trace.stored.trace_store import TraceStore

START = datetime(2026, 1, 1, 12, 30, 0, 123457, tzinfo=UTC)
HOSTILE = "“Élan” '; DROP TABLE trace_events; -- \x1b[31m \0 \ud800 \u202e 🎉"


def event(number: int = 0, **fields: Any) -> Event:
    """Return an event with distinct text."""
    fields = {"id": f"e{number}", "timestamp": START + timedelta(microseconds=number), **fields}
    return Event.new(fields.pop("type", "decision"), f"use rank {number}", "it is cheap", **fields)


def chain_of(count: int = 3, name: str = "c", **fields: Any) -> Chain:
    """Return a chain of events."""
    chain = Chain(name, **{"id": name, "created_at": START, **fields})
    chain.extend(event(number) for number in range(count))
    return chain


@pytest.fixture
def traces(store: Store) -> TraceStore:
    """The chains of an open store."""
    return TraceStore(store)


def test_a_chain_comes_back_as_it_was(traces: TraceStore, opened: Callable[[], Store]) -> None:
    """Description, metadata, times, unknown keys of chain and events, unknown types: another opening reads all."""
    first = {
        **event().to_dict(),
        "type": "of_tomorrow",
        "alternatives": ["a", 'b "c"\n\\u0041'],
        "later": {"deep": [1, None]},
        "metadata": {"n": 2**53, "list": [1.5, None, {"x": []}], "text": "\\ud800 as written"},
    }
    document = chain_of(0, description="d", metadata={"k": [1]}).to_dict() | {"of_tomorrow": [1, {"a": None}]}
    chain = Chain.from_dict({**document, "events": [first, event(1, confidence=0.1).to_dict()]})
    info = traces.save(chain)
    again = TraceStore(opened()).load(chain.id)
    assert again == chain
    assert again.to_dict() == chain.to_dict()
    assert (info.id, info.name, info.description, info.event_count, info.run_id) == ("c", "c", "d", 2, None)


def test_what_a_database_cannot_hold_comes_back_too(traces: TraceStore) -> None:
    """NUL, half surrogate pairs, NaN and infinities, in every text and in the metadata."""
    chain = Chain(HOSTILE, id=HOSTILE, description=HOSTILE, metadata={HOSTILE: HOSTILE})
    chain.add(
        Event(
            HOSTILE,
            START,
            HOSTILE,
            HOSTILE,
            HOSTILE,
            alternatives=(HOSTILE, ""),
            confidence=math.inf,
            code_section="",
            spec_reference=HOSTILE,
            metadata={"text": HOSTILE, "nan": math.nan},
            parent_id=HOSTILE,
            depends_on=(HOSTILE,),
            stage_id=HOSTILE,
            experiment_id=HOSTILE,
        )
    )
    traces.save(chain)
    again = traces.load(chain.id)
    assert math.isnan(again[0].metadata.pop("nan"))
    chain[0].metadata.pop("nan")
    assert again == chain
    assert [hit.event.id for hit in traces.search_all("ÉLAN drop -lost")] == [HOSTILE]
    assert traces.delete(chain.id).event_count == 1


TEXTS = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(
    texts=st.tuples(*[TEXTS] * 4),
    maybe=st.tuples(*[st.none() | TEXTS] * 5),
    lists=st.tuples(*[st.lists(TEXTS, max_size=3).map(tuple)] * 2),
    confidence=st.none() | st.floats(allow_nan=False),
    metadata=st.dictionaries(TEXTS, VALUES, max_size=3),
    moment=st.datetimes(timezones=st.just(UTC)),
)
def test_rows_lose_nothing(
    texts: tuple[str, ...],
    maybe: tuple[str | None, ...],
    lists: tuple[tuple[str, ...], ...],
    confidence: float | None,
    metadata: dict[str, Any],
    moment: datetime,
) -> None:
    """Any event becomes a row and the same event again; its texts are storable."""
    identity, kind, decision, reasoning = texts
    code, spec, parent, stage, experiment = maybe
    made = Event(
        *(identity, moment, kind, decision, reasoning, lists[0], confidence, code, spec, metadata),
        *(parent, lists[1], stage, experiment),
    )
    row = row_of(made)
    assert event_of(row) == made
    for value in row:
        if isinstance(value, str):
            assert "\0" not in value.encode().decode()


def test_saving_again_writes_only_what_is_new(traces: TraceStore, store: Store) -> None:
    """A stored beginning stays as it lies, also under another name; from the first difference on all is replaced."""
    chain = chain_of(3)
    traces.save(chain)

    def numbers() -> list[tuple[int, str]]:
        with store.database.reading("look") as connection:
            query = "SELECT id, event_id FROM trace_events ORDER BY id"
            return [(row[0], row[1]) for row in connection.exec_driver_sql(query)]

    before = numbers()
    chain.add(event(3))
    chain.name = "renamed"
    traces.save(chain)
    assert numbers()[:3] == before
    assert traces.load("c") == chain
    changed = Chain("changed", id="c", created_at=START)
    changed.extend([event(0), event(1, confidence=0.5), event(9)])
    traces.save(changed)
    assert [name for _, name in numbers()] == ["e0", "e1", "e9"]
    assert numbers()[0] == before[0]
    assert traces.load("c") == changed
    traces.save(chain_of(1))
    assert [found.id for found in traces.load("c")] == ["e0"]
    assert [info.event_count for info in traces.list()] == [1]


def test_repeated_ids_are_refused(traces: TraceStore) -> None:
    """A loaded chain may hold them; the error says which, and nothing is written."""
    chain = Chain.from_dict({"id": "c", "events": [event(0).to_dict(), event(1).to_dict(), event(0).to_dict()]})
    with pytest.raises(SpecError, match=r"the events 0 and 2 have the same id 'e0'") as caught:
        traces.save(chain)
    assert (caught.value.code, caught.value.path) == ("duplicate_id", "events[2].id")
    assert traces.list() == []


def test_a_save_that_fails_leaves_the_old_chain(traces: TraceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it or nothing, also when it breaks in the middle of the events."""
    traces.save(chain_of(3))

    def broken(chain: Chain) -> Any:
        yield row_of(chain[0])
        raise StoreError("in the middle")

    monkeypatch.setattr("crucible.trace.stored.trace_store.rows_of", broken)
    with pytest.raises(StoreError, match="in the middle"):
        traces.save(chain_of(5, description="new"))
    monkeypatch.undo()
    assert traces.load("c") == chain_of(3)
    assert [info.event_count for info in traces.list()] == [3]


def test_a_sealed_chain_stays_sealed(traces: TraceStore) -> None:
    """Its ledger comes back and verifies; of a chain that was altered after sealing, the fault is still found."""
    chain = chain_of(4)
    chain.seal()
    traces.save(chain)
    assert not verify(traces.load("c")).findings
    chain.add(event(4))
    traces.save(chain)
    again = traces.load("c")
    assert again.ledger is not None
    assert (len(again.ledger), verify(again).findings) == (5, ())
    data = chain.to_dict()
    del data["events"][1]
    altered = Chain.from_dict(data)
    traces.save(altered)
    assert verify(traces.load("c")).findings == verify(altered).findings != ()


def test_chains_of_runs(traces: TraceStore, store: Store) -> None:
    """A chain is saved for a run that there is, stays its chain, goes with it, and is no other run's."""
    for run_id in ("r", "s"):
        store.runs.run_started(RunInfo(run_id, "e", {"id": "e"}))
        store.runs.run_finished(run_id, "completed", None)
    traces.save(chain_of(1, "of none"))
    traces.save(chain_of(1), run_id="r")
    traces.save(chain_of(2))
    assert [(info.id, info.event_count) for info in traces.list(run_id="r")] == [("c", 2)]
    with pytest.raises(StoreError, match="is of run r, so it cannot be saved as one of run s"):
        traces.save(chain_of(1), run_id="s")
    with pytest.raises(StoreError, match='there is no run "x"'):
        traces.save(chain_of(1, "other"), run_id="x")
    store.runs.delete("r")
    assert [info.id for info in traces.list(archived=None)] == ["of none"]
    assert store.gc().dangling == ()  # a chain of no run is nobody's leftover


def test_finding_a_chain(traces: TraceStore) -> None:
    """By its id or a unique beginning; what is not there gets a hint."""
    for name in ("abc1", "abc2", "a%c_", "xyz"):
        traces.save(chain_of(1, name))
    assert traces.load("x").id == "xyz"
    assert traces.load("a%").id == "a%c_"
    with pytest.raises(StoreError, match=r'several chains begin with "abc": abc2 \(abc2\), abc1 \(abc1\)'):
        traces.load("abc")
    with pytest.raises(StoreError, match=r'there is no chain "abx1" in .*did you mean "abc1"\?'):
        traces.load("abx1")
    for call in (traces.load, traces.archive, traces.restore, traces.delete):
        with pytest.raises(StoreError, match='there is no chain ""'):
            call("")


def test_listing_and_filtering(traces: TraceStore, store: Store) -> None:
    """The latest first; every filter of the language; a damaged chain hides no other."""
    for number, name in enumerate(("Alpha ÉLAN", "beta", "gamma")):
        chain = Chain(name, id=name[0], created_at=START + timedelta(days=number))
        chain.extend(
            event(place, type=("decision", "training_started", "mystery")[number]) for place in range(number + 1)
        )
        chain.extend([event(9, experiment_id=f"x{number}")])
        traces.save(chain)
    traces.archive("b")

    def found(**wanted: Any) -> str:
        return "".join(info.id for info in traces.search(ChainFilter(**wanted)))

    assert [info.id for info in traces.list()] == ["g", "A"]
    assert [info.id for info in traces.list(archived=True)] == ["b"]
    assert [info.id for info in traces.list(archived=None, limit=2)] == ["g", "b"]
    assert found(name_contains="élan") == "A"
    assert found(archived=None, created_after=START + timedelta(days=1)) == "gb"
    assert found(archived=None, created_before=START + timedelta(days=1)) == "bA"
    assert found(archived=None, min_events=3) == "gb"
    assert found(archived=None, max_events=3) == "bA"
    assert found(experiment_id="x2") == "g"
    assert found(type="mystery") == "g"
    assert found(archived=None, type="training_started") == "b"
    assert found(run_id="nobody") == ""
    with store.database.writing("damage") as connection:
        connection.exec_driver_sql("UPDATE trace_chains SET metadata_json = '{\"a\": ' WHERE chain_id = 'A'")
        connection.exec_driver_sql("UPDATE trace_events SET metadata_json = '[' WHERE event_id = 'e0'")
    assert [info.id for info in traces.list()] == ["g", "A"]
    for damaged in ("A", "g"):
        with pytest.raises(StoreError, match=f"the chain {damaged} .*damaged"):
            traces.load(damaged)


def test_archive_and_restore(traces: TraceStore) -> None:
    """An archived chain is left out of listings and searches, loads as ever, and comes back."""
    ago = datetime(2001, 1, 1, tzinfo=UTC)
    old, new = Chain("old", id="old", created_at=ago), Chain("new", id="new")
    old.add(event(1, timestamp=ago))
    new.add(Event.new("decision", "use rank 5", "new"))
    traces.save(old)
    traces.save(new)
    assert traces.archive(older_than=timedelta(days=40_000)) == []
    assert traces.archive(older_than=timedelta(days=365)) == ["old"]
    assert traces.archive("ol") == ["old"]
    assert [hit.chain_id for hit in traces.search_all("rank")] == ["new"]
    assert [hit.chain_id for hit in traces.search_all("rank", archived=True)] == ["old"]
    assert {hit.chain_id for hit in traces.search_all("rank", archived=None)} == {"old", "new"}
    assert [hit.chain_id for hit in traces.search_all("rank", chain_id="old")] == ["old"]
    assert traces.load("old") == old
    assert traces.restore("old").archived_at is None
    assert len(traces.search_all("rank")) == 2
    with pytest.raises(SpecError, match="either the chain to archive or `older_than`"):
        traces.archive()
    with pytest.raises(SpecError, match="either the chain to archive or `older_than`"):
        traces.archive("old", older_than=timedelta(1))


CONDITIONS: list[dict[str, Any]] = [
    {},
    {"type": "decision"},
    {"confidence": {"gte": 0.5}},
    {"or": [{"stage_id": "s1"}, {"not": {"confidence": None}}]},
    {"metadata.n": {"gt": 2}},
    {"decision": {"contains": "rank 1"}},
    {"decision": "\0"},
]


@pytest.mark.parametrize("data", CONDITIONS)
def test_a_query_means_the_same_in_memory_and_in_the_store(traces: TraceStore, data: dict[str, Any]) -> None:
    """Also of events that a column holds only nearly."""
    chain = Chain("c", id="c")
    for number in range(8):
        kind = ("decision", "mystery")[number % 2]
        chain.add(
            event(number, type=kind, confidence=number / 8 or None, stage_id=f"s{number % 3}", metadata={"n": number})
        )
    chain.add(Event("nul", START, "t", "\0", "\ud800"))
    traces.save(chain)
    traces.save(chain_of(2, "other"))
    condition = Condition.from_dict(data)
    wanted = [found.id for found in chain if condition.matches(found)]
    assert [found.event.id for found in traces.query(condition, chain_id="c")] == wanted
    assert [found.event.id for found in traces.query(condition, chain_id="c", limit=2)] == wanted[:2]
    everywhere = [found.id for found in chain_of(2, "other") if condition.matches(found)]
    assert [(found.chain_id, found.event.id) for found in traces.query(condition)] == [
        *(("c", one) for one in wanted),
        *(("other", one) for one in everywhere),
    ]


def test_saving_from_several_threads(opened: Callable[[], Store]) -> None:
    """The last whole chain wins; no mixture is ever there."""
    stores = [opened() for _ in range(3)]

    def save(number: int) -> None:
        for _ in range(5):
            chain = Chain(f"by {number}", id="c", created_at=START)
            chain.extend(Event.new("decision", f"{number}", "r", id=f"{number}-{place}") for place in range(20))
            TraceStore(stores[number]).save(chain)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = TraceStore(stores[0]).load("c")
    assert {f"by {one.decision}" for one in found} == {found.name}
    assert len(found) == 20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(counts=st.lists(st.integers(0, 6), min_size=1, max_size=4), seed=st.integers(0, 3))
def test_whatever_was_saved_before_the_last_save_is_what_is_there(
    traces: TraceStore, counts: list[int], seed: int
) -> None:
    """Longer, shorter, other events: the store has exactly the chain that was saved last."""
    for step, count in enumerate(counts):
        chain = Chain("c", id="c", created_at=START)
        chain.extend(event(number, confidence=0.5 if number == seed and step % 2 else None) for number in range(count))
        traces.save(chain)
        assert traces.load("c") == chain
        assert traces.list(archived=None)[0].event_count == count
