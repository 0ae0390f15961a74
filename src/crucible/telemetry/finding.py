"""Finding a recording by the beginning of its id, in a store that is open or opened for that."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from crucible.errors import SpecError, StoreError
from crucible.store import Store, open_store

__all__ = ["full_id", "using"]


@contextlib.contextmanager
def using(store: Store | str | Path | None) -> Generator[Store]:
    """Use an open store, which stays open, or open one for the time of a block."""
    if isinstance(store, Store):
        yield store
        return
    with open_store(store, create=False) as opened:
        yield opened


def full_id(store: Store, beginning: str) -> str:
    """Return the id of the experiment or of the run that begins like this.

    Raises:
        StoreError: There is none, or more than one of a kind.
        SpecError: One of each begins like this.
    """
    try:
        found = store.telemetry.experiments.get(beginning).id
    except StoreError as no_experiment:
        try:
            return store.runs.run(beginning).run_id
        except StoreError as no_run:
            if store.telemetry.event_counts(beginning) or store.telemetry.series(beginning):
                return beginning  # what was recorded of an experiment that was removed with its data kept
            raise StoreError(f"{no_experiment}; nor is there a run: {no_run}") from no_run
    if found != beginning:
        with contextlib.suppress(StoreError):
            run = store.runs.run(beginning).run_id
            raise SpecError(f'"{beginning}" begins both experiment {found} and run {run}; give more of it')
    return found
