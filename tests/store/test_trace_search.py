"""Full-text search finds what it should on both databases, whatever was added, replaced and deleted before."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from crucible.errors import SpecError, StoreError
from crucible.store import Store
from crucible.store.trace_search import texts_of
from crucible.trace import Chain, Event
from crucible.trace.stored.chain_row import row_of
from crucible.trace.stored.found import ChainFilter
from crucible.trace.stored.trace_store import TraceStore

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def traces(store: Store) -> TraceStore:
    """The chains of an open store."""
    return TraceStore(store)


def chain_of(*decisions: str, name: str = "c") -> Chain:
    """Return a chain of events with these decisions and no other words."""
    chain = Chain(name, id=name, created_at=START)
    for place, decision in enumerate(decisions):
        moment = START + timedelta(seconds=place)
        chain.add(Event(f"{name}{place}", moment, "decision", decision, ""))
    return chain


def found(traces: TraceStore, text: str, limit: int = 1_000) -> set[str]:
    """Return the ids of the events that a search finds."""
    return {hit.event.id for hit in traces.search_all(text, limit=limit)}


def test_every_text_is_searched_and_marked(traces: TraceStore) -> None:
    """Words may stand in different texts; each place is given in characters of the event's own text."""
    event = Event.new(
        "decision",
        "Use “LoRA”, rank 16",
        "Élan: it is cheap",
        alternatives=["full fine-tuning\nof all", "LoRA rank 4"],
        code_section="rank = 16  # lora",
        spec_reference="spec/lora.md",
    )
    chain = Chain("why rank", id="c")
    chain.add(event)
    traces.save(chain)
    [hit] = traces.search_all('rank lora ÉLAN "Fine tuning"')
    texts = {"decision": event.decision, "reasoning": event.reasoning, "code_section": event.code_section or ""}
    texts |= {"spec_reference": "spec/lora.md", "alternatives[0]": event.alternatives[0]}
    texts["alternatives[1]"] = event.alternatives[1]
    marked = {name: [texts[name][begin:end] for begin, end in spans] for name, spans in hit.highlights.items()}
    assert marked == {
        "decision": ["LoRA", "rank"],
        "reasoning": ["Élan"],
        "alternatives[0]": ["fine-tuning"],
        "alternatives[1]": ["LoRA", "rank"],
        "code_section": ["rank", "lora"],
        "spec_reference": ["lora"],
    }
    assert (hit.chain_id, hit.chain_name, hit.run_id, hit.event) == ("c", "why rank", None, event)
    assert hit.snippet == "Use “LoRA”, rank 16"
    assert [hit.snippet[begin:end] for begin, end in hit.snippet_highlights] == ["LoRA", "rank"]


def test_a_snippet_is_cut_out_of_a_long_text(traces: TraceStore) -> None:
    """One printable line around the first mark, whose places are those in the snippet."""
    traces.save(chain_of("word " * 50 + "\n\x1b[1m needle " + "word " * 50))
    [hit] = traces.search_all("needle")
    assert hit.snippet.startswith("…word")
    assert hit.snippet.endswith("word…")
    assert hit.snippet.isprintable()
    assert len(hit.snippet) < 170
    assert [hit.snippet[begin:end] for begin, end in hit.snippet_highlights] == [
        "needle"
    ] or "needle" not in hit.snippet


def test_the_best_come_first(traces: TraceStore) -> None:
    """More of the words in less text is better; of equal ones the later; scores fall."""
    traces.save(chain_of("rank", "rank " + "x " * 60, "rank", "rank rank rank", "nothing"))
    hits = traces.search_all("rank")
    assert [hit.event.id for hit in hits] == ["c3", "c2", "c0", "c1"]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.event.id for hit in traces.search_all("rank", limit=2)] == ["c3", "c2"]
    assert traces.search_all("rank", limit=0) == []
    with pytest.raises(SpecError, match="limit must be from 0 to 1000, got -1"):
        traces.search_all("rank", limit=-1)


def test_filters(traces: TraceStore, store: Store) -> None:
    """By type or alias, chain, run and experiment."""
    chain = Chain("c", id="c")
    chain.add(Event.new("decision", "rank", "r", id="a", experiment_id="x"))
    chain.add(Event.new("training_started", "rank", "r", id="b"))
    traces.save(chain)
    store.traces.save_rows("r", "of run", "n", [row_of(Event.new("mystery", "rank", "r", id="d"))])
    assert {hit.event.id for hit in traces.search_all("rank", type="training_started")} == {"b"}
    assert {hit.event.id for hit in traces.search_all("rank", type="mystery")} == {"d"}
    assert {hit.event.id for hit in traces.search_all("rank", chain_id="c")} == {"a", "b"}
    assert {hit.event.id for hit in traces.search_all("rank", run_id="r")} == {"d"}
    assert {hit.event.id for hit in traces.search_all("rank", experiment_id="x")} == {"a"}


