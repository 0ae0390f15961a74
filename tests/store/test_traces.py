"""Causal chains are kept as dicts, in order, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crucible.errors import StoreError
from crucible.store import Store


def test_events_are_appended_in_order(store: Store, opened: Callable[[], Store]) -> None:
    """What was saved is read back by another connection, in the order in which it was saved."""
    store.traces.save_events("r", "c", "run r", [{"id": "b", "x": 1}, {"id": "a", "x": [None, 2.5]}])
    store.traces.save_events("r", "c", "run r", [{"id": "c"}])
    [chain] = opened().traces.load("r")
    assert (chain.chain_id, chain.name) == ("c", "run r")
    assert chain.events == [{"id": "b", "x": 1}, {"id": "a", "x": [None, 2.5]}, {"id": "c"}]


def test_saving_an_event_again_replaces_it_in_place(store: Store) -> None:
    """A retried save makes no second copy."""
    store.traces.save_events("r", "c", "n", [{"id": "a", "v": 1}, {"id": "b"}])
    store.traces.save_events("r", "c", "n", [{"id": "a", "v": 2}])
    assert store.traces.load("r")[0].events == [{"id": "a", "v": 2}, {"id": "b"}]


def test_each_start_of_a_run_has_its_chain(store: Store) -> None:
    """A resumed run adds a chain of its own; chains of other runs are not seen; the same event id may be in several."""
    for run_id, chain_id in (("r", "first"), ("r", "second"), ("other", "first")):
        store.traces.save_events(run_id, chain_id, chain_id, [{"id": "a"}])
    assert [chain.chain_id for chain in store.traces.load("r")] == ["first", "second"]
    assert store.traces.load("unknown") == []


def test_an_event_without_an_id_is_refused(store: Store) -> None:
    """The chain is not begun either."""
    with pytest.raises(StoreError, match="an event of the trace n has no id"):
        store.traces.save_events("r", "c", "n", [{"id": "a"}, {"decision": "d"}])
    assert store.traces.load("r") == []
