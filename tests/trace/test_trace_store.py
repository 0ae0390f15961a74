"""A run's chain is a chain of the store: the real runner records it, a resumed run goes on with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible import assembly, ir
from crucible.pipeline import Context, Registry, stage
from crucible.store import open_store
from crucible.trace import Chain
from crucible.trace.stored.trace_store import TraceStore


class Switch:
    """Whether the second stage fails."""

    broken = False


@stage("work")
def work(context: Context, options: object) -> Context:
    """Do nothing."""
    return context


@stage("fragile")
def fragile(context: Context, options: object) -> Context:
    """Fail while the switch says so."""
    if Switch.broken:
        raise ValueError("the needle broke")
    return context


def experiment() -> ir.Experiment:
    """Return a document with both stages."""
    stages = [ir.StageDef(name="work"), ir.StageDef(name="fragile")]
    return ir.Experiment(id="e", backend=ir.BackendRef(id="local"), pipeline=stages)


def test_a_resumed_run_goes_on_with_its_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One chain of both attempts, in order, the same as the file in the workspace; search finds why it failed."""
    registry = Registry(work, fragile, installed=False)
    monkeypatch.setattr(Switch, "broken", True)
    failed = assembly.run(experiment(), store=tmp_path, registry=registry, run_id="r")
    assert failed.status == "failed"
    with open_store(tmp_path) as store:
        traces = TraceStore(store)
        [info] = traces.list(run_id="r")
        first = traces.load(info.id)
        assert (info.event_count, info.run_id) == (len(first), "r")
        hits = traces.search_all('"needle broke"', run_id="r")
        assert {hit.run_id for hit in hits} == {"r"}
        assert hits
    monkeypatch.setattr(Switch, "broken", False)
    assembly.resume("r", store=tmp_path, registry=registry)
    with open_store(tmp_path) as store:
        traces = TraceStore(store)
        [again] = traces.list(run_id="r")
        whole = traces.load(again.id)
        assert again.id == info.id
        assert whole.events[: len(first)] == first.events
        assert len(whole) > len(first)
        assert again.event_count == len(whole)
        assert whole.validate_relationships() == []
        left = Chain.load(tmp_path / "artifacts" / "r" / "trace.json")
        assert left.events == whole.events
        store.runs.delete("r")
        assert traces.list(archived=None) == []
        assert traces.search_all("needle") == []
