"""W&B-style JSONL and lines of a metrics store are read, each line for itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.errors import SpecError
from crucible.telemetry.importers import ImportedRun, read_wandb

PointsOf = Callable[[ImportedRun], list[tuple[str, int, float]]]


def one(path: Path, text: str | bytes) -> ImportedRun:
    """Write a history and return its run."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (run,) = read_wandb(path)
    return run


def test_a_run_is_read(data: Path, points_of: PointsOf) -> None:
    """Nested numbers are series, words are events, media and nulls are counted; NaN is taken in both spellings."""
    (run,) = read_wandb(data / "wandb")
    found = points_of(run)
    assert [(name, step) for name, step, _ in found] == [
        ("_runtime", 0),
        *(("loss", step) for step in range(4)),
        ("train/acc", 0),
        ("train/deep/x", 0),
    ]
    values = [value for _, _, value in found]
    assert math.isnan(values[2])
    assert values[:2] + values[3:] == [1.0, 1.0, math.inf, 0.25, 0.5, 1.0]
    assert run.skipped == {"nulls": 1, "media of type image-file": 1, "media of type histogram": 1}
    (((event,)),) = run.events()
    assert (event.name, event.measurements, event.metadata) == (
        "wandb.logged",
        {"step": 1},
        {"word": "warm", "flag": True},
    )
    assert event.timestamp_ns == 1_700_000_001_500_000_000
    assert [[event.event_id]] == [[again.event_id for again in batch] for batch in run.events()]
    assert not run.problems


def test_what_lies_beside_it_is_read(data: Path) -> None:
    """Config without W&B's own keys, the summary, start and end; not who ran it, nor where."""
    (run,) = read_wandb(data / "wandb" / "run-20231114_221320-abc123" / "wandb-history.jsonl")
    assert (run.source, run.source_id, run.name) == ("wandb", "abc123", "run-20231114_221320-abc123")
    assert run.params == {"layers": [1, 2], "lr": 1e-05}
    assert run.metadata == {"summary": {"loss": 0.25, "_step": 3, "_timestamp": 1700000003.5}, "program": "train.py"}
    assert (run.started_at, run.finished_at) == ("2023-11-14T22:13:20.250000Z", "2023-11-14T22:13:23.500000Z")


def test_nested_names_can_be_joined_by_dots(data: Path, points_of: PointsOf) -> None:
    """As W&B's summary joins them."""
    (run,) = read_wandb(data / "wandb", separator=".")
    assert {"train.acc", "train.deep.x"} <= {name for name, _, _ in points_of(run)}


def test_lines_without_a_step_are_counted_on(tmp_path: Path, points_of: PointsOf) -> None:
    """A step may be missing, or be written as a float; a time may be missing too."""
    run = one(tmp_path / "a.jsonl", '{"loss": 1}\n{"loss": 2}\n{"_step": 7.0, "loss": 3}\n{"_step": "x", "loss": 4}\n')
    assert points_of(run) == [("loss", 0, 1.0), ("loss", 1, 2.0), ("loss", 7, 3.0), ("loss", 8, 4.0)]
    assert {point.timestamp_ns for batch in run.points() for point in batch} == {0}
    assert (run.name, run.started_at) == ("a", None)


def test_a_repeated_step_keeps_its_last_value(tmp_path: Path, points_of: PointsOf) -> None:
    """After a restart from a checkpoint steps come again; what was before is counted, order is by step."""
    run = one(
        tmp_path / "a.jsonl",
        "".join(f'{{"_step": {step}, "m": {place}}}\n' for place, step in enumerate([0, 2, 1, 2, 3])),
    )
    assert points_of(run) == [("m", 0, 0.0), ("m", 1, 2.0), ("m", 2, 3.0), ("m", 3, 4.0)]
    assert run.skipped == {"earlier values of repeated steps": 1}


def test_damage_costs_its_line(tmp_path: Path, points_of: PointsOf) -> None:
    """Lines that are no JSON, no object, no UTF-8 or too deep are reported; a torn last line is no damage."""
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    text = f'{{"_step": 0, "m": 1}}\nnot json\n[1]\n\n{deep}\n{{"_step": 1, "m": 2}}\n'.encode()
    run = one(tmp_path / "a.jsonl", text + b'{"m": "\xff"}\n{"_step": 2, "m": ' + b"9" * 5000 + b'}\n{"_step": 3, "m')
    assert points_of(run) == [("m", 0, 1.0), ("m", 1, 2.0)]
    found = [(problem.kind, problem.line) for problem in run.problems]
    assert found[:2] == [("damaged", 2), ("damaged", 3)]
    assert found[-1] == ("torn", 9)
    assert {line for _, line in found} <= {2, 3, 5, 7, 8, 9}


def test_numbers_of_any_size_are_taken(tmp_path: Path, points_of: PointsOf) -> None:
    """An integer that no float holds becomes an event, and a step that no database holds is counted."""
    run = one(tmp_path / "a.jsonl", f'{{"_step": 0, "m": {10**30}, "n": {10**400}}}\n{{"_step": {10**30}, "m": 1}}\n')
    assert points_of(run) == [("m", 0, 1e30)]
    assert run.skipped == {"points at steps beyond 64 bits": 1}
    assert [event.metadata for batch in run.events() for event in batch] == [{"n": 10**400}]


