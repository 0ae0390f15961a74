"""A condition has one meaning: in memory, by a naive reading of the language, and in the databases."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.store import open_store, tables
from crucible.trace import Chain, Event, event_type, event_types
from crucible.trace.queries import Condition, query
from crucible.trace.queries.pushdown import where
from crucible.trace.stored.chain_row import event_of, row_of
from crucible.trace.stored.trace_store import TraceStore

START = datetime(2026, 1, 1, tzinfo=UTC)
ALIASED = next(entry for entry in event_types() if entry.aliases)
MANY = settings(deadline=None, suppress_health_check=list(HealthCheck))

WORDS = [
    "",
    "a",
    "A",
    "ab",
    "a%",
    "a_b",
    "ß",
    "SS",
    "ss",
    "\u212a",
    "k",
    "İ",
    "é",
    "e\u0301",
    "\0",
    "\\x00",
    "\ud800",
    "😀b",
]
TYPES = ["loss_computed", "stage_failed", "unheard_of", "Loss_Computed", "\0", ALIASED.name, *ALIASED.aliases]
CONFIDENCES = [None, 0.0, -0.0, 0.3, 0.1 + 0.2, 0.5, 1.0, 1.5, float("nan"), float("inf")]
TIMES = [START, START + timedelta(microseconds=1), START - timedelta(days=1), datetime(1969, 1, 1, tzinfo=UTC)]
TIMES += [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
SCALARS = [None, True, False, 0, 1, 1.0, 0.5, -3, "", "a", "1", "true", "aß", 2**60]

words = st.sampled_from(WORDS)
maybe = st.none() | words
scalars = st.sampled_from(SCALARS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b.c"]), inner),
    max_leaves=4,
)
events = st.builds(
    Event,
    id=words,
    timestamp=st.sampled_from(TIMES),
    type=st.sampled_from(TYPES),
    decision=words,
    reasoning=words,
    alternatives=st.lists(words, max_size=2).map(tuple),
    confidence=st.sampled_from(CONFIDENCES),
    code_section=maybe,
    spec_reference=maybe,
    metadata=st.dictionaries(st.sampled_from(["a", "b.c", "v"]), values, max_size=2),
    parent_id=maybe,
    depends_on=st.lists(words, max_size=2).map(tuple),
    stage_id=maybe,
    experiment_id=maybe,
)

TEXT_FIELDS = [
    "id",
    "decision",
    "reasoning",
    "code_section",
    "spec_reference",
    "parent_id",
    "stage_id",
    "experiment_id",
]
PATHS = ["metadata.a", 'metadata["b.c"]', "metadata.v", "metadata.v[0]", "metadata.v.a", 'metadata.a["b.c"][-1]']
ORDER = ["gte", "gt", "lte", "lt"]
PARTS = ["contains", "starts_with"]
PATTERNS = ["a", "^a$", "(?i)A", "[^a]", "^$"]


def forms_of(field: str, value: st.SearchStrategy[Any], others: dict[str, st.SearchStrategy[Any]]) -> Any:
    """Return tests of a field: equality in all its forms, and the operators given."""
    forms = [
        value.map(lambda one: {"eq": one}),
        value.map(lambda one: {"ne": one}),
        st.lists(value, min_size=1, max_size=3).map(lambda several: {"in": several}),
        st.booleans().map(lambda wanted: {"exists": wanted}),
        *(strategy.map(lambda one, name=name: {name: one}) for name, strategy in others.items()),
    ]
    return st.one_of(forms).map(lambda test: {field: test})


_parts = {**dict.fromkeys(PARTS, words), "matches": st.sampled_from(PATTERNS)}
_numbers = st.sampled_from([0, 0.3, 0.5, 1, 1.5, 10**30])
leaves = st.one_of(
    *(forms_of(name, maybe, {**dict.fromkeys(ORDER, words), **_parts}) for name in TEXT_FIELDS),
    forms_of("type", st.sampled_from(TYPES), _parts),
    forms_of("category", st.sampled_from(["metrics", "stage", "other", ALIASED.category]), _parts),
    forms_of("confidence", st.none() | _numbers, dict.fromkeys(ORDER, _numbers)),
    forms_of("timestamp", st.sampled_from(TIMES), dict.fromkeys(ORDER, st.sampled_from(TIMES))),
    forms_of("metadata", st.none() | st.dictionaries(st.sampled_from("a"), scalars, max_size=1), {}).filter(
        lambda test: "in" not in test["metadata"]
    ),
    *(forms_of(path, values, {**dict.fromkeys(ORDER, st.sampled_from([0, 0.5, "a"])), **_parts}) for path in PATHS),
    *(
        st.one_of(st.lists(words, max_size=2).map(lambda w: {"eq": w}), words.map(lambda w: {"contains": w})).map(
            lambda test, name=name: {name: test}
        )
        for name in ("alternatives", "depends_on")
    ),
    words.map(lambda word: {"content": word}),
    st.sampled_from(PATTERNS).map(lambda pattern: {"content": {"matches": pattern}}),
    st.sampled_from(TIMES).map(lambda moment: {"since": moment}),
    st.sampled_from(TIMES).map(lambda moment: {"until": moment.isoformat()}),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
        inner.map(lambda part: {"not": part}),
        st.tuples(leaves, inner).map(lambda pair: {**pair[0], **pair[1]}),
    ),
    max_leaves=8,
)


# --- a second, naive reading of the language, from its description


def naive(condition: dict[str, Any], event: Event) -> bool:
    """Return whether an event meets a condition."""
    return all(naive_entry(key, value, event) for key, value in condition.items())


def naive_entry(key: str, value: Any, event: Event) -> bool:
    """Return whether one entry of a condition holds."""
    if key == "and":
        return all(naive(part, event) for part in value)
    if key == "or":
        return any(naive(part, event) for part in value)
    if key == "not":
        return not naive(value, event)
    if key in ("since", "until"):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return event.timestamp >= moment if key == "since" else event.timestamp <= moment
    if key == "content":
        [(name, word)] = value.items() if isinstance(value, dict) else [("contains", value)]
        return naive_test("decision", name, word, event.decision) or naive_test("decision", name, word, event.reasoning)
    return all(naive_test(key, name, wanted, naive_value(key, event)) for name, wanted in value.items())


def naive_value(key: str, event: Event) -> Any:
    """Return what a key names."""
    if key == "category":
        known = event_type(event.type)
        return known.category if known else "other"
    found: Any = {**event.to_dict(), "timestamp": event.timestamp}
    if key.startswith("metadata"):
        found = event.metadata
        for quoted, bare, place in re.findall(r'\["(.*?)"\]|\.([^.\[]+)|\[(-?\d+)\]', key.removeprefix("metadata")):
            try:
                found = (
                    found[int(place)]
                    if place and isinstance(found, list)
                    else found[quoted or bare]
                    if not place
                    else None
                )
            except (KeyError, IndexError, TypeError):
                return None
        return found
    return found[key]


def naive_test(key: str, name: str, wanted: Any, found: Any) -> bool:  # noqa: C901  # a list of operators
    """Return whether a value passes one operator."""
    is_there = bool(found) if key in ("alternatives", "depends_on", "metadata") else found is not None
    if name == "exists":
        return is_there is wanted
    if name == "ne":
        return is_there and not naive_test(key, "eq", wanted, found)
    if name == "in":
        return any(naive_test(key, "eq", one, found) for one in wanted)
    if name == "eq" and wanted is None:
        return not is_there
    if name == "eq" and key == "type":
        one, other = event_type(wanted), event_type(found)
        return wanted == found or (one is not None and one == other)
    if name == "eq":
        return tagged(wanted) == tagged(found)
    if name == "contains" and isinstance(found, list):
        return any(tagged(entry) == tagged(wanted) for entry in found)
    if name == "contains" and isinstance(found, dict):
        return wanted in found
    if name in ORDER:
        numeric = [isinstance(one, int | float) and not isinstance(one, bool) for one in (found, wanted)]
        if not (all(numeric) or (isinstance(found, str | datetime) and type(found) is type(wanted))):
            return False
        compare = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}[name]
        return bool(compare(found, wanted))
    if not isinstance(found, str):
        return False
    if name == "contains":
        return wanted.casefold() in found.casefold()
    return (
        found.startswith(wanted) if name == "starts_with" else re.search(wanted.replace("$", r"\Z"), found) is not None
    )


def tagged(value: Any) -> Any:
    """Return a value in which True is not 1."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list | tuple):
        return [tagged(entry) for entry in value]
    if isinstance(value, dict):
        return {key: tagged(entry) for key, entry in value.items()}
    return value


