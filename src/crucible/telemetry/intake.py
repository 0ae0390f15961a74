"""What becomes of an event on its way into the store: enriched, sampled, shown to whoever watches, made a row.

Runs on the recorder's own thread, so that the code which is measured does not wait for it. Nothing here raises for what
an event holds.
"""

from __future__ import annotations

import itertools
import math
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from crucible.events import Event, Scope
from crucible.store import ABSENT, EventRow, PointRow, StoredEvent, encode, event_row, storable
from crucible.telemetry.anomalies import Point as Logged
from crucible.telemetry.anomalies import SampleMore
from crucible.telemetry.enrichment import Enricher
from crucible.telemetry.sampling import ReservoirSampler, Sampler
from crucible.telemetry.series import points_of

__all__ = ["Intake", "Observer", "Rows", "Watcher"]

Observer = Callable[[Sequence[StoredEvent]], object]
"""Sees all events of a batch that are kept, on the recorder's thread."""

Watcher = Callable[[StoredEvent | Logged], object]
"""Sees every event and every logged point that is kept, on the recorder's thread."""

_MOST_NAMES = 10_000
_MOST = math.inf
_NUL = r"\u0000"


class Rows(msgspec.Struct):
    """A batch as the store takes it.

    Args:
        events: In order.
        points: In order.
        replaced: Events that a sampler gives up for newer ones: recording, time, event id.
        records: The events again, for those who look at them; empty where nobody does.
    """

    events: list[EventRow] = []
    points: list[PointRow] = []
    replaced: list[tuple[str, int, int]] = []
    records: list[StoredEvent] = []


