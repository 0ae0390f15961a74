"""MLflow's file store is read as MLflow 3.17.2 wrote it, and whatever else may lie there does no harm."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import SpecError, StoreError
from crucible.telemetry.importers import ImportedRun, read_mlflow

PointsOf = Callable[[ImportedRun], list[tuple[str, int, float]]]


def by_name(folder: Path) -> dict[str, ImportedRun]:
    """Return the runs of a store by their names."""
    return {run.name: run for run in read_mlflow(folder)}


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """An empty run in an experiment, as MLflow lays it out."""
    folder = tmp_path / "mlruns" / "1" / "abc"
    (folder / "metrics").mkdir(parents=True)
    (folder.parent / "meta.yaml").write_text("experiment_id: '1'\nname: one\nlifecycle_stage: active\n")
    (folder / "meta.yaml").write_text("run_id: abc\nrun_name: mine\nstatus: 3\nlifecycle_stage: active\n")
    return folder


def test_what_mlflow_wrote_is_read(data: Path, points_of: PointsOf) -> None:
    """Nested names, NaN and infinities, negative steps and times come over; of a repeated step the last."""
    run = by_name(data / "mlruns")["first"]
    found = points_of(run)
    assert [(name, step) for name, step, _ in found] == [
        ("neg", -5),
        *(("odd", step) for step in range(3)),
        *(("train/loss", step) for step in range(5)),
    ]
    values = [value for _, _, value in found]
    assert math.isnan(values[1])
    assert values[:1] + values[2:] == [-1e-300, math.inf, 0.25, 1.0, 0.5, 1 / 3, 0.25, 0.2]
    assert run.skipped == {"earlier values of repeated steps": 1}
    assert [point.timestamp_ns for batch in run.points() for point in batch if point.series == "train/loss"] == [
        1_700_000_000_000_000_000 + step * 1_000_000 for step in range(5)
    ]
    assert not run.problems
    assert list(run.events()) == []


def test_what_mlflow_says_of_a_run_is_read(data: Path) -> None:
    """Params, tags, times, status and experiment are the run's; text stays text."""
    run = by_name(data / "mlruns")["first"]
    assert run.params == {"lr": "0.001", "prompt/text": "two\nlines é"}
    assert run.tags == {"mlflow.runName": "first", "team/area": "nlp"}
    assert (run.source, run.status, run.is_deleted) == ("mlflow", "finished", False)
    assert (run.started_at, run.finished_at) == ("2023-11-14T22:13:20Z", "2023-11-14T22:13:22.500000Z")
    assert run.metadata["experiment"] == "Café: one"
    assert run.source_id == run.path.name


def test_deleted_runs_are_flagged(data: Path) -> None:
    """A deleted run, and every run of a deleted experiment, is there and says so; MLflow's words for a status too."""
    runs = by_name(data / "mlruns")
    assert {name: run.is_deleted for name, run in runs.items()} == {
        "first": False,
        "running": False,
        "deleted": True,
        "in the bin": True,
    }
    assert (runs["deleted"].status, runs["running"].status, runs["running"].finished_at) == ("failed", "running", None)


def test_an_experiment_or_a_run_can_be_read_alone(data: Path) -> None:
    """The root, an experiment's folder and a run's folder are all taken."""
    run = by_name(data / "mlruns")["first"]
    assert set(by_name(run.path.parent)) == {"first", "running", "deleted"}
    (alone,) = read_mlflow(run.path)
    assert (alone.name, alone.metadata["experiment"]) == ("first", "Café: one")


def test_batches_are_of_the_size_asked_for(data: Path) -> None:
    """Metrics share batches, so that many short ones do not make many small batches."""
    run = by_name(data / "mlruns")["first"]
    assert [len(batch) for batch in run.points(4)] == [4, 4, 1]