def chain_of(found: Sequence[Event]) -> Chain:
    """Return a chain of events with distinct ids, which keep how their ids begin."""
    chain = Chain("agreement")
    for place, event in enumerate(found):
        chain.add(
            Event(**{name: getattr(event, name) for name in Event.__struct_fields__} | {"id": f"{event.id}{place}"})
        )
    return chain


@MANY
@given(st.lists(events, max_size=8), conditions)
def test_as_described(found: list[Event], condition: dict[str, Any]) -> None:
    """A query finds exactly the events that the description of the language says, in chain order."""
    chain = chain_of(found)
    assert query(chain, condition) == [event for event in chain if naive(condition, event)]


@MANY
@given(st.lists(events, max_size=5), conditions, conditions)
def test_boolean_laws(found: list[Event], one: dict[str, Any], other: dict[str, Any]) -> None:
    """De Morgan's laws, double negation, and the excluded middle hold for every condition."""
    chain = chain_of(found)

    def ids(condition: dict[str, Any]) -> list[str]:
        return [event.id for event in query(chain, condition)]

    assert ids({"not": {"and": [one, other]}}) == ids({"or": [{"not": one}, {"not": other}]})
    assert ids({"not": {"or": [one, other]}}) == ids({"and": [{"not": one}, {"not": other}]})
    assert ids({"not": {"not": one}}) == ids(one)
    assert ids({"or": [one, {"not": one}]}) == [event.id for event in chain]
    assert ids({"and": [one, {"not": one}]}) == []