@pytest.mark.parametrize("damage", ["{bad", "[1]", "5", "null", '{"a": 1}', '["rank", 1, null]', "[" * 5_000])
def test_damaged_alternatives_end_no_search(
    traces: TraceStore, store: Store, damage: str, recwarn: pytest.WarningsRecorder
) -> None:
    """They count as no text; what other events say is found, and so is a text of this one where its row is sound."""
    traces.save(chain_of("rank", "rank"))
    try:
        with store.database.writing("damage") as connection:
            change = sql("UPDATE trace_events SET alternatives_json = :damage WHERE event_id = 'c0'")
            connection.execute(change, {"damage": damage})
    except StoreError:
        assert not store.database.is_sqlite  # PostgreSQL takes no such text
    assert found(traces, "rank") >= {"c1"}
    assert all("c0" in str(warned.message) for warned in recwarn)


def test_damaged_texts_are_empty() -> None:
    """Whatever lies in a column, the texts that are searched are texts."""
    assert texts_of((b"a", "b", None, 5, None)) == {"decision": "", "reasoning": "b", "code_section": ""}
    assert texts_of(("a", "b", '[1, "c", {}]', None, "d"))["alternatives[1]"] == "c"


def test_a_nul_divides_words(traces: TraceStore) -> None:
    """As any other sign does, in every text, though databases hold something else in its place."""
    chain = chain_of("foo\0bar")
    chain.add(Event("alternatives", START, "t", "d", "r", ("foo\0bar",)))
    chain.add(Event("code", START, "t", "d", "r", code_section="foo\0bar"))
    traces.save(chain)
    assert found(traces, "bar") == found(traces, '"foo bar"') == {"c0", "alternatives", "code"}
    assert found(traces, "x00bar") == set()
    [hit] = traces.search_all("bar", type="decision")
    assert hit.highlights == {"decision": ((4, 7),)}


@pytest.mark.parametrize("moment", [START, START.replace(tzinfo=None)])
def test_bounds_of_the_creation_are_inclusive(
    traces: TraceStore, monkeypatch: pytest.MonkeyPatch, moment: datetime
) -> None:
    """As those of a `ChainFolder`; a naive time counts as UTC, whatever zone the machine is in."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        traces.save(chain_of("rank"))
        moments = (moment, moment - timedelta(microseconds=1), moment + timedelta(microseconds=1))
        after = [len(traces.search(ChainFilter(created_after=one))) for one in moments]
        before = [len(traces.search(ChainFilter(created_before=one))) for one in moments]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (after, before) == ([1, 1, 0], [1, 0, 1])


def test_bounds_without_a_year_in_utc(traces: TraceStore) -> None:
    """The first and the last moment of any zone are bounds, too."""
    traces.save(chain_of("rank"))
    ahead = timezone(timedelta(hours=14))
    first, last = datetime.min.replace(tzinfo=ahead), datetime.max.replace(tzinfo=timezone(-timedelta(hours=14)))
    assert len(traces.search(ChainFilter(created_after=first, created_before=last))) == 1
    assert traces.search(ChainFilter(created_after=last)) == []


def test_very_common_words_give_the_latest(traces: TraceStore) -> None:
    """Of more than a thousand, the latest thousand are ranked; a rare phrase is found among many candidates."""
    chain = chain_of("a b rare phrase", *["rank b a phrase rare"] * 2_300)
    traces.save(chain)
    hits = traces.search_all("rank", limit=1_000)
    assert len(hits) == 1_000
    assert hits[0].event.id == "c2300"
    assert found(traces, '"rare phrase"') == {"c0"}


def test_the_index_follows_the_run(store: Store, opened: Callable[[], Store]) -> None:
    """Events of a run, their replacement and their deletion: a search sees them at once, from any opening."""
    traces = TraceStore(opened())

    def row(identity: str, decision: str) -> tuple[str, ...]:
        return row_of(Event("" + identity, START, "decision", decision, ""))  # type: ignore[return-value]

    store.traces.save_rows("r", "c", "n", [row("a", "first"), row("b", "second")])  # type: ignore[list-item]
    assert found(traces, "first") == {"a"}
    store.traces.save_rows("r", "c", "n", [row("a", "other"), row("z", "first")])  # type: ignore[list-item]
    assert (found(traces, "first"), found(traces, "other")) == ({"z"}, {"a"})
    store.traces.save_rows("r", "c", "n", [row("y", "late")])  # type: ignore[list-item]
    store.traces.save_rows("r", "c", "n", [row("y", "later")])  # type: ignore[list-item]  # replaced before it was indexed
    traces.delete("c")
    store.traces.save_rows("s", "d", "n", [row("n", "first late")])  # type: ignore[list-item]  # takes a number that was free again
    assert (found(traces, "first"), found(traces, "late")) == ({"n"}, {"n"})
    assert found(traces, "other") == found(traces, "later") == found(traces, "second") == set()
    if store.database.is_sqlite:
        with store.database.writing("check") as connection:
            connection.exec_driver_sql("INSERT INTO trace_words (trace_words) VALUES ('integrity-check')")


HOSTILE = [
    *('"', "'", "* OR *", "NEAR(a b)", "decision:x", "a AND", "^a", "{a b}: c", "-", "--", "!a & (b", "a:*b", "\0"),
    *("\ud800", "%s ? :x", "\\", "NOT", "a NOT", '""""', 'a"b"c', "İ", "é*", "x" * 5_000),
    " ".join(f"w{number}" for number in range(600)),
    " ".join(f"-w{number} a" for number in range(300)),
]


