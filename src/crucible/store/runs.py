"""Runs: what is kept of each, who owns it, how it is read, and how it goes. Satisfies `pipeline.RunRecorder`."""

from __future__ import annotations

from crucible.store.ownership import RunOwnership
from crucible.store.removal import RunRemoval
from crucible.store.run_reader import RunReader
from crucible.store.run_writer import RunWriter

__all__ = ["RunRepository"]


class RunRepository(RunWriter, RunReader, RunOwnership, RunRemoval):
    """The runs of a store.

    A process writes for a run that it started or claimed, and renews its lease (`renew_lease`, by a `Heartbeat`) while
    it goes on. A call that takes a run's id for reading takes the unique beginning of one, too.
    """
