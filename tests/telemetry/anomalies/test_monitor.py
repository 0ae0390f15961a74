"""The monitor: streams, actions, bounds, and what a finished recording says of the same."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crucible import events
from crucible.store import StoredEvent, decode, encode
from crucible.telemetry.anomalies import (
    DETECTED,
    Anomaly,
    AnomalyConfig,
    AnomalyMonitor,
    Point,
    SampleMore,
    find_anomalies,
)

_SECOND = 1_000_000_000


def requests(
    count: int = 200, *, slow: tuple[int, ...] = (), name: str = "req.stop", seed: int = 0
) -> list[StoredEvent]:
    """Return requests of about 100 ms, one a second; the slow ones take 1,000 times as long."""
    rng = random.Random(seed)
    return [
        StoredEvent(
            name,
            place * _SECOND,
            event_id=f"{place:016x}",
            latency_ms=rng.gauss(100, 5) * (1000 if place in slow else 1),
        )
        for place in range(count)
    ]


def offered(monitor: AnomalyMonitor, items: list[Any]) -> list[Anomaly]:
    """Return what a monitor finds in the items."""
    return [anomaly for item in items for anomaly in monitor.offer(item)]


CONFIG = AnomalyConfig(methods=("modified_z",), threshold=8.0)


def test_a_slow_request_is_flagged_and_kept() -> None:
    """With its event, its time and its stream."""
    monitor = AnomalyMonitor(CONFIG)
    (found,) = offered(monitor, requests(slow=(150,)))
    assert (found.metric, found.group, found.index) == ("latency_ms", "req.stop", 150)
    assert (found.event_id, found.timestamp_ns) == (f"{150:016x}", 150 * _SECOND)
    assert monitor.found == (found,)


def test_streams_do_not_judge_one_another() -> None:
    """A slow kind of request beside a quick one is not out of the ordinary."""
    quick = requests()
    slow = [
        StoredEvent("train.stop", each.timestamp_ns, latency_ms=(each.latency_ms or 0) * 1000)
        for each in requests(seed=1)
    ]
    mixed = [item for pair in zip(quick, slow, strict=True) for item in pair]
    assert offered(AnomalyMonitor(CONFIG), mixed) == []
    lumped = AnomalyConfig(methods=("modified_z",), threshold=8.0, group_by=())
    assert offered(AnomalyMonitor(lumped), quick + slow) != []


def test_a_disabled_monitor_looks_at_nothing() -> None:
    """Neither does the search."""
    config = AnomalyConfig(enabled=False)
    monitor = AnomalyMonitor(config)
    assert offered(monitor, requests(slow=(150,))) == []
    assert monitor.report().checked == find_anomalies(requests(slow=(150,)), config).checked == 0
    assert monitor.report().text() == "No values were looked at."


def test_a_number_that_is_none_is_told_once_for_all_methods() -> None:
    """Four methods watch, one anomaly is found."""
    config = AnomalyConfig(methods=("modified_z", "iqr", "ewma", "z_score"), metrics=("loss",))
    points = [Point("loss", math.nan if place == 5 else 1.0, place) for place in range(10)]
    for found in (AnomalyMonitor(config).offer(points[5]), find_anomalies(points, config).anomalies):
        assert [each.method for each in found] == ["non_finite"]


@pytest.fixture
def heard() -> Iterator[list[events.Event]]:
    """What is emitted of anomalies."""
    caught: list[events.Event] = []
    events.attach("test-anomalies", DETECTED, caught.append)
    yield caught
    events.detach("test-anomalies")


def test_an_alert_is_emitted_and_handed_on(heard: list[events.Event]) -> None:
    """The bus hears value, score and threshold, and which metric, method, severity and direction."""
    handed: list[Anomaly] = []
    monitor = AnomalyMonitor(CONFIG.model_copy(update={"action": "alert"}), handlers=[handed.append])
    (found,) = offered(monitor, requests(slow=(150,)))
    assert handed == [found]
    (event,) = heard
    assert event.measurements == {"value": found.value, "score": found.score, "threshold": 8.0}
    assert event.metadata == {
        "metric": "latency_ms",
        "group": "req.stop",
        "method": "modified_z",
        "severity": "critical",
        "direction": "up",
        "index": 150,
        "event_id": f"{150:016x}",
    }


def test_to_flag_is_silent(heard: list[events.Event]) -> None:
    """Nothing is emitted, no handler is called."""
    handed: list[Anomaly] = []
    monitor = AnomalyMonitor(CONFIG)
    monitor.on_anomaly(handed.append)
    assert len(offered(monitor, requests(slow=(150,)))) == 1
    assert handed == heard == []


def test_an_alert_does_not_set_off_another() -> None:
    """The monitor does not look at telemetry's own events."""
    config = AnomalyConfig(metrics=("score",))
    own = [
        StoredEvent(DETECTED, 1, measurements={"score": float(place % 50 == 0) * 1e9 + place}) for place in range(200)
    ]
    monitor = AnomalyMonitor(config)
    assert offered(monitor, own) == []
    assert monitor.report().checked == find_anomalies(own, config).checked == 0