@MANY
@given(conditions)
def test_round_trip(condition: dict[str, Any]) -> None:
    """`to_dict` is the same condition again, and writing it twice changes nothing."""
    parsed = Condition.from_dict(condition)
    assert Condition.from_dict(parsed.to_dict()) == parsed
    assert Condition.from_dict(parsed.to_dict()).to_dict() == parsed.to_dict()


# --- the databases


class Rows:
    """The table of events in a database, without a store around it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        tables.metadata.create_all(engine, tables=[tables.trace_chains, tables.trace_events])

    def fill(self, chain: Chain) -> None:
        """Hold exactly the events of a chain."""
        names = [column.name for column in tables.trace_events.c if column.name not in ("id", "chain")]
        rows = [{"chain": 1, **dict(zip(names, row_of(event), strict=True))} for event in chain]
        head = {
            "id": 1,
            "chain_id": "c",
            "name": "n",
            "created_at": "",
            "updated_at": "",
            "event_count": 0,
            "metadata_json": "{}",
        }
        with self.engine.begin() as connection:
            connection.execute(sa.delete(tables.trace_events))
            connection.execute(sa.delete(tables.trace_chains))
            connection.execute(sa.insert(tables.trace_chains), [head])
            if rows:
                connection.execute(sa.insert(tables.trace_events), rows)

    def ask(self, condition: Condition) -> list[Event]:
        """Return the events that meet a condition: SQL first, then Python where SQL does not say all."""
        table = tables.trace_events
        sql, is_exact = where(condition)
        wanted = sa.select(table).order_by(table.c.id)
        if sql is not None:
            wanted = wanted.where(sql | table.c.extra_json.is_not(None))
        with self.engine.connect() as connection:
            rows = connection.execute(wanted).all()
        found = [(row, event_of(row[2:])) for row in rows]  # type: ignore[arg-type]
        is_sure = [is_exact and row.extra_json is None for row, _ in found]
        return [event for (_, event), sure in zip(found, is_sure, strict=True) if sure or condition.matches(event)]


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Rows]:
    """The table in SQLite."""
    engine = sa.create_engine("sqlite://")
    yield Rows(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def server(postgres_server: Any) -> Any:
    """A real PostgreSQL; skips, saying why, where none can run."""
    return postgres_server


@pytest.fixture(scope="module")
def postgres(server: Any) -> Iterator[Rows]:
    """The table in PostgreSQL."""
    engine = sa.create_engine(server.database().replace("postgresql:", "postgresql+psycopg:"))
    yield Rows(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TraceStore]:
    """The traces of a store on SQLite."""
    with closing(open_store(tmp_path_factory.mktemp("store"))) as store:
        yield TraceStore(store)


@pytest.fixture(scope="module")
def postgres_store(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TraceStore]:
    """The traces of a store on PostgreSQL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("postgres"))
        with closing(open_store(server.database())) as store:
            yield TraceStore(store)


