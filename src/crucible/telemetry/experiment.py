"""A telemetry experiment: a recording that is started, fed, paused, stopped and read by name of its own.

What is emitted where it is the innermost experiment belongs to it, and numbers are given to it directly. Two that go on
at once, in threads or tasks, never see each other's events.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from crucible import events
from crucible.errors import ContractError, SpecError, StoreError
from crucible.store import EventQuery, ExperimentInfo, PointRow, Store, open_store
from crucible.store.memory import MEMORY
from crucible.store.opening import ENVIRONMENT
from crucible.store.owner import current_owner
from crucible.telemetry.alerts import Alert
from crucible.telemetry.anomalies import AnomalyMonitor, SampleMore
from crucible.telemetry.intake import Intake, Watcher
from crucible.telemetry.making import Making
from crucible.telemetry.recorded import Recorded
from crucible.telemetry.recorder import Recorder
from crucible.telemetry.recorder_options import RecorderHooks
from crucible.telemetry.sampling import ReservoirSampler
from crucible.telemetry.steps import Steps, metric_number
from crucible.telemetry.streaming import LiveMetrics, LiveSnapshot

__all__ = ["Experiment"]

_LEAST, _MOST = -(2**63), 2**63 - 1


class Experiment(Recorded):
    """A recording under way; made by `start` or `join`.

    It is a context manager: leaving the block stops an experiment that was started, and leaves one that was joined.
    """

    def __init__(
        self, store: Store, info: ExperimentInfo, making: Making, *, is_joined: bool, reopens: str | Path | None
    ) -> None:
        super().__init__(info.id, store, reopens=reopens)
        self._name = info.name
        self._is_joined = is_joined
        self._open: Store | None = store
        self._live = LiveMetrics(making.metrics)
        self.monitor = None if making.anomalies is None else AnomalyMonitor(making.anomalies, emit=self._detected)
        watchers: list[Watcher] = [] if self.monitor is None else [self.monitor.offer]
        self._alerts = alerts = (
            None if making.alerts is None else making.alerts.stream(handlers=[self._tell, *making.on_alert])
        )
        if alerts is not None:
            watchers.append(alerts.update)
        intake = Intake(
            info.id,
            condition=info.condition,
            enricher=making.enricher(),
            sampler=making.sampler,
            sample_size=info.sample_size,
            observers=[self._live.add_many],
            watchers=watchers,
            more=_sample_more(making, self.monitor),
        )
        self._recorder = Recorder(
            store,
            info.id,
            options=making.recorder,
            intake=intake,
            is_run=False,
            hooks=RecorderHooks(
                on_batch=self._after_batch,
                on_end=self._end_with_process,
                on_fork=self._start_over,
                on_tick=None if alerts is None else alerts.tick,
            ),
        )
        self._inlet = self._recorder.inlet
        self._steps = Steps(self._after_last, counts=not is_joined)
        self._names = self._steps.names
        self._counting = threading.Lock()
        self._counted = 0
        self._counted_drops: Counter[str] = Counter()
        self._counted_problems: Counter[str] = Counter()
        self._standing: events.Standing | None = None

    @classmethod
    def start(
        cls,
        name: str,
        *,
        store: Store | str | Path | None = None,
        clock: Callable[[], datetime] | None = None,
        **asked: Any,
    ) -> Self:
        """Start an experiment and make it the innermost one of the code that goes on, in this thread or task.

        Args:
            name: Its name; several may have the same.
            store: Where it is kept: an open store, or what opens one; None: the usual place.
            clock: Returns the current time, aware; None: the system's.
            **asked: What `Making` takes: hypothesis, condition, tags, metadata, sample_size, metrics_config, sampler,
                prices, enrichers, anomalies, alerts, and how it is written (`recorder`).

        Raises:
            SpecError: Something that was asked cannot be.
            StoreError: It could not be kept.
        """
        making = Making.of(name, asked)
        opened, reopens = _opened(store)
        try:
            moment = (clock or _now)().astimezone(UTC).isoformat(timespec="microseconds")
            info = ExperimentInfo(
                id=secrets.token_hex(8), name=name, started_at=moment, owner=current_owner(), **making.info()
            )
            started = cls(opened, opened.telemetry.experiments.add(info), making, is_joined=False, reopens=reopens)
            started._begin()
        except BaseException:
            if reopens is not None:
                opened.close()
            raise
        return started

    @classmethod
    def join(cls, experiment_id: str, *, store: Store | str | Path | None = None, **asked: Any) -> Self:
        """Record into an experiment that another process, or this one before it died, has started.

        Where the process that started it is gone, the live view begins with what it had recorded.

        Args:
            experiment_id: Its id, or the unique beginning of it.
            store: Where it is kept.
            **asked: As for `start`, but for what the experiment is already: its sampler, prices and size are its own.

        Raises:
            ContractError: It does not go on.
            StoreError: There is no such experiment.
        """
        opened, reopens = _opened(store)
        try:
            info = opened.telemetry.experiments.get(experiment_id)
            if info.status != "running":
                raise ContractError(f'experiment {info.id} ("{info.name}") is {info.status}, so it cannot be joined')
            joined = cls(opened, info, Making.again(info, asked), is_joined=True, reopens=reopens)
            if info.owner.fate() == "gone":
                for record in opened.telemetry.select(EventQuery(run_id=info.id)):
                    joined._live.add(record)
            joined._begin()
        except BaseException:
            if reopens is not None:
                opened.close()
            raise
        return joined

    def _begin(self) -> None:
        self._recorder.start()
        self._standing = events.Standing(recording_id=self.id)
        self._standing.enter()

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def live(self) -> LiveSnapshot:
        """What was recorded in this process until a moment ago, taken without a lock; see `metrics` for all of it."""
        return self._live.snapshot(time.time_ns() if self._open is not None else None)

    def active(self) -> contextlib.AbstractContextManager[Any]:
        """Make this the innermost experiment for a block: what is emitted in it belongs to this one alone."""
        return events.scope(recording_id=self.id)

    # --- recording ---

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record a number of a series.

        Args:
            name: The series; up to 250 characters.
            value: The number; NaN and infinities, NumPy's numbers and tensors of one element, too.
            step: Its place, a whole number of 64 bits; a repeated step replaces the number. None: the one after the
                last.

        Raises:
            SpecError: The name, the value or the step cannot be one.
            ContractError: None as a step in an experiment that was joined, as two processes would count alike.
            StoreError: The experiment was stopped, or what was recorded before could not be kept.
        """
        if name not in self._names:
            self._steps.check(name, is_new=step is None)
        if value.__class__ is not float:
            value = metric_number(name, value)
        if step.__class__ is not int or not _LEAST <= step <= _MOST:  # type: ignore[operator]
            step = self._steps.of(name, step)
        elif self._steps.is_counting:
            self._steps.note(name, step)  # type: ignore[arg-type]
        point: PointRow = (self.id, name, step, value, time.time_ns())  # type: ignore[assignment]
        inlet = self._inlet
        if inlet.is_shut or len(inlet.queue) >= inlet.capacity:
            inlet.add(point)
            return
        inlet.queue.append(point)  # what `add` does, without a call: it would be a sixth of the time
        if inlet.is_shut:
            inlet.settle()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record numbers of several series at one step; all of them or none. See `log_metric`."""
        if not isinstance(metrics, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
            raise SpecError(f"metrics are numbers by name, such as {{'loss': 0.5}}; got {type(metrics).__name__}")
        run_id, names, now = self.id, self._names, time.time_ns()
        points: list[PointRow] = []
        for name, value in metrics.items():
            if name not in names:
                self._steps.check(name, is_new=step is None)
            number = value if value.__class__ is float else metric_number(name, value)
            points.append((run_id, name, step, number, now))  # type: ignore[arg-type]
        if step.__class__ is not int or not _LEAST <= step <= _MOST:  # type: ignore[operator]
            points = [(run_id, name, self._steps.of(name, step), number, now) for _, name, _, number, now in points]
        elif self._steps.is_counting:
            for name in metrics:
                self._steps.note(name, step)  # type: ignore[arg-type]
        self._recorder.inlet.add_many(points)

    def emit(
        self, name: str, measurements: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Emit an event that belongs to this experiment, wherever the calling code runs; see `events.emit`.

        Raises:
            StoreError: The experiment was stopped here.
        """
        if self._open is None:
            raise StoreError(f"the recording {self.id} was stopped, so nothing more is recorded")
        with self.active():
            events.emit(name, measurements, metadata)

    def flush(self) -> int:
        """Make everything durable that was recorded before this call.

        Returns:
            How many events and points are durable, since this process began to record.

        Raises:
            StoreError: Something was lost, now or at any time before.
        """
        written = self._recorder.flush()
        self._count()
        return written

    # --- how it stands ---

    def pause(self) -> ExperimentInfo:
        """Record nothing for a while; what comes meanwhile is only counted.

        Raises:
            ContractError: It is not running.
        """
        repository = self._store_open().telemetry.experiments
        self._recorder.inlet.shut("paused")
        try:
            self.flush()
            return repository.pause(self.id)
        except ContractError:
            if repository.get(self.id).status == "running":
                self._recorder.inlet.open()
            raise

    def resume(self) -> ExperimentInfo:
        """Record again.

        Raises:
            ContractError: It is not paused.
        """
        info = self._store_open().telemetry.experiments.resume(self.id)
        self._recorder.inlet.open()
        return info

    def stop(self) -> ExperimentInfo:
        """Make everything durable and end the experiment; one that has ended stays as it is.

        In a handler of alerts it ends as soon as what was under way is written.

        Raises:
            StoreError: Something was lost, and no `flush` has said so yet. It is stopped all the same.
        """
        if self._open is None:
            return self.info
        if self._recorder.is_writing_here:  # in a handler that the recorder calls: it is stopped when this is written
            self._recorder.inlet.shut("stopped")
            return self.info
        try:
            self._end_recording()
        finally:
            info = self.info
            if info.status in ("running", "paused"):
                with contextlib.suppress(ContractError):  # somebody else stopped it in this moment
                    self._open.telemetry.experiments.stop(self.id)
                info = self.info
            self._let_go()
        return info

    def leave(self) -> None:
        """Make everything durable that this process recorded and record no more; the experiment goes on.

        Raises:
            StoreError: Something was lost, and no `flush` has said so yet.
        """
        if self._open is not None:
            try:
                self._end_recording()
            finally:
                self._let_go()

    def _end_recording(self) -> None:
        if self._standing is not None:
            self._standing.leave()
            self._standing = None
        try:
            self._recorder.stop()
        finally:
            self._count()
        self._store_open().telemetry.close_series(self.id)

    def _let_go(self) -> None:
        self._open = None
        self.close()

    def _after_batch(self) -> None:
        inlet = self._recorder.inlet
        if self._recorder.intake.is_complete:
            inlet.shut("sample_size")
        if inlet.why_shut in ("sample_size", "stopped") and not inlet.queue and not self._is_joined:
            self._note_stop()

    def _note_stop(self) -> None:
        with contextlib.suppress(ContractError):  # it is stopped already
            self._store_open().telemetry.experiments.stop(self.id)

    def _end_with_process(self) -> None:
        """Note that it is over, because the process that started it ends, or what this one recorded of it."""
        self._count()
        if not self._is_joined:
            self._note_stop()

    def _start_over(self) -> None:
        """Record for itself in a forked child, which ends nothing but what it records."""
        self._counting = threading.Lock()
        self._is_joined = True
        self._counted = 0
        self._counted_drops = Counter(self._recorder.intake.dropped)
        self._counted_problems = self._problems()

    def _count(self) -> None:
        """Add what was recorded since the last time to what the store counts."""
        with self._counting:
            recorded = self._recorder.recorded
            drops, problems = Counter(self._recorder.intake.dropped), self._problems()
            fresh = recorded - self._counted, drops - self._counted_drops, problems - self._counted_problems
            self._store_open().telemetry.experiments.count(self.id, *fresh)
            self._counted, self._counted_drops, self._counted_problems = recorded, drops, problems

    def _problems(self) -> Counter[str]:
        """Return what went wrong and stopped nothing, with how often."""
        told = 0 if self._alerts is None else self._alerts.handler_errors
        watched = 0 if self.monitor is None else self.monitor.handler_errors
        failed = Counter({"a handler of alerts raised": told, "a handler of anomalies raised": watched})
        return self._recorder.intake.problems + failed

    def _fresh(self) -> None:
        if self._open is not None:
            self.flush()

    def _store_open(self) -> Store:
        if self._open is None:
            raise ContractError(f'experiment {self.id} ("{self._name}") was stopped here')
        return self._open

    def _tell(self, alert: Alert) -> None:
        """Put an alert on the bus, as an event of this experiment."""
        told = {name: value for name, value in msgspec.structs.asdict(alert).items() if value not in (None, "")}
        measurements = {"value": told.pop("value")} if "value" in told else {}
        with self.active():
            events.emit("crucible_telemetry.alert.raised", measurements, told)

    def _detected(self, _name: str, measurements: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Put an anomaly on the bus, as an event of this experiment."""
        with self.active():
            events.emit("crucible_telemetry.anomaly.detected", measurements, metadata)

    def _after_last(self, name: str) -> int:
        """Return the step after the last one that is recorded of a series, 0 if there is none."""
        self._recorder.flush()
        last = self._store_open().telemetry.last_step(self.id, name)
        return 0 if last is None else last + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_joined:
            self.leave()
        else:
            self.stop()


def _sample_more(making: Making, monitor: AnomalyMonitor | None) -> SampleMore | None:
    """Return what says that more is to be kept, where anomalies are watched for that."""
    if monitor is None or making.anomalies is None or making.anomalies.action != "sample_more":
        return None
    if isinstance(making.sampler, ReservoirSampler):
        raise SpecError(
            "a reservoir holds as many events as it holds; give another sampler for `action: sample_more`",
            path="sampler",
        )
    return monitor.sample_more


def _opened(store: Store | str | Path | None) -> tuple[Store, str | Path | None]:
    """Return an open store, and what opens it again if it is ours to close."""
    if isinstance(store, Store):
        return store, None
    opened = open_store(store)
    if opened.database.is_memory:
        return opened, MEMORY
    where = str(store or os.environ.get(ENVIRONMENT) or "")
    return opened, where if "://" in where else Path(opened.location).absolute()


def _now() -> datetime:
    return datetime.now(UTC)