def test_no_text_is_an_error(traces: TraceStore) -> None:
    """Whatever is typed is words or nothing; the languages of the databases are not spoken."""
    traces.save(chain_of("a b", "near a b", "x" * 5_000, "İ é ÉLAN \u13a0\u13a1 Ა"))
    for text in HOSTILE:
        traces.search_all(text)
    assert found(traces, "NEAR(a b)") == {"c1"}
    assert found(traces, "x" * 5_000) == {"c2"}
    assert found(traces, "x" * 4_999) == set()
    assert found(traces, "x" * 4_999 + "*") == {"c2"}
    assert found(traces, "İ") == found(traces, "é*") == found(traces, "\u13a0\u13a1") == found(traces, "Ა -ꭰ") == {"c3"}
    assert found(traces, "-a") == found(traces, "") == set()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=30))
def test_any_text_is_taken(traces: TraceStore, text: str) -> None:
    """Nothing that hypothesis thinks of is a syntax error."""
    traces.search_all(text)


WORDS = st.sampled_from(
    ["a", "ab", "Ab", "é", "ÉB", "Straße", "ΣΑΣ", "σας", "1", "1e5", "a_b", "x-y", "日本", "µs", "—", "“a”", "🎉"]
)
TEXTS = st.lists(WORDS, max_size=5).map(" ".join)
EVENTS = st.lists(st.tuples(TEXTS, TEXTS, st.lists(TEXTS, max_size=2)), max_size=6)
ASKED = st.lists(
    st.tuples(st.sampled_from(["", "", "-"]), st.lists(WORDS, min_size=1, max_size=2), st.sampled_from(["", "", "*"])),
    min_size=1,
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=EVENTS, second=EVENTS, asked=ASKED)
def test_hits_are_those_of_a_plain_search(
    traces: TraceStore,
    first: list[tuple[str, str, list[str]]],
    second: list[tuple[str, str, list[str]]],
    asked: list[tuple[str, list[str], str]],
) -> None:
    """A corpus that replaces another one gives, on both databases, what a loop over all texts gives."""
    for corpus in (first, second):
        chain = Chain("c", id="c", created_at=START)
        for place, (decision, reasoning, alternatives) in enumerate(corpus):
            chain.add(Event(f"{place}", START, "t", decision, reasoning, tuple(alternatives)))
        traces.save(chain)
    query = " ".join(f'{minus}"{" ".join(words)}"{star}' for minus, words, star in asked)
    wanted = [(not minus, plain_words(" ".join(words)), bool(star)) for minus, words, star in asked]
    wanted = [term for term in wanted if term[1]]
    expected: set[str] = set()
    for place, (decision, reasoning, alternatives) in enumerate(second):
        texts = [plain_words(text) for text in (decision, reasoning, *alternatives)]
        if any(is_wanted for is_wanted, _, _ in wanted) and all(
            is_wanted == any(has(text, words, begins=begins) for text in texts) for is_wanted, words, begins in wanted
        ):
            expected.add(f"{place}")
    assert found(traces, query) == expected


def plain_words(text: str) -> list[str]:
    """Return the words of a text."""
    return re.findall(r"[^\W_]+", text.lower().replace("ς", "\u03c3").replace("µ", "μ"))


def has(text: list[str], words: list[str], *, begins: bool) -> bool:
    """Return whether words follow each other in a text."""
    *whole, last = words
    for place in range(len(text) - len(whole)):
        end = text[place + len(whole)]
        if text[place : place + len(whole)] == whole and (end.startswith(last) if begins else end == last):
            return True
    return False


def test_search_while_others_write(opened: Callable[[], Store]) -> None:
    """Searchers that bring the index up to date and writers do not disturb each other; all is found in the end."""
    stores = [opened() for _ in range(4)]

    def write(number: int) -> None:
        for place in range(30):
            event = Event.new("decision", f"rank {number}", "why", id=f"{place}")
            stores[number].traces.save_rows(f"r{number}", f"c{number}", "n", [row_of(event)])

    def search(number: int) -> None:
        for _ in range(30):
            TraceStore(stores[number]).search_all("rank")

    threads = [threading.Thread(target=write if number < 2 else search, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(TraceStore(stores[0]).search_all("rank", limit=1_000)) == 60
