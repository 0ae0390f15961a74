"""Finding the recording that a command is about: a run's telemetry, or a telemetry experiment's."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from crucible.errors import ContractError, SpecError, StoreError
from crucible.store import ExperimentInfo, Store, StoredRun

if TYPE_CHECKING:
    from crucible.telemetry import Recorded

__all__ = ["Recording", "RecordingArgument", "described", "of_experiment", "of_run", "recorded", "refusing"]

RecordingArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECORDING",
        help="Id of a run or of a telemetry experiment, or the unique beginning of one.",
        show_default=False,
    ),
]

_US = 1_000


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording as people know it, without what it holds.

    Args:
        id: A run's full id, or a telemetry experiment's.
        name: The run's experiment, or the telemetry experiment's name.
        what: `run`, `experiment`, or `data` that a removed experiment left.
        status: How it stands, in the word of its kind.
        is_orphaned: Whether it counts as going on, and the process that started it is gone.
        started_at: ISO 8601 UTC; None for mere data.
        stopped_at: ISO 8601 UTC; None while it goes on.
        wall_ns: From start to stop, or until now; None where nobody knows the end.
        active_ns: That without pauses; None for a run, which cannot pause.
        condition: The arm of an experiment.
        tags: Words to find it by.
    """

    id: str
    name: str
    what: str
    status: str
    is_orphaned: bool = False
    started_at: str | None = None
    stopped_at: str | None = None
    wall_ns: int | None = None
    active_ns: int | None = None
    condition: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether more may be recorded."""
        return self.status in ("running", "paused") and not self.is_orphaned

    @property
    def standing(self) -> str:
        """How it stands, in words."""
        return f"{self.status} (process gone)" if self.is_orphaned else self.status


def of_experiment(info: ExperimentInfo) -> Recording:
    """Return a telemetry experiment as a recording."""
    orphaned = info.is_orphaned  # then nobody knows when it ended
    return Recording(
        id=info.id,
        name=info.name,
        what="experiment",
        status=info.status,
        is_orphaned=orphaned,
        started_at=info.started_at,
        stopped_at=info.stopped_at,
        wall_ns=None if orphaned else info.wall_ns,
        active_ns=None if orphaned else info.active_ns,
        condition=info.condition,
        tags=info.tags,
    )


def of_run(run: StoredRun) -> Recording:
    """Return a run as a recording."""
    tags: Any = run.experiment.get("tags")
    return Recording(
        id=run.run_id,
        name=run.experiment_id,
        what="run",
        status=run.status,
        started_at=run.started_at,
        stopped_at=run.finished_at,
        wall_ns=_took(run),
        tags=tuple(map(str, tags)) if isinstance(tags, (list, tuple)) else (),  # pyright: ignore[reportUnknownArgumentType]
    )


def _took(run: StoredRun) -> int | None:
    if run.finished_at is None and run.status != "running":
        return None
    end = datetime.now(UTC) if run.finished_at is None else datetime.fromisoformat(run.finished_at)
    return max(0, round((end - datetime.fromisoformat(run.started_at)).total_seconds() * 1e6)) * _US


def recorded(store: Store, recording_id: str) -> Recorded:
    """Return the recording whose id begins like this.

    Raises:
        SpecError: There is none, or more than one.
    """
    from crucible.telemetry import Recorded

    try:
        return Recorded.find(recording_id, store)
    except StoreError as error:
        raise SpecError(str(error)) from error


def described(store: Store, recording_id: str) -> Recording:
    """Return what is known of a recording as it stands now.

    Args:
        store: Where it is kept.
        recording_id: Its full id.
    """
    info = store.telemetry.experiments.find(recording_id)
    if info is not None:
        return of_experiment(info)
    try:
        return of_run(store.runs.run(recording_id))
    except StoreError:
        return Recording(id=recording_id, name="", what="data", status="removed")


@contextlib.contextmanager
def refusing() -> Generator[None]:
    """Turn the refusal of what cannot be done now into bad input, exit code 2: nothing failed."""
    try:
        yield
    except ContractError as error:
        raise SpecError(str(error)) from error
