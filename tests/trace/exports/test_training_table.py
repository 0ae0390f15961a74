"""The rows of an epoch each: what is in them, and how they are written."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crucible.errors import MissingExtra, SpecError, StoreError
from crucible.trace import Chain, Event
from crucible.trace.exports import save_training_table, training_table
from crucible.trace.training import from_training_metrics


def chain_of(*events: Event) -> Chain:
    """Return a chain of these events."""
    chain = Chain("training")
    chain.extend(events)
    return chain


def epoch(number: Any, **metadata: Any) -> Event:
    """Return an `epoch_completed`; `experiment_id` and `stage_id` are taken for the event's."""
    of_event = {name: metadata.pop(name) for name in ("experiment_id", "stage_id") if name in metadata}
    return Event.new("epoch_completed", f"Epoch {number}", "done", metadata={"epoch": number, **metadata}, **of_event)


def measured(kind: str, **metadata: Any) -> Event:
    """Return an event that measured something for an epoch."""
    return Event.new(kind, "measured", "because", metadata=metadata)


def only(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return some columns."""
    return [tuple(row[name] for name in names) for row in rows]


def test_a_row_an_epoch() -> None:
    """Metrics are the numeric keys in order of appearance; all rows have all columns; texts and booleans are none."""
    chain = chain_of(
        Event.new("training_started", "go", "now", metadata={"epoch": 0, "loss": 9}),
        epoch(1, loss=0.5, accuracy=1, note="text", improved=True),
        measured("batch_processed", epoch=2, loss=7.0),
        epoch(2, loss=0.25, learning_rate=1e-4, duration_s=3),
    )
    rows = training_table(chain)
    assert list(rows[0]) == [
        *("experiment_id", "stage_id", "epoch", "timestamp", "event_id"),
        *("loss", "accuracy", "learning_rate", "duration_s"),
    ]
    assert only(rows, "epoch", "loss", "accuracy", "learning_rate") == [(1, 0.5, 1, None), (2, 0.25, None, 1e-4)]
    assert [row["event_id"] for row in rows] == [chain[1].id, chain[3].id]


def test_epochs_are_read_as_they_were_written() -> None:
    """As a number, a whole float or text; what is no whole number is no epoch, and the row is kept."""
    rows = training_table(
        chain_of(*(epoch(value, loss=1.0) for value in (1, 2.0, "3", "x", None, True, 1.5, math.inf)))
    )
    assert [row["epoch"] for row in rows] == [1, 2, 3, None, None, None, None, None]


def test_metrics_in_a_mapping_of_their_own() -> None:
    """A `metrics` object counts like the keys beside it, which win."""
    rows = training_table(chain_of(epoch(1, metrics={"loss": 0.5, "f1": 0.75, "epoch": 7}, loss=0.4)))
    assert only(rows, "epoch", "loss", "f1") == [(1, 0.4, 0.75)]


def test_validation_joins_its_epoch() -> None:
    """Before or after the epoch's end, as `val_…`; a recorded metric under its name; without an epoch it joins none."""
    rows = training_table(
        chain_of(
            measured("validation_run", epoch=1, step=10, dataset="dev", metrics={"loss": 0.6}, val_f1=0.5),
            epoch(1, loss=0.5),
            epoch(2, loss=0.4),
            measured("validation_run", epoch=2, loss=0.55),
            measured("metric_recorded", epoch=2, name="accuracy", value=0.9),
            measured("validation_run", loss=0.1),
        )
    )
    assert only(rows, "epoch", "loss", "val_loss", "val_f1", "accuracy") == [
        (1, 0.5, 0.6, 0.5, None),
        (2, 0.4, 0.55, None, 0.9),
    ]


def test_a_resumed_epoch_has_two_rows() -> None:
    """Nothing is overwritten: each completion keeps its own measurements, in the order of the chain."""
    for is_before in (True, False):
        events = []
        for loss in (0.5, 0.45):
            pair = [epoch(3, loss=loss), measured("validation_run", epoch=3, loss=loss + 1)]
            events += reversed(pair) if is_before else pair
        rows = training_table(chain_of(*events))
        assert only(rows, "epoch", "loss", "val_loss") == [(3, 0.5, 1.5), (3, 0.45, 1.45)]


def test_an_epoch_that_never_ended_keeps_its_measurements() -> None:
    """It has a row without an event of its own."""
    rows = training_table(chain_of(epoch(1, loss=0.5), measured("validation_run", epoch=2, loss=0.6)))
    assert only(rows, "epoch", "loss", "val_loss") == [(1, 0.5, None), (2, None, 0.6)]
    assert rows[1]["event_id"] is None


def test_trainings_do_not_mix() -> None:
    """Two experiments, two stages and two workers that run side by side keep their own rows."""
    lanes = [
        {"experiment_id": "a", "stage_id": "s"},
        {"experiment_id": "b", "stage_id": "s"},
        {"experiment_id": "b", "stage_id": "t"},
        {"experiment_id": "b", "stage_id": "t", "worker": "w1", "rank": 1},
        {"experiment_id": "b", "stage_id": "t", "worker": ["odd"], "rank": 1},
    ]
    events = [epoch(1, loss=float(place), **lane) for place, lane in enumerate(lanes)]
    for place, lane in enumerate(lanes):
        about = {name: lane[name] for name in ("worker", "rank") if name in lane}
        of_event = {name: lane[name] for name in ("experiment_id", "stage_id")}
        metadata = {"epoch": 1, "loss": place + 10.0, **about}
        events.append(Event.new("validation_run", "v", "r", metadata=metadata, **of_event))
    rows = training_table(chain_of(*events))
    assert only(rows, "loss", "val_loss") == [(float(place), place + 10.0) for place in range(5)]
    assert rows[3]["worker"] == "w1"
    assert list(rows[0])[:5] == ["experiment_id", "stage_id", "worker", "rank", "epoch"]


def test_two_validations_of_an_epoch_are_both_kept() -> None:
    """The second, which says otherwise, has a row of its own."""
    rows = training_table(
        chain_of(epoch(1, loss=1.0), *(measured("validation_run", epoch=1, loss=loss) for loss in (0.5, 0.6, 0.7)))
    )
    assert only(rows, "loss", "val_loss") == [(1.0, 0.5), (None, 0.6), (None, 0.7)]


def test_columns_that_are_ours_are_not_taken() -> None:
    """A metric called like a fixed column is told apart."""
    (row,) = training_table(chain_of(epoch(1, timestamp=5, event_id=6)))
    assert (row["metadata.timestamp"], row["metadata.event_id"]) == (5, 6)
    assert row["event_id"] != 6


@pytest.fixture
def mixed() -> Chain:
    """A training with every kind of value that a metric may have."""
    return chain_of(
        epoch(1, loss=0.5, steps=10, odd=1, big=2**63, stage_id="=danger", note="x"),
        epoch(2, loss="nan", steps=None, odd="text", big=-1.5, stage_id="plain"),
        epoch(3, loss=float("-inf"), steps=30, odd={"a": [1]}, big=None),
    )


def test_csv_of_a_table(mixed: Chain, tmp_path: Path) -> None:
    """Numbers stay numbers, NaN is told from nothing, and no text is a formula."""
    path = save_training_table(mixed, tmp_path / "new" / "table.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
    assert [row["loss"] for row in rows] == ["0.5", "nan", "-inf"]
    assert [row["steps"] for row in rows] == ["10", "", "30"]
    assert [row["odd"] for row in rows] == ["1", "text", '{"a":[1]}']
    assert [row["stage_id"] for row in rows] == ["'=danger", "plain", ""]
    frame = pd.read_csv(path)
    assert frame["loss"].tolist()[::2] == [0.5, -math.inf]
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


def test_json_lines_of_a_table(mixed: Chain, tmp_path: Path) -> None:
    """A line is a row; what JSON lacks is a word."""
    path = save_training_table(mixed, str(tmp_path / "table.JSONL"))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert only(rows, "epoch", "loss", "steps", "odd") == [
        (1, 0.5, 10, 1),
        (2, "nan", None, "text"),
        (3, "-inf", 30, {"a": [1]}),
    ]


def test_parquet_of_a_table(mixed: Chain, tmp_path: Path) -> None:
    """Integers, doubles with NaN apart from null, and text where a column is mixed."""
    import pyarrow.parquet as pq

    path = save_training_table(mixed, tmp_path / "table.bin", "parquet")
    table = pq.read_table(path)
    columns = table.to_pydict()
    assert columns["steps"] == [10, None, 30]
    assert str(table.schema.field("steps").type) == "int64"
    assert str(table.schema.field("epoch").type) == "int64"
    assert columns["loss"][0] == 0.5
    assert math.isnan(columns["loss"][1])
    assert columns["odd"] == ["1", "text", '{"a":[1]}']
    assert columns["big"] == [float(2**63), -1.5, None]
    assert columns["experiment_id"] == [None] * 3


def test_parquet_of_huge_integers_is_text(tmp_path: Path) -> None:
    """Integers beyond 64 bits are not rounded without a word."""
    import pyarrow.parquet as pq

    path = save_training_table(chain_of(epoch(1, seed=2**63), epoch(2, seed=1)), tmp_path / "t.parquet")
    assert pq.read_table(path).to_pydict()["seed"] == [str(2**63), "1"]
    path = save_training_table(chain_of(epoch(1, seed=10**400), epoch(2, seed=0.5)), tmp_path / "t.parquet")
    assert pq.read_table(path).to_pydict()["seed"][1] == "0.5"


def test_no_epochs_are_an_empty_table_and_no_file(tmp_path: Path) -> None:
    """There is nothing to write, and the error says what is missing."""
    chain = chain_of(Event.new("training_started", "go", "now"))
    assert training_table(chain) == []
    with pytest.raises(SpecError, match="has no epoch_completed event"):
        save_training_table(chain, tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "chosen", "match"),
    [("t.csvv", None, 'did you mean "csv"'), ("t", None, "'t' has no suffix"), ("t.csv", "xlsx", "the format 'xlsx'")],
)
def test_an_unknown_format_is_refused(tmp_path: Path, name: str, chosen: str | None, match: str) -> None:
    """The message names the formats, and the one that was likely meant."""
    with pytest.raises(SpecError, match=match) as info:
        save_training_table(chain_of(epoch(1)), tmp_path / name, chosen)
    assert "csv, jsonl, parquet" in str(info.value)


def test_what_goes_wrong_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that is a file is a store error; a missing extra is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        save_training_table(chain_of(epoch(1)), tmp_path / "file" / "t.csv")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="data"):
        save_training_table(chain_of(epoch(1)), tmp_path / "t.parquet")


