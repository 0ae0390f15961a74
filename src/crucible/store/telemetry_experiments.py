"""Telemetry experiments: recordings that are not a run's. What was asked, how each stands, and what it counted.

States: running, paused, stopped, archived. A change of state is one statement that names the state it starts from, so
that of two processes which try the same change one is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import delete, insert, select, update

from crucible.errors import ContractError, StoreError
from crucible.store import tables
from crucible.store.codec import decode, encode, storable
from crucible.store.engine import Database
from crucible.store.owner import Owner

__all__ = ["ExperimentInfo", "ExperimentRepository", "ExperimentStatus"]

ExperimentStatus = Literal["running", "paused", "stopped", "archived"]

_experiments = tables.telemetry_experiments
_OWN = (tables.telemetry_events, tables.telemetry_series)
_MICROSECOND = timedelta(microseconds=1)


class ExperimentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A telemetry experiment as it stands.

    Args:
        id: 16 hexadecimal digits.
        name: Its name.
        hypothesis: What it is to show.
        condition: The arm that its events belong to unless they say otherwise.
        status: How it stands.
        started_at: ISO 8601 UTC.
        stopped_at: ISO 8601 UTC; None while it goes on.
        paused_at: Since when it is paused; None when it is not.
        pause_count: How often it was paused.
        paused_ns: How long it was paused in all, the pause under way included.
        wall_ns: From start to stop, or until now.
        active_ns: That without the pauses.
        sample_size: It stops by itself after so many events; None: never.
        recorded: Events and points that were kept, as counted at the last flush, pause or stop.
        dropped: Events that were not kept, by reason: `sampled`, `paused`, `full`, `sample_size`.
        problems: What went wrong and stopped nothing, with how often: models without a price, enrichers, samplers,
            monitors and handlers that raised.
        tags: Words to find it by.
        metadata: Anything else.
        settings: Which metrics are counted, the sampler, the prices with their source and date.
        owner: The process that started it.
    """

    id: str
    name: str
    hypothesis: str | None = None
    condition: str = "default"
    status: ExperimentStatus = "running"
    started_at: str
    stopped_at: str | None = None
    paused_at: str | None = None
    pause_count: int = 0
    paused_ns: int = 0
    wall_ns: int = 0
    active_ns: int = 0
    sample_size: int | None = None
    recorded: int = 0
    dropped: dict[str, int] = {}
    problems: dict[str, int] = {}
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    owner: Owner

    @property
    def is_orphaned(self) -> bool:
        """Whether it counts as going on, and the process that started it is gone."""
        return self.status in ("running", "paused") and self.owner.fate() == "gone"


