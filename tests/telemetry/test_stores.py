"""One protocol, three stores: what is recorded is read the same from memory, from SQLite and from PostgreSQL."""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.errors import ContractError, SpecError, StoreError, StoreUnavailable
from crucible.store import EventQuery, EventRow, Store, encode, event_row, open_store
from crucible.telemetry import Experiment, RecorderOptions

S = 1_000_000_000


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An open store, once for each kind."""
    monkeypatch.chdir(tmp_path)
    where = {"memory": ":memory:", "sqlite": str(tmp_path / "s")}.get(request.param)
    with open_store(where or request.getfixturevalue("postgres").database()) as opened:
        yield opened


def row(number: int, name: str = "x.stop", **more: Any) -> EventRow:
    """Return the row of an event at second `number`."""
    texts = {key: encode(more.pop(key)) for key in ("measurements_json", "metadata_json", "fields_json") if key in more}
    return event_row("r", name, number * S, event_id=number, **more, **texts)


def times(store: Store, **asked: Any) -> list[int]:
    """Return the seconds of the events that a query finds."""
    return [event.timestamp_ns // S for event in store.telemetry.select(EventQuery(run_id="r", **asked))]


def test_events_are_found_by_time_name_condition_and_field(any_store: Store) -> None:
    """Every way to ask, alone and together; a limit, an offset and the order hold; what is unknown finds nothing."""
    any_store.telemetry.write_events(
        [
            row(3, "a.b.stop", condition="control", success=1, latency_ms=2.5, fields_json={"model": "m", "n": 1}),
            row(1, "a.b.start", condition="control", stage="train", stage_index=0),
            row(2, "a.bc", condition="treatment", success=0, metadata_json={"model": "m", "deep": {"er": [1]}}),
            row(5, "a_b", measurements_json={"n": 1.0, "flag": True, "odd'\"": "x"}),
            row(4, "A.B", fields_json={"model": "M", "flag": False, "n": "1", "none": None}),
            event_row("other", "a.b.stop", 3 * S, event_id=9),
        ]
    )
    assert times(any_store) == [1, 2, 3, 4, 5]
    assert times(any_store, newest_first=True, limit=2, offset=1) == [4, 3]
    assert times(any_store, names=("a.b.*",)) == [1, 3]
    assert times(any_store, names=("a.bc", "a_b", "nobody")) == [2, 5]
    assert times(any_store, since_ns=2 * S, until_ns=4 * S) == [2, 3]
    assert times(any_store, condition="control", success=True) == [3]
    assert times(any_store, success=False) == [2]
    assert times(any_store, where={"model": "m"}) == [2, 3]
    assert times(any_store, where={"n": 1}) == [3, 5]
    assert times(any_store, where={"n": "1"}) == [4]
    assert times(any_store, where={"flag": True}) == [5]
    assert times(any_store, where={"flag": False}) == [4]
    assert times(any_store, where={"flag": 1}) == []
    assert times(any_store, where={"stage": "train"}) == [1]
    assert times(any_store, where={"stage_index": 0}) == [1]
    assert times(any_store, where={"latency_ms": 2.5}) == [3]
    assert times(any_store, where={"success": None}) == [1, 4, 5]
    assert times(any_store, where={"none": None}) == [1, 2, 3, 4, 5]
    assert times(any_store, where={"model": None}) == [1, 5]
    assert times(any_store, where={"modle": "m"}) == []
    assert times(any_store, where={"deep.er": "x"}) == []
    assert any_store.telemetry.count(EventQuery(run_id="r", names=("a.*",))) == 3
    with pytest.raises(SpecError, match="a field is named by its key"):
        times(any_store, where={'"; DROP': 1})
    with pytest.raises(SpecError, match="compared with a text"):
        times(any_store, where={"model": ["m"]})


def test_a_nul_in_a_text_is_kept_and_does_not_break_a_query(any_store: Store) -> None:
    """PostgreSQL cannot look inside such a text; the others are found, and it is read back as it was."""
    any_store.telemetry.write_events(
        [row(1, metadata_json={"model": "a\0b", "k": 1}), row(2, metadata_json={"model": "c", "k": 1})]
    )
    assert times(any_store, where={"model": "c"}) == [2]
    assert 2 in times(any_store, where={"k": 1})
    first = next(any_store.telemetry.select(EventQuery(run_id="r")))
    assert first.metadata == {"model": "a\0b", "k": 1}


def test_many_events_come_in_pages_and_none_twice(any_store: Store) -> None:
    """More than a page, many of one moment: each once, in order, from both ends."""
    rows = [event_row("r", "x", (number // 7) * S, event_id=number) for number in range(11_000)]
    any_store.telemetry.write_events(rows)
    found = [int(event.event_id, 16) for event in any_store.telemetry.select(EventQuery(run_id="r"))]
    assert found == list(range(11_000))
    newest = any_store.telemetry.select(EventQuery(run_id="r", newest_first=True, limit=7_000, offset=500))
    assert [int(event.event_id, 16) for event in newest] == list(range(10_499, 3_499, -1))


def test_the_database_computes_what_python_does(any_store: Store) -> None:
    """Means, deviations and percentiles by group and by time equal those of the values themselves."""
    rng = random.Random(5)
    values: dict[tuple[str, int], list[float]] = {}
    rows: list[EventRow] = []
    for number in range(400):
        name, second, latency = rng.choice(["a", "b"]), rng.randrange(-3, 5), rng.lognormvariate(0, 1)
        values.setdefault((name, second // 2 * 2), []).append(latency)
        more = {"latency_ms": latency, "cost_usd": 0.5, "success": rng.randrange(2), "fields_json": {"loss": latency}}
        rows.append(
            event_row(
                "r", name, second * S + number, event_id=number, **{**more, "fields_json": encode({"loss": latency})}
            )
        )
    rows.append(event_row("r", "a", 100 * S, event_id=1000))
    any_store.telemetry.write_events(rows)
    query = EventQuery(run_id="r", until_ns=50 * S)
    found = any_store.telemetry.aggregate(query, by=("name",), bucket_ns=2 * S, percentiles=(0.0, 0.5, 0.9, 1.0))
    assert [(each.group[0], (each.bucket_start_ns or 0) // S) for each in found] == sorted(
        values, key=lambda key: (key[1], key[0])
    )
    for each in found:
        own = sorted(values[each.group[0], (each.bucket_start_ns or 0) // S])
        assert (each.count, each.n, each.successes + each.failures) == (len(own),) * 3
        assert each.mean == pytest.approx(statistics.fmean(own), rel=1e-12)
        assert each.cost_usd == pytest.approx(0.5 * len(own))
        assert (each.min, each.max) == (own[0], own[-1])
        if len(own) > 1:
            assert each.std == pytest.approx(statistics.stdev(own), rel=1e-9)
            assert each.percentiles[0.9] == pytest.approx(
                statistics.quantiles(own, n=10, method="inclusive")[-1], rel=1e-12
            )
        assert each.percentiles[0.5] == pytest.approx(statistics.median(own), rel=1e-12)
        assert (each.percentiles[0.0], each.percentiles[1.0]) == (own[0], own[-1])
    (by_field,) = any_store.telemetry.aggregate(query, value="field:loss")
    everything = [value for own in values.values() for value in own]
    assert by_field.mean == pytest.approx(statistics.fmean(everything), rel=1e-12)
    (empty,) = any_store.telemetry.aggregate(EventQuery(run_id="nobody"), percentiles=(0.5,))
    assert (empty.count, empty.mean, empty.percentiles) == (0, None, {0.5: None})
    for how, message in (
        ({"value": "latency"}, "latency_ms"),
        ({"by": ("nam",)}, "group by"),
        ({"bucket_ns": 0}, "1 ns"),
        ({"percentiles": (95,)}, "fraction from 0 to 1"),
    ):
        with pytest.raises(SpecError, match=message):
            any_store.telemetry.aggregate(query, **how)


def model_of(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return what a series should hold: the last value of each step, by step."""
    return sorted(dict(points).items())


