"""Events out of all chains: by their words, or by a condition in SQL.

The database finds which events may match; the same Python decides and ranks on both, so both give the same answers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, Select, column, literal_column, select, table, text

from crucible.store import tables
from crucible.store.codec import decode
from crucible.store.engine import Database
from crucible.store.happened import TraceRow
from crucible.store.records import StoredChain
from crucible.store.trace_chains import ChainQuery, chains_where
from crucible.store.trace_index import update_index
from crucible.store.trace_words import INDEXED_CHARACTERS, STORED_NUL, SearchWords, fold

__all__ = ["RANKED", "EventQuery", "FoundRow", "search_events", "select_events", "texts_of"]

RANKED = 1_000  # matches that are ranked: the latest ones, where there are more
_chains, _events = tables.trace_chains, tables.trace_events
_TEXTS = ("decision", "reasoning", "alternatives_json", "code_section", "spec_reference")
_ROW = [one for one in _events.c if one.name not in ("id", "chain")]
_SATURATION, _LENGTH_WEIGHT = 1.2, 0.75  # k1 and b of BM25 as everybody sets them
_DECISION_WEIGHT = 2  # a word in the decision counts twice
_BATCH = 1_000


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events, whatever they say.

    Args:
        chains: Only those of these chains; the name is not looked at.
        chain: Only those of the chain with this number.
        types: Only those of these types, as the events spell them; empty for any.
        experiment_id: Only those of this experiment.
    """

    chains: ChainQuery = ChainQuery()
    chain: int | None = None
    types: tuple[str, ...] = ()
    experiment_id: str | None = None

    def conditions(self) -> list[Any]:
        """Return it as conditions on `trace_events` joined with `trace_chains`."""
        found = chains_where(self.chains)
        if self.chain is not None:
            found.append(_events.c.chain == self.chain)
        if self.types:
            found.append(_events.c.type.in_(self.types))
        if self.experiment_id is not None:
            found.append(_events.c.experiment_id == self.experiment_id)
        return found


class FoundRow(msgspec.Struct, frozen=True):
    """An event that was found.

    Args:
        chain: Its chain.
        row: Its columns.
        score: Larger is better; 0.0 where nothing is ranked.
    """

    chain: StoredChain
    row: TraceRow
    score: float = 0.0


def texts_of(values: Sequence[Any]) -> dict[str, str]:
    """Return the texts of an event that are searched, by field; each alternative is one, as `alternatives[0]`.

    One that is damaged, or no text, is empty: a search reads the events of all chains, and one must not end it.

    Args:
        values: decision, reasoning, alternatives (as JSON), code_section, spec_reference; None for a missing one.
    """
    decision, reasoning, alternatives_json, code_section, spec_reference = values
    texts = {"decision": _indexed(decision), "reasoning": _indexed(reasoning)}
    left = INDEXED_CHARACTERS  # for all alternatives together
    for place, alternative in enumerate(_listed(alternatives_json)):
        if isinstance(alternative, str):
            texts[f"alternatives[{place}]"] = _indexed(alternative, max(0, left))
            left -= len(alternative) + 1
    if code_section is not None:
        texts["code_section"] = _indexed(code_section)
    if spec_reference is not None:
        texts["spec_reference"] = _indexed(spec_reference)
    return texts


def _indexed(value: Any, limit: int = INDEXED_CHARACTERS) -> str:
    return value[:limit].replace(STORED_NUL, " ") if isinstance(value, str) else ""


def _listed(alternatives_json: Any) -> list[Any]:
    try:
        found = decode(alternatives_json)
    except (ValueError, TypeError, RecursionError):  # msgspec's errors are ValueErrors
        return []
    return cast("list[Any]", found) if isinstance(found, list) else []


def search_events(database: Database, words: SearchWords, query: EventQuery, limit: int) -> list[FoundRow]:
    """Return the events that have the words, the best first.

    Ranked are the latest 1,000 of them, by BM25 over the terms; the later of two that are equally good comes first.

    Args:
        database: The open database.
        words: What to look for; without a wanted term nothing is found.
        query: Among which events.
        limit: At most so many, up to 1,000.

    Raises:
        StoreError: The database cannot be read, or the index cannot be written.
    """
    if not words.wanted or limit <= 0:
        return []
    update_index(database)
    with database.reading("search the traces") as connection:
        counted = _counted(connection, words, query, is_sqlite=database.is_sqlite)
        best = _ranked(counted)[:limit]
        if not best:
            return []
        wanted = select(_events.c.id, _events.c.chain, *_ROW).where(_events.c.id.in_([number for number, _ in best]))
        rows: dict[int, Any] = {row[0]: row for row in connection.execute(wanted)}
        numbers = {row[1] for row in rows.values()}
        heads = connection.execute(select(_chains).where(_chains.c.id.in_(numbers)))
        chains = {row[0]: StoredChain(*row) for row in heads}
    return [
        FoundRow(chains[rows[number][1]], cast("TraceRow", tuple(rows[number][2:])), score) for number, score in best
    ]


