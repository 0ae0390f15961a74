"""What the trace tells the bus."""

from __future__ import annotations

from pathlib import Path

from crucible import events
from crucible.trace import Chain, Collector, Event, LiveChain, notices, read_live


def test_making_an_event_is_told() -> None:
    """Whoever makes an event tells the bus its id, type, words, confidence, stage and experiment."""
    with events.collect("crucible_trace.*") as heard:
        made = Event.new("stage_start", "a", "b", confidence=1, stage_id="s", experiment_id="e", metadata={"x": 1})
    assert [each.name for each in heard] == ["crucible_trace.event.created"]
    assert heard[0].metadata == {
        "event_id": made.id,
        "event_type": "stage_started",
        "decision": "a",
        "confidence": 1.0,
        "stage_id": "s",
        "experiment_id": "e",
    }


def test_reading_an_event_is_not_making_one(tmp_path: Path) -> None:
    """Events of files were made before, and are not told again."""
    chain = Chain("c")
    chain.add(Event.new("stage_started", "a", "b"))
    path = chain.save(tmp_path / "c.json")
    with events.collect("crucible_trace.event.*") as heard:
        Chain.load(path)
        Event.from_dict(chain[0].to_dict())
    assert heard == []


def test_what_a_collector_tells_was_told_before() -> None:
    """A collector's own events are not told to the bus, and what is told of events is not collected."""
    with events.collect("crucible_trace.event.*") as heard, Collector(None) as collector:
        events.decision("a", "b")
        Event.new("decision_made", "a", "b")
    assert len(heard) == 1
    assert len(collector.chain) == 1


def test_chains() -> None:
    """A chain that is made, saved or loaded is told with its id, name and size; a caller adds, but does not replace."""
    chain = Chain("c")
    chain.add(Event.new("stage_started", "a", "b"))
    with events.collect("crucible_trace.chain.*") as heard:
        notices.chain_created(chain)
        notices.chain_saved(chain, path="p", chain_name="?")
        notices.chain_loaded(chain)
    assert [each.name for each in heard] == [f"crucible_trace.chain.{what}" for what in ("created", "saved", "loaded")]
    assert [each.measurements for each in heard] == [{"event_count": 1}] * 3
    about = {"chain_id": chain.id, "chain_name": "c"}
    assert [each.metadata for each in heard] == [about, {"path": "p", **about}, about]


def test_names_are_registered_with_the_predecessors() -> None:
    """Every name that the trace tells is registered, and found by the predecessor's spelling, too."""
    for name in ("event.created", "chain.created", "chain.saved", "chain.loaded", "decision.made"):
        info = events.registry.event_info(f"crucible_trace.{name}")
        assert info is not None
        assert info == events.registry.event_info(f"causal_trace.{name}")
        assert events.registry.canonical_name(f"causal_trace.{name}") == f"crucible_trace.{name}"
        assert set(info.measurements) == ({"event_count"} if name.startswith("chain") else set())


def test_nobody_listens() -> None:
    """Without a listener nothing is told, and nothing fails."""
    notices.event_created(Event.new("stage_started", "a", "b"))
    notices.chain_created(Chain("c"))


def test_chains_are_told(tmp_path: Path) -> None:
    """Making, saving and loading a chain is told once each; filtering and sorting tell nothing."""
    with events.collect("crucible_trace.*") as heard:
        chain = Chain("told")
        chain.filter(lambda _event: True).sorted()
        path = chain.save(tmp_path / "chain.json")
        loaded = Chain.load(path)
    assert loaded == chain
    assert [event.name.rpartition(".")[2] for event in heard] == ["created", "saved", "loaded"]
    assert heard[1].metadata == {"path": str(path), "chain_id": chain.id, "chain_name": "told"}


def test_live_chains_are_told(tmp_path: Path) -> None:
    """Closing a live chain is telling that it is saved, once; reading it is loading it."""
    with events.collect("crucible_trace.chain.*") as heard:
        live = LiveChain(tmp_path / "live.jsonl", name="told")
        live.close()
        live.close()
        read_live(tmp_path / "live.jsonl")
    assert [event.name.rpartition(".")[2] for event in heard] == ["saved", "loaded"]
    assert heard[0].metadata["chain_name"] == "told"
