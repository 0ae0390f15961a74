"""Metrics of a recording while it grows."""

from __future__ import annotations

import json
import math
import pickle
import random
import statistics
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest

from crucible.errors import SpecError, StatsError
from crucible.store import StoredEvent
from crucible.telemetry.streaming import LiveMetrics, LiveSnapshot
from crucible.telemetry.streaming.tally import MOST_NAMES, OTHER_NAMES

SECOND = 1_000_000_000
T0 = 1_795_000_200 * SECOND


def live(*records: StoredEvent, **config: Any) -> LiveMetrics:
    """Return metrics of records."""
    metrics = LiveMetrics(config or None)
    for record in records:
        metrics.add(record)
    return metrics


def require_alike(got: Any, expected: Any, path: str = "$") -> None:
    """Require plain data to agree: floats to 1e-12 of them, everything else exactly."""
    if isinstance(expected, dict):
        assert got.keys() == expected.keys(), path
        for key, value in expected.items():
            require_alike(got[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(got) == len(expected), path
        for i, value in enumerate(expected):
            require_alike(got[i], value, f"{path}[{i}]")
    elif isinstance(expected, float):
        assert got == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), path
    else:
        assert got == expected, path


# What is told


def test_of_nothing_every_section_says_so() -> None:
    """The shapes that an empty recording had before: counts of 0, and None where there is no figure."""
    told = LiveMetrics().snapshot().to_dict()
    assert told["latency"] == {"count": 0}
    assert told["cost"] == {"count": 0, "total": 0.0}
    assert told["reliability"] == {"total_requests": 0, "successful": 0, "failed": 0, "success_rate": None}
    assert told["tokens"] == {"count": 0}
    assert (told["event_counts"], told["training"], told["custom"]) == ({}, [], {})
    assert (told["events"], told["events_per_s"], told["as_of_ns"]) == (0, None, None)
    assert told["windows"]["events"]["60s"]["rate_per_s"] is None


def test_figures_are_those_of_the_records(records: list[StoredEvent]) -> None:
    """Against `statistics` over the whole list: the deviation is of a sample, NaN and infinities are counted apart."""
    snapshot = live(*records).snapshot()
    latencies = [r.latency_ms for r in records if r.latency_ms is not None and math.isfinite(r.latency_ms)]
    costs = [r.cost_usd for r in records if r.cost_usd is not None]
    told = snapshot.to_dict()
    assert told["latency"]["count"] == len(latencies)
    assert told["latency"]["mean"] == pytest.approx(statistics.fmean(latencies), rel=1e-12)
    assert told["latency"]["std_dev"] == pytest.approx(statistics.stdev(latencies), rel=1e-12)
    assert (told["latency"]["min"], told["latency"]["max"]) == (min(latencies), max(latencies))
    assert (
        told["latency"]["not_finite"]
        == sum(r.latency_ms is not None and not math.isfinite(r.latency_ms) for r in records)
        > 0
    )
    assert told["latency"]["relative_error"] == 0.01
    for name, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        exact = sorted(latencies)[math.floor(q * (len(latencies) - 1))]
        assert told["latency"][name] == pytest.approx(exact, rel=0.01 + 1e-9)
    assert told["cost"]["total"] == pytest.approx(math.fsum(costs), rel=1e-15)
    assert told["cost"]["mean_per_request"] == pytest.approx(statistics.fmean(costs), rel=1e-12)
    assert told["cost"]["cost_per_1k_requests"] == pytest.approx(statistics.fmean(costs) * 1e3, rel=1e-12)
    assert told["cost"]["cost_per_1m_requests"] == pytest.approx(statistics.fmean(costs) * 1e6, rel=1e-12)
    assert told["event_counts"] == Counter(r.name for r in records)
    assert told["tokens"]["total"] == sum(r.fields.get("total_tokens", 0) for r in records)
    assert (told["first_timestamp_ns"], told["last_timestamp_ns"]) == (
        records[0].timestamp_ns,
        records[-1].timestamp_ns,
    )
    seconds = (records[-1].timestamp_ns - records[0].timestamp_ns) / 1e9
    assert told["events_per_s"] == pytest.approx(3000 / seconds)
    assert [t["model"] for t in told["training"]] == ["tuned"]


def test_only_true_and_false_are_outcomes() -> None:
    """Starts and steps have none; 1 and "ok" are none."""
    outcomes: list[Any] = [True, True, True, False, None, 1, 0, "ok"]
    told = live(*(StoredEvent("x", T0, success=outcome) for outcome in outcomes)).snapshot().to_dict()["reliability"]
    assert (told["total_requests"], told["successful"], told["failed"], told["success_rate"]) == (4, 3, 1, 0.75)


@pytest.mark.parametrize(
    ("successful", "failed", "flags"),
    [
        (99, 1, (True, False, False)),
        (999, 1, (True, True, False)),
        (9999, 1, (True, True, True)),
        (98, 1, (False, False, False)),
    ],
)
def test_service_levels_are_met_at_their_edge(successful: int, failed: int, flags: tuple[bool, ...]) -> None:
    """Exactly 99 % meets 99 %."""
    metrics = LiveMetrics()
    metrics.add_many(StoredEvent("x", T0, success=i >= failed) for i in range(successful + failed))
    told = metrics.snapshot().to_dict()["reliability"]
    assert (told["sla_99"], told["sla_999"], told["sla_9999"]) == flags


def test_windows_end_now_or_at_the_latest_record() -> None:
    """A run of the past reads the same every day; one that is on is read by the clock, and goes quiet."""
    metrics = live(*(StoredEvent("x", T0 + i * SECOND, latency_ms=2.0, cost_usd=0.5) for i in range(120)))
    minute = metrics.snapshot().windows
    assert (minute.events[0].count, minute.events[0].rate_per_s) == (60, 1.0)
    assert (minute.latency_ms[0].mean, minute.cost_usd[0].sum_per_s) == (2.0, 0.5)
    assert metrics.snapshot(T0 + 1000 * SECOND).windows.events[0].rate_per_s == 0.0
    assert metrics.snapshot(T0 + 1000 * SECOND).to_dict()["windows"]["events"]["3600s"]["count"] == 120


def test_the_average_latency_forgets() -> None:
    """Its half-life is a minute."""
    metrics = live(StoredEvent("x", T0, latency_ms=10.0), StoredEvent("x", T0 + 60 * SECOND, latency_ms=40.0))
    assert metrics.snapshot().latency_ewma_ms == pytest.approx(30.0)
    assert metrics.snapshot().to_dict()["latency"]["ewma"] == pytest.approx(30.0)


def test_what_is_switched_off_is_not_kept() -> None:
    """Neither its figures nor its windows; events are counted all the same."""
    record = StoredEvent("x", T0, latency_ms=1.0, cost_usd=1.0, success=True, fields={"total_tokens": 5})
    metrics = live(record, latency=False, cost=False, success_rate=False, tokens=False)
    told = metrics.snapshot().to_dict()
    assert not {"latency", "cost", "reliability", "tokens"} & told.keys()
    assert (told["event_counts"], list(told["windows"])) == ({"x": 1}, ["events"])
    one = live(record, tokens=False).snapshot().to_dict()
    assert one["latency"]["count"] == one["cost"]["count"] == one["reliability"]["total_requests"] == 1
    assert "tokens" not in one
    with pytest.raises(SpecError, match="unknown|not known"):
        LiveMetrics({"latecy": False})


def test_custom_numbers_are_looked_up_by_name() -> None:
    """In fields, else metadata, else measurements; what is no number there is passed over."""
    metrics = live(
        StoredEvent("x", T0, {}, fields={"reward": 1.0}, metadata={"reward": 9.0}),
        StoredEvent("x", T0, fields={"reward": "high"}, metadata={"reward": 2}),
        StoredEvent("x", T0, measurements={"reward": 3.0, "depth": 4}),
        StoredEvent("x", T0),
        custom=["reward", "depth", "absent"],
    )
    told = metrics.snapshot().to_dict()["custom"]
    assert (told["reward"]["count"], told["reward"]["sum"]) == (3, 6.0)
    assert (told["depth"]["count"], told["absent"]) == (1, {"count": 0})


# What cannot be read


class Nasty:
    """Raises whatever is asked of it."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __float__(self) -> float:
        raise RuntimeError("no number")

    @property
    def ndim(self) -> int:
        """Not even this."""
        raise RuntimeError("no dimension")


@pytest.mark.parametrize("bad", ["fast", 10**400, Nasty(), [1.0], True, b"1", {"a": 1}])
def test_a_payload_may_be_anything(bad: Any) -> None:
    """What is no number is not counted as one, the rest of the record is, and nothing raises."""
    record = StoredEvent("x", T0, {"a": bad}, {"a": bad}, latency_ms=bad, cost_usd=bad, success=bad, fields={"a": bad})
    metrics = live(record, StoredEvent("x", T0, latency_ms=1.0), custom=["a"])
    snapshot = metrics.snapshot()
    assert snapshot.event_counts == {"x": 2}
    assert snapshot.latency_ms is not None
    assert snapshot.latency_ms.count == 1


@pytest.mark.parametrize(
    "record",
    [
        StoredEvent([], T0),  # type: ignore[arg-type]
        StoredEvent(7, T0),  # type: ignore[arg-type]
        StoredEvent("x", "now"),  # type: ignore[arg-type]
        StoredEvent("x", None),  # type: ignore[arg-type]
        StoredEvent("x", math.nan),  # type: ignore[arg-type]
        StoredEvent("x", 10**400),
        None,
    ],
)
def test_what_is_no_record_is_malformed_and_stops_nothing(record: Any) -> None:
    """It is counted apart, and those after it are taken in."""
    good = StoredEvent("x", T0, latency_ms=1.0, fields={"total_tokens": 1})
    snapshot = live(good, record, good).snapshot()
    assert (snapshot.events, snapshot.malformed, snapshot.event_counts) == (2, 1, {"x": 2})
    assert snapshot.tokens is not None
    assert snapshot.tokens.total == 2


def test_fields_of_another_kind_are_no_tokens() -> None:
    """A record is checked by nobody, so fields may be text or refuse to be looked at."""
    snapshot = live(
        StoredEvent("x", T0, fields="malformed"),  # type: ignore[arg-type]
        StoredEvent("crucible_train.batch.stop", T0, fields={"model": Nasty(), "loss": 1.0}),
    ).snapshot()
    assert (snapshot.events, snapshot.malformed) == (2, 2)


def test_what_enrichment_called_malformed_is_counted() -> None:
    """Beside its place in all other counts."""
    snapshot = live(StoredEvent("x", T0, fields={"malformed": "duration: expected a number"})).snapshot()
    assert (snapshot.events, snapshot.malformed) == (1, 1)


def test_names_are_bounded() -> None:
    """A name made up for every event does not fill the memory; the sum stays right."""
    metrics = LiveMetrics()
    metrics.add_many(StoredEvent(f"n{i}", T0) for i in range(MOST_NAMES + 500))
    snapshot = metrics.snapshot()
    assert snapshot.events == MOST_NAMES + 500
    assert snapshot.event_counts[OTHER_NAMES] == 500
    other = LiveMetrics()
    other.add(StoredEvent("another", T0))
    metrics.merge(other)
    assert metrics.snapshot().event_counts[OTHER_NAMES] == 501


def test_latencies_whose_sum_overflows() -> None:
    """Have a mean all the same."""
    snapshot = live(*[StoredEvent("x", T0, latency_ms=1.7e308)] * 3).snapshot()
    assert snapshot.latency_ms is not None
    assert snapshot.latency_ms.mean == pytest.approx(1.7e308)
    assert snapshot.latency_ewma_ms == pytest.approx(1.7e308)


# Restart, batches, parts


def test_rebuilt_in_the_same_order_it_is_the_same(records: list[StoredEvent]) -> None:
    """After a restart the metrics are those that were: one by one, or in one batch, from any iterable."""
    before = live(*records, custom=["reward", "depth"]).snapshot()
    after = LiveMetrics.rebuild(iter(records), {"custom": ["reward", "depth"]}).snapshot()
    require_alike(after.to_dict(), before.to_dict())
    assert after.latency_ms == before.latency_ms
    assert after.cost_usd == before.cost_usd
    assert after.training == before.training


def test_rebuilt_in_order_of_time_it_is_the_same(records: list[StoredEvent]) -> None:
    """Records arrive a little out of order, the store returns them by time: to 1e-12 nothing changes."""
    rng = random.Random(3)
    arrived = sorted(records, key=lambda record: record.timestamp_ns + rng.randrange(5 * SECOND))
    assert arrived != records
    told, replayed = live(*arrived).snapshot().to_dict(), LiveMetrics.rebuild(records).snapshot().to_dict()
    require_alike(replayed, told)


@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 5000])
def test_batches_are_a_stream(records: list[StoredEvent], size: int) -> None:
    """Whatever their size, and mixed with single records."""
    metrics = LiveMetrics()
    for start in range(0, len(records), size):
        if start % 2:
            for record in records[start : start + size]:
                metrics.add(record)
        else:
            metrics.add_many(records[start : start + size])
    require_alike(metrics.snapshot().to_dict(), live(*records).snapshot().to_dict())


def test_a_batch_that_breaks_off_is_not_taken(records: list[StoredEvent]) -> None:
    """A store that fails half-way leaves the metrics as they were, and the error reaches the caller."""

    def broken() -> Iterator[StoredEvent]:
        yield from records[:10]
        raise OSError("the disk is gone")

    metrics = live(*records[:5])
    with pytest.raises(OSError, match="the disk is gone"):
        metrics.add_many(broken())
    assert metrics.snapshot().events == 5


def test_merged_parts_are_the_whole(records: list[StoredEvent]) -> None:
    """Two processes' parts, merged either way; the part that was merged in stays as it was."""
    whole = live(*records, custom=["depth"]).snapshot()
    one, two = live(*records[::2], custom=["depth"]), live(*records[1::2], custom=["depth"])
    before = two.snapshot()
    one.merge(two)
    assert two.snapshot() == before
    require_alike(one.snapshot().to_dict(), whole.to_dict())
    two.merge(live(*records[::2], custom=["depth"]))
    require_alike(two.snapshot().to_dict(), whole.to_dict())
    empty = LiveMetrics({"custom": ["depth"]})
    empty.merge(one)
    require_alike(empty.snapshot().to_dict(), whole.to_dict())
    one.merge(LiveMetrics({"custom": ["depth"]}))
    require_alike(one.snapshot().to_dict(), whole.to_dict())


def test_metrics_that_keep_other_things_do_not_merge() -> None:
    """The error says so."""
    with pytest.raises(StatsError, match="do not merge"):
        LiveMetrics().merge(LiveMetrics({"cost": False}))


def test_the_configuration_can_be_read() -> None:
    """As it was understood."""
    assert LiveMetrics({"cost": False}).config.cost is False


def test_publishing_lets_records_go() -> None:
    """Those that came one by one are held on to until then; figures do not change by it."""
    metrics = live(*(StoredEvent("x", T0 + i, latency_ms=float(i)) for i in range(100)))
    before = metrics.snapshot()
    assert len(metrics._tail) == 100
    metrics.publish()
    assert len(metrics._tail) == 0
    assert metrics.snapshot() == before
    published = metrics._published
    metrics.publish()
    assert metrics._published is published


# Readers


def test_a_snapshot_is_frozen() -> None:
    """It stays as it is while the stream goes on, and nobody can change it."""
    metrics = live(StoredEvent("x", T0, latency_ms=1.0))
    snapshot = metrics.snapshot()
    metrics.add(StoredEvent("y", T0, latency_ms=9.0))
    assert (snapshot.events, snapshot.event_counts) == (1, {"x": 1})
    snapshot.event_counts["x"] = 7
    assert snapshot.event_counts == {"x": 1}
    with pytest.raises(AttributeError):
        snapshot.events = 2  # type: ignore[misc]


def test_a_snapshot_travels(records: list[StoredEvent]) -> None:
    """To another process, and as JSON."""
    snapshot = live(*records, custom=["depth"]).snapshot()
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
    assert json.loads(json.dumps(snapshot.to_dict())) == snapshot.to_dict()


def numbered(total: int) -> Iterator[StoredEvent]:
    """Yield records of which every figure tells how many there were."""
    for i in range(total):
        yield StoredEvent(
            f"name{i % 3}",
            T0 + i * 1_000_000,
            latency_ms=float(i),
            cost_usd=1.0,
            success=i % 2 == 0,
            fields={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        )


def require_prefix(snapshot: LiveSnapshot) -> None:
    """Require a snapshot to be exactly that of the first n numbered records."""
    n = snapshot.events
    told = snapshot.to_dict()
    assert told["event_counts"] == {f"name{k}": (n - k + 2) // 3 for k in range(min(n, 3))}
    assert told["latency"]["count"] == told["cost"]["count"] == told["tokens"]["count"] == n
    assert told["latency"]["sum"] == n * (n - 1) / 2
    assert (told["cost"]["total"], told["tokens"]["total"]) == (float(n), 2 * n)
    assert (told["latency"]["max"], told["last_timestamp_ns"]) == (n - 1, T0 + (n - 1) * 1_000_000)
    assert (told["reliability"]["successful"], told["reliability"]["failed"]) == ((n + 1) // 2, n // 2)
    hour = {name: spans["3600s"]["count"] for name, spans in told["windows"].items()}
    assert hour == {"events": n, "latency_ms": n, "cost_usd": n, "tokens": n}


def write(metrics: LiveMetrics, total: int, batch: int) -> None:
    """Add numbered records one by one, with a batch after each if asked."""
    stream = numbered(total)
    for record in stream:
        metrics.add(record)
        if batch:
            metrics.add_many(islice(stream, batch))


def read(metrics: LiveMetrics, counts: list[int]) -> None:
    """Check a snapshot, and note how many records it is of."""
    snapshot = metrics.snapshot()
    if snapshot.events:
        require_prefix(snapshot)
    counts.append(snapshot.events)


@pytest.mark.parametrize("batch", [0, 64])
def test_every_snapshot_is_one_moment_of_the_stream(batch: int) -> None:
    """Four threads read while one writes, with the interpreter switching as often as it can: no figure is torn."""
    metrics, total = LiveMetrics(), 20_000
    seen: list[list[int]] = [[] for _ in range(4)]
    interval = sys.getswitchinterval()
    ready = threading.Barrier(6)  # Python 3.11 cannot be interrupted while it installs coverage in a thread that starts

    def work(part: Callable[..., None], *arguments: Any) -> None:
        ready.wait()
        part(*arguments)

    try:
        with ThreadPoolExecutor(5) as pool:
            writer = pool.submit(work, write, metrics, total, batch)
            readers = [pool.submit(work, _read_until, writer, metrics, counts) for counts in seen]
            ready.wait()
            sys.setswitchinterval(1e-5)
            for task in (writer, *readers):
                task.result()
    finally:
        sys.setswitchinterval(interval)
    for counts in seen:
        assert counts == sorted(counts)  # a reader never sees the stream go back
    assert len({events for counts in seen for events in counts}) > 5
    assert metrics.snapshot().events == total


def _read_until(writer: Future[None], metrics: LiveMetrics, counts: list[int]) -> None:
    while not writer.done():
        read(metrics, counts)