def select_events(database: Database, condition: Any, query: EventQuery) -> Generator[FoundRow]:
    """Yield the events that fulfil a condition on `trace_events`, chain by chain, each in its order.

    An event with an `extra_json` is always among them: its columns do not say all of it.

    Args:
        database: The open database.
        condition: SQLAlchemy's expression; None for every event.
        query: Among which events.

    Raises:
        StoreError: The database cannot be read.
    """
    wanted = select(_events.c.chain, *_ROW).join(_chains, _chains.c.id == _events.c.chain).where(*query.conditions())
    if condition is not None:
        wanted = wanted.where(condition | _events.c.extra_json.is_not(None))
    wanted = wanted.order_by(_events.c.chain, _events.c.id)
    with database.reading("query the traces") as connection:
        heads: dict[int, StoredChain] = {}
        with contextlib.closing(connection.execute(wanted, execution_options={"yield_per": _BATCH})) as rows:
            for row in rows:
                number, *columns = cast("Any", row)
                if number not in heads:
                    head = connection.execute(select(_chains).where(_chains.c.id == number)).one()
                    heads[number] = StoredChain(*head)
                yield FoundRow(heads[number], cast("TraceRow", tuple(columns)))


_Counted = tuple[int, list[int], int]  # an event's number, how often each wanted term is in it, its characters


def _counted(connection: Connection, words: SearchWords, query: EventQuery, *, is_sqlite: bool) -> list[_Counted]:
    """Return the latest events that have the words, at most `RANKED`."""
    wanted = [term.pattern() for term in words.wanted]
    excluded = [term.pattern() for term in words.excluded]
    found: list[_Counted] = []
    before = 2**63 - 1
    while True:
        candidates = connection.execute(_candidates(words, query, before, is_sqlite=is_sqlite)).all()
        for number, *values in candidates:
            texts = {name: fold(value) for name, value in texts_of(values).items()}
            counts = [_count(pattern, texts) for pattern in wanted]
            if all(counts) and not any(_count(pattern, texts) for pattern in excluded):
                found.append((number, counts, sum(map(len, texts.values()))))
        if len(candidates) < RANKED or len(found) >= RANKED:
            return found[:RANKED]
        before = candidates[-1][0]


def _count(pattern: re.Pattern[str], texts: dict[str, str]) -> int:
    found = 0
    for name, value in texts.items():
        count = len(pattern.findall(value))
        found += count * _DECISION_WEIGHT if name == "decision" else count
    return found


def _candidates(words: SearchWords, query: EventQuery, before: int, *, is_sqlite: bool) -> Select[Any]:
    """Return the query for the latest events below a number which the index finds, the latest first."""
    texts = [_events.c[name] for name in _TEXTS]
    conditions = query.conditions()
    if is_sqlite:
        index = table("trace_words", column("rowid"))
        rowid: ColumnElement[int] = literal_column("trace_words.rowid", Integer())
        matches = text("trace_words MATCH :words").bindparams(words=words.for_sqlite())
        hits: Select[Any] = (
            select(rowid.label("id")).select_from(index).where(matches, rowid < before).order_by(rowid.desc())
        )
    else:
        matches = text("trace_events.words @@ CAST(:words AS tsquery)").bindparams(words=words.for_postgres())
        hits = select(_events.c.id).where(matches, _events.c.id < before)
    found = hits.cte("hits").prefix_with("MATERIALIZED") if not is_sqlite else hits.subquery("hits")
    joined = select(_events.c.id, *texts).join(found, found.c.id == _events.c.id)
    if conditions:
        joined = joined.join(_chains, _chains.c.id == _events.c.chain).where(*conditions)
    return joined.order_by(found.c.id.desc()).limit(RANKED)


def _ranked(counted: list[_Counted]) -> list[tuple[int, float]]:
    """Return numbers and scores, the best first; every term counts the same, as all of them have every term."""
    if not counted:
        return []
    mean = sum(length for _, _, length in counted) / len(counted) or 1.0
    scored: list[tuple[int, float]] = []
    for number, counts, length in counted:
        damping = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * length / mean)
        scored.append((number, sum(count * (_SATURATION + 1) / (count + damping) for count in counts)))
    return sorted(scored, key=lambda entry: (-entry[1], -entry[0]))