def test_old_lines_without_a_step_are_counted_on(run_folder: Path, points_of: PointsOf) -> None:
    """A file of two columns keeps all its values, in order; five columns are a value with its dataset."""
    (run_folder / "metrics" / "old").write_text("1000 0.5\n2000 0.25\n3000 nan\n")
    (run_folder / "metrics" / "with_data").write_text("1000 0.5 7 data_set digest\n")
    (run,) = read_mlflow(run_folder)
    found = points_of(run)
    assert [(name, step) for name, step, _ in found] == [("old", 0), ("old", 1), ("old", 2), ("with_data", 7)]
    assert run.skipped == {"steps that the source does not say, counted on instead": 3}
    assert not run.problems


@pytest.mark.parametrize("spelling", ["nan", "NaN", "NAN", "inf", "Infinity", "-inf", "-Infinity", "+inf"])
def test_every_spelling_of_what_is_not_finite_is_taken(run_folder: Path, points_of: PointsOf, spelling: str) -> None:
    """Java, JavaScript and Python write these differently."""
    (run_folder / "metrics" / "m").write_text(f"1 {spelling} 0\n")
    (run,) = read_mlflow(run_folder)
    ((_, _, value),) = points_of(run)
    assert str(value) == str(float(spelling))


def test_damaged_lines_are_reported_with_their_number(run_folder: Path, points_of: PointsOf) -> None:
    """Each costs itself only; a last line without its end may be half a number, and is left out."""
    (run_folder / "metrics" / "m").write_bytes(
        b"1 0.5 0\nnonsense\n1 2 3 4\n\n1 1_0 1\n1 \xff\xfe 2\n1 0.25 99999999999999999999\n"
        b"9e9 1 2\n2 0.125 1\n3 0.0625 1"
    )
    (run,) = read_mlflow(run_folder)
    assert points_of(run) == [("m", 0, 0.5), ("m", 1, 0.125)]
    assert [(problem.kind, problem.line) for problem in run.problems] == [
        ("damaged", 2),
        ("damaged", 3),
        ("damaged", 5),
        ("damaged", 6),
        ("damaged", 8),
        ("torn", 10),
    ]
    assert str(run.problems[0]).startswith(f"{run_folder}/metrics/m:2: expected `timestamp_ms value step`, got")
    assert run.skipped == {"points at steps beyond 64 bits": 1}
    points_of(run)
    assert len(run.problems) == 6, "reading again reports nothing twice"


def test_a_time_that_is_none_is_zero(run_folder: Path) -> None:
    """A time beyond 64 bits of nanoseconds costs the time and not the value."""
    (run_folder / "metrics" / "m").write_text(f"{10**30} 0.5 0\n")
    (run,) = read_mlflow(run_folder)
    ((point,),) = run.points()
    assert (point.value, point.timestamp_ns) == (0.5, 0)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(20)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "aliases"),
        ("[" * 100_000, "levels"),
        ("run_id: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("run_id: [", "line 2"),
        ("- a list", "expected a mapping, got list"),
        ("run_id: " + "1" * 5000, "run_id"),
        ("x" * 2_000_000, "more than 1 MiB"),
    ],
    ids=["bomb", "depth", "tag", "syntax", "list", "digits", "size"],
)
def test_no_yaml_does_harm(run_folder: Path, points_of: PointsOf, text: str, said: str) -> None:
    """A meta.yaml that cannot be taken is a problem of the run, which keeps its folder's name and its metrics."""
    (run_folder / "meta.yaml").write_text(text)
    (run_folder / "metrics" / "m").write_text("1 0.5 0\n")
    (run,) = read_mlflow(run_folder)
    assert points_of(run) == [("m", 0, 0.5)]
    assert (run.source_id, run.name) == ("abc", "abc")
    assert said == "run_id" or said in str(run.problems[0])


def test_names_cannot_lead_out_of_the_folder(run_folder: Path) -> None:
    """What meta.yaml calls the run's id is not believed over its folder's name."""
    (run_folder / "meta.yaml").write_text("run_id: ../../../etc\nrun_name: ../x\nartifact_uri: ../../y\n")
    (run,) = read_mlflow(run_folder)
    assert run.source_id == "abc"
    assert run.path == run_folder
    assert "says run '../../../etc'" in str(run.problems[0])