def test_a_handler_that_raises_is_counted_and_stays() -> None:
    """So is an emitter."""
    handed: list[Anomaly] = []

    def broken(_: Any, *more: Any) -> None:
        raise RuntimeError("no")

    monitor = AnomalyMonitor(CONFIG.model_copy(update={"action": "alert"}), handlers=[broken], emit=broken)
    monitor.on_anomaly(handed.append)
    assert len(offered(monitor, requests(slow=(150, 170)))) == 2
    assert (monitor.handler_errors, len(handed)) == (4, 2)


def test_more_samples_are_wanted_for_a_time() -> None:
    """From the anomaly on for `hold_s`, by the time of the events; a wish is extended, never cut short."""
    more = SampleMore()
    config = AnomalyConfig(methods=("modified_z",), threshold=8.0, action="sample_more", hold_s=10)
    monitor = AnomalyMonitor(config, sample_more=more)
    assert (more.until_ns, more.active(0)) == (0, False)
    offered(monitor, requests(slow=(150, 155)))
    assert more.until_ns == 165 * _SECOND
    assert [more.active(at * _SECOND) for at in (150, 164, 165)] == [True, True, False]
    more.wants_more(1)
    assert more.until_ns == 165 * _SECOND


def test_the_clock_stands_in_for_a_missing_time() -> None:
    """A point may have no time of its own."""
    config = AnomalyConfig(metrics=("loss",), action="sample_more", hold_s=10)
    monitor = AnomalyMonitor(config, clock=lambda: 5 * _SECOND)
    monitor.offer(Point("loss", math.nan))
    assert monitor.sample_more.until_ns == 15 * _SECOND


def test_memory_is_bounded() -> None:
    """Streams that were silent longest are forgotten, old anomalies are counted but not kept."""
    monitor = AnomalyMonitor(AnomalyConfig(metrics=("x",)), keep=3, max_streams=4)
    for place in range(50):
        monitor.offer(StoredEvent(f"event.{place % 10}", place, measurements={"x": math.inf}))
    report = monitor.report()
    assert len(monitor._streams) == 4
    assert monitor.forgotten == 46
    assert (report.total, len(report.anomalies), report.left_out) == (50, 3, 47)


def test_one_thread_offers_while_others_read() -> None:
    """Reading does not disturb, and everything is counted."""
    monitor = AnomalyMonitor(AnomalyConfig(metrics=("x",)), keep=10)
    done = threading.Event()
    totals: list[int] = []

    def read() -> None:
        while not done.is_set():
            totals.append(monitor.report().total)
            assert len(monitor.found) <= 10

    reader = threading.Thread(target=read)
    reader.start()
    for place in range(5_000):
        monitor.offer(StoredEvent("a", place, measurements={"x": math.nan}))
    done.set()
    reader.join()
    assert totals == sorted(totals)
    assert monitor.report().total == 5_000


@pytest.mark.parametrize("methods", [("ewma",), ("cusum",), ("modified_z", "iqr", "z_score", "ewma")])
def test_a_trailing_search_finds_what_the_monitor_found(methods: tuple[str, ...]) -> None:
    """The same items in the same order give the same report, also after a round trip through the store's codec."""
    items: list[Any] = [*requests(300, slow=(40, 200)), *requests(300, slow=(90,), name="other.stop", seed=2)]
    items += [Point("loss", 1.0 + (place > 150) * 3 + 0.01 * (place % 7), place) for place in range(300)]
    items.sort(key=lambda item: item.timestamp_ns or 0)
    config = AnomalyConfig.read(
        {"methods": list(methods), "metrics": ["latency_ms", "loss"], "baseline": "trailing", "action": "flag"}
    )
    monitor = AnomalyMonitor(config, keep=None)
    offered(monitor, items)
    report = find_anomalies(items, config)
    assert report == monitor.report()
    assert report.total > 0
    assert decode(encode(report.to_dict())) == report.to_dict()


def test_a_whole_search_judges_by_the_whole() -> None:
    """The first value of a series can be found out of the ordinary, which live it never is."""
    points = [Point("loss", 50.0 if place == 0 else 1.0 + 0.01 * (place % 7), place, place) for place in range(100)]
    whole = AnomalyConfig(methods=("modified_z",), metrics=("loss",))
    trailing = AnomalyConfig(methods=("modified_z",), metrics=("loss",), baseline="trailing")
    assert [each.index for each in find_anomalies(points, whole).anomalies] == [0]
    assert find_anomalies(points, trailing).total == 0
    assert find_anomalies([]).rate is None
