"""What a recording holds, for whoever asks: of a run, or of a telemetry experiment, under way or over."""

from __future__ import annotations

import contextlib
import heapq
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import ContractError
from crucible.ir import from_dict
from crucible.store import Aggregate, EventQuery, ExperimentInfo, Points, SeriesSummary, Store, StoredEvent
from crucible.telemetry.alerts import Alert, AlertRules
from crucible.telemetry.anomalies import AnomalyConfig, AnomalyReport, find_anomalies
from crucible.telemetry.anomalies import Point as Logged
from crucible.telemetry.archive import write_archive, write_jsonl_archive
from crucible.telemetry.exports import Anonymizer, Exported, Source, export_points, export_records
from crucible.telemetry.finding import full_id, using
from crucible.telemetry.known import refuse_unknown
from crucible.telemetry.summary import MetricsSummary, metrics_of
from crucible.telemetry.windows import Window, windows

__all__ = ["Recorded"]


class Recorded:
    """A recording that can be read.

    Args:
        recording_id: A run's full id, or a telemetry experiment's.
        store: Where it is kept: an open store, which stays open, or what opens one; None: the usual place.
        reopens: Of an open store that is closed with this, what opens it again.
    """

    def __init__(
        self, recording_id: str, store: Store | str | Path | None = None, *, reopens: str | Path | None = None
    ) -> None:
        self.id = recording_id
        self._store = store
        self._reopens = reopens

    @staticmethod
    def find(recording_id: str, store: Store | str | Path | None = None) -> Recorded:
        """Return the recording whose id is this, or begins like this.

        Raises:
            StoreError: There is none, or more than one.
        """
        with using(store) as opened:
            return Recorded(full_id(opened, recording_id), store)

    @property
    def info(self) -> ExperimentInfo:
        """The experiment as it stands.

        Raises:
            StoreError: It is a run's recording, or was removed.
        """
        with self._using() as store:
            return store.telemetry.experiments.get(self.id)

    # --- events ---

    def events(self, *names: str, last_s: float | None = None, **asked: Any) -> Iterator[StoredEvent]:
        """Yield events in the order of time, however many there are.

        Args:
            *names: Any of these: exact names, or `prefix.*`; none: whatever the name.
            last_s: Only of the last so many seconds.
            **asked: What `EventQuery` takes: since_ns, until_ns, condition, success, where, limit, offset,
                newest_first.

        Raises:
            SpecError: What is asked cannot be.
        """
        self._fresh()
        query = self._query(names, last_s, asked)
        with self._using() as store:
            yield from store.telemetry.select(query)

    def query(self, *names: str, last_s: float | None = None, **asked: Any) -> list[StoredEvent]:
        """Return events in the order of time; see `events`."""
        return list(self.events(*names, last_s=last_s, **asked))

    def count(self, *names: str, last_s: float | None = None, **asked: Any) -> int:
        """Return how many events fit; see `events`."""
        self._fresh()
        with self._using() as store:
            return store.telemetry.count(self._query(names, last_s, asked))

    def aggregate(
        self, *names: str, where: Mapping[str, Any] | None = None, condition: str | None = None, **how: Any
    ) -> list[Aggregate]:
        """Return numbers over events, computed by the database; see `store.telemetry.aggregate`."""
        self._fresh()
        query = EventQuery(run_id=self.id, names=names, where=where or {}, condition=condition)
        with self._using() as store:
            return store.telemetry.aggregate(query, **how)

    def _query(self, names: tuple[str, ...], last_s: float | None, asked: Mapping[str, Any]) -> EventQuery:
        values = dict(asked)
        more: str | Iterable[str] = values.pop("names", ())  # a caller who has no room for `*names` gives them by name
        names += (more,) if isinstance(more, str) else tuple(more)
        refuse_unknown(values, EventQuery.__struct_fields__[1:], "events are not asked for by")
        if last_s is not None:
            values["since_ns"] = max(values.get("since_ns") or 0, time.time_ns() - round(last_s * 1e9))
        return EventQuery(run_id=self.id, names=names, **values)

    # --- series ---

    def series(self) -> list[str]:
        """Return the names of the series, sorted."""
        self._fresh()
        with self._using() as store:
            return store.telemetry.series(self.id)

    def points(self, series: str) -> Points:
        """Return a series as arrays of steps, values and times, by step.

        Raises:
            StoreError: There is no such series; the message names near ones.
        """
        self._fresh()
        with self._using() as store:
            return store.telemetry.point_arrays(self.id, series)

    def series_summary(self) -> list[SeriesSummary]:
        """Return what each series comes to: count, first and last step, last, least, largest, mean, deviation."""
        self._fresh()
        with self._using() as store:
            return store.telemetry.series_summary(self.id)

    # --- what it comes to ---

    def metrics(self) -> MetricsSummary:
        """Return what it comes to: latency, cost, reliability, tokens, trainings and series, exactly.

        What an experiment's `metrics_config` switches off is left out.
        """
        self._fresh()
        with self._using() as store:
            return metrics_of(store, self.id)

    def windows(
        self,
        window_s: float,
        step_s: float | None = None,
        *names: str,
        percentiles: Sequence[float] = (0.5, 0.95, 0.99),
        **asked: Any,
    ) -> list[Window]:
        """Return stretches of time from the first event to the last; see `telemetry.windows`.

        Args:
            window_s: Length of each, seconds.
            step_s: From the start of one to the start of the next; None: they follow each other.
            *names: Only of these events.
            percentiles: Of latencies; fractions from 0 to 1.
            **asked: As for `events`: since_ns, until_ns, condition, success, where.
        """
        self._fresh()
        with self._using() as store:
            return windows(store, self._query(names, None, asked), window_s, step_s, percentiles=percentiles)

    def anomalies(self, config: AnomalyConfig | Mapping[str, Any] | None = None) -> AnomalyReport:
        """Return what is out of the ordinary; see `AnomalyConfig` for what is watched, and how.

        Raises:
            SpecError: The configuration cannot be.
        """
        wanted = config if isinstance(config, AnomalyConfig) or config is None else from_dict(config, AnomalyConfig)
        return find_anomalies(self._items(), wanted)

    def alerts(self, rules: AlertRules) -> list[Alert]:
        """Return the alerts that rules would have given while it was recorded, as far as what is kept of it tells.

        Of a repeated step only the last value is kept, events that a sampler left out are gone, and numbers of one
        moment come in the order of their series' names.
        """
        return rules.replay(self._items())

    def _items(self) -> Iterator[StoredEvent | Logged]:
        """Yield everything in the order of time: events, and the points of series that were logged as such."""
        with self._using() as store:
            names = tuple(f"{name}:" for name in store.telemetry.event_counts(self.id))
        logged = [
            Logged(series, value, step, at)
            for series, step, value, at in self._points()
            if not series.startswith(names)  # those of events are read from the events
        ]
        logged.sort(key=lambda point: point.timestamp_ns or 0)
        return heapq.merge(self.events(), logged, key=lambda item: item.timestamp_ns or 0)

    # --- out of the store ---

    def export(
        self,
        format: str | None = None,  # noqa: A002  # the word users know
        path: str | Path | None = None,
        *,
        points: bool = False,
        anonymizer: Anonymizer | None = None,
        **asked: Any,
    ) -> Exported:
        """Write events, or the points of all series, to a file that is whole or absent.

        Args:
            format: `csv`, `jsonl` or `parquet`; None: what the path ends in, else CSV.
            path: Where; None: a new file in `exports/`.
            points: Points instead of events.
            anonymizer: Hides users and sessions, whether their ids are known from the events that are written, from
                others of this recording, or from the experiment's metadata and tags.
            **asked: Which events, as for `events`.

        Raises:
            SpecError: The format is unknown.
            StoreError: The file cannot be written.
            MissingExtra: Parquet without the extra `data`.
        """
        with self._using() as store:
            info = store.telemetry.experiments.find(self.id)
        source = Source(self.id) if info is None else Source(info.id, info.name, info.tags)
        if anonymizer is not None:
            if info is not None:
                anonymizer.learn(about=info.metadata, tags=info.tags)
            if points or asked:  # else every event is written, and learnt from on the way
                anonymizer.learn(self.events())
        if points:
            return export_points(self._points(), format, path, run_id=self.id, source=source, anonymizer=anonymizer)
        return export_records(self.events(**asked), format, path, source=source, anonymizer=anonymizer)

    def archive(self, path: str | Path, *, replace: bool = False) -> Path:
        """Put the whole recording away, to be read in place or brought back by `telemetry.restore`.

        Args:
            path: A file that ends in `.jsonl` or `.jsonl.gz`; else a folder, of Parquet by experiment and day.
            replace: Whether what was archived there of it is replaced.

        Raises:
            ContractError: It goes on; stop it first.
            StoreError: It cannot be written, or is there already.
            MissingExtra: Parquet without the extra `data`.
        """
        path = Path(path)
        with self._using() as store:
            info = store.telemetry.experiments.find(self.id)
            if info is not None and info.status in ("running", "paused"):
                raise ContractError(f'experiment {info.id} ("{info.name}") is {info.status}; stop it, then archive it')
            about: dict[str, Any] = {"id": self.id} if info is None else msgspec.to_builtins(info)
            write = write_jsonl_archive if path.name.endswith((".jsonl", ".jsonl.gz")) else write_archive
            write(path, about, self.events(), self._points(), replace=replace)
            if info is not None:
                store.telemetry.experiments.archived(self.id)
        return path

    def cleanup(self, *, keep_data: bool = False) -> bool:
        """Remove a telemetry experiment, or what was kept of one; return whether there was anything.

        Args:
            keep_data: Leave its events and points, to be read by its id.

        Raises:
            ContractError: It goes on, in a process that lives; stop it first.
        """
        with self._using() as store:
            info = store.telemetry.experiments.find(self.id)
            if info is None:
                return self._remove_left_over(store)
            if info.status in ("running", "paused") and info.owner.fate() != "gone":
                raise ContractError(f'experiment {info.id} ("{info.name}") is {info.status}; stop it, then remove it')
            store.telemetry.forget(self.id)
            return store.telemetry.experiments.remove(self.id, keep_data=keep_data)

    def _remove_left_over(self, store: Store) -> bool:
        """Remove what was kept of an experiment that was removed; return whether there was anything."""
        is_there = bool(store.telemetry.event_counts(self.id) or store.telemetry.series(self.id))
        if is_there:
            if any(run.run_id == self.id for run in store.runs.list()):
                raise ContractError(f"{self.id} is a run, and its telemetry goes with it; see `crucible runs gc`")
            store.telemetry.forget(self.id)
            store.telemetry.experiments.remove(self.id)
        return is_there

    def _points(self) -> Iterator[tuple[str, int, float, int]]:
        """Yield the points of all series: series, step, value, time."""
        for series in self.series():
            found = self.points(series)
            for step, value, at in zip(found.steps, found.values, found.timestamps_ns, strict=True):
                yield series, step, value, at

    # --- where it is kept ---

    def close(self) -> None:
        """Close a store that was opened for this; what is asked afterwards opens it for as long as that takes."""
        if self._reopens is not None and isinstance(self._store, Store) and not self._store.database.is_memory:
            opened, self._store = self._store, self._reopens
            opened.close()

    def _fresh(self) -> None:
        """Make durable what is on its way, where this records."""

    @contextlib.contextmanager
    def _using(self) -> Generator[Store]:
        with using(self._store) as store:
            yield store