@MANY
@given(st.lists(events, max_size=8), conditions)
def test_sqlite_agrees(sqlite: Rows, found: list[Event], condition: dict[str, Any]) -> None:
    """What SQLite and then Python find is what a query in memory finds."""
    chain = chain_of(found)
    sqlite.fill(chain)
    parsed = Condition.from_dict(condition)
    assert [event.id for event in sqlite.ask(parsed)] == [event.id for event in query(chain, parsed)]


@settings(MANY)
@given(st.lists(events, max_size=8), conditions)
def test_store_agrees(sqlite_store: TraceStore, found: list[Event], condition: dict[str, Any]) -> None:
    """What the store finds in a chain that was saved is what a query of the chain in memory finds."""
    chain = chain_of(found)
    parsed = Condition.from_dict(condition)
    info = sqlite_store.save(chain)
    try:
        assert [hit.event.id for hit in sqlite_store.query(parsed)] == [event.id for event in query(chain, parsed)]
    finally:
        sqlite_store.delete(info.id)


def corpus() -> tuple[Chain, list[dict[str, Any]]]:
    """Return events with every odd value in every field, and conditions that ask for them."""
    found = [Event(word, START, "loss_computed", word, "r", stage_id=word, parent_id=word) for word in WORDS]
    found += [Event("t", moment, kind, "d", "r") for moment, kind in product(TIMES, TYPES)]
    found += [Event("c", START, "t", "d", "r", confidence=confidence, experiment_id="e") for confidence in CONFIDENCES]
    found += [Event("m", START, "t", "d", "r", metadata={"a": value, "v": [value]}) for value in SCALARS]
    asked: list[dict[str, Any]] = []
    for field, word in product(("id", "decision", "stage_id"), WORDS):
        asked += [{field: word}, {field: {"ne": word}}, {field: {"starts_with": word}}, {field: {"contains": word}}]
        asked += [{field: {"gte": word}}, {field: {"in": [word, None, "ab"]}}]
    for bound, name in product([0, 0.3, 0.5, 1.5], ("eq", "ne", *ORDER)):
        asked.append({"confidence": {name: bound}})
    for moment, name in product(TIMES, ("eq", "ne", *ORDER)):
        asked.append({"timestamp": {name: moment}})
    asked += [{"type": kind} for kind in TYPES] + [
        {"category": name} for name in ("other", "metrics", ALIASED.category)
    ]
    asked += [{"category": ["other", "metrics"]}, {"category": {"ne": "other"}}]
    asked += [{path: value} for path, value in product(PATHS, SCALARS)]
    asked += [{field: {"exists": True}} for field in Event.__struct_fields__]
    asked += [{"not": condition} for condition in asked]
    asked += [{"or": [one, other]} for one, other in zip(asked[::3], asked[1::3], strict=False)]
    asked += [{"and": [one, {"not": other}]} for one, other in zip(asked[::7], asked[2::5], strict=False)]
    return chain_of(found), asked


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.slow
def test_databases_agree(database: str, request: pytest.FixtureRequest) -> None:
    """For a fixed set of odd values, each database answers every condition as memory does."""
    rows: Rows = request.getfixturevalue(database)
    chain, asked = corpus()
    rows.fill(chain)
    assert len(asked) > 500
    for condition in asked:
        parsed = Condition.from_dict(condition)
        expected = [event.id for event in query(chain, parsed)]
        assert [event.id for event in rows.ask(parsed)] == expected, condition


@pytest.mark.parametrize("name", ["sqlite_store", "postgres_store"])
def test_stores_agree(name: str, request: pytest.FixtureRequest) -> None:
    """For a fixed set of odd values, the store answers every condition as memory does."""
    store: TraceStore = request.getfixturevalue(name)
    chain, asked = corpus()
    chain_id = store.save(chain).id
    for condition in asked[::6]:
        parsed = Condition.from_dict(condition)
        expected = [event.id for event in query(chain, parsed)]
        assert [hit.event.id for hit in store.query(parsed)] == expected, condition
    store.delete(chain_id)