def test_hostile_texts_can_be_written(tmp_path: Path) -> None:
    """Half a surrogate pair in a name or a stage does not stop any format."""
    chain = chain_of(epoch(1, **{"\ud800": 1, "=x": 2}, stage_id="\ud800\0"))
    for suffix in ("csv", "jsonl", "parquet"):
        assert save_training_table(chain, tmp_path / f"t.{suffix}").stat().st_size > 0
    assert "'=x" in (tmp_path / "t.csv").read_text()


def test_two_runs_in_one_chain_do_not_mix() -> None:
    """What a training encloses joins its own epochs, at any depth, and the table says which training it was."""
    events: list[Event] = []
    for model in ("resnet", "vit"):
        events.append(Event.new("training_started", model, "go", id=model, metadata={"model_name": model}))
    started = Event.new("epoch_started", "Epoch 1", "go", id="inner", parent_id="vit")
    events += [
        Event.new("epoch_completed", "Epoch 1", "done", parent_id="resnet", metadata={"epoch": 1, "loss": 0.5}),
        started,
        Event.new("validation_run", "v", "r", parent_id="inner", metadata={"epoch": 1, "loss": 0.9}),
        Event.new("epoch_completed", "Epoch 1", "done", parent_id="vit", metadata={"epoch": 1, "loss": 0.8}),
    ]
    rows = training_table(chain_of(*events))
    assert only(rows, "model", "training_id", "epoch", "loss", "val_loss") == [
        ("resnet", "resnet", 1, 0.5, None),
        ("vit", "vit", 1, 0.8, 0.9),
    ]
    assert list(rows[0])[:5] == ["experiment_id", "stage_id", "model", "training_id", "epoch"]


