"""Chains in the run store: kept whole, listed, searched, queried, put aside and deleted.

The same on SQLite and PostgreSQL. What runs record is there, too: a run's chain is a chain like any other.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from crucible.errors import SpecError
from crucible.store import Store, storable
from crucible.store.trace_chains import ChainQuery
from crucible.store.trace_search import RANKED, EventQuery
from crucible.store.trace_words import SearchWords
from crucible.trace import notices
from crucible.trace.chain import Chain
from crucible.trace.stored.chain_head import chain_of, head_of, rows_of
from crucible.trace.stored.damage import readable, warn_of
from crucible.trace.stored.found import ChainFilter, ChainInfo, Found, Hit, hit_of
from crucible.trace.vocabulary import canonical_type, event_type

if TYPE_CHECKING:
    from crucible.trace.queries.condition import Condition

__all__ = ["TraceStore"]

_ALL = ChainFilter()


class TraceStore:
    """The chains of a run store.

    Args:
        store: An open store; whoever opened it closes it.
    """

    def __init__(self, store: Store) -> None:
        self._traces = store.traces

    def save(self, chain: Chain, *, run_id: str | None = None) -> ChainInfo:
        """Make what the store has of a chain exactly this one, all of it or nothing; the bus is told.

        Events that are stored already are not written again, up to the first that differs. An archived chain stays
        archived.

        Args:
            chain: Events with distinct ids.
            run_id: The full id of the run that it is of; None: of none, or of the one that it was saved for before.

        Raises:
            SpecError: Two events have the same id.
            StoreError: There is no such run, the chain is another run's, or it could not be written.
        """
        _refuse_repeated(chain)
        self._traces.save_chain(head_of(chain, run_id), rows_of(chain))
        found = ChainInfo.of(self._traces.find(chain.id))
        notices.chain_saved(chain, run_id=found.run_id)
        return found

    def load(self, chain_id: str) -> Chain:
        """Return a chain as it was saved.

        Args:
            chain_id: Its id, or the unique beginning of it.

        Raises:
            StoreError: There is no such chain, several begin so, or it is damaged.
        """
        head, rows = self._traces.load_chain(chain_id)
        chain = chain_of(head, rows)
        notices.chain_loaded(chain, run_id=head.run_id)
        return chain

    def list(
        self, *, archived: bool | None = False, limit: int | None = None, run_id: str | None = None
    ) -> list[ChainInfo]:
        """Return which chains there are, the latest first; none of them is read, so a damaged one hides no other.

        Args:
            archived: True for archived ones only, None for both.
            limit: At most so many; None for all.
            run_id: Only those of this run, by its full id.
        """
        return self.search(ChainFilter(archived=archived, run_id=run_id), limit=limit)

    def search(self, wanted: ChainFilter = _ALL, *, limit: int | None = None) -> list[ChainInfo]:
        """Return the chains that a filter lets through, the latest first.

        Args:
            wanted: Which of them.
            limit: At most so many; None for all.
        """
        _refuse_negative(limit)
        fields = msgspec.structs.asdict(wanted)
        word = fields.pop("type")
        query = ChainQuery(**fields, types=_spellings(word))
        return [ChainInfo.of(chain) for chain in self._traces.list(query, limit=limit)]

    def search_all(
        self,
        text: str,
        *,
        limit: int = 20,
        type: str | None = None,  # noqa: A002  # the field's name
        chain_id: str | None = None,
        run_id: str | None = None,
        experiment_id: str | None = None,
        archived: bool | None = False,
    ) -> list[Hit]:
        """Return the events of all chains that have certain words, the best first.

        Case does not matter, accents do. Of very common words the latest 1,000 events are ranked. Events that are
        damaged in the store are left out, with a warning, unless one chain is asked for.

        Args:
            text: Words that must all appear, in whatever of decision, reasoning, alternatives, code and specification;
                `"a phrase"`, `begin*`, `-word` for one that must not. Without a letter or digit, nothing is found.
            limit: At most so many, from 0 to 1,000.
            type: Only events of this type, by its name or an alias.
            chain_id: Only those of this chain, archived or not, by its id or the unique beginning of it.
            run_id: Only those of this run's chains, by its full id.
            experiment_id: Only those of this experiment.
            archived: True for archived chains only, None for both.

        Raises:
            SpecError: `limit` is out of its range.
            StoreError: There is no such chain, the store cannot be read or its index not be written, or an event of the
                one chain asked for is damaged.
        """
        if not 0 <= limit <= RANKED:
            raise SpecError(f"limit must be from 0 to {RANKED}, got {limit}", path="limit", code="range")
        words = SearchWords.parse(text)
        query = self._events_of(chain_id, run_id, archived, type=type, experiment_id=experiment_id)
        damaged: builtins.list[str] = []
        found = readable(self._traces.search_events(words, query, limit), query, damaged)
        hits = [hit_of(entry.chain, event, entry.score, words.wanted) for entry, event in found]
        warn_of(damaged)
        return hits

    def query(
        self,
        condition: Mapping[str, Any] | Condition,
        *,
        limit: int | None = None,
        chain_id: str | None = None,
        run_id: str | None = None,
        archived: bool | None = False,
    ) -> list[Found]:
        """Return the events of all chains that fulfil a condition, chain by chain in the order in which they began.

        What means the same in SQL is left to the database; the rest is decided here, event by event. Events that are
        damaged in the store are left out, with a `UserWarning` that says how many and names the first, unless one chain
        is asked for.

        Args:
            condition: A mapping or a condition that was read already, as for a chain in memory.
            limit: At most so many; None for all.
            chain_id: Only those of this chain, archived or not, by its id or the unique beginning of it.
            run_id: Only those of this run's chains, by its full id.
            archived: True for archived chains only, None for both.

        Raises:
            SpecError: `limit` is less than 0.
            SpecErrors: Every problem of the condition, with its path.
            MissingExtra: It has a regular expression and google-re2 is not installed.
            StoreError: There is no such chain, an event of the one chain asked for is damaged, or the store cannot be
                read.
        """
        from crucible.trace.queries import pushdown
        from crucible.trace.queries.condition import Condition

        _refuse_negative(limit)
        parsed = condition if isinstance(condition, Condition) else Condition.from_dict(condition)
        expression, is_exact = pushdown.where(parsed)
        matches = parsed.compiled()
        found: list[Found] = []
        query = self._events_of(chain_id, run_id, archived)
        rows = self._traces.select_events(expression, query)
        damaged: builtins.list[str] = []
        with contextlib.closing(rows):
            for entry, event in readable(rows, query, damaged) if limit != 0 else ():
                if (is_exact and entry.row[14] is None) or matches(event):  # 14: extra_json
                    found.append(Found(entry.chain.chain_id, event))
                    if len(found) == limit:
                        break
        warn_of(damaged)
        return found

    def archive(self, chain_id: str | None = None, *, older_than: timedelta | None = None) -> list[str]:
        """Put chains aside, which listings and searches then leave out; return the ids of those put aside.

        Args:
            chain_id: The chain, by its id or the unique beginning of it; one that is archived stays so.
            older_than: Instead: every chain that nothing was added to for this long.

        Raises:
            SpecError: Neither or both are given.
            StoreError: There is no such chain, or it could not be written.
        """
        if older_than is not None and chain_id is None:
            return [*self._traces.archive_older(older_than)]
        if chain_id is None or older_than is not None:
            raise SpecError("give either the chain to archive or `older_than`, not both and not none", code="choice")
        return [self._traces.archive(chain_id).chain_id]

    def restore(self, chain_id: str) -> ChainInfo:
        """Take a chain back out of the archive; one that is not in it stays as it is.

        Args:
            chain_id: Its id, or the unique beginning of it.

        Raises:
            StoreError: There is no such chain, or it could not be written.
        """
        return ChainInfo.of(self._traces.restore(chain_id))

    def delete(self, chain_id: str) -> ChainInfo:
        """Remove a chain with its events, for good.

        Args:
            chain_id: Its id, or the unique beginning of it.

        Raises:
            StoreError: There is no such chain, its run still goes on, or it could not be removed.
        """
        return ChainInfo.of(self._traces.delete(chain_id))

    def _events_of(
        self,
        chain_id: str | None,
        run_id: str | None,
        archived: bool | None,
        *,
        type: str | None = None,  # noqa: A002  # the field's name
        experiment_id: str | None = None,
    ) -> EventQuery:
        number = None if chain_id is None else self._traces.find(chain_id).id
        return EventQuery(
            chains=ChainQuery(run_id=run_id, archived=archived if number is None else None),
            chain=number,
            types=_spellings(type),
            experiment_id=None if experiment_id is None else storable(experiment_id),
        )


def _refuse_negative(limit: int | None) -> None:
    if limit is not None and limit < 0:
        raise SpecError(f"limit must be 0 or more, got {limit}", path="limit", code="range")


def _refuse_repeated(chain: Chain) -> None:
    places: dict[str, int] = {}
    for place, event in enumerate(chain):
        first = places.setdefault(storable(event.id), place)
        if first != place:
            raise SpecError(
                f"the events {first} and {place} have the same id {event.id!r}, and the store needs distinct ones; "
                "give one of them another id",
                path=f"events[{place}].id",
                code="duplicate_id",
            )


def _spellings(word: str | None) -> tuple[str, ...]:
    """Return how events may spell a type: its name and its aliases; none for None."""
    if word is None:
        return ()
    name = canonical_type(word)
    known = event_type(name)
    return tuple(sorted({name, *(known.aliases if known else ())}))