def test_a_number_that_python_does_not_convert_costs_only_itself(tmp_path: Path, points_of: PointsOf) -> None:
    """The rest of its line is read; it is counted, and its digits are kept in an event."""
    digits = "9" * 5000
    run = one(tmp_path / "a.jsonl", f'{{"_step": 1, "loss": 0.5, "i": {digits}, "a": {{"b": 1}}, "l": [-{digits}]}}\n')
    assert points_of(run) == [("loss", 1, 0.5), ("a/b", 1, 1.0)]
    assert run.skipped == {"integers with more digits than Python converts, kept as text in events": 1}
    assert [event.metadata for batch in run.events() for event in batch] == [{"i": digits, "l": [f"-{digits}"]}]
    assert not run.problems
    run = one(tmp_path / "b.jsonl", f'{{"_step": {digits}, "loss": 0.5}}\n{{"_timestamp": {digits}, "loss": 1}}\n')
    assert points_of(run) == [("loss", 0, 0.5), ("loss", 1, 1.0)]


def test_what_is_too_long_is_left_out(tmp_path: Path, points_of: PointsOf) -> None:
    """A line of more than 16 MiB does not fill the memory, and the lines behind it keep their numbers."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"_step": 0, "m": "')
        for _ in range(40):
            file.write(b"x" * 2**20)
        file.write(b'"}\n{"_step": 1, "m": 1}\nbad\n')
    (run,) = read_wandb(path)
    assert points_of(run) == [("m", 1, 1.0)]
    assert [(problem.line, "16 MiB" in problem.message) for problem in run.problems] == [(1, True), (3, False)]


def test_problems_are_bounded(tmp_path: Path, points_of: PointsOf) -> None:
    """A file of nothing but damage names its first thousand lines and says that there are more."""
    run = one(tmp_path / "a.jsonl", '{"m": 1}\n' + "bad\n" * 3000)
    points_of(run)
    assert (len(run.problems), run.problems.is_cut) == (1000, True)
    assert run.problems[:1] == [run.problems[0]]
    assert "a.jsonl:2" in str(run.problems[0])


def test_a_folder_is_looked_through(tmp_path: Path) -> None:
    """Each *.jsonl below is a run; W&B's own logs, and links, are named and not read."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.jsonl").write_text('{"m": 1}\n')
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "wandb-events.jsonl").write_text('{"system.cpu": 1}\n')
    (tmp_path / "run-x.wandb").write_bytes(b"\0")
    (tmp_path / "c.jsonl").symlink_to("a.jsonl")
    (tmp_path / "config.yaml").write_text(
        "lr: {value: 1, desc: x}\nplain: 2\nother: {value: 1, more: 2}\nkept: {a: 1}\n"
    )
    (tmp_path / "wandb-summary.json").write_text("[")
    (tmp_path / "wandb-metadata.json").write_text("[]")
    runs = read_wandb(tmp_path)
    found = {run.name: run for run in runs}
    assert set(found) == {"a", "b"}
    assert found["a"].params == {"lr": 1, "plain": 2, "other": {"value": 1, "more": 2}, "kept": {"a": 1}}
    assert [Path(problem.path).name for problem in found["a"].problems] == ["wandb-summary.json", "wandb-metadata.json"]
    assert sorted(Path(problem.path).name for problem in runs.problems) == [
        "c.jsonl",
        "run-x.wandb",
        "wandb-events.jsonl",
    ]
    with pytest.raises(SpecError, match=r"no \*\.jsonl file"):
        read_wandb(tmp_path / "deep" / ".." / "deep2" if (tmp_path / "deep2").mkdir() else tmp_path / "deep2")


def metric(run_id: str, name: str, value: object, step: object = None, **metadata: object) -> str:
    """Return a line of a metrics store."""
    line = {"run_id": run_id, "metric": name, "value": value, "step": step, "timestamp": "2026-02-08T10:00:00.5Z"}
    return json.dumps(line | {"metadata": metadata}) + "\n"


def test_lines_of_a_metrics_store_are_runs(tmp_path: Path, points_of: PointsOf) -> None:
    """Each run_id of the file is a run; a missing step counts on, and flags say which number a null was."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        metric("a", "loss", 0.5)
        + metric("b", "loss", 9.0, 4)
        + metric("a", "loss", None, 7, non_finite="NaN")
        + metric("a", "loss", None)
        + metric("a", "loss", 0.125)
        + metric("a", "word", "x")
        + metric("a", "acc", 1, 0, split="test")
        + '{"other": 1}\n'
        + metric("a", "acc", 2, 1)
    )
    found_runs = read_wandb(path)
    runs = {run.name: run for run in found_runs}
    assert list(runs) == ["a", "b"]
    run = runs["a"]
    found = points_of(run)
    assert [(name, step) for name, step, _ in found] == [("loss", 0), ("loss", 7), ("loss", 8), ("acc", 0), ("acc", 1)]
    assert math.isnan(found[1][2])
    assert points_of(runs["b"]) == [("loss", 4, 9.0)]
    assert run.skipped == {"nulls": 1}
    assert [(event.name, event.measurements, event.metadata) for batch in run.events(1) for event in batch] == [
        ("metric.recorded", {"word": "x"}, {}),
        ("metric.recorded", {"step": 0, "acc": 1.0}, {"split": "test"}),
    ]
    assert [problem.line for problem in found_runs.problems] == [8]
    path.write_text(metric("a", "loss", 0.5) + "nonsense\n")
    (run,) = read_wandb(path)
    assert points_of(run) == [("loss", 0, 0.5)]
    assert [problem.line for problem in run.problems] == [2], "of a single run it is that run's"
    path.write_text(metric("a", "loss", 0.5))
    assert run.started_at == "2026-02-08T10:00:00.500000Z"