def test_trainings_told_from_their_measurements_are_told_apart() -> None:
    """Two histories in one chain have rows that say whose they are."""
    chain = Chain("two")
    for model in ("resnet", "vit"):
        chain.extend(from_training_metrics([{"epoch": 1, "loss": 0.5}], model=model))
    assert only(training_table(chain), "model", "epoch") == [("resnet", 1), ("vit", 1)]


def test_a_measurement_outside_of_any_training() -> None:
    """It joins the only training that completed the epoch; where there are two, it joins none."""
    trainings = [Event.new("training_started", name, "go", id=name) for name in ("a", "b")]
    epochs = [
        Event.new("epoch_completed", "Epoch 1", "done", parent_id=name, metadata={"epoch": 1, "loss": 1.0})
        for name in ("a", "b")
    ]
    alone = measured("validation_run", epoch=1, loss=0.25)
    inside = Event.new("validation_run", "v", "r", parent_id="a", metadata={"epoch": 1, "loss": 0.25})
    assert only(training_table(chain_of(trainings[0], epochs[0], alone)), "val_loss") == [(0.25,)]
    assert only(training_table(chain_of(*trainings, *epochs, alone)), "training_id", "val_loss") == [
        ("a", None),
        ("b", None),
        (None, 0.25),
    ]
    assert only(training_table(chain_of(trainings[0], epoch(1, loss=1.0), inside)), "val_loss") == [(0.25,)]