class ExperimentRepository:
    """The telemetry experiments of a store.

    Args:
        database: The open database.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        lock = "" if database.is_sqlite else " FOR SHARE"  # a change of state waits until the transaction has ended
        self._look = database.text(f"SELECT status FROM {_experiments.name} WHERE id = ?{lock}")  # noqa: S608  # our own name

    def add(self, info: ExperimentInfo) -> ExperimentInfo:
        """Keep an experiment that starts, or one that comes from elsewhere.

        Raises:
            StoreError: There is one of this id, or it could not be written.
        """
        if self.find(info.id) is not None:
            raise StoreError(f"there is an experiment {info.id} already; join it, or remove it first")
        with self._database.writing("start a telemetry experiment") as connection:
            connection.execute(insert(_experiments), _row(info))
        return self.get(info.id)

    def replace(self, info: ExperimentInfo) -> ExperimentInfo:
        """Make what is kept of an experiment exactly this.

        Raises:
            StoreError: There is no such experiment, or it could not be written.
        """
        with self._database.writing("keep a telemetry experiment") as connection:
            connection.execute(update(_experiments).where(_experiments.c.id == info.id), _row(info))
        return self.get(info.id)

    def check_open(self, cursor: Any, experiment_id: str) -> None:
        """Make sure, inside a transaction of the `writer`, that an experiment goes on.

        Raises:
            StoreError: It was stopped or archived, or it is no more.
        """
        cursor.execute(self._look, (experiment_id,))
        row = cursor.fetchone()
        if row is None or row[0] not in ("running", "paused"):
            how = "removed" if row is None else row[0]
            raise StoreError(f"experiment {experiment_id} was {how} meanwhile, so nothing more is recorded of it here")

    def get(self, experiment_id: str) -> ExperimentInfo:
        """Return the experiment whose id is this, or begins like this.

        Raises:
            StoreError: There is none, or more than one.
        """
        query = select(_experiments).where(_experiments.c.id.startswith(storable(experiment_id), autoescape=True))
        with self._database.reading("look for a telemetry experiment") as connection:
            rows = connection.execute(query.limit(3)).all()
        exact = [row for row in rows if row.id == experiment_id] or rows
        if len(exact) == 1 and experiment_id:
            return self._info(exact[0])
        if exact and experiment_id:
            raise StoreError(f'several experiments begin with "{experiment_id}": {", ".join(row.id for row in exact)}')
        raise StoreError(f'there is no telemetry experiment "{experiment_id}"; see `crucible telemetry list`')

    def find(self, experiment_id: str) -> ExperimentInfo | None:
        """Return the experiment of exactly this id, None if there is none."""
        with self._database.reading("look for a telemetry experiment") as connection:
            row = connection.execute(select(_experiments).where(_experiments.c.id == experiment_id)).first()
        return None if row is None else self._info(row)

    def list(
        self, *, name: str | None = None, status: ExperimentStatus | None = None, limit: int | None = None
    ) -> Sequence[ExperimentInfo]:
        """Return experiments, the latest first.

        Args:
            name: Only those of exactly this name.
            status: Only those that stand like this.
            limit: At most so many.
        """
        query = select(_experiments).order_by(_experiments.c.started_at.desc(), _experiments.c.id)
        if name is not None:
            query = query.where(_experiments.c.name == storable(name))
        if status is not None:
            query = query.where(_experiments.c.status == status)
        with self._database.reading("list telemetry experiments") as connection:
            return [self._info(row) for row in connection.execute(query.limit(limit))]

    def pause(self, experiment_id: str) -> ExperimentInfo:
        """Note that an experiment is paused from now on.

        Raises:
            ContractError: It is not running.
            StoreError: There is no such experiment, or it could not be written.
        """
        changes = {
            "status": "paused",
            "paused_at": self._now(),
            "pause_count": _experiments.c.pause_count + 1,
        }
        return self._change(experiment_id, ("running",), "pause", changes)

    def resume(self, experiment_id: str) -> ExperimentInfo:
        """Note that an experiment goes on.

        Raises:
            ContractError: It is not paused.
            StoreError: There is no such experiment, or it could not be written.
        """
        info = self.get(experiment_id)
        changes = {"status": "running", "paused_at": None, "paused_ns": info.paused_ns}
        return self._change(info.id, ("paused",), "resume", changes)

    def stop(self, experiment_id: str) -> ExperimentInfo:
        """Note that an experiment is over.

        Raises:
            ContractError: It is already.
            StoreError: There is no such experiment, or it could not be written.
        """
        info = self.get(experiment_id)
        changes = {"status": "stopped", "paused_at": None, "paused_ns": info.paused_ns, "stopped_at": self._now()}
        return self._change(info.id, ("running", "paused"), "stop", changes)

    def archived(self, experiment_id: str) -> ExperimentInfo:
        """Note that an experiment lies in an archive, too.

        Raises:
            ContractError: It goes on.
            StoreError: There is no such experiment, or it could not be written.
        """
        return self._change(self.get(experiment_id).id, ("stopped", "archived"), "archive", {"status": "archived"})

    def count(
        self, experiment_id: str, recorded: int, dropped: Mapping[str, int], problems: Mapping[str, int] | None = None
    ) -> None:
        """Add to what an experiment counted.

        Args:
            experiment_id: Its full id.
            recorded: Events and points that were kept since the last time.
            dropped: Events that were not, by reason, since the last time.
            problems: What went wrong since the last time, in words, with how often.
        """
        problems = problems or {}
        if not recorded and not any(dropped.values()) and not any(problems.values()):
            return
        columns = _experiments.c.dropped_json, _experiments.c.problems_json
        with self._database.writing("count what was recorded", synced=False) as connection:
            query = select(*columns).where(_experiments.c.id == experiment_id)
            known = connection.execute(query.with_for_update()).first()
            if known is not None:
                values = {
                    "recorded": _experiments.c.recorded + recorded,
                    "dropped_json": _sum(known.dropped_json, dropped),
                    "problems_json": _sum(known.problems_json, problems),
                }
                connection.execute(update(_experiments).where(_experiments.c.id == experiment_id).values(values))

    def remove(self, experiment_id: str, *, keep_data: bool = False) -> bool:
        """Remove an experiment; return whether there was one.

        Args:
            experiment_id: Its full id.
            keep_data: Leave its events and points, to be read by its id.
        """
        with self._database.writing("remove a telemetry experiment") as connection:
            gone = connection.execute(delete(_experiments).where(_experiments.c.id == experiment_id))
            if not keep_data:
                for table in _OWN:
                    connection.execute(delete(table).where(table.c.run_id == experiment_id))
        return gone.rowcount > 0

    def _change(
        self, experiment_id: str, before: tuple[str, ...], verb: str, changes: Mapping[str, Any]
    ) -> ExperimentInfo:
        row = _experiments.c.id == experiment_id, _experiments.c.status.in_(before)
        with self._database.writing(f"{verb} a telemetry experiment") as connection:
            changed = connection.execute(update(_experiments).where(*row).values(dict(changes))).rowcount
        info = self.get(experiment_id)
        if changed == 0:
            raise ContractError(
                f'experiment {info.id} ("{info.name}") is {info.status}, so it cannot {verb}; '
                f"only one that is {' or '.join(before)} can"
            )
        return info

    def _now(self) -> str:
        return _text(self._clock())

    def _info(self, row: Any) -> ExperimentInfo:
        end = self._clock() if row.stopped_at is None else datetime.fromisoformat(row.stopped_at)
        wall_ns = _ns(end - datetime.fromisoformat(row.started_at))
        pause_ns = 0 if row.paused_at is None else _ns(end - datetime.fromisoformat(row.paused_at))
        paused_ns = min(row.paused_ns + pause_ns, wall_ns)
        return ExperimentInfo(
            id=row.id,
            name=row.name,
            hypothesis=row.hypothesis,
            condition=row.condition,
            status=row.status,
            started_at=row.started_at,
            stopped_at=row.stopped_at,
            paused_at=row.paused_at,
            pause_count=row.pause_count,
            paused_ns=paused_ns,
            wall_ns=wall_ns,
            active_ns=wall_ns - paused_ns,
            sample_size=row.sample_size,
            recorded=row.recorded,
            dropped=decode(row.dropped_json),
            problems=decode(row.problems_json),
            tags=tuple(decode(row.tags_json)),
            metadata=decode(row.metadata_json),
            settings=decode(row.settings_json),
            owner=Owner(row.owner_pid, row.owner_host, row.owner_started),
        )


def _row(info: ExperimentInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": storable(info.name),
        "hypothesis": None if info.hypothesis is None else storable(info.hypothesis),
        "condition": storable(info.condition),
        "status": info.status,
        "started_at": info.started_at,
        "stopped_at": info.stopped_at,
        "paused_at": info.paused_at,
        "pause_count": info.pause_count,
        "paused_ns": info.paused_ns,
        "sample_size": info.sample_size,
        "recorded": info.recorded,
        "dropped_json": encode(info.dropped),
        "problems_json": encode(info.problems),
        "tags_json": encode(info.tags),
        "metadata_json": encode(info.metadata),
        "settings_json": encode(info.settings),
        "owner_pid": info.owner.pid,
        "owner_host": info.owner.host,
        "owner_started": info.owner.started,
    }


def _sum(text: str, more: Mapping[str, int]) -> str:
    known: dict[str, int] = decode(text)
    return encode({name: known.get(name, 0) + more.get(name, 0) for name in [*known, *(set(more) - set(known))]})


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _ns(duration: timedelta) -> int:
    return max(0, duration // _MICROSECOND) * 1_000