@pytest.mark.parametrize("seed", range(4))
def test_a_series_is_the_last_value_of_each_step_however_it_came(any_store: Store, seed: int) -> None:
    """Batches of all sizes, steps in any order and again: points, arrays and summaries are those of a plain dict."""
    rng = random.Random(seed)
    written: list[tuple[int, float]] = []
    for _ in range(25):
        size = rng.choice([1, 3, 127, 128, 200, 1100])
        start = rng.randrange(-500, 3000)
        steps = rng.choice(
            [range(start, start + size), range(start, start + 5 * size, 5), rng.sample(range(-1000, 9000), size)]
        )
        batch = [(step, rng.choice([rng.gauss(0, 1), rng.gauss(0, 1), math.nan, math.inf, 1e300])) for step in steps]
        written += batch
        any_store.telemetry.write_events([], [("r", "s", step, value, step) for step, value in batch])
        if rng.random() < 0.2:
            any_store.telemetry.close_series("r")
    expected = model_of(written)
    assert repr(any_store.telemetry.points("r", "s")) == repr(expected)
    arrays = any_store.telemetry.point_arrays("r", "s")
    assert arrays.steps.tolist() == [step for step, _ in expected] == arrays.timestamps_ns.tolist()
    (summary,) = any_store.telemetry.series_summary("r")
    finite = [(step, value) for step, value in expected if math.isfinite(value)]
    values = [value for _, value in finite]
    assert (summary.count, summary.non_finite) == (len(expected), len(expected) - len(finite))
    assert (summary.first_step, summary.last_step) == (expected[0][0], expected[-1][0])
    assert (summary.min, summary.max) == (min(values), max(values))
    assert dict(finite)[summary.min_step or 0] == min(values)
    assert summary.mean == pytest.approx(math.fsum(value / len(values) for value in values), rel=1e-9, abs=1e-12)
    assert repr(summary.last) == repr(expected[-1][1])