def test_parents_in_a_circle_enclose_nothing() -> None:
    """A chain from a file may have any links; they end the search."""
    events = [
        Event.new("epoch_completed", "Epoch 1", "r", id=one, parent_id=other, metadata={"epoch": 1, "loss": 1.0})
        for one, other in (("a", "b"), ("b", "a"), ("c", "c"), ("d", "gone"))
    ]
    chain = Chain.from_dict({"name": "c", "events": [each.to_dict() for each in events]})
    assert len(training_table(chain)) == 4
    assert "training_id" not in training_table(chain)[0]


def test_of_the_steps_of_an_epoch_the_last_is_kept() -> None:
    """Measured at each step, before the end of the epoch or after it: one row, and the count of what gave way."""
    steps = [measured("metric_recorded", epoch=1, step=step, name="acc", value=step / 4) for step in (1, 2, 3)]
    for events in ([*steps, epoch(1, loss=0.5)], [steps[0], epoch(1, loss=0.5), *steps[1:]]):
        (row,) = training_table(chain_of(*events))
        assert (row["acc"], row["loss"], row["superseded"]) == (0.75, 0.5, 2)
        assert row["event_id"] is not None
    (row,) = training_table(chain_of(*steps, epoch(1, acc=0.9)))
    assert (row["acc"], row["superseded"]) == (0.9, 3)
    (row,) = training_table(chain_of(epoch(1, acc=0.9), *steps))
    assert (row["acc"], row["superseded"]) == (0.9, 3)
    (row,) = training_table(chain_of(*steps))
    assert (row["acc"], row["superseded"], row["event_id"]) == (0.75, 2, None)


def test_the_steps_of_a_resumed_epoch_are_its_own() -> None:
    """A second row is there exactly where the epoch was completed twice."""
    steps = [measured("metric_recorded", epoch=1, step=step, name="acc", value=step / 8) for step in range(1, 7)]
    rows = training_table(chain_of(*steps[:3], epoch(1, loss=0.5), *steps[3:], epoch(1, loss=0.4)))
    assert only(rows, "loss", "acc", "superseded") == [(0.5, 0.375, 2), (0.4, 0.75, 2)]


def test_a_measurement_without_a_step_is_never_dropped() -> None:
    """One that the epoch contradicts keeps a row of its own."""
    rows = training_table(chain_of(measured("metric_recorded", epoch=1, name="acc", value=0.5), epoch(1, acc=0.75)))
    assert [(row["acc"], row["event_id"] is None) for row in rows] == [(0.5, True), (0.75, False)]


def test_nan_joins_its_epoch() -> None:
    """A validation that gave no number belongs to its epoch like any other, also twice."""
    for value in (math.nan, "nan"):
        events = [measured("validation_run", epoch=1, loss=value) for _ in range(2)]
        (row,) = training_table(chain_of(epoch(1, loss=0.5), *events))
        assert (row["loss"], math.isnan(row["val_loss"])) == (0.5, True)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    """As epochs, metrics and workers, in rows and in every file."""
    import pyarrow.parquet as pq

    (row,) = training_table(
        chain_of(
            epoch(np.int64(1), loss=np.float32(0.5), accuracy=np.float64(0.75), seed=np.int64(3), rank=np.int64(0)),
            measured("validation_run", epoch=1, loss=np.float32(math.nan), rank=0),
        )
    )
    kinds = {name: type(row[name]) for name in ("epoch", "loss", "accuracy", "seed", "rank", "val_loss")}
    assert kinds == {"epoch": int, "loss": float, "accuracy": float, "seed": int, "rank": int, "val_loss": float}
    chain = chain_of(epoch(np.int64(1), loss=np.float64(0.5), seed=np.int64(3)))
    assert pd.read_csv(save_training_table(chain, tmp_path / "t.csv"))["loss"].tolist() == [0.5]
    schema = pq.read_table(save_training_table(chain, tmp_path / "t.parquet")).schema
    assert [str(schema.field(name).type) for name in ("epoch", "loss", "seed")] == ["int64", "double", "int64"]
