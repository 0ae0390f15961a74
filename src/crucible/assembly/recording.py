"""One recorder for a run: its records, its telemetry and its trace, durable together.

Before a stage's end is written, everything that happened inside it is: what the run's record says is there, is there.
"""

from __future__ import annotations

from pathlib import Path

from crucible.errors import StoreError
from crucible.pipeline import ContextDelta, Failure, RunInfo, RunStatus, StageRecord
from crucible.store import Store
from crucible.telemetry import Recorder
from crucible.trace import Chain, Collector

__all__ = ["RunRecording", "stored_chain"]


def stored_chain(store: Store, run_id: str) -> Chain | None:
    """Return the causal chain that a store keeps of a run; None if it keeps none.

    Raises:
        StoreError: The store cannot be read.
    """
    chains = store.traces.load(run_id)
    if not chains:
        return None
    kept = chains[0]
    return Chain.from_dict(
        {"id": kept.chain_id, "name": kept.name, "created_at": kept.created_at, "events": kept.events}
    )


class RunRecording:
    """Keeps one run in a store; satisfies `pipeline.RunRecorder`.

    Args:
        store: Where to keep it.
        run_id: The run; an earlier attempt's trace is continued.
        name: The trace's name, such as the experiment's id.
        workspace: Folder of the run's files; the whole chain is left there as `trace.json`.
    """

    def __init__(self, store: Store, run_id: str, name: str, workspace: Path) -> None:
        self._store = store
        self._run_id = run_id
        self._name = name
        self._workspace = workspace
        self._recorder = Recorder(store, run_id)
        self._collector = Collector(run_id, name, chain=stored_chain(store, run_id))

    def run_started(self, run: RunInfo) -> None:
        """Keep the run and begin to listen."""
        self._store.runs.run_started(run)
        self._recorder.start()
        self._collector.start()

    def stage_started(self, run_id: str, record: StageRecord) -> None:
        """Keep a stage that starts."""
        self._store.runs.stage_started(run_id, record)

    def stage_finished(self, run_id: str, record: StageRecord, delta: ContextDelta) -> None:
        """Keep telemetry and trace of a stage, then the stage's end."""
        self._save()
        self._store.runs.stage_finished(run_id, record, delta)

    def run_finished(self, run_id: str, status: RunStatus, failure: Failure | None) -> None:
        """Keep the rest, then the run's end; a lost record is raised after the run's end was tried."""
        try:
            self._save()
            self._collector.chain.save(self._workspace / "trace.json")
        finally:
            self._store.runs.run_finished(run_id, status, failure)

    def close(self) -> None:
        """Stop listening, whatever happened."""
        self._collector.stop()
        self._recorder.stop()

    def _save(self) -> None:
        self._recorder.flush()
        if fresh := self._collector.drain():
            events = [event.to_dict() for event in fresh]
            self._store.traces.save_events(self._run_id, self._collector.chain.id, self._name, events)
        if self._collector.missed:
            raise StoreError(
                f"the trace of run {self._run_id} misses {self._collector.missed} events that could not be taken in; "
                "please report this with the run's `crucible runs show`"
            )