def test_the_deviation_of_a_series(any_store: Store) -> None:
    """Of many segments and rows together, as of the values themselves."""
    rng = random.Random(1)
    values = [1e6 + rng.gauss(0, 1) for _ in range(20_500)]
    for place in range(0, len(values), 500):
        batch = [("r", "s", place + offset, value, 1) for offset, value in enumerate(values[place : place + 500])]
        any_store.telemetry.write_events([], batch[:-3])
        any_store.telemetry.write_events([], batch[-3:])
    (summary,) = any_store.telemetry.series_summary("r")
    assert summary.mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    assert summary.std == pytest.approx(statistics.stdev(values), rel=1e-9)


@pytest.mark.slow
def test_many_slow_series_stay_few_rows(any_store: Store) -> None:
    """A point now and then to each of many series: rows become segments, so that a summary reads few of them."""
    for step in range(70):
        any_store.telemetry.write_events([], [("r", f"s{number}", step, 1.0, 1) for number in range(1_000)])
    assert any_store.telemetry._point_writer._all_rows < 66_000
    assert {each.count for each in any_store.telemetry.series_summary("r")} == {70}


def test_states_change_once(any_store: Store) -> None:
    """Of two who stop, or pause, at the same time one is told; counts of several processes add up."""
    experiment = Experiment.start("e", store=any_store)
    repository = any_store.telemetry.experiments
    assert repository.get(experiment.id[:5]).id == experiment.id
    repository.count(experiment.id, 5, {"full": 1})
    repository.count(experiment.id, 2, {"full": 2, "paused": 1})
    found = repository.get(experiment.id)
    assert (found.recorded, found.dropped) == (7, {"full": 3, "paused": 1})
    outcomes: list[str] = []

    def stop() -> None:
        try:
            repository.stop(experiment.id)
            outcomes.append("stopped")
        except ContractError:
            outcomes.append("told")

    threads = [threading.Thread(target=stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["stopped", "told", "told", "told"]
    experiment.leave()
    with pytest.raises(StoreError, match="no telemetry experiment"):
        repository.get("nobody")
    with pytest.raises(StoreError, match="no telemetry experiment"):
        repository.get("")
    assert [each.id for each in repository.list(status="stopped", name="e", limit=1)] == [experiment.id]
    assert repository.list(status="paused") == []


def test_old_events_can_go(any_store: Store) -> None:
    """Retention removes what is older than a moment, of one recording."""
    any_store.telemetry.write_events([row(number) for number in range(10)])
    any_store.telemetry.write_events([event_row("other", "x", 1)])
    assert any_store.telemetry.prune("r", 4 * S) == 4
    assert times(any_store) == [4, 5, 6, 7, 8, 9]
    assert any_store.telemetry.event_counts("other") == {"x": 1}


def test_following_sees_what_arrives(any_store: Store) -> None:
    """The latest first, then each event that comes, once."""
    any_store.telemetry.write_events([row(number) for number in range(5)])
    latest = any_store.telemetry.after("r", -1, limit=2)
    assert [event.timestamp_ns // S for _, event in latest] == [3, 4]
    any_store.telemetry.write_events([row(1)])  # late by the clock, and new all the same
    newer = any_store.telemetry.after("r", latest[-1][0])
    assert [event.timestamp_ns // S for _, event in newer] == [1]
    assert any_store.telemetry.after("r", newer[-1][0]) == []


def test_collecting_garbage_leaves_experiments_alone(any_store: Store) -> None:
    """What belongs to a telemetry experiment is no left-over of a run, however old."""
    experiment = Experiment.start("e", store=any_store)
    any_store.telemetry.write_events([event_row(experiment.id, "x", 1)], [(experiment.id, "s", 1, 1.0, 1)])
    any_store.telemetry.write_events([event_row("gone", "x", 1)], [("gone", "s", n, 1.0, 1) for n in range(200)])
    experiment.stop()
    found = any_store.gc(dry_run=False)
    assert found.dangling == ("gone",)
    assert any_store.telemetry.event_counts(experiment.id) == {"x": 1}
    assert any_store.telemetry.series("gone") == []


def test_a_memory_store_is_gone_when_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to the disk, and two of them know nothing of each other."""
    monkeypatch.chdir(tmp_path)
    with open_store(":memory:") as first, open_store(":memory:") as second:
        first.telemetry.write_events([row(1)])
        assert second.telemetry.event_counts("r") == {}
        with Experiment.start("m", store=":memory:") as own:
            own.log_metric("loss", 1.0)
        assert len(own.points("loss")) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_restarts_loses_and_doubles_nothing(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is away what is recorded waits; what was under way when it went is written once."""
    monkeypatch.chdir(tmp_path)
    with open_store(postgres.database()) as store:
        options = RecorderOptions(interval_s=0.001)
        experiment = Experiment.start("pg", store=store, recorder=options)
        halt = threading.Thread(target=lambda: (time.sleep(0.3), postgres.halt(), time.sleep(0.5), postgres.run()))
        halt.start()
        number = 0
        while halt.is_alive():
            events.emit("x", {"n": number})
            experiment.log_metric("loss", number, number)
            number += 1
            time.sleep(0.0002)
        _await(postgres)
        experiment.flush()
        assert [event.measurements["n"] for event in experiment.query()] == list(range(number))
        assert list(experiment.points("loss").values) == [float(each) for each in range(number)]
        experiment.stop()


def _await(postgres: Any) -> None:
    deadline = time.monotonic() + 60
    while not postgres._answers() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_a_batch_of_which_nobody_knows_is_written_once(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is cut before and after the commit: either way each event and point is there once."""
    monkeypatch.chdir(tmp_path)
    with open_store(postgres.database()) as store:
        write = store.telemetry.write_events
        cuts = iter(["before", "after", "after"])

        def cut(*rows: Any, **how: Any) -> None:
            when = next(cuts, "")
            if when == "after":
                write(*rows, **how)
            if when:
                raise StoreUnavailable("the line is cut")
            write(*rows, **how)

        monkeypatch.setattr(store.telemetry, "write_events", cut)
        experiment = Experiment.start("pg", store=store)
        for number in range(300):
            events.emit("x", {"n": number})
            experiment.log_metric("loss", number, number)
        experiment.flush()
        monkeypatch.undo()
        assert [event.measurements["n"] for event in experiment.query()] == list(range(300))
        assert len(experiment.points("loss")) == 300
        (summary,) = experiment.series_summary()
        assert summary.count == 300
        experiment.stop()


def test_a_server_that_stays_away_is_an_error_in_time(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `patience_s` flush says what was lost."""
    monkeypatch.chdir(tmp_path)
    with open_store(postgres.database()) as store:
        experiment = Experiment.start("pg", store=store, recorder=RecorderOptions(patience_s=0.3))
        postgres.halt()
        try:
            experiment.log_metric("loss", 1.0, 0)
            with pytest.raises(StoreError, match="could not be recorded"):
                experiment.flush()
        finally:
            postgres.run()
            _await(postgres)
        assert experiment.stop().status == "stopped"


def test_readers_and_writers_of_a_memory_store_take_turns() -> None:
    """Threads that record and threads that ask share the one connection."""
    with open_store(":memory:") as store:
        experiment = Experiment.start("m", store=store)
        errors: list[BaseException] = []

        def record(name: str) -> None:
            for step in range(500):
                experiment.log_metric(name, step, step)

        def ask(_: str) -> None:
            try:
                for _ in range(30):
                    experiment.series_summary()
            except BaseException as error:
                errors.append(error)

        work: list[Callable[[str], None]] = [record, record, ask, ask]
        threads = [threading.Thread(target=each, args=(f"s{place}",)) for place, each in enumerate(work)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert [each.count for each in experiment.series_summary()] == [500, 500]
        experiment.stop()


def test_questions_that_mean_nothing_are_refused(any_store: Store) -> None:
    """A word for a truth value, a negative count, a number that no database holds: errors, and no wrong answers."""
    any_store.telemetry.write_events([row(1, success=1), row(2, success=0)])
    for asked, message in (
        ({"where": {"success": "false"}}, "true or false"),
        ({"success": "x"}, "true or false"),
        ({"offset": -1}, "offset is a count"),
        ({"limit": -1}, "limit is a count"),
        ({"where": {"n": 10**400}}, "64 bits"),
        ({"where": {"event_id": "no"}}, "16 hexadecimal"),
    ):
        with pytest.raises(SpecError, match=message):
            times(any_store, **asked)
    assert times(any_store, where={"name": "x.stop", "success": False}) == [2]
    assert times(any_store, where={"event_id": f"{1:016x}"}) == [1]


def test_large_numbers_and_dotted_keys_are_looked_for_exactly(any_store: Store) -> None:
    """Ids beyond 2^53 differ by one; a key may have dots of its own, or nest."""
    any_store.telemetry.write_events(
        [
            row(1, metadata_json={"id": 2**60, "gen_ai.request.model": "m"}),
            row(2, metadata_json={"id": 2**60 + 1, "gen_ai": {"request": {"model": "m"}}}),
            row(3, metadata_json={"id": 0.1, "ok": True}),
        ]
    )
    assert times(any_store, where={"id": 2**60}) == [1]
    assert times(any_store, where={"id": 2**60 + 1}) == [2]
    assert times(any_store, where={"id": 0.1}) == [3]
    assert times(any_store, where={"gen_ai.request.model": "m"}) == [1, 2]
    found = any_store.telemetry.aggregate(EventQuery(run_id="r"), by=("field:ok",))
    assert [each.group for each in found] == [("true",), (None,)]
    by_success = any_store.telemetry.aggregate(EventQuery(run_id="r"), by=("success",))
    assert [each.group for each in by_success] == [(None,)]