def test_links_are_not_followed(run_folder: Path, points_of: PointsOf, tmp_path: Path) -> None:
    """Neither a link to a secret, nor a loop, nor a pipe that nobody writes to; each is reported."""
    secret = tmp_path / "secret"
    secret.write_text("1 42 0\n")
    (run_folder / "metrics" / "stolen").symlink_to(secret)
    (run_folder / "metrics" / "loop").symlink_to(run_folder / "metrics", target_is_directory=True)
    (run_folder / "params").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(run_folder / "metrics" / "pipe")
    (run_folder / "metrics" / "true").write_text("1 0.5 0\n")
    (run_folder.parent / "linked").symlink_to(run_folder, target_is_directory=True)
    runs = read_mlflow(tmp_path / "mlruns")
    (run,) = runs
    assert points_of(run) == [("true", 0, 0.5)]
    assert run.params == {}
    assert sorted(Path(problem.path).name for problem in run.problems) == ["loop", "params", "pipe", "stolen"]
    assert [Path(problem.path).name for problem in runs.problems] == ["linked"]


def test_odd_names_and_texts_are_kept_readable(run_folder: Path, points_of: PointsOf) -> None:
    """Bytes that are no UTF-8 are escaped in names and texts, so that every database takes them."""
    (run_folder / "params").mkdir()
    Path(os.fsdecode(bytes(run_folder / "metrics") + b"/m\xff")).write_text("1 0.5 0\n")
    (run_folder / "params" / "p").write_bytes(b"caf\xe9")
    (run_folder / "metrics" / ("n" * 200)).mkdir()
    deep = run_folder / "metrics"
    for _ in range(6):
        deep = deep / ("d" * 200)
        deep.mkdir()
    (deep / "m").write_text("1 0.5 0\n")
    (run,) = read_mlflow(run_folder)
    assert points_of(run) == [("m\\udcff", 0, 0.5)]
    assert run.params == {"p": "caf\\xe9"}
    assert run.skipped == {"points of series whose name is empty or beyond 1,000 characters": 1}
    assert "not UTF-8" in str(run.problems[0])


def test_a_run_without_its_meta_is_read(run_folder: Path, points_of: PointsOf) -> None:
    """Its metrics are there, so the run is; that its meta.yaml is missing is said."""
    (run_folder / "meta.yaml").unlink()
    (run_folder / "metrics" / "m").write_text("1 0.5 0\n")
    (run,) = read_mlflow(run_folder.parent)
    assert points_of(run) == [("m", 0, 0.5)]
    assert run.status is None
    assert "is missing" in str(run.problems[0])


@pytest.mark.parametrize("status", [True, 99, [3], "FINISHED", None])
def test_any_status_is_taken(run_folder: Path, status: Any) -> None:
    """Old stores write the word, new ones a number; a number that nobody knows is no status."""
    (run_folder / "meta.yaml").write_text(f"run_id: abc\nstatus: {'null' if status is None else status}\n")
    (run,) = read_mlflow(run_folder)
    assert run.status == ("finished" if status == "FINISHED" else None)


def test_what_is_no_store_is_an_error(tmp_path: Path) -> None:
    """A missing path is a StoreError; a folder of something else says what was expected."""
    with pytest.raises(StoreError, match="cannot be read"):
        read_mlflow(tmp_path / "missing")
    with pytest.raises(StoreError, match="cannot be read"):
        read_mlflow("nul\0")
    with pytest.raises(SpecError, match="no MLflow file store"):
        read_mlflow(tmp_path)
    with pytest.raises(SpecError, match="neither a folder nor a regular file"):
        read_mlflow("/dev/null")


def test_a_file_that_vanishes_is_an_error(data: Path, tmp_path: Path, points_of: PointsOf) -> None:
    """Points that were promised and are gone are not silently none: the metrics' folder is empty, or the file fails."""
    shutil.copytree(data / "mlruns", tmp_path / "mlruns")
    run = by_name(tmp_path / "mlruns")["first"]
    file = run.path / "metrics" / "neg"
    batches = run.points(1)
    next(batches)
    file.unlink()
    assert [name for name, _, _ in points_of(run)] == ["odd"] * 3 + ["train/loss"] * 5
