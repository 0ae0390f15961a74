"""Everything that live metrics keep of a recording, as one thing that one thread owns.

`fold` is the only way in: the writer, a reader that looks ahead and a replay from the store all go through it, record
by record, so that they agree to the last bit. `LiveMetrics` makes it safe to read while it grows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice

from crucible.errors import StatsError
from crucible.store import StoredEvent
from crucible.telemetry.streaming.distribution import Distribution
from crucible.telemetry.streaming.ewma import TimeEwma
from crucible.telemetry.streaming.harvest import Harvest, SecondHarvest
from crucible.telemetry.streaming.measured import measured
from crucible.telemetry.streaming.metrics_config import MetricsConfig
from crucible.telemetry.streaming.sliding import SlidingWindow
from crucible.telemetry.streaming.snapshot import LiveSnapshot, Reliability, Windows
from crucible.telemetry.streaming.tokens import TokenTotals
from crucible.telemetry.streaming.training import TRAINING_EVENTS, Trainings

__all__ = ["LATENCY_HALF_LIFE_S", "MOST_NAMES", "OTHER_NAMES", "Tally"]

MOST_NAMES = 10_000
"""Event names that are counted one by one."""

OTHER_NAMES = "(other)"
"""Under which further names are counted together."""

LATENCY_HALF_LIFE_S = 60.0
"""Age at which a latency weighs half in the average that forgets, seconds."""

_SECOND_NS = 1_000_000_000
_LAST_NS = 2**63 - 1  # in the year 2262; what a store can hold
_BATCH = 4096  # records that are looked at in one go


class Tally:
    """Counts, distributions, windows and progress of the records folded in so far, in bounded memory.

    Args:
        config: What to keep.
    """

    def __init__(self, config: MetricsConfig) -> None:
        self.config = config
        self.counts: dict[str, int] = {}
        self.malformed = 0
        self.first_ns: float = math.inf
        self.last_ns: float = -math.inf
        self.successful = 0
        self.failed = 0
        self.latency = Distribution()
        self.latency_ewma = TimeEwma(LATENCY_HALF_LIFE_S)
        self.cost = Distribution()
        self.tokens = TokenTotals()
        self.trainings = Trainings()
        self.custom = {name: Distribution() for name in config.custom}
        self.event_window = SlidingWindow()
        self.latency_window = SlidingWindow()
        self.cost_window = SlidingWindow()
        self.token_window = SlidingWindow()

    def fold(self, records: Iterable[StoredEvent]) -> None:
        """Take records in, in their order; what cannot be read counts as malformed and stops nothing."""
        remaining = iter(records)
        while batch := list(islice(remaining, _BATCH)):
            self._fold(iter(batch))

    def _fold(self, batch: Iterator[StoredEvent]) -> None:
        """Collect a batch's numbers in one pass, then let each part take in all of its own: half the time of turns."""
        told = Harvest()
        while not self._collect(batch, told):
            self.malformed += 1
        self.latency.add_many(told.latencies)
        self.cost.add_many(told.costs)
        for second, here in told.seconds.items():
            self.event_window.add_times(second, 1.0, here.events)
            self._average(second, here.latencies, *self.latency_window.add_many(second, here.latencies))
            self.cost_window.add_many(second, here.costs)
            self.token_window.add_many(second, self.tokens.add_many(here.fields))

    def _average(self, second: int, latencies: list[float], count: int, total: float) -> None:
        """Take the latencies of a second into the average that forgets, as of the second's beginning."""
        if math.isfinite(total):
            if count:
                self.latency_ewma.add(second * _SECOND_NS, total / count, count)
            return
        for latency in filter(math.isfinite, latencies):  # their sum is beyond a float, they are not
            self.latency_ewma.add(second * _SECOND_NS, latency)

    def _collect(self, records: Iterator[StoredEvent], told: Harvest) -> bool:  # noqa: C901, PLR0912, PLR0915  # the hot loop; calls would double its time
        """Collect from records until they end (True) or one cannot be read (False)."""
        config, counts, seconds = self.config, self.counts, told.seconds
        keeps_latency, keeps_cost = config.latency, config.cost
        keeps_tokens, keeps_success = config.tokens, config.success_rate
        add_latency, has_custom = told.latencies.append, bool(self.custom)
        first, last = self.first_ns, self.last_ns
        here = SecondHarvest()  # replaced by the first record's
        since = until = 0
        try:
            for record in records:
                timestamp, name = record.timestamp_ns, record.name
                if not since <= timestamp < until:
                    second = _second_of(timestamp)
                    since = second * _SECOND_NS
                    until = since + _SECOND_NS
                    here = seconds.get(second) or seconds.setdefault(second, SecondHarvest())
                if name in counts:
                    counts[name] += 1
                else:
                    self._count_new(name)
                here.events += 1
                if timestamp > last:  # noqa: PLR1730  # a call of max costs three times as much
                    last = timestamp
                if timestamp < first:  # noqa: PLR1730
                    first = timestamp
                latency = record.latency_ms
                if latency is not None and keeps_latency:
                    if type(latency) is not float:
                        latency = measured(latency)
                    if latency is not None:
                        add_latency(latency)
                        here.latencies.append(latency)
                cost = record.cost_usd
                if cost is not None and keeps_cost:
                    if type(cost) is not float:
                        cost = measured(cost)
                    if cost is not None:
                        told.costs.append(cost)
                        here.costs.append(cost)
                success = record.success
                if success is not None and keeps_success:
                    if success is True:
                        self.successful += 1
                    elif success is False:
                        self.failed += 1
                fields = record.fields
                if fields:
                    if keeps_tokens and isinstance(fields, dict):  # pyright: ignore[reportUnnecessaryIsInstance]  # nobody checks records at run time
                        here.fields.append(fields)
                    if "malformed" in fields:
                        self.malformed += 1
                if name in TRAINING_EVENTS:
                    self.trainings.add(TRAINING_EVENTS[name], record)
                if has_custom:
                    self._add_custom(record)
        except Exception:  # noqa: BLE001  # a record may hold anything: it is counted, and collection goes on
            return False
        finally:
            self.first_ns, self.last_ns = first, last
        return True

    def _count_new(self, name: str) -> None:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # nobody checks records at run time
            raise TypeError(f"a record's name is {type(name).__name__}, expected text")
        if len(self.counts) >= MOST_NAMES:
            name = OTHER_NAMES
        self.counts[name] = self.counts.get(name, 0) + 1

    def _add_custom(self, record: StoredEvent) -> None:
        for name, distribution in self.custom.items():
            for holder in (record.fields, record.metadata, record.measurements):
                if name in holder and (value := measured(holder[name])) is not None:
                    distribution.add(value)
                    break

    def merge(self, other: Tally) -> None:
        """Take in everything that another one saw; the other stays as it is.

        Raises:
            StatsError: The other keeps other things.
        """
        if self.config != other.config:
            raise StatsError(
                f"live metrics that keep {self.config} and {other.config} do not merge: configure both alike"
            )
        for name, count in list(other.counts.items()):
            kept = name if name in self.counts or len(self.counts) < MOST_NAMES else OTHER_NAMES
            self.counts[kept] = self.counts.get(kept, 0) + count
        self.malformed += other.malformed
        self.first_ns = min(self.first_ns, other.first_ns)
        self.last_ns = max(self.last_ns, other.last_ns)
        self.successful += other.successful
        self.failed += other.failed
        self.latency.merge(other.latency)
        self.latency_ewma.merge(other.latency_ewma)
        self.cost.merge(other.cost)
        self.tokens.merge(other.tokens)
        self.trainings.merge(other.trainings)
        for name, distribution in self.custom.items():
            distribution.merge(other.custom[name])
        self.event_window.merge(other.event_window)
        self.latency_window.merge(other.latency_window)
        self.cost_window.merge(other.cost_window)
        self.token_window.merge(other.token_window)

    def copy(self) -> Tally:
        """Return one that goes on from here by itself."""
        twin = Tally.__new__(Tally)
        twin.__dict__.update(self.__dict__)
        twin.counts = self.counts.copy()
        twin.custom = {name: distribution.copy() for name, distribution in self.custom.items()}
        twin.latency, twin.cost = self.latency.copy(), self.cost.copy()
        twin.latency_ewma = self.latency_ewma.copy()
        twin.tokens, twin.trainings = self.tokens.copy(), self.trainings.copy()
        twin.event_window, twin.latency_window = self.event_window.copy(), self.latency_window.copy()
        twin.cost_window, twin.token_window = self.cost_window.copy(), self.token_window.copy()
        return twin

    def read(self, now_ns: int | None = None) -> LiveSnapshot:
        """Return the figures, with windows that end at a time; at the latest record's if None."""
        config = self.config
        events = sum(self.counts.values())
        last_ns = int(self.last_ns) if events else None
        as_of_ns = last_ns if now_ns is None else now_ns
        return LiveSnapshot(
            events=events,
            malformed=self.malformed,
            first_timestamp_ns=int(self.first_ns) if events else None,
            last_timestamp_ns=last_ns,
            as_of_ns=as_of_ns,
            counts_by_name=tuple(self.counts.items()),
            latency_ms=self.latency.summary() if config.latency else None,
            latency_ewma_ms=self.latency_ewma.value if config.latency else None,
            cost_usd=self.cost.summary() if config.cost else None,
            reliability=Reliability(self.successful + self.failed, self.successful, self.failed)
            if config.success_rate
            else None,
            tokens=self.tokens.summary() if config.tokens else None,
            training=self.trainings.summaries(),
            custom=tuple((name, distribution.summary()) for name, distribution in self.custom.items()),
            windows=self._windows(as_of_ns or 0),
        )

    def _windows(self, now_ns: int) -> Windows:
        first_s = self.event_window.first_s
        return Windows(
            events=self.event_window.read(now_ns),
            latency_ms=self.latency_window.read(now_ns, first_s=first_s) if self.config.latency else (),
            cost_usd=self.cost_window.read(now_ns, first_s=first_s) if self.config.cost else (),
            tokens=self.token_window.read(now_ns, first_s=first_s) if self.config.tokens else (),
        )


def _second_of(timestamp_ns: int) -> int:
    if type(timestamp_ns) is not int or not -_LAST_NS <= timestamp_ns <= _LAST_NS:
        raise ValueError(f"a record's time is {type(timestamp_ns).__name__}, expected nanoseconds below 2^63 as an int")
    return timestamp_ns // _SECOND_NS