class Intake:
    """Makes rows of what a recorder took off its queue.

    Args:
        run_id: The recording.
        condition: The arm that events belong to unless their metadata names another one.
        enricher: Finds latency, cost, success and the rest.
        sampler: Decides what is kept; None keeps everything.
        sample_size: Keep so many events and no more; None: no limit.
        observers: See the events of each batch that are kept.
        watchers: See each of them, and the logged points; with `more`, also the events that the sampler leaves out.
        more: While it is active, every event is kept, whatever the sampler says.
    """

    def __init__(
        self,
        run_id: str,
        *,
        condition: str | None = None,
        enricher: Enricher | None = None,
        sampler: Sampler | None = None,
        sample_size: int | None = None,
        observers: Sequence[Observer] = (),
        watchers: Sequence[Watcher] = (),
        more: SampleMore | None = None,
    ) -> None:
        self._run_id = run_id
        self._condition = storable(condition or ABSENT)
        self._enrich = enricher or Enricher()
        self._sampler = sampler
        self._sample_size = sample_size
        self._more = more
        self._watchers = tuple(watchers)
        self._observers = tuple(observers)
        self._has_points = not isinstance(sampler, ReservoirSampler)  # what it gives up would leave its points behind
        self._looks = bool(sampler is not None or observers or watchers)
        self._names: dict[str, str] = {}
        self._scope = Scope()
        self._where = _where(self._scope)
        self.start_over()
        self._kept = 0
        self.dropped: Counter[str] = Counter()
        self.observer_errors: Counter[str] = Counter()

    def start_over(self) -> None:
        """Give other event ids from now on: what a forked child does, lest it gives those of its parent."""
        self.origin = secrets.randbits(62)
        self._ids = itertools.count(self.origin)

    @property
    def problems(self) -> Counter[str]:
        """What went wrong and stopped nothing, in words, with how often."""
        missed = self._enrich.unpriced if self._enrich.has_prices else {}
        unpriced = {f"no price for the model {model}": count for model, count in missed.items()}
        enrichers = {f"the enricher {name} failed": each.count for name, each in self._enrich.errors.items()}
        return Counter({**unpriced, **enrichers, **self.observer_errors})

    @property
    def is_complete(self) -> bool:
        """Whether as many events were kept as are wanted."""
        return self._sample_size is not None and self._kept >= self._sample_size

    def rows(self, batch: Sequence[Event | PointRow]) -> Rows:
        """Return what is kept of a batch."""
        rows = Rows()
        points = rows.points
        for entry in batch:
            if entry.__class__ is tuple:
                points.append(entry)  # type: ignore[arg-type]
                if self._watchers:
                    self._show(entry)  # type: ignore[arg-type]
            elif self.is_complete:
                self.dropped["sample_size"] += 1
            else:
                try:
                    self._take(entry, rows)  # type: ignore[arg-type]
                except Exception as error:  # noqa: BLE001  # whatever it holds, it is kept that it happened
                    rows.events.append(self._unreadable(entry, error))  # type: ignore[arg-type]
                    self._kept += 1
        for observer in self._observers:
            self.tell(observer, rows.records)
        return rows

    def _unreadable(self, event: Event, error: Exception) -> EventRow:
        """Return the row of an event that could not be looked into."""
        name = event.name if event.name.__class__ is str else f"malformed.{type(event.name).__name__}"
        what = f"it could not be read: {type(error).__name__}"
        return event_row(
            self._run_id,
            storable(name) or "malformed",
            event.timestamp_ns,
            event_id=next(self._ids),
            fields_json=encode({"malformed": what}),
        )

    def _take(self, event: Event, rows: Rows) -> None:
        found = self._enrich(event)
        number = next(self._ids)
        measurements, metadata = event.measurements, event.metadata
        if measurements.__class__ is not dict or metadata.__class__ is not dict:
            measurements, metadata = _mapping(measurements), _mapping(metadata)
        condition = self._condition
        if "condition" in metadata and metadata["condition"] is not None:
            condition = storable(str(metadata["condition"]))
        scope = event.scope
        if scope is not self._scope:
            self._scope, self._where = scope, _where(scope)
        stage, stage_index, correlation_id = self._where
        if self._looks:
            record = StoredEvent(
                event.name,
                event.timestamp_ns,
                stage or None,
                None if stage_index == ABSENT else stage_index,  # type: ignore[arg-type]
                event.span_id,
                event.parent_span_id,
                measurements,  # type: ignore[arg-type]
                metadata,  # type: ignore[arg-type]
                self._run_id,
                f"{number:016x}",
                correlation_id or None,
                condition or None,
                found.latency_ms,
                found.cost_usd,
                found.success,
                found.fields,
            )
            if not self._is_kept(record, rows):
                return
            rows.records.append(record)
        success = found.success
        name = self._names.get(event.name)
        rows.events.append(
            (
                self._run_id,
                name or self._storable(event.name),
                event.timestamp_ns,
                stage,
                stage_index,
                event.span_id or ABSENT,
                event.parent_span_id or ABSENT,
                encode(measurements),
                encode(metadata),
                number,
                correlation_id,
                condition,
                _finite(found.latency_ms),
                _finite(found.cost_usd),
                ABSENT if success is None else 1 if success else 0,
                _fields(found.fields) if found.fields else ABSENT,
            )
        )
        self._kept += 1
        if self._has_points and "step" in measurements:
            rows.points.extend(points_of(self._run_id, event))

    def _storable(self, name: str) -> str:
        """Return a name as the store has it, and remember it; programs have few of them."""
        text = storable(name) or "unnamed"
        if len(self._names) < _MOST_NAMES:
            self._names[name] = text
        return text

    def _show(self, point: PointRow) -> None:
        _, name, step, value, at = point
        logged = Logged(name, value, step, at)
        for watcher in self._watchers:
            self.tell(watcher, logged)

    def tell(self, observer: Callable[[Any], object], what: Any) -> None:
        """Call somebody who watches; what it raises is counted, and never stops what is watched."""
        try:
            observer(what)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # nor does asking the program to exit
            self.count_error(error)

    def count_error(self, error: BaseException) -> None:
        """Count what somebody who watches raised."""
        self.observer_errors[f"somebody who watches raised {type(error).__name__}"] += 1

    def _is_kept(self, record: StoredEvent, rows: Rows) -> bool:
        if self._more is not None:
            for watcher in self._watchers:
                self.tell(watcher, record)
        if self._sampler is not None:
            verdict = self._sampler.offer(record)
            if verdict.replaces is not None:
                at, event_id = verdict.replaces
                self._give_up(at, int(event_id, 16), rows)
            if self._more is not None and self._more.active(record.timestamp_ns):
                record.fields.pop("sampling_weight", None)  # everything is kept now, so each stands for itself
            elif not verdict.kept:
                self.dropped["sampled"] += 1
                return False
        if self._more is None:
            for watcher in self._watchers:
                self.tell(watcher, record)
        return True

    def _give_up(self, at: int, number: int, rows: Rows) -> None:
        """Let go of an event for a newer one, whether it is in this batch or in the store."""
        self.dropped["sampled"] += 1
        self._kept -= 1
        for place, row in enumerate(rows.events):
            if row[9] == number:
                del rows.events[place]
                return
        rows.replaced.append((self._run_id, at, number))


def _where(scope: Scope) -> tuple[str, int | str, str]:
    """Return stage, its place and correlation id as a row has them, whatever somebody put into the scope."""
    index: Any = scope.stage_index
    is_place = isinstance(index, int) and abs(index) < 2**31
    return _word(scope.stage), index if is_place else ABSENT, _word(scope.correlation_id)


def _word(value: Any) -> str:
    return ABSENT if value is None else storable(str(value))


def _fields(found: dict[str, Any]) -> str:
    """Return fields as a row has them, without NULs, which would hide them all from PostgreSQL."""
    text = encode(found)
    if _NUL not in text:
        return text
    return encode({name: storable(value) if isinstance(value, str) else value for name, value in found.items()})


def _finite(number: float | None) -> float | str:
    """Return a number as a row has it; what is no number is no latency and no cost."""
    return number if number is not None and -_MOST < number < _MOST else ABSENT


def _mapping(value: Any) -> dict[str, Any]:
    """Return what an event says; what should have been a mapping and is none, under a name of its own."""
    if value.__class__ is dict:
        return value
    return dict(value) if isinstance(value, Mapping) else {"malformed": value}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
